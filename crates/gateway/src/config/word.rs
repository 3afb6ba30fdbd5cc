//! The closed lists of words that the file chooses from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of API is protected; it sets the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For web pages, which load many parts at once: 300 requests a second for each client.
    BrowserApp,
    /// For programs of the same organization, which may share an address: 1000 requests a second for each client.
    Internal,
    /// For programs of anybody: 100 requests a second for each client.
    #[default]
    PublicApi,
}

/// When a running gateway reads its configuration again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reload {
    /// When it gets the signal SIGHUP.
    Signal,
    /// Also when this file, or one that it names, has changed.
    #[default]
    Watch,
}

/// In which headers proxies say whose request they pass on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
}

/// What becomes of the caller's credential on the way to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Credentials {
    /// The backend sees it.
    Forward,
    /// It ends at the gateway.
    Strip,
}

/// Whether what callers say of caches counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RequestDirectives {
    /// An answer is used for as long as the backend says.
    Ignore,
    /// Callers may ask for a fresh answer, for one that is not too old, or for a kept one only.
    #[default]
    Obey,
}

/// What the backend gets of a query and a body that are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// What was read, in its one canonical writing: no second reader can understand it otherwise.
    #[default]
    Canonical,
    /// The bytes as they came, for a backend that verifies a signature over them.
    PreserveBytes,
}

/// What happens to a response that the contract does not describe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Responses {
    /// Undeclared properties are taken out, and what still breaks the contract is withheld; either makes an event.
    #[default]
    Enforce,
    /// Responses are not compared with the contract. Owners and server errors are looked at all the same.
    Off,
    /// Everything passes, and an event says what would have been refused.
    Report,
}

/// What happens to what departs from a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is refused, with an event.
    #[default]
    Enforce,
    /// Nobody looks.
    Off,
    /// It passes, and an event says what would have been refused.
    Report,
}

/// What becomes of properties of an answer that the contract does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Undeclared {
    /// The answer is refused.
    Refuse,
    /// They are taken out.
    #[default]
    Strip,
}

/// How a request's body may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Coding {
    /// Deflate within zlib (RFC 1950).
    Deflate,
    /// RFC 1952.
    Gzip,
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Counting {
    /// All at once if need be, then refilled evenly (the generic cell rate algorithm).
    #[default]
    Gcra,
    /// What came within the last `per`, estimated from two counters.
    SlidingWindow,
}

/// How exactly requests are counted where several gateways count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Counted {
    /// Every request asks the store.
    #[default]
    Exact,
    /// A gateway takes a batch of a budget at once: seldom a question, and of each limit at most one batch for each
    /// gateway more than it says.
    Lease,
}

/// Whose requests are counted together, before anybody has signed in. Limits by principal and by tenant are in the
/// contract, as `x-palisade.limit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Holder {
    /// Everybody's.
    All,
    /// Those of one client address.
    #[default]
    Client,
}

/// What happens to requests while the store does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnFailure {
    /// They pass uncounted.
    Allow,
    /// They are refused.
    #[default]
    Deny,
    /// They are counted in this process until the store is back.
    Local,
}

/// How a token is signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC with SHA-256, for a shared secret only.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// Those that verify with a public key.
    pub const ASYMMETRIC: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Ps256, Self::Rs256];

    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }
}

/// Whether tokens come with a proof that the caller has the key they are bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DpopMode {
    /// A token that needs a proof is refused.
    #[default]
    Off,
    /// A token that is bound to a key comes with one.
    Optional,
    /// Every token is bound to a key or a certificate.
    Required,
}

/// Whether a client may connect without a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateMode {
    /// It may; a certificate that it shows must be genuine.
    Optional,
    /// It may not.
    #[default]
    Required,
}

/// Which `typ` a token must carry, so that a token made for another purpose is not accepted (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TokenType {
    /// An access token of RFC 9068.
    #[default]
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// Any, or none: only for an issuer that signs nothing but access tokens with these keys.
    #[serde(rename = "any")]
    Any,
    /// The general `JWT`.
    #[serde(rename = "jwt")]
    Jwt,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    V1_3,
}

/// What a client gets that asks for a name no certificate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnknownName {
    /// The first certificate, which its client will find wrong.
    #[default]
    First,
    /// No connection. Clients that name nobody are refused as well.
    Refuse,
}
