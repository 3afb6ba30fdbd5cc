//! Second factors in memory: for one process, and for tests.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use palisade_core::id::{FactorId, UserId};
use palisade_core::port::factor::{
    Advanced, Ceremony, CodeHash, Confirmed, Consumed, Enrolled, Factor, FactorKind, Factors, Failed, LastFactor,
    NewFactor, Removed, Replaced,
};
use palisade_core::port::{FactorStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps second factors in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::id::UserId;
/// use palisade_core::port::FactorStore;
/// use palisade_store::memory::MemoryFactors;
///
/// let factors = MemoryFactors::default();
/// assert_eq!(factors.list(&UserId::new("u-1")).await?.codes, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryFactors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    factors: HashMap<FactorId, Row>,
    codes: HashMap<UserId, BTreeSet<CodeHash>>,
    /// What was kept, and until when.
    ceremonies: HashMap<CodeHash, (Vec<u8>, Timestamp)>,
}

#[derive(Debug)]
struct Row {
    user: UserId,
    factor: Factor,
    /// Until when it can be proven; none for one that counts.
    pending_until: Option<Timestamp>,
    /// How often it has failed in a row.
    failures: u32,
}

impl MemoryFactors {
    /// Every change below is complete before the next statement that could panic, so a poisoned map is still whole.
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn counting(&self, user: &UserId) -> impl Iterator<Item = &Row> {
        self.factors.values().filter(move |row| row.user == *user && row.pending_until.is_none())
    }

    fn codes_of(&self, user: &UserId) -> u32 {
        self.codes.get(user).map_or(0, |codes| u32::try_from(codes.len()).unwrap_or(u32::MAX))
    }

    fn own(&mut self, user: &UserId, id: &FactorId) -> Option<&mut Row> {
        self.factors.get_mut(id).filter(|row| row.user == *user)
    }

    fn usable(&mut self, user: &UserId, kind: FactorKind) -> impl Iterator<Item = &mut Row> {
        let counts = move |row: &&mut Row| row.user == *user && row.factor.kind == kind && row.pending_until.is_none();
        self.factors.values_mut().filter(counts).filter(|row| row.factor.disabled.is_none())
    }

    fn enroll(&mut self, new: &NewFactor, now: Timestamp) -> Enrolled {
        let is_replaced =
            |row: &Row| row.user == new.user && row.factor.kind == new.kind && row.pending_until.is_some();
        let is_over = |row: &Row| row.pending_until.is_some_and(|until| until <= now);
        self.factors.retain(|_, row| !is_replaced(row) && !is_over(row));
        if self.factors.contains_key(&new.id) {
            return Enrolled::Taken;
        }
        let NewFactor { id, user, kind, label, data, lasts } = new.clone();
        let factor = Factor { id, kind, label, data, counter: 0, created: now, used: None, disabled: None };
        let pending_until = Some(now.plus(lasts));
        self.factors.insert(new.id.clone(), Row { user, factor, pending_until, failures: 0 });
        Enrolled::Pending
    }

    fn confirm(&mut self, user: &UserId, id: &FactorId, counter: u64, codes: &[CodeHash], now: Timestamp) -> Confirmed {
        let pending = self.own(user, id).filter(|row| row.pending_until.is_some_and(|until| until > now));
        let Some(row) = pending else { return Confirmed::Unknown };
        row.pending_until = None;
        (row.factor.counter, row.factor.used) = (counter, Some(now));
        let issued = self.codes_of(user) == 0;
        if issued {
            self.codes.insert(user.clone(), codes.iter().copied().collect());
        }
        Confirmed::Confirmed { issued }
    }

    fn advance(&mut self, user: &UserId, id: &FactorId, to: u64, data: Option<&[u8]>, now: Timestamp) -> Advanced {
        let Some(row) = self.own(user, id).filter(|row| row.pending_until.is_none()) else { return Advanced::Unknown };
        let factor = &mut row.factor;
        if factor.disabled.is_some() {
            return Advanced::Disabled;
        }
        if !factor.kind.follows(to, factor.counter) {
            return Advanced::Replayed;
        }
        (factor.counter, factor.used) = (to, Some(now));
        if let Some(data) = data {
            factor.data = data.to_vec();
        }
        let kind = factor.kind;
        self.usable(user, kind).for_each(|row| row.failures = 0);
        Advanced::Advanced
    }

    fn fail(&mut self, user: &UserId, kind: FactorKind, most: NonZeroU32, now: Timestamp) -> Failed {
        let mut failed = Failed::Unknown;
        for row in self.usable(user, kind) {
            row.failures = row.failures.saturating_add(1);
            if row.failures >= most.get() {
                row.factor.disabled = Some(now);
                failed = Failed::Disabled;
            } else if failed == Failed::Unknown {
                failed = Failed::Counted;
            }
        }
        failed
    }

    fn remove(&mut self, user: &UserId, id: &FactorId, last: LastFactor) -> Removed {
        if !self.counting(user).any(|row| row.factor.id == *id) {
            return Removed::Unknown;
        }
        let left = self.counting(user).count() - 1;
        match (left, last) {
            (0, LastFactor::Keep) => return Removed::IsLast,
            (0, LastFactor::Remove) => drop(self.codes.remove(user)),
            _ => {}
        }
        self.factors.remove(id);
        Removed::Removed { left: u32::try_from(left).unwrap_or(u32::MAX) }
    }
}

#[async_trait]
impl FactorStore for MemoryFactors {
    async fn enroll(&self, new: &NewFactor, now: Timestamp) -> Result<Enrolled, StoreError> {
        Ok(self.with(|kept| kept.enroll(new, now)))
    }

    async fn pending(&self, user: &UserId, id: &FactorId, now: Timestamp) -> Result<Option<Factor>, StoreError> {
        Ok(self.with(|kept| {
            let pending = kept.own(user, id).filter(|row| row.pending_until.is_some_and(|until| until > now));
            pending.map(|row| row.factor.clone())
        }))
    }

    async fn confirm(
        &self,
        user: &UserId,
        id: &FactorId,
        counter: u64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<Confirmed, StoreError> {
        Ok(self.with(|kept| kept.confirm(user, id, counter, codes, now)))
    }

    async fn advance(
        &self,
        user: &UserId,
        id: &FactorId,
        to: u64,
        data: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        Ok(self.with(|kept| kept.advance(user, id, to, data, now)))
    }

    async fn fail(
        &self,
        user: &UserId,
        kind: FactorKind,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        Ok(self.with(|kept| kept.fail(user, kind, most, now)))
    }

    async fn consume(&self, user: &UserId, code: &CodeHash) -> Result<Consumed, StoreError> {
        Ok(self.with(|kept| {
            let was_good = kept.codes.get_mut(user).is_some_and(|codes| codes.remove(code));
            if was_good { Consumed::Consumed { left: kept.codes_of(user) } } else { Consumed::Unknown }
        }))
    }

    async fn replace_codes(&self, user: &UserId, codes: &[CodeHash]) -> Result<Replaced, StoreError> {
        Ok(self.with(|kept| {
            if kept.counting(user).next().is_none() {
                return Replaced::NoFactor;
            }
            kept.codes.insert(user.clone(), codes.iter().copied().collect());
            Replaced::Replaced
        }))
    }

    async fn remove(&self, user: &UserId, id: &FactorId, last: LastFactor) -> Result<Removed, StoreError> {
        Ok(self.with(|kept| kept.remove(user, id, last)))
    }

    async fn list(&self, user: &UserId) -> Result<Factors, StoreError> {
        Ok(self.with(|kept| {
            let mut factors: Vec<Factor> = kept.counting(user).map(|row| row.factor.clone()).collect();
            factors.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
            Factors { factors, codes: kept.codes_of(user) }
        }))
    }

    async fn begin(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError> {
        self.with(|kept| {
            kept.ceremonies.retain(|_, (_, until)| *until > now);
            if kept.ceremonies.len() >= CEREMONIES {
                return Err(StoreError::Unreachable { reason: format!("all of {CEREMONIES} places are taken") });
            }
            kept.ceremonies.insert(ceremony.id, (ceremony.state.clone(), now.plus(ceremony.lasts)));
            Ok(())
        })
    }

    async fn take(&self, id: &CodeHash, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.with(|kept| kept.ceremonies.remove(id).filter(|(_, until)| *until > now).map(|(state, _)| state)))
    }
}

/// Ceremonies that can be under way: whoever begins more of them does so to fill the memory.
const CEREMONIES: usize = 1 << 14;
