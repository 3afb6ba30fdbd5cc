//! Why a refresh token is worth nothing: for events, and as far as the client may know.

use palisade_core::event::EventKind;
use palisade_core::port::StoreError;
use palisade_core::port::refresh::Family;

/// Why a token is worth nothing; for events, and for the word that tells a client what to do.
///
/// ```
/// use palisade::token::refresh::RefreshError;
///
/// // The log is told more than the client.
/// assert_eq!((RefreshError::Forged.reason(), RefreshError::Forged.error()), ("forged", "invalid_grant"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The time of the family is over.
    #[error("the refresh token is expired")]
    Expired,
    /// No key of ours has made it.
    #[error("the refresh token is forged")]
    Forged,
    /// The key that it was made with was taken away.
    #[error("the key of the refresh token is gone")]
    KeyUnknown,
    /// It is no refresh token.
    #[error("the refresh token is malformed")]
    Malformed,
    /// It is another client's.
    #[error("the refresh token is another client's")]
    OtherClient,
    /// It is bound to a key or certificate that the request has not shown.
    #[error("the refresh token is bound to another key")]
    OtherKey,
    /// It was used before; its family is revoked now.
    #[error("the refresh token was used before")]
    Replayed(Box<Family>),
    /// More places are asked for than were granted.
    #[error("more resources are asked for than were granted")]
    ResourceWidened,
    /// Its family was revoked.
    #[error("the refresh token was revoked")]
    Revoked,
    /// More is asked for than was granted (RFC 6749 section 6).
    #[error("more scopes are asked for than were granted")]
    ScopeWidened,
    /// Nobody can tell what it is worth.
    #[error("{0}")]
    Unavailable(StoreError),
    /// There is no such family.
    #[error("the refresh token is unknown")]
    Unknown,
}

impl RefreshError {
    /// The reason as one word for events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::KeyUnknown => "key_unknown",
            Self::Malformed => "malformed",
            Self::OtherClient => "other_client",
            Self::OtherKey => "other_key",
            Self::Replayed(_) => "replayed",
            Self::ResourceWidened => "resource_widened",
            Self::Revoked => "revoked",
            Self::ScopeWidened => "scope_widened",
            Self::Unavailable(_) => "store_unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// What the client is told (RFC 6749 section 5.2, RFC 8707 section 2): not why a token is worth nothing.
    pub fn error(&self) -> &'static str {
        match self {
            Self::ScopeWidened => "invalid_scope",
            Self::ResourceWidened => "invalid_target",
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::Expired
            | Self::Forged
            | Self::KeyUnknown
            | Self::Malformed
            | Self::OtherClient
            | Self::OtherKey
            | Self::Replayed(_)
            | Self::Revoked
            | Self::Unknown => "invalid_grant",
        }
    }

    /// The event that it is.
    pub fn event(&self) -> EventKind {
        match self {
            Self::Replayed(_) => EventKind::TokenReuseDetected,
            Self::Unavailable(_) => EventKind::ServiceFailed,
            _ => EventKind::TokenRefused,
        }
    }
}
