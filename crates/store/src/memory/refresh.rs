//! Families of refresh tokens in memory: for tests and for one process whose users may sign in again after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::id::UserId;
use palisade_core::port::refresh::{Family, FamilyId, Kept, Outcome, Presented, Progress, Whose};
use palisade_core::port::{RefreshStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps families in memory, at most [`MemoryRefresh::FAMILIES`] of them; then nobody new is given one.
///
/// ```
/// use palisade_core::port::RefreshStore;
/// use palisade_store::memory::MemoryRefresh;
///
/// let store: Box<dyn RefreshStore> = Box::new(MemoryRefresh::default());
/// # let _ = store;
/// ```
#[derive(Debug, Default)]
pub struct MemoryRefresh {
    families: Mutex<HashMap<FamilyId, Kept>>,
}

impl MemoryRefresh {
    /// The most families.
    pub const FAMILIES: usize = 1 << 18;

    fn lock(&self) -> MutexGuard<'_, HashMap<FamilyId, Kept>> {
        // Every change below is complete before the next statement that could panic.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RefreshStore for MemoryRefresh {
    async fn begin(&self, family: &Family, now: Timestamp) -> Result<(), StoreError> {
        let failed = |reason: &str| Err(StoreError::Unreachable { reason: reason.to_owned() });
        let mut families = self.lock();
        if families.len() >= Self::FAMILIES {
            families.retain(|_, kept| kept.progress.until > now);
        }
        if families.len() >= Self::FAMILIES {
            return failed("there is no room for a family");
        }
        if families.contains_key(&family.id) {
            return failed("there is a family of that name");
        }
        let progress = Progress::begin(family.idle, family.until, now);
        families.insert(family.id, Kept { family: family.clone(), progress });
        Ok(())
    }

    async fn find(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        Ok(self.lock().get(&id).map(|kept| kept.family.clone()))
    }

    async fn redeem(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError> {
        let mut families = self.lock();
        let Some(kept) = families.get_mut(&id) else { return Ok(Outcome::Unknown) };
        Ok(kept.progress.redeem(presented, kept.family.idle, now))
    }

    async fn note_used(&self, id: FamilyId, generation: u32) -> Result<(), StoreError> {
        if let Some(kept) = self.lock().get_mut(&id).filter(|kept| kept.progress.generation == generation) {
            kept.progress.used = true;
        }
        Ok(())
    }

    async fn revoke(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let mut revoked = 0;
        for kept in self.lock().values_mut() {
            let grant = &kept.family.grant;
            let is_meant = match whose {
                Whose::Family(id) => kept.family.id == id,
                Whose::Session(session) => grant.session.as_deref() == Some(session),
                Whose::Subject(subject) => grant.subject == *subject,
            };
            if is_meant && kept.progress.revoked_at.is_none() {
                kept.progress.revoked_at = Some(now);
                revoked += 1;
            }
        }
        Ok(revoked)
    }

    async fn list(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        let is_meant = |kept: &&Kept| kept.family.grant.subject == *subject && kept.progress.counts(now);
        let mut found: Vec<Kept> = self.lock().values().filter(is_meant).cloned().collect();
        found.sort_by_key(|kept| (std::cmp::Reverse(kept.progress.rotated_at), kept.family.id));
        Ok(found)
    }
}
