//! What was revoked, in an order that every process reads in the same way.

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Keeps revocations until what they revoke would have ended by itself.
///
/// ```
/// use palisade_core::port::revocation::{Revoked, RevokedAt};
/// use palisade_core::port::{RevocationLog, StoreError};
/// use palisade_core::time::Timestamp;
///
/// /// A store whose line is cut. Whoever revokes is told that nobody else will hear of it.
/// struct Cut;
///
/// #[async_trait::async_trait]
/// impl RevocationLog for Cut {
///     async fn append(&self, _: &Revoked, _: Timestamp) -> Result<u64, StoreError> {
///         Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
///     }
///     async fn after(&self, _: u64, _: Timestamp) -> Result<Vec<RevokedAt>, StoreError> {
///         Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
///     }
/// }
/// # let _ = Cut;
/// ```
#[async_trait]
pub trait RevocationLog: Send + Sync + 'static {
    /// Adds a revocation and gives its place. Places grow in the order in which they can be read: whoever has read up to
    /// one place misses nothing that is added later.
    async fn append(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError>;

    /// What stands after a place and still matters, in order, at most [`MOST`] at a time.
    async fn after(&self, place: u64, now: Timestamp) -> Result<Vec<RevokedAt>, StoreError>;
}

/// How many revocations are read at a time.
pub const MOST: u32 = 1_000;

/// One revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whose tokens they are (`iss`).
    pub issuer: Box<str>,
    /// What is revoked.
    pub what: What,
    /// When: what was issued later is good.
    pub at: Timestamp,
    /// When the last of what is revoked would have ended by itself.
    pub until: Timestamp,
}

/// What is revoked.
///
/// ```
/// use palisade_core::port::revocation::What;
///
/// assert_eq!(What::Token("j-1".into()).parts(), ("token", "j-1"));
/// assert_eq!(What::from_parts("session", "s-1"), Some(What::Session("s-1".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Everything that came out of one session (`sid`).
    Session(Box<str>),
    /// Everything that one subject has (`sub`).
    Subject(Box<str>),
    /// One token (`jti`).
    Token(Box<str>),
}

impl What {
    /// The kind and the name.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Session(name) => ("session", name),
            Self::Subject(name) => ("subject", name),
            Self::Token(name) => ("token", name),
        }
    }

    /// From kind and name.
    pub fn from_parts(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "session" => Some(Self::Session(name.into())),
            "subject" => Some(Self::Subject(name.into())),
            "token" => Some(Self::Token(name.into())),
            _ => None,
        }
    }
}

/// A revocation and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedAt {
    /// Its place.
    pub place: u64,
    /// The revocation.
    pub revoked: Revoked,
}
