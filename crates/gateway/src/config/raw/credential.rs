//! `[bearer.NAME]` and `[keys.NAME]`: the credentials that routes accept.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::{Algorithm, DpopMode, TokenType};
use super::text::{Digest, FileRef, Moment, Span, Url, UrlOrFile};

/// An issuer of signed tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBearer {
    /// The `iss` that tokens must carry, exactly as the issuer writes it.
    pub(crate) issuer: String,
    /// The `aud` that tokens must carry: the name of this API at the issuer.
    pub(crate) audience: String,
    /// Where the issuer's public keys are: an `https` URL, or a file. Exactly one of `jwks` and `secret` is needed.
    pub(crate) jwks: Option<UrlOrFile>,
    /// A file with the key that is shared with the issuer, for `HS256` only; at least 32 bytes, where a line
    /// break at the end of a text does not count.
    pub(crate) secret: Option<FileRef>,
    /// How tokens may be signed; by default `HS256` with a `secret`, else every one of the others.
    #[schemars(length(min = 1))]
    pub(crate) algorithms: Option<Vec<Algorithm>>,
    /// Which `typ` tokens must carry.
    #[serde(default, rename = "type")]
    pub(crate) token_type: TokenType,
    /// By how much the clocks may differ; at most 120s.
    #[serde(default = "leeway")]
    pub(crate) leeway: Span,
    /// The claim with the caller's roles. Dots lead into nested claims: `realm_access.roles`.
    #[serde(default = "roles_claim")]
    pub(crate) roles_claim: String,
    /// The claim with the caller's organization. Dots lead into nested claims.
    #[serde(default = "tenant_claim")]
    pub(crate) tenant_claim: String,
    /// The URL by which clients know this API. With it challenges name its metadata (RFC 9728), which is served at
    /// `/.well-known/oauth-protected-resource`, and DPoP proofs must be for its scheme and host.
    pub(crate) resource: Option<Url>,
    /// Whether tokens come with a proof that the caller has the key they are bound to (RFC 9449). A token that is bound
    /// to a certificate needs that certificate in any case (RFC 8705).
    #[serde(default)]
    pub(crate) dpop: DpopMode,
    /// A file with at least 32 random bytes, the same for every process of this gateway. With it proofs need a nonce of
    /// ours, so that none can be made in advance.
    pub(crate) dpop_nonce_key: Option<FileRef>,
}

/// A set of API keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKeys {
    /// The header that carries the key.
    #[serde(default = "header")]
    pub(crate) header: String,
    /// The keys.
    #[schemars(length(min = 1))]
    pub(crate) key: Vec<RawKey>,
}

/// An API key. The file holds its digest only.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKey {
    /// `sha256:` and the SHA-256 of the key in 64 hexadecimal digits.
    pub(crate) hash: Digest,
    /// Whose key it is: the name in events and for limits.
    pub(crate) client: String,
    /// What the key may be used for.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// The roles of its owner.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// When the key stops being accepted. Without it never.
    pub(crate) expires: Option<Moment>,
}

fn leeway() -> Span {
    Span::from("30s")
}

fn roles_claim() -> String {
    "roles".to_owned()
}

fn tenant_claim() -> String {
    "tenant".to_owned()
}

fn header() -> String {
    "x-api-key".to_owned()
}
