//! Durable writes that wait for the disk together: whatever has come while one transaction was being written goes into
//! the next.
//!
//! A disk makes some hundreds of writes durable in a second, whether each holds one change or two hundred. The writes
//! of a process therefore go to one thread of the store. It takes all that have come, makes them in one transaction, and
//! answers each when that is on the disk. Whoever gives up waiting takes nobody else's write with him.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;

use palisade_core::port::StoreError;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use crate::sql::store_error;

/// What a piece of work gives when it runs on the connection.
pub(super) type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Work that runs inside a transaction, and then what is to be told how that ended.
type Job = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> Pin<Box<dyn Future<Output = Told> + Send + 'c>> + Send>;
type Told = Box<dyn FnOnce(Result<(), String>) + Send>;

/// The thread that writes, begun with the first write.
pub(super) struct Group {
    pool: SqlitePool,
    jobs: OnceLock<mpsc::Sender<Job>>,
}

impl Group {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, jobs: OnceLock::new() }
    }

    /// Does `work` in a transaction that it shares with others, and answers when it is durable.
    ///
    /// INVARIANT: the work makes at most one change that matters, so that one that fails has changed nothing although
    /// the transaction goes on.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let outcome = work(connection).await;
                let told: Told = Box::new(move |committed| {
                    let failed = |reason| StoreError::Unreachable { reason };
                    // Whoever asked may have given up.
                    let _ = answer.send(outcome.and_then(|value| committed.map(|()| value).map_err(failed)));
                });
                told
            })
        });
        let gone = || StoreError::Unreachable { reason: "nothing could be written".to_owned() };
        self.jobs()?.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Job>, StoreError> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let failed = |error: std::io::Error| StoreError::Unreachable { reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let (jobs, waiting) = mpsc::channel(MOST);
        let pool = self.pool.clone();
        // It ends when the store is dropped, and with it the last sender.
        let thread = move || runtime.block_on(serve(pool, waiting));
        std::thread::Builder::new().name("palisade-sqlite".to_owned()).spawn(thread).map_err(failed)?;
        // Of two that begin at once one is kept; the other's thread ends with its sender.
        Ok(self.jobs.get_or_init(|| jobs))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

async fn serve(pool: SqlitePool, mut waiting: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, MOST).await != 0 {
        // A future that was not polled to its end would leave its jobs unanswered; here nobody can drop it.
        let mut told = Vec::with_capacity(batch.len());
        let committed = commit(&pool, batch.drain(..), &mut told).await;
        for tell in told {
            tell(committed.clone());
        }
    }
}

/// Jobs that did not run, because no transaction began, are dropped, which their askers notice.
async fn commit(pool: &SqlitePool, jobs: impl Iterator<Item = Job>, told: &mut Vec<Told>) -> Result<(), String> {
    let failed = |error| store_error(error).to_string();
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for job in jobs {
        told.push(job(&mut transaction).await);
    }
    transaction.commit().await.map_err(failed)
}

/// The most writes of one transaction, and the most that wait.
const MOST: usize = 256;
