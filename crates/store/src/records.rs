//! The durable records of people and their credentials behind one URL.

use std::fmt;
use std::sync::Arc;

use palisade_core::port::{FactorStore, SessionStore};

use crate::memory::{MemoryFactors, MemorySessions};
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
    // accounts
    /// Where second factors are kept.
    pub factors: Arc<dyn FactorStore>,
    // keys
    // refresh
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
}

impl Records {
    /// Opens `memory:`, `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`, as [`crate::open_at`] does.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        match place.url.split_once(':') {
            Some(("memory", "")) => {
                Ok(Self { factors: Arc::new(MemoryFactors::default()), sessions: Arc::new(MemorySessions::default()) })
            }
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) if crate::open::misspelled(path).is_none() => {
                crate::sqlite::SqliteStore::open(path).await.map(Self::of)
            }
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
    fn of(store: impl FactorStore + SessionStore) -> Self {
        let store = Arc::new(store);
        Self { factors: Arc::clone(&store) as Arc<dyn FactorStore>, sessions: store }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}
