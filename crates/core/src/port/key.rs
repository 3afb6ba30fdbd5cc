//! Signing keys that several processes share: numbered, sealed, and made once however many want to make the next.

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Keeps keys, each under a purpose and a number.
///
/// ```
/// use palisade_core::port::key::{Added, KeyRecord};
/// use palisade_core::port::{KeyStore, StoreError};
/// use palisade_core::time::Timestamp;
///
/// /// A store whose line is cut: nothing is signed with a key that others cannot see.
/// struct Cut;
///
/// fn cut<T>() -> Result<T, StoreError> {
///     Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
/// }
///
/// #[async_trait::async_trait]
/// impl KeyStore for Cut {
///     async fn list(&self, _: &str) -> Result<Vec<KeyRecord>, StoreError> { cut() }
///     async fn add(&self, _: &KeyRecord) -> Result<Added, StoreError> { cut() }
///     async fn revoke(&self, _: &str, _: u32, _: Timestamp) -> Result<bool, StoreError> { cut() }
///     async fn destroy(&self, _: &str, _: u32) -> Result<bool, StoreError> { cut() }
/// }
/// # let _ = Cut;
/// ```
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// All keys of a purpose in the order of their numbers.
    async fn list(&self, purpose: &str) -> Result<Vec<KeyRecord>, StoreError>;

    /// Adds a key. Of any number of parallel calls with one purpose and number exactly one is [`Added::Ours`].
    async fn add(&self, record: &KeyRecord) -> Result<Added, StoreError>;

    /// Takes a key out of use for ever and forgets its private half. Says whether this call has done it.
    async fn revoke(&self, purpose: &str, number: u32, now: Timestamp) -> Result<bool, StoreError>;

    /// Forgets the private half of a key whose time is over. Says whether this call has done it.
    async fn destroy(&self, purpose: &str, number: u32) -> Result<bool, StoreError>;
}

/// One key, as the store holds it.
///
/// ```
/// use palisade_core::port::key::KeyRecord;
/// use palisade_core::time::Timestamp;
///
/// let record = KeyRecord {
///     purpose: "access".into(),
///     number: 1,
///     algorithm: "ES256".into(),
///     public: "{}".into(),
///     sealed: Some(vec![1, 2, 3]),
///     created: Timestamp::from_secs(100),
///     active_from: Timestamp::from_secs(3_700),
///     revoked_at: None,
/// };
/// assert_eq!(record.created.plus(std::time::Duration::from_secs(3_600)), record.active_from);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// What it signs.
    pub purpose: Box<str>,
    /// Its place among the keys of that purpose, from 1.
    pub number: u32,
    /// The one algorithm that it is for, as JOSE names it.
    pub algorithm: Box<str>,
    /// The public half as a JWK.
    pub public: Box<str>,
    /// The private half, encrypted; `None` once it is destroyed.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it signs.
    pub active_from: Timestamp,
    /// When it was taken out of use before its time.
    pub revoked_at: Option<Timestamp>,
}

impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { purpose, number, active_from, revoked_at, .. } = self;
        f.debug_struct("KeyRecord")
            .field("purpose", purpose)
            .field("number", number)
            .field("active_from", active_from)
            .field("revoked_at", revoked_at)
            .finish_non_exhaustive()
    }
}

/// The outcome of adding a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Ours,
    /// Somebody else has added one of that number.
    Theirs,
}
