//! Stores in one SQLite file: they survive a restart, and the processes of one machine share them.
//!
//! - There is one connection, so all writes of a process queue in memory and not on the file's lock; other processes
//!   are waited for up to [`PATIENCE`], then the call fails and the asking stage refuses.
//! - The file is in write-ahead mode with `synchronous = NORMAL`: a crash of the process loses nothing, a power cut may
//!   lose the last moments. Rate limits tolerate that, and what is used once has an expiry of its own.
//! - Each new row removes up to two that are over, so the file holds about as many rows as there are live keys, and no
//!   call ever pays for a large clean-up.
//! - The schema only moves forward. A file of a newer version is refused, not guessed at.

mod access_token;
mod account;
mod api_key;
mod counter;
mod factor;
mod group;
mod key;
mod migration;
mod once;
mod refresh;
mod revocation;
mod session;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, SqlitePool, Transaction};

use self::group::Group;
use crate::OpenError;

/// How long a call waits for its turn, and how long for another process.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Counters and used-up keys in one file.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let dir = palisade_testkit::dir::TempDir::new();
/// # let path = dir.path().join("palisade.db").display().to_string();
/// use palisade_core::port::once::{OnceKey, OnceStore, Taken};
/// use palisade_core::time::Timestamp;
/// use palisade_store::sqlite::SqliteStore;
///
/// let (code, minute) = (OnceKey::new("code", "c-1"), std::time::Duration::from_secs(60));
/// let store = SqliteStore::open(&path).await?;
/// assert_eq!(store.take(&code, minute, Timestamp::from_secs(100)).await?, Taken::First);
/// store.close().await;
///
/// let reopened = SqliteStore::open(&path).await?;
/// assert_eq!(reopened.take(&code, minute, Timestamp::from_secs(101)).await?, Taken::Again);
/// # reopened.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    group: Group,
}

impl SqliteStore {
    /// Opens the file, creates it if it is missing, and brings its schema to this version.
    pub async fn open(path: &str) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteSynchronous::Normal).await
    }

    /// The same for records of people and their credentials: no write counts before it is on the disk, so that a power
    /// cut cannot bring back what was revoked.
    pub async fn open_durable(path: &str) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteSynchronous::Full).await
    }

    async fn open_with(path: &str, synchronous: SqliteSynchronous) -> Result<Self, OpenError> {
        let failed = |reason: String| OpenError::File { path: path.to_owned(), reason };
        create_private(path).map_err(|error| failed(error.to_string()))?;
        let options = SqliteConnectOptions::new()
            // A path that starts with a directory is never taken for a `file:` URI or for `:memory:`.
            .filename(Path::new(".").join(path))
            .busy_timeout(PATIENCE)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite ends a transaction by itself when the disk is full, and for other reasons; the driver goes on counting
            // it, and on that connection none would ever begin again.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let store = Self { group: Group::new(pool.clone()), pool };
        migration::apply(&store, path).await?;
        Ok(store)
    }

    /// Writes everything into the main file and lets go of it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that holds the file's write lock from its first statement, so that what it reads cannot change
    /// before it writes. Dropped without a commit, it is rolled back.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }
}

/// Creates the file with rights for its owner only; SQLite gives its side files the same. An existing file keeps its own.
fn create_private(path: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
