//! Service accounts and their API keys: added while there is room, found by their id, revoked for ever.

use async_trait::async_trait;
use ipnet::IpNet;

use super::StoreError;
use super::account::{AccountStatus, StatusSet};
use crate::id::{ApiKeyId, ClientId, TenantId};
use crate::principal::{RoleSet, ScopeSet};
use crate::time::Timestamp;

/// How many keys of one account may be live: the one in use, and the one that takes its place.
pub const LIVE_KEYS: u32 = 2;

/// How many seconds pass before another use of the same key is written down.
pub const USE_SECONDS: u64 = 60;

/// Keeps service accounts and what is needed to know their keys again. Each method is one atomic act.
///
/// ```
/// use palisade_core::id::ApiKeyId;
/// use palisade_core::port::{ApiKeyStore, StoreError};
/// use palisade_core::time::Timestamp;
///
/// /// Whether a key opens anything, whoever has its secret.
/// async fn is_of_use(keys: &dyn ApiKeyStore, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
///     Ok(keys.find(id).await?.is_some_and(|held| held.refused(now).is_none()))
/// }
/// # let _ = is_of_use;
/// ```
#[async_trait]
pub trait ApiKeyStore: Send + Sync + 'static {
    /// Makes an account. Of any number of parallel calls with one id exactly one makes it and says so.
    async fn register(&self, account: &ServiceAccount) -> Result<bool, StoreError>;

    /// Lets the keys of an account be used, or not.
    async fn set_status(&self, id: &ClientId, status: AccountStatus) -> Result<StatusSet, StoreError>;

    /// All accounts in the order of their ids.
    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError>;

    /// Adds a key if its account has fewer than [`LIVE_KEYS`] live ones: of any number of parallel calls no more
    /// succeed than there is room.
    async fn add(&self, key: &NewApiKey, now: Timestamp) -> Result<Added, StoreError>;

    /// A key with its account.
    ///
    /// ```
    /// use palisade_core::port::api_key::Held;
    /// use palisade_core::time::Timestamp;
    ///
    /// /// Whether somebody who has the secret may use it.
    /// fn opens(held: &Held, now: Timestamp) -> bool {
    ///     held.refused(now).is_none()
    /// }
    /// # let _ = opens;
    /// ```
    async fn find(&self, id: &ApiKeyId) -> Result<Option<Held>, StoreError>;

    /// The keys of an account, also those that are over, the oldest first.
    async fn list(&self, account: &ClientId) -> Result<Vec<KeptApiKey>, StoreError>;

    /// Takes a key out of use for ever. Says whether this call has done it.
    async fn revoke(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError>;

    /// Writes down that a key was used, unless a use within the last [`USE_SECONDS`] is written down. Says whether this
    /// call has written.
    async fn note_used(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError>;
}

/// A program that has keys.
///
/// ```
/// use palisade_core::id::ClientId;
/// use palisade_core::port::api_key::ServiceAccount;
/// use palisade_core::principal::ScopeSet;
/// use palisade_core::time::Timestamp;
///
/// let reports = ServiceAccount {
///     scopes: ScopeSet::from_iter(["reports:read"]),
///     networks: vec!["10.0.0.0/8".parse()?],
///     ..ServiceAccount::new(ClientId::new("reports"), Timestamp::from_secs(1_795_305_600))
/// };
/// assert!(reports.roles.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceAccount {
    /// Its id, which never changes.
    pub id: ClientId,
    /// The organization that it acts in.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: Box<str>,
    /// Whether its keys may be used.
    pub status: AccountStatus,
    /// What its keys may be used for.
    pub scopes: ScopeSet,
    /// Its roles.
    pub roles: RoleSet,
    /// The only networks that its keys may be used from; empty means all.
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created: Timestamp,
}

impl ServiceAccount {
    /// An active account that may nothing yet, and that from everywhere.
    pub fn new(id: ClientId, created: Timestamp) -> Self {
        Self {
            name: id.as_str().into(),
            id,
            tenant: None,
            status: AccountStatus::Active,
            scopes: ScopeSet::default(),
            roles: RoleSet::default(),
            networks: Vec::new(),
            created,
        }
    }
}

/// The SHA-256 of the secret of a key, which has at least 160 random bits.
///
/// ```
/// use palisade_core::port::api_key::SecretHash;
///
/// assert_ne!(SecretHash([1; 32]), SecretHash([2; 32]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

/// A key that is to be added.
///
/// ```
/// use palisade_core::id::{ApiKeyId, ClientId};
/// use palisade_core::port::api_key::{NewApiKey, SecretHash};
///
/// let key = NewApiKey {
///     id: ApiKeyId::new("4kPq0ZzYx9aBcDeF"),
///     account: ClientId::new("reports"),
///     hash: SecretHash([7; 32]),
///     expires: None,
/// };
/// assert_eq!(key.clone(), key);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// Its id, which stands in the key.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: ClientId,
    /// What is kept of its secret.
    pub hash: SecretHash,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
}

/// A key as it is kept.
///
/// ```
/// use palisade_core::id::{ApiKeyId, ClientId};
/// use palisade_core::port::api_key::{KeptApiKey, SecretHash};
/// use palisade_core::time::Timestamp;
///
/// let key = KeptApiKey {
///     id: ApiKeyId::new("4kPq0ZzYx9aBcDeF"),
///     account: ClientId::new("reports"),
///     hash: SecretHash([7; 32]),
///     created: Timestamp::from_secs(100),
///     expires: Some(Timestamp::from_secs(200)),
///     last_used: None,
///     revoked_at: None,
/// };
/// assert!(key.is_live(Timestamp::from_secs(199)) && !key.is_live(Timestamp::from_secs(200)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: ClientId,
    /// What is kept of its secret.
    pub hash: SecretHash,
    /// When it was added.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it was taken out of use.
    pub revoked_at: Option<Timestamp>,
}

impl KeptApiKey {
    /// Whether it is neither expired nor revoked.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.over(now).is_none()
    }

    fn over(&self, now: Timestamp) -> Option<Refused> {
        match (self.revoked_at, self.expires) {
            (Some(_), _) => Some(Refused::Revoked),
            (None, Some(expires)) if now >= expires => Some(Refused::Expired),
            (None, _) => None,
        }
    }

    /// Whether another use has to be written down.
    pub fn is_use_due(&self, now: Timestamp) -> bool {
        self.last_used.is_none_or(|last| last.as_millis().saturating_add(USE_SECONDS * 1000) <= now.as_millis())
    }
}

/// A key with its account.
///
/// ```
/// use palisade_core::port::api_key::Held;
/// use palisade_core::time::Timestamp;
///
/// /// Whether somebody who has the secret may use it.
/// fn opens(held: &Held, now: Timestamp) -> bool {
///     held.refused(now).is_none()
/// }
/// # let _ = opens;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The key.
    pub key: KeptApiKey,
    /// Whose it is.
    pub account: ServiceAccount,
}

impl Held {
    /// Why the key opens nothing, whoever has its secret.
    pub fn refused(&self, now: Timestamp) -> Option<Refused> {
        match self.account.status {
            AccountStatus::Active => self.key.over(now),
            AccountStatus::Disabled => Some(Refused::Disabled),
        }
    }
}

/// Why a key opens nothing.
///
/// ```
/// use palisade_core::port::api_key::Refused;
///
/// assert_eq!(Refused::Revoked.as_str(), "revoked");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its account is disabled.
    Disabled,
    /// Its time is over.
    Expired,
    /// Somebody has revoked it.
    Revoked,
}

impl Refused {
    /// The reason as one word for events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// The outcome of [`ApiKeyStore::add`].
///
/// ```
/// use palisade_core::port::api_key::Added;
///
/// assert_ne!(Added::Added, Added::Full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Added,
    /// The account has as many live keys as it may have: one has to be revoked first.
    Full,
    /// Another key has the id.
    Taken,
    /// There is no such account.
    Unknown,
}
