//! What a request has of a pool for as long as it lasts: a connection, and before that a place in the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::hold::Hold;
use super::{Pool, h1, lock};

/// A connection in use, with what is held while it is.
pub(super) struct Lease {
    pub(super) connection: Option<h1::Connection>,
    pub(super) pool: Arc<Pool>,
    /// Where it was opened, and goes back to.
    pub(super) shard: usize,
    pub(super) held: Option<(Hold, OwnedSemaphorePermit)>,
}

impl Lease {
    /// The exchange is over: keeps the connection for the next one, if it is fit for one.
    pub(super) fn give_back(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.is_ready() {
            connection.idle = Instant::now();
            if let Some(shard) = self.pool.shards.get(self.shard) {
                let mut idle = lock(&shard.idle);
                if idle.len() < self.pool.settings.max_idle {
                    idle.push(connection);
                    return;
                }
            }
        }
        self.connection = Some(connection);
    }

    pub(super) fn close(&mut self) {
        if self.connection.take().is_some() {
            self.pool.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.close();
    }
}

/// A place in the queue.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(super) fn enter(waiting: &'a AtomicUsize, most: usize) -> Result<Self, Failure> {
        let entered = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1));
        entered.map(|_| Self(waiting)).map_err(|_| Failure::Busy)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
