//! Service accounts and their keys in memory: for tests, and for one process that makes its accounts at its start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use palisade_core::id::{ApiKeyId, ClientId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, Held, KeptApiKey, LIVE_KEYS, NewApiKey, ServiceAccount};
use palisade_core::port::{ApiKeyStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps service accounts and their keys in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::ApiKeyStore;
/// use palisade_store::memory::MemoryApiKeys;
///
/// assert!(MemoryApiKeys::default().accounts().await?.is_empty());
/// # Ok::<(), palisade_core::port::StoreError>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryApiKeys {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    accounts: BTreeMap<ClientId, ServiceAccount>,
    keys: BTreeMap<ApiKeyId, KeptApiKey>,
}

impl MemoryApiKeys {
    /// Every change below is complete before the next statement that could panic, so a poisoned map is still whole.
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        Ok(act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Kept {
    fn of<'s>(&'s self, account: &'s ClientId) -> impl Iterator<Item = &'s KeptApiKey> {
        self.keys.values().filter(move |key| key.account == *account)
    }

    fn add(&mut self, new: &NewApiKey, now: Timestamp) -> Added {
        if !self.accounts.contains_key(&new.account) {
            return Added::Unknown;
        }
        if self.keys.contains_key(&new.id) {
            return Added::Taken;
        }
        let live = self.of(&new.account).filter(|key| key.is_live(now)).count();
        if u32::try_from(live).is_ok_and(|live| live < LIVE_KEYS) {
            let NewApiKey { id, account, hash, expires } = new.clone();
            let key = KeptApiKey { id, account, hash, created: now, expires, last_used: None, revoked_at: None };
            self.keys.insert(key.id.clone(), key);
            return Added::Added;
        }
        Added::Full
    }

    fn set_status(&mut self, id: &ClientId, status: AccountStatus) -> StatusSet {
        match self.accounts.get_mut(id) {
            None => StatusSet::Unknown,
            Some(account) if account.status == status => StatusSet::Unchanged,
            Some(account) => {
                account.status = status;
                StatusSet::Changed
            }
        }
    }
}

#[async_trait]
impl ApiKeyStore for MemoryApiKeys {
    async fn register(&self, account: &ServiceAccount) -> Result<bool, StoreError> {
        self.with(|kept| {
            let is_new = !kept.accounts.contains_key(&account.id);
            if is_new {
                kept.accounts.insert(account.id.clone(), account.clone());
            }
            is_new
        })
    }

    async fn set_status(&self, id: &ClientId, status: AccountStatus) -> Result<StatusSet, StoreError> {
        self.with(|kept| kept.set_status(id, status))
    }

    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError> {
        self.with(|kept| kept.accounts.values().cloned().collect())
    }

    async fn add(&self, key: &NewApiKey, now: Timestamp) -> Result<Added, StoreError> {
        self.with(|kept| kept.add(key, now))
    }

    async fn find(&self, id: &ApiKeyId) -> Result<Option<Held>, StoreError> {
        self.with(|kept| {
            let key = kept.keys.get(id)?.clone();
            let account = kept.accounts.get(&key.account)?.clone();
            Some(Held { key, account })
        })
    }

    async fn list(&self, account: &ClientId) -> Result<Vec<KeptApiKey>, StoreError> {
        self.with(|kept| {
            let mut keys: Vec<_> = kept.of(account).cloned().collect();
            keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
            keys
        })
    }

    async fn revoke(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.with(|kept| match kept.keys.get_mut(id) {
            Some(key) if key.revoked_at.is_none() => {
                key.revoked_at = Some(now);
                true
            }
            _ => false,
        })
    }

    async fn note_used(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.with(|kept| match kept.keys.get_mut(id) {
            Some(key) if key.is_use_due(now) => {
                key.last_used = Some(now);
                true
            }
            _ => false,
        })
    }
}
