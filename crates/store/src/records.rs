//! The durable records of people and their credentials behind one URL.

use std::fmt;
use std::sync::Arc;

use palisade_core::port::{
    AccessTokenStore, AccountStore, ApiKeyStore, FactorStore, KeyStore, RefreshStore, RevocationLog, SessionStore,
};

use crate::memory::{
    MemoryAccessTokens, MemoryAccounts, MemoryApiKeys, MemoryFactors, MemoryKeys, MemoryRefresh, MemoryRevocations,
    MemorySessions,
};
#[cfg(feature = "sqlite")]
use crate::open::misspelled;
use crate::{OpenError, Place};

/// The records behind one URL. A store that may forget, such as Redis, keeps none.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_store::{OpenError, Place, records::Records};
///
/// let records = Records::open(&Place::new("memory:")).await?;
/// assert!(matches!(Records::open(&Place::new("redis://127.0.0.1:1/0")).await, Err(OpenError::Unknown { .. })));
/// # let _ = records;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Records {
    /// Opaque access tokens.
    pub access_tokens: Arc<dyn AccessTokenStore>,
    /// Accounts of people, with their passwords.
    pub accounts: Arc<dyn AccountStore>,
    /// Service accounts, with their API keys.
    pub api_keys: Arc<dyn ApiKeyStore>,
    /// Second factors and recovery codes.
    pub factors: Arc<dyn FactorStore>,
    /// Keys that sign tokens, sealed.
    pub keys: Arc<dyn KeyStore>,
    /// Families of refresh tokens.
    pub refresh: Arc<dyn RefreshStore>,
    /// What was revoked before its time.
    pub revocations: Arc<dyn RevocationLog>,
    /// Sessions of people who have signed in.
    pub sessions: Arc<dyn SessionStore>,
}

impl Records {
    /// Opens `memory:`, `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`, as [`crate::open_at`] does.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        match place.url.split_once(':') {
            Some(("memory", "")) => Ok(Self {
                access_tokens: Arc::new(MemoryAccessTokens::default()),
                accounts: Arc::new(MemoryAccounts::default()),
                api_keys: Arc::new(MemoryApiKeys::default()),
                factors: Arc::new(MemoryFactors::default()),
                keys: Arc::new(MemoryKeys::default()),
                refresh: Arc::new(MemoryRefresh::default()),
                revocations: Arc::new(MemoryRevocations::default()),
                sessions: Arc::new(MemorySessions::default()),
            }),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) => match misspelled(path) {
                None => crate::sqlite::SqliteStore::open_durable(path).await.map(Self::of),
                Some(help) => Err(OpenError::Unknown { url: place.url.clone(), help }),
            },
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                crate::postgres::PostgresStore::open(place).await.map(Self::of)
            }
            _ => Err(OpenError::Unknown {
                url: place.url.clone(),
                help: "write `memory:`, `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`",
            }),
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    fn of<S>(store: S) -> Self
    where
        S: AccessTokenStore
            + AccountStore
            + ApiKeyStore
            + FactorStore
            + KeyStore
            + RefreshStore
            + RevocationLog
            + SessionStore,
    {
        let store = Arc::new(store);
        Self {
            access_tokens: Arc::clone(&store) as Arc<dyn AccessTokenStore>,
            accounts: Arc::clone(&store) as Arc<dyn AccountStore>,
            api_keys: Arc::clone(&store) as Arc<dyn ApiKeyStore>,
            factors: Arc::clone(&store) as Arc<dyn FactorStore>,
            keys: Arc::clone(&store) as Arc<dyn KeyStore>,
            refresh: Arc::clone(&store) as Arc<dyn RefreshStore>,
            revocations: Arc::clone(&store) as Arc<dyn RevocationLog>,
            sessions: store,
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}
