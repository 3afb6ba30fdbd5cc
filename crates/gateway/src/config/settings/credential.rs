//! What `[bearer.NAME]` and `[keys.NAME]` mean.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};
use palisade::stage::publish::Resource;
use palisade_core::diagnostic::Source;
use palisade_core::id::ClientId;
use palisade_core::principal::{RoleSet, ScopeSet};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

use super::super::word::{Algorithm, DpopMode, TokenType};

/// An issuer of signed tokens.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The section's name.
    pub name: Arc<str>,
    /// The `iss` that tokens must carry.
    pub issuer: String,
    /// The `aud` that tokens must carry.
    pub audience: String,
    /// What tokens are verified with.
    pub keys: BearerKeys,
    /// How tokens may be signed; at least one, and `Hs256` alone exactly where the keys are a secret.
    pub algorithms: Vec<Algorithm>,
    /// Which `typ` tokens must carry.
    pub token_type: TokenType,
    /// By how much the clocks may differ.
    pub leeway: Duration,
    /// The claim with the caller's roles.
    pub roles_claim: ClaimPath,
    /// The claim with the caller's organization.
    pub tenant_claim: ClaimPath,
    /// The API as its clients know it.
    pub resource: Option<Resource>,
    /// Whether tokens come with proofs.
    pub dpop: DpopMode,
    /// What nonces are made with; at least 32 bytes.
    pub dpop_nonce_key: Option<HiddenSecret>,
}

/// A secret within settings, which can be printed.
#[derive(Clone)]
pub struct HiddenSecret(pub Secret);

impl fmt::Debug for HiddenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl PartialEq for HiddenSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.matches(other.0.expose())
    }
}

impl Eq for HiddenSecret {}

/// What tokens are verified with.
#[derive(Clone)]
pub enum BearerKeys {
    /// A JWK set that was read from a file; an object with a list of `keys`.
    File(Source),
    /// A key shared with the issuer, of at least 32 bytes.
    Secret(Secret),
    /// A JWK set to fetch.
    Url(Uri),
}

impl fmt::Debug for BearerKeys {
    /// Names the kind, and never shows a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(source) => write!(f, "File({})", source.name()),
            Self::Secret(_) => f.write_str("Secret(..)"),
            Self::Url(url) => write!(f, "Url({url})"),
        }
    }
}

/// The names that lead to a claim: `["realm_access", "roles"]`. A claim whose name is a URL is one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(pub Box<[Box<str>]>);

/// A set of API keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The section's name.
    pub name: Arc<str>,
    /// The header that carries the key.
    pub header: HeaderName,
    /// The keys; at least one, no digest twice.
    pub keys: Vec<Key>,
}

/// An API key, of which only the digest is known.
#[derive(Clone, Debug)]
pub struct Key {
    /// The SHA-256 of the key.
    pub hash: [u8; 32],
    /// Whose key it is.
    pub client: ClientId,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// The roles of its owner.
    pub roles: RoleSet,
    /// When it stops being accepted.
    pub expires: Option<Timestamp>,
}
