//! Stores of sessions and factors with one fault each, which the suites must find.

use std::num::NonZeroU32;

use async_trait::async_trait;
use palisade_core::id::{FactorId, SessionHandle, UserId};
use palisade_core::port::factor::{
    Advanced, Ceremony, CodeHash, Confirmed, Consumed, Enrolled, Factor, FactorKind, Factors, Failed, LastFactor,
    NewFactor, Removed, Replaced,
};
use palisade_core::port::session::{Ended, NewSession, Opened, Renewal, Renewed, Session, SessionHash, Touched};
use palisade_core::port::{FactorStore, SessionStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_store::memory::{MemoryFactors, MemorySessions};
use palisade_testkit::store::{assert_factor_store, assert_session_store};
use tokio::task::JoinSet;

/// Runs a suite in a task of its own and says whether it failed.
pub(crate) async fn fails(suite: impl Future<Output = ()> + Send + 'static) -> bool {
    let mut tasks = JoinSet::new();
    tasks.spawn(suite);
    tasks.join_next().await.unwrap().is_err()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AdoptsIds,
    EndsAnybodys,
    EndsNothing,
    ForgetsIdle,
    ForgetsReplaced,
    IgnoresLimits,
    KeepsFormer,
    ReadsThenOpens,
}

struct FaultySessions(MemorySessions, Fault);

#[async_trait]
impl SessionStore for FaultySessions {
    async fn open(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError> {
        let mut new = new.clone();
        match self.1 {
            Fault::AdoptsIds => new.id = new.replaces.unwrap_or(new.id),
            Fault::ForgetsReplaced => new.replaces = None,
            Fault::IgnoresLimits => new.limit = None,
            Fault::ReadsThenOpens => {
                let open = u32::try_from(self.0.list(&new.holder.user, now).await?.len()).unwrap();
                // Long enough for every other caller to read as well.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                // Full is full; what is not full may be by now.
                if new.limit.is_none_or(|limit| open < limit.most.get()) {
                    new.limit = None;
                }
            }
            _ => {}
        }
        self.0.open(&new, now).await
    }

    async fn touch(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError> {
        if self.1 == Fault::ForgetsIdle {
            return Ok(match self.0.touch(id, now).await? {
                Touched::Over { session, why: palisade_core::port::session::Over::Idle } => {
                    Touched::Live { session, by: palisade_core::port::session::By::Current }
                }
                other => other,
            });
        }
        self.0.touch(id, now).await
    }

    async fn renew(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError> {
        let mut renewal = renewal.clone();
        if self.1 == Fault::KeepsFormer {
            renewal.grace *= 100;
        }
        self.0.renew(id, &renewal, now).await
    }

    async fn end(&self, id: &SessionHash) -> Result<Ended, StoreError> {
        if self.1 == Fault::EndsNothing { Ok(Ended::Unknown) } else { self.0.end(id).await }
    }

    async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError> {
        for user in ["alice", "bob"].into_iter().filter(|_| self.1 == Fault::EndsAnybodys).map(UserId::new) {
            self.0.end_one(&user, session).await?;
        }
        self.0.end_one(user, session).await
    }

    async fn end_all(&self, user: &UserId, except: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        self.0.end_all(user, except).await
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.0.list(user, now).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_fault_of_a_store_of_sessions_is_found() {
    for fault in [
        Fault::AdoptsIds,
        Fault::EndsAnybodys,
        Fault::EndsNothing,
        Fault::ForgetsIdle,
        Fault::ForgetsReplaced,
        Fault::IgnoresLimits,
        Fault::KeepsFormer,
        Fault::ReadsThenOpens,
    ] {
        let make = async move || FaultySessions(MemorySessions::default(), fault);
        assert!(fails(assert_session_store(make)).await, "{fault:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Slip {
    AdvancesAlways,
    FailsInVain,
    ForgetsCodes,
    ForgetsNoFailure,
    KeepsCodes,
    RemovesTheLast,
    TakesTwice,
}

#[derive(Default)]
struct SlippingFactors(MemoryFactors, Option<Slip>);

#[async_trait]
impl FactorStore for SlippingFactors {
    async fn enroll(&self, new: &NewFactor, now: Timestamp) -> Result<Enrolled, StoreError> {
        self.0.enroll(new, now).await
    }

    async fn pending(&self, user: &UserId, id: &FactorId, now: Timestamp) -> Result<Option<Factor>, StoreError> {
        self.0.pending(user, id, now).await
    }

    async fn confirm(
        &self,
        user: &UserId,
        id: &FactorId,
        counter: u64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<Confirmed, StoreError> {
        let codes = if self.1 == Some(Slip::ForgetsCodes) { &[] } else { codes };
        self.0.confirm(user, id, counter, codes, now).await
    }

    async fn advance(
        &self,
        user: &UserId,
        id: &FactorId,
        to: u64,
        data: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        let advanced = self.0.advance(user, id, to, data, now).await?;
        let slips = self.1 == Some(Slip::AdvancesAlways) && advanced == Advanced::Replayed;
        if self.1 == Some(Slip::ForgetsNoFailure) && advanced == Advanced::Advanced {
            self.0.fail(user, FactorKind::Totp, NonZeroU32::MAX, now).await?;
        }
        Ok(if slips { Advanced::Advanced } else { advanced })
    }

    async fn fail(
        &self,
        user: &UserId,
        kind: FactorKind,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        let most = if self.1 == Some(Slip::FailsInVain) { NonZeroU32::MAX } else { most };
        self.0.fail(user, kind, most, now).await
    }

    async fn consume(&self, user: &UserId, code: &CodeHash) -> Result<Consumed, StoreError> {
        let consumed = self.0.consume(user, code).await?;
        if self.1 == Some(Slip::KeepsCodes) && consumed != Consumed::Unknown {
            self.0.replace_codes(user, &[*code, CodeHash([8; 32]), CodeHash([9; 32])]).await?;
        }
        Ok(consumed)
    }

    async fn replace_codes(&self, user: &UserId, codes: &[CodeHash]) -> Result<Replaced, StoreError> {
        self.0.replace_codes(user, codes).await
    }

    async fn remove(&self, user: &UserId, id: &FactorId, last: LastFactor) -> Result<Removed, StoreError> {
        let last = if self.1 == Some(Slip::RemovesTheLast) { LastFactor::Remove } else { last };
        self.0.remove(user, id, last).await
    }

    async fn list(&self, user: &UserId) -> Result<Factors, StoreError> {
        self.0.list(user).await
    }

    async fn begin(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError> {
        self.0.begin(ceremony, now).await
    }

    async fn take(&self, id: &CodeHash, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.0.take(id, now).await?;
        if let (Some(Slip::TakesTwice), Some(state)) = (self.1, &state) {
            let lasts = std::time::Duration::from_secs(300);
            self.0.begin(&Ceremony { id: *id, state: state.clone(), lasts }, now).await?;
        }
        Ok(state)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_fault_of_a_store_of_factors_is_found() {
    for slip in [
        Slip::AdvancesAlways,
        Slip::FailsInVain,
        Slip::ForgetsCodes,
        Slip::ForgetsNoFailure,
        Slip::KeepsCodes,
        Slip::RemovesTheLast,
        Slip::TakesTwice,
    ] {
        let make = async move || SlippingFactors(MemoryFactors::default(), Some(slip));
        assert!(fails(assert_factor_store(make)).await, "{slip:?}");
    }
}
