//! Revocations in memory, for one process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::port::revocation::{MOST, Revoked, RevokedAt};
use palisade_core::port::{RevocationLog, StoreError};
use palisade_core::time::Timestamp;

/// Keeps revocations in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::{port::RevocationLog, time::Timestamp};
/// use palisade_store::memory::MemoryRevocations;
///
/// assert!(MemoryRevocations::default().after(0, Timestamp::default()).await?.is_empty());
/// # Ok::<(), palisade_core::port::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryRevocations {
    log: Mutex<(u64, Vec<RevokedAt>)>,
}

impl MemoryRevocations {
    fn lock(&self) -> MutexGuard<'_, (u64, Vec<RevokedAt>)> {
        // Every change below is complete before the next statement that could panic.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RevocationLog for MemoryRevocations {
    async fn append(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError> {
        let mut log = self.lock();
        let (last, entries) = &mut *log;
        if entries.len() >= CAP {
            entries.retain(|entry| entry.revoked.until > now);
        }
        if entries.len() >= CAP {
            return Err(StoreError::Unreachable { reason: format!("all of {CAP} places are taken") });
        }
        *last += 1;
        entries.push(RevokedAt { place: *last, revoked: revoked.clone() });
        Ok(*last)
    }

    async fn after(&self, place: u64, now: Timestamp) -> Result<Vec<RevokedAt>, StoreError> {
        let log = self.lock();
        let matters = |entry: &&RevokedAt| entry.place > place && entry.revoked.until > now;
        Ok(log.1.iter().filter(matters).take(usize::try_from(MOST).unwrap_or(usize::MAX)).cloned().collect())
    }
}

/// The most revocations.
const CAP: usize = 100_000;
