//! Opens a store by the URL that the configuration names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "redis"))]
use palisade_core::port::StoreError;
use palisade_core::port::{CounterStore, OnceStore};
use palisade_core::secret::Secret;

use crate::memory::{MemoryCounters, MemoryOnce};
use crate::moment::Moment;
use crate::trust::Trust;
#[cfg(any(feature = "postgres", feature = "redis"))]
use crate::trust::UNPROTECTED;

/// The stores behind one URL.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_core::port::counter::{LimitKey, Rate};
/// use palisade_core::time::Timestamp;
/// use palisade_store::{OpenError, Stores};
///
/// let Stores { counters, .. } = palisade_store::open("memory:").await?;
/// let once_a_minute = Rate { burst: std::num::NonZeroU32::MIN, per: std::time::Duration::from_secs(60) };
/// let (key, now) = (LimitKey::new("login", "alice"), Timestamp::from_secs(100));
/// assert!(counters.try_acquire(&key, once_a_minute, now).await?.is_granted());
/// assert!(!counters.try_acquire(&key, once_a_minute, now).await?.is_granted());
/// assert!(matches!(palisade_store::open("mysql://db").await, Err(OpenError::Unknown { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Stores {
    /// Where requests are counted.
    pub counters: Arc<dyn CounterStore>,
    /// Where used-up keys are remembered.
    pub once: Arc<dyn OnceStore>,
}

impl Stores {
    #[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
    fn of(store: impl CounterStore + OnceStore) -> Self {
        let store = Arc::new(store);
        Self { counters: Arc::clone(&store) as Arc<dyn CounterStore>, once: store }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

/// Where a store is, and how one gets in.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_core::secret::Secret;
/// use palisade_store::{Place, open_at};
///
/// let password = Secret::new(std::fs::read("/run/secrets/redis")?);
/// let place = Place { password: Some(password), ..Place::new("rediss://cache.example.com:6380/0") };
/// let stores = open_at(&place).await?;
/// # let _ = stores;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Place {
    /// The URL. What it says of a password is never shown.
    pub url: String,
    /// Who signs in, if it does not stand in the URL.
    pub user: Option<String>,
    /// The password, if it does not stand in the URL.
    pub password: Option<Secret>,
    /// How long a server may take to answer one call.
    pub patience: Duration,
    /// Whose clock is counted by, where the store has one.
    pub moment: Moment,
    /// How the way to a server is protected.
    pub trust: Trust,
}

impl Place {
    /// A place with everything in its URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            password: None,
            patience: PATIENCE,
            moment: Moment::default(),
            trust: Trust::default(),
        }
    }

    /// The URL without who signs in and with what, and without parameters.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn shown(&self) -> String {
        let (scheme, rest) = self.url.split_once(':').unwrap_or_default();
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://{host}"),
            None => format!("{scheme}:{rest}"),
        }
    }

    /// The refusal of a way that others can read along.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn unprotected(&self) -> OpenError {
        OpenError::Server { url: self.shown(), reason: UNPROTECTED.to_owned() }
    }

    /// The password as text.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn text_of<'s>(&self, password: &'s Secret) -> Result<&'s str, OpenError> {
        let reason = "the password is not text".to_owned();
        std::str::from_utf8(password.expose()).map_err(|_| OpenError::Server { url: self.shown(), reason })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split(':').next().unwrap_or_default();
        f.debug_struct("Place").field("scheme", &scheme).field("moment", &self.moment).finish_non_exhaustive()
    }
}

/// Why a store could not be opened. It is a reason not to start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened, created or brought to this version's schema.
    #[error("the store `{path}` cannot be opened: {reason}")]
    File {
        /// The path, as the URL spells it.
        path: String,
        /// What the system or SQLite said.
        reason: String,
    },
    /// A newer version of Palisade has written the store.
    #[error("the store `{path}` has schema version {found}, but this version of Palisade knows only {known}")]
    Newer {
        /// The path, as the URL spells it, or the URL without its password.
        path: String,
        /// The version in the store.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// The server does not answer, or does not let us in.
    #[error("the store `{url}` cannot be used: {reason}")]
    Server {
        /// The URL without its password.
        url: String,
        /// What the system or the server said.
        reason: String,
    },
    /// The URL names no store that this build has.
    #[error("`{url}` names no store: {help}")]
    Unknown {
        /// The URL.
        url: String,
        /// What to write instead.
        help: &'static str,
    },
}

/// Opens the store that `url` names, see [`open_at`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::once::{OnceKey, Taken};
/// use palisade_core::time::Timestamp;
///
/// let stores = palisade_store::open("memory:").await?;
/// let (nonce, minute) = (OnceKey::new("nonce", "n-1"), std::time::Duration::from_secs(60));
/// assert_eq!(stores.once.take(&nonce, minute, Timestamp::from_secs(100)).await?, Taken::First);
/// assert_eq!(stores.once.take(&nonce, minute, Timestamp::from_secs(101)).await?, Taken::Again);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub async fn open(url: &str) -> Result<Stores, OpenError> {
    open_at(&Place::new(url)).await
}

/// Opens the store of a place:
///
/// - `memory:`.
/// - `sqlite:PATH`, with a path relative to the working directory or absolute. A missing file is created, readable by
///   its owner only.
/// - `redis://HOST:PORT/DB`, `rediss://...` for the same over TLS, or `redis+unix:///PATH` for a socket.
/// - `postgres://USER@HOST:PORT/DB`. Missing tables are created.
///
/// A server on another machine is reached over TLS and proves its name, unless [`Trust::danger_cleartext`] says otherwise.
pub async fn open_at(place: &Place) -> Result<Stores, OpenError> {
    let unknown = |help| Err(OpenError::Unknown { url: place.url.clone(), help });
    match place.url.split_once(':') {
        Some(("memory", "")) => {
            Ok(Stores { counters: Arc::new(MemoryCounters::default()), once: Arc::new(MemoryOnce::default()) })
        }
        Some(("sqlite", path)) => match misspelled(path) {
            None => open_sqlite(path).await,
            Some(help) => unknown(help),
        },
        Some(("redis" | "rediss" | "redis+unix", rest)) if rest.starts_with("//") => open_redis(place).await,
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => open_postgres(place).await,
        _ => unknown("write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://USER@HOST:PORT/DB`"),
    }
}

/// How long a server may take if nothing is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for a server, but not longer than this.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) async fn within<T>(patience: Duration, call: impl Future<Output = T>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unreachable { reason: format!("no answer within {patience:?}") };
    tokio::time::timeout(patience, call).await.map_err(late)
}

/// Forms that other programs know and that would silently create a file of an odd name here.
pub(crate) fn misspelled(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("write a path after `sqlite:`")
    } else if path.starts_with("//") {
        Some("write `sqlite:palisade.db` or `sqlite:/var/lib/palisade.db`, without `//`")
    } else if path == ":memory:" {
        Some("write `memory:`")
    } else if path.contains(['?', '\0']) {
        Some("the path of a store takes no parameters")
    } else {
        None
    }
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(path: &str) -> Result<Stores, OpenError> {
    crate::sqlite::SqliteStore::open(path).await.map(Stores::of)
}

#[cfg(not(feature = "sqlite"))]
async fn open_sqlite(path: &str) -> Result<Stores, OpenError> {
    Err(OpenError::Unknown { url: format!("sqlite:{path}"), help: "this build has no SQLite" })
}

#[cfg(feature = "redis")]
async fn open_redis(place: &Place) -> Result<Stores, OpenError> {
    crate::redis::RedisStore::open(place).await.map(Stores::of)
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_: &Place) -> Result<Stores, OpenError> {
    Err(OpenError::Unknown { url: "redis:".to_owned(), help: "this build has no Redis" })
}

#[cfg(feature = "postgres")]
async fn open_postgres(place: &Place) -> Result<Stores, OpenError> {
    crate::postgres::PostgresStore::open(place).await.map(Stores::of)
}

#[cfg(not(feature = "postgres"))]
async fn open_postgres(_: &Place) -> Result<Stores, OpenError> {
    Err(OpenError::Unknown { url: "postgres:".to_owned(), help: "this build has no PostgreSQL" })
}
