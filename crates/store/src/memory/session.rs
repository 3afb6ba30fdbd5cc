//! Sessions in memory: for one process, and for tests. A restart signs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::session::{
    Ended, NewSession, Opened, Record, Renewal, Renewed, Session, SessionHash, Touched, WhenFull,
};
use palisade_core::port::{SessionStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps sessions in memory, as many as the cap says; then nobody else can sign in until some are over.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::SessionStore;
/// use palisade_core::{id::UserId, time::Timestamp};
/// use palisade_store::memory::MemorySessions;
///
/// let sessions = MemorySessions::default();
/// assert!(sessions.list(&UserId::new("u-1"), Timestamp::default()).await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemorySessions {
    kept: Mutex<Kept>,
    cap: usize,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<SessionHandle, Record>,
    /// The ids of all records, the former ones too.
    ids: HashMap<SessionHash, SessionHandle>,
    users: HashMap<UserId, Vec<SessionHandle>>,
}

impl MemorySessions {
    /// Sessions if nothing else is said: some tens of megabytes when full.
    pub const SESSIONS: usize = 1 << 17;

    /// Keeps at most this many sessions.
    pub fn with_cap(sessions: usize) -> Self {
        Self { kept: Mutex::default(), cap: sessions }
    }

    /// Every change below is complete before the next statement that could panic, so a poisoned map is still whole.
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemorySessions {
    fn default() -> Self {
        Self::with_cap(Self::SESSIONS)
    }
}

impl Kept {
    /// The record that an id opens or has opened.
    fn of(&mut self, id: &SessionHash) -> Option<&mut Record> {
        self.records.get_mut(self.ids.get(id)?)
    }

    /// The sessions of a user that are not over, the oldest first.
    fn live(&self, user: &UserId, now: Timestamp) -> Vec<Session> {
        let handles = self.users.get(user).into_iter().flatten();
        let sessions = handles.filter_map(|handle| Some(&self.records.get(handle)?.session));
        let mut live: Vec<Session> = sessions.filter(|session| session.over(now).is_none()).cloned().collect();
        live.sort_by(|a, b| (a.created, &a.handle).cmp(&(b.created, &b.handle)));
        live
    }

    fn remove(&mut self, handle: &SessionHandle) -> Ended {
        let Some(Record { id, session, former }) = self.records.remove(handle) else { return Ended::Unknown };
        self.ids.remove(&id);
        if let Some(former) = former {
            self.ids.remove(&former.id);
        }
        let user = session.holder.user;
        if let Some(handles) = self.users.get_mut(&user) {
            handles.retain(|own| own != handle);
            if handles.is_empty() {
                self.users.remove(&user);
            }
        }
        Ended::Ended { handle: session.handle, user }
    }

    fn open(&mut self, new: &NewSession, now: Timestamp, cap: usize) -> Result<Opened, StoreError> {
        let replaced = new.replaces.and_then(|id| self.ids.get(&id).cloned());
        let mut live = self.live(&new.holder.user, now);
        live.retain(|session| Some(&session.handle) != replaced.as_ref());
        let most = new.limit.map_or(usize::MAX, |limit| usize::try_from(limit.most.get()).unwrap_or(usize::MAX));
        let excess = (live.len() + 1).saturating_sub(most);
        if excess > 0 && new.limit.is_some_and(|limit| limit.when_full == WhenFull::Refuse) {
            return Ok(Opened::Refused { open: u32::try_from(live.len()).unwrap_or(u32::MAX) });
        }
        let evicted: Vec<SessionHandle> = live.into_iter().take(excess).map(|session| session.handle).collect();
        evicted.iter().chain(&replaced).for_each(|handle| drop(self.remove(handle)));
        if self.records.len() >= cap {
            let over = |record: &&Record| record.session.over(now).is_some();
            let over: Vec<_> = self.records.values().filter(over).map(|r| r.session.handle.clone()).collect();
            over.iter().for_each(|handle| drop(self.remove(handle)));
        }
        if self.records.len() >= cap {
            return Err(StoreError::Unreachable { reason: format!("all of {cap} places are taken") });
        }
        let record = Record::opened(new, now);
        let session = record.session.clone();
        self.ids.insert(record.id, session.handle.clone());
        self.users.entry(session.holder.user.clone()).or_default().push(session.handle.clone());
        self.records.insert(session.handle.clone(), record);
        Ok(Opened::Opened { session: Box::new(session), evicted, replaced })
    }

    fn renew(&mut self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Renewed {
        let Some(record) = self.of(id) else { return Renewed::Unknown };
        let before = record.former.as_ref().map(|former| former.id);
        let renewed = record.renew(id, renewal, now);
        if let Renewed::Renewed(session) = &renewed {
            before.map(|id| self.ids.remove(&id));
            self.ids.insert(renewal.id, session.handle.clone());
        }
        renewed
    }
}

#[async_trait]
impl SessionStore for MemorySessions {
    async fn open(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError> {
        self.with(|kept| kept.open(new, now, self.cap))
    }

    async fn touch(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError> {
        Ok(self.with(|kept| kept.of(id).map_or(Touched::Unknown, |record| record.touch(id, now))))
    }

    async fn renew(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError> {
        Ok(self.with(|kept| kept.renew(id, renewal, now)))
    }

    async fn end(&self, id: &SessionHash) -> Result<Ended, StoreError> {
        Ok(self.with(|kept| kept.ids.get(id).cloned().map_or(Ended::Unknown, |handle| kept.remove(&handle))))
    }

    async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError> {
        Ok(self.with(|kept| {
            let is_own = kept.users.get(user).is_some_and(|own| own.contains(session));
            if is_own { kept.remove(session) } else { Ended::Unknown }
        }))
    }

    async fn end_all(&self, user: &UserId, except: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        Ok(self.with(|kept| {
            let own = kept.users.get(user).cloned().unwrap_or_default();
            let ending: Vec<_> = own.into_iter().filter(|handle| Some(handle) != except).collect();
            ending.iter().for_each(|handle| drop(kept.remove(handle)));
            ending
        }))
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        Ok(self.with(|kept| kept.live(user, now)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use palisade_core::port::session::Holder;
    use palisade_core::principal::{Assurance, Level};

    use super::*;

    fn new(number: u8, now: Timestamp) -> NewSession {
        NewSession {
            id: SessionHash([number; 32]),
            handle: SessionHandle::new(number.to_string()),
            holder: Holder::new(UserId::new(number.to_string()), Assurance::new(Level::Aal1, now)),
            idle: Duration::from_secs(60),
            absolute: Duration::from_secs(600),
            limit: None,
            replaces: None,
        }
    }

    #[tokio::test]
    async fn a_full_store_makes_room_of_what_is_over_and_of_nothing_else() {
        let (sessions, now) = (MemorySessions::with_cap(2), Timestamp::from_secs(1_000));
        for number in [1, 2] {
            sessions.open(&new(number, now), now).await.unwrap();
        }
        assert!(sessions.open(&new(3, now), now).await.is_err());
        assert!(matches!(sessions.touch(&SessionHash([1; 32]), now).await.unwrap(), Touched::Live { .. }));
        let later = now.plus(Duration::from_secs(60));
        assert!(sessions.open(&new(3, later), later).await.is_ok());
        assert_eq!(sessions.with(|kept| (kept.records.len(), kept.ids.len(), kept.users.len())), (1, 1, 1));
    }
}
