//! Why a token was refused: one variant per reason, for events and tests, never for the caller.

use super::jwks::KeySourceError;

/// The reason a token was not believed.
///
/// A caller is told that the token is invalid and nothing more; [`TokenError::reason`] goes into the event.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::testing::TestWorld;
/// use palisade::token::{error::TokenError, jwt::Verifier};
/// use serde_json::json;
///
/// let test = TestWorld::new();
/// let verifier = Verifier::new(test.issuer.rules(), Arc::new(test.issuer.keys()), Arc::new(test.clock.clone()));
/// let error = verifier.verify(&test.issuer.token(&json!({"aud": "https://other.example.com"}))).await.unwrap_err();
/// assert_eq!(error, TokenError::AudienceMismatch);
/// assert_eq!(error.reason(), "audience_mismatch");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The header names `none`, an unknown algorithm, or one the rules do not allow (RFC 8725 section 3.1).
    #[error("the algorithm is not allowed")]
    AlgorithmForbidden,
    /// The key that the header names is for another algorithm.
    #[error("the key is for another algorithm")]
    AlgorithmMismatch,
    /// The token is for somebody else (RFC 7519 section 4.1.3).
    #[error("the audience is another")]
    AudienceMismatch,
    /// A claim has a type or value it cannot have.
    #[error("the claim `{0}` is malformed")]
    ClaimInvalid(&'static str),
    /// A claim that the rules need is absent.
    #[error("the claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// The header asks for an extension that must be understood, or for an unencoded payload (RFC 7797).
    #[error("the header asks for an extension")]
    CriticalHeader,
    /// The token's time is over (RFC 7519 section 4.1.4).
    #[error("the token is expired")]
    Expired,
    /// The header brings a key or the address of one: `jwk`, `jku`, `x5c` or `x5u` (RFC 8725 section 3.10).
    #[error("the header brings its own key")]
    HeaderKeyForbidden,
    /// The token is from somebody else (RFC 7519 section 4.1.1).
    #[error("the issuer is another")]
    IssuerMismatch,
    /// No key in the set fits the header.
    #[error("the key is unknown")]
    KeyUnknown,
    /// There is no key set to check the token with.
    #[error("the keys cannot be had: {0}")]
    KeysUnavailable(KeySourceError),
    /// The text is not a compact JWS with a JSON object in it (RFC 7515 section 7.1).
    #[error("the token is malformed")]
    Malformed,
    /// The token's time has not come: `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token is bound to a key (`cnf`, RFC 7800), but nothing here checks that the caller has it.
    #[error("the token is bound to a key")]
    ProofRequired,
    /// The token, or everything its subject had at some moment, was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    SignatureInvalid,
    /// The store that knows what opaque tokens stand for does not answer.
    #[error("the store does not answer: {0}")]
    StoreUnavailable(std::sync::Arc<str>),
    /// The text is longer than any token that is read.
    #[error("the token is too long")]
    TooLong,
    /// The token was issued longer ago than the rules allow.
    #[error("the token is too old")]
    TooOld,
    /// The token is of another kind (`typ`, RFC 8725 section 3.11).
    #[error("the token is of another kind")]
    TypeMismatch,
    /// The opaque token stands for nothing: it was never given, or was taken back.
    #[error("the token is unknown")]
    Unknown,
}

impl TokenError {
    /// The reason as one word for events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AlgorithmForbidden => "algorithm_forbidden",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ClaimInvalid(_) => "claim_invalid",
            Self::ClaimMissing(_) => "claim_missing",
            Self::CriticalHeader => "critical_header",
            Self::Expired => "expired",
            Self::HeaderKeyForbidden => "header_key_forbidden",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::KeyUnknown => "key_unknown",
            Self::KeysUnavailable(_) => "keys_unavailable",
            Self::Malformed => "malformed",
            Self::NotYetValid => "not_yet_valid",
            Self::ProofRequired => "proof_required",
            Self::Revoked => "revoked",
            Self::SignatureInvalid => "signature_invalid",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::TooLong => "too_long",
            Self::TooOld => "too_old",
            Self::TypeMismatch => "type_mismatch",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the fault is ours: the token may be good, but there is no key or store to tell.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::KeysUnavailable(_) | Self::StoreUnavailable(_))
    }
}
