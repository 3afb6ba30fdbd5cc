//! Signing keys in memory: for one process whose tokens need not outlive it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::port::key::{Added, KeyRecord};
use palisade_core::port::{KeyStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps keys in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::KeyStore;
/// use palisade_store::memory::MemoryKeys;
///
/// assert!(MemoryKeys::default().list("access").await?.is_empty());
/// # Ok::<(), palisade_core::port::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryKeys {
    keys: Mutex<BTreeMap<(Box<str>, u32), KeyRecord>>,
}

impl MemoryKeys {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Box<str>, u32), KeyRecord>> {
        // Every change below is complete before the next statement that could panic.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyStore for MemoryKeys {
    async fn list(&self, purpose: &str) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.lock().values().filter(|record| &*record.purpose == purpose).cloned().collect())
    }

    async fn add(&self, record: &KeyRecord) -> Result<Added, StoreError> {
        let mut keys = self.lock();
        let place = (record.purpose.clone(), record.number);
        if keys.contains_key(&place) {
            return Ok(Added::Theirs);
        }
        keys.insert(place, record.clone());
        Ok(Added::Ours)
    }

    async fn revoke(&self, purpose: &str, number: u32, now: Timestamp) -> Result<bool, StoreError> {
        let mut keys = self.lock();
        let record = keys.get_mut(&(purpose.into(), number)).filter(|record| record.revoked_at.is_none());
        let Some(record) = record else { return Ok(false) };
        (record.revoked_at, record.sealed) = (Some(now), None);
        Ok(true)
    }

    async fn destroy(&self, purpose: &str, number: u32) -> Result<bool, StoreError> {
        let mut keys = self.lock();
        Ok(keys.get_mut(&(purpose.into(), number)).is_some_and(|record| record.sealed.take().is_some()))
    }
}
