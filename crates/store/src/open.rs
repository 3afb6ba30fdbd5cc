//! Opens a store by the URL that the configuration names.

use std::fmt;
use std::sync::Arc;

use palisade_core::port::{CounterStore, OnceStore};

use crate::memory::{MemoryCounters, MemoryOnce};

/// The stores behind one URL.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::counter::{LimitKey, Rate};
/// use palisade_core::time::Timestamp;
/// use palisade_store::{OpenError, Stores};
///
/// let Stores { counters, .. } = palisade_store::open("memory:").await?;
/// let once_a_minute = Rate { burst: std::num::NonZeroU32::MIN, per: std::time::Duration::from_secs(60) };
/// let (key, now) = (LimitKey::new("login", "alice"), Timestamp::from_secs(100));
/// assert!(counters.try_acquire(&key, once_a_minute, now).await?.is_granted());
/// assert!(!counters.try_acquire(&key, once_a_minute, now).await?.is_granted());
/// assert!(matches!(palisade_store::open("postgres://db").await, Err(OpenError::Unknown { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Stores {
    /// Where requests are counted.
    pub counters: Arc<dyn CounterStore>,
    /// Where used-up keys are remembered.
    pub once: Arc<dyn OnceStore>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
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
    /// A newer version of Palisade has written the file.
    #[error("the store `{path}` has schema version {found}, but this version of Palisade knows only {known}")]
    Newer {
        /// The path, as the URL spells it.
        path: String,
        /// The version in the file.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
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

/// Opens the store that `url` names: `memory:` or `sqlite:PATH`, with a path relative to the working directory or
/// absolute. A missing SQLite file is created, readable by its owner only.
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
    match url.split_once(':') {
        Some(("memory", "")) => {
            Ok(Stores { counters: Arc::new(MemoryCounters::default()), once: Arc::new(MemoryOnce::default()) })
        }
        Some(("sqlite", path)) => match misspelled(path) {
            None => open_sqlite(path).await,
            Some(help) => Err(OpenError::Unknown { url: url.to_owned(), help }),
        },
        _ => Err(OpenError::Unknown { url: url.to_owned(), help: "write `memory:` or `sqlite:PATH`" }),
    }
}

/// Forms that other programs know and that would silently create a file of an odd name here.
fn misspelled(path: &str) -> Option<&'static str> {
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
    let store = Arc::new(crate::sqlite::SqliteStore::open(path).await?);
    Ok(Stores { counters: Arc::<crate::sqlite::SqliteStore>::clone(&store), once: store })
}

#[cfg(not(feature = "sqlite"))]
async fn open_sqlite(path: &str) -> Result<Stores, OpenError> {
    Err(OpenError::Unknown { url: format!("sqlite:{path}"), help: "this build has no SQLite; use `memory:`" })
}
