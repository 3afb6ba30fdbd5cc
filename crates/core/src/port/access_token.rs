//! Access tokens that say nothing by themselves: what they stand for is kept until they expire or are taken back.

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Keeps what opaque access tokens stand for. Each method is one atomic act.
///
/// ```
/// use palisade_core::port::access_token::{AccessHash, AccessTokenStore, KeptAccess, Which};
/// use palisade_core::port::StoreError;
/// use palisade_core::time::Timestamp;
///
/// /// A store whose line is cut: nobody gets in.
/// struct Cut;
///
/// fn cut<T>() -> Result<T, StoreError> {
///     Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
/// }
///
/// #[async_trait::async_trait]
/// impl AccessTokenStore for Cut {
///     async fn keep(&self, _: &KeptAccess, _: Timestamp) -> Result<(), StoreError> { cut() }
///     async fn find(&self, _: &AccessHash) -> Result<Option<KeptAccess>, StoreError> { cut() }
///     async fn revoke(&self, _: Which<'_>) -> Result<u64, StoreError> { cut() }
/// }
/// # let _ = Cut;
/// ```
#[async_trait]
pub trait AccessTokenStore: Send + Sync + 'static {
    /// Keeps a token until it expires. One of that hash that is already there is an error: tokens are random.
    async fn keep(&self, token: &KeptAccess, now: Timestamp) -> Result<(), StoreError>;

    /// The token of a hash, if it was not taken back. One that has expired may still be there.
    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError>;

    /// Takes tokens back for ever, and says how many there were.
    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError>;
}

/// The SHA-256 of a token, which has 256 random bits.
///
/// ```
/// use palisade_core::port::access_token::AccessHash;
///
/// assert_ne!(AccessHash([1; 32]), AccessHash([2; 32]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccessHash(pub [u8; 32]);

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAccess {
    /// What is kept of the token itself.
    pub hash: AccessHash,
    /// Whom it names (`sub`).
    pub subject: Box<str>,
    /// The session or family that it came out of (`sid`).
    pub session: Option<Box<str>>,
    /// All that it says: the claims that a signed token would carry (RFC 9068), as JSON.
    pub claims: Box<str>,
    /// From when on it is refused.
    pub expires: Timestamp,
}

/// Which tokens are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// All that came out of one session or family.
    Session(&'a str),
    /// All of one subject.
    Subject(&'a str),
    /// One token.
    Token(&'a AccessHash),
}
