//! One step of a session, as a pure function that every store takes.

use super::{By, Change, NewSession, Renewal, Renewed, Rights, Session, SessionHash, Touched};
use crate::time::Timestamp;

/// A session as a store keeps it, with the steps that stores take.
///
/// ```
/// use std::time::Duration;
/// use palisade_core::id::{SessionHandle, UserId};
/// use palisade_core::port::session::*;
/// use palisade_core::principal::{Assurance, Level};
/// use palisade_core::time::Timestamp;
///
/// let now = Timestamp::from_secs(1_795_305_600);
/// let mut record = Record::opened(&NewSession {
///     id: SessionHash([1; 32]),
///     handle: SessionHandle::new("s-1"),
///     holder: Holder::new(UserId::new("u-1"), Assurance::new(Level::Aal1, now)),
///     idle: Duration::from_secs(30 * 60),
///     absolute: Duration::from_secs(12 * 3600),
///     limit: None,
///     replaces: None,
/// }, now);
/// let change = Change { assurance: Some(Assurance::new(Level::Aal2, now)), ..Change::default() };
/// record.renew(&SessionHash([1; 32]), &Renewal { id: SessionHash([2; 32]), change, grace: Duration::from_secs(10) }, now);
/// let Some(Former { until, rights, .. }) = &record.former else { panic!() };
/// assert_eq!((*until, rights.assurance.level), (now.plus(Duration::from_secs(10)), Level::Aal1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The hash of its id.
    pub id: SessionHash,
    /// The session.
    pub session: Session,
    /// The id that it had before.
    pub former: Option<Former>,
}

/// An id that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Former {
    /// Its hash.
    pub id: SessionHash,
    /// Until when it still opens the session.
    pub until: Timestamp,
    /// What it still may.
    pub rights: Rights,
}

impl Record {
    /// The record of a new session.
    pub fn opened(new: &NewSession, now: Timestamp) -> Self {
        let (handle, holder, ends) = (new.handle.clone(), new.holder.clone(), now.plus(new.absolute));
        let session = Session { handle, holder, created: now, seen: now, idle: new.idle, ends };
        Self { id: new.id, session, former: None }
    }

    /// What `id` opens. If that is to be written down, `seen` has become `now`.
    pub fn touch(&mut self, id: &SessionHash, now: Timestamp) -> Touched {
        let Some(by) = self.by(id, now) else { return Touched::Unknown };
        if let Some(why) = self.session.over(now) {
            return Touched::Over { session: self.session.clone(), why };
        }
        if self.session.is_due(now) {
            self.session.seen = now;
        }
        let mut session = self.session.clone();
        if let (By::Former, Some(former)) = (by, &self.former) {
            session.holder.rights = former.rights.clone();
        }
        Touched::Live { session, by }
    }

    /// Gives the session another id, if `id` is its own.
    pub fn renew(&mut self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Renewed {
        match self.by(id, now) {
            None => return Renewed::Unknown,
            Some(By::Former) => return Renewed::Former,
            Some(By::Current) => {}
        }
        if let Some(why) = self.session.over(now) {
            return Renewed::Over { session: self.session.clone(), why };
        }
        let before = self.session.holder.rights.clone();
        let rights = &mut self.session.holder.rights;
        let Change { assurance, roles, scopes } = renewal.change.clone();
        rights.assurance = assurance.unwrap_or_else(|| before.assurance.clone());
        rights.roles = roles.unwrap_or_else(|| before.roles.clone());
        rights.scopes = scopes.unwrap_or_else(|| before.scopes.clone());
        let former = Former { id: self.id, until: now.plus(renewal.grace), rights: before.lesser(rights) };
        (self.id, self.former) = (renewal.id, Some(former));
        self.session.seen = self.session.seen.max(now);
        Renewed::Renewed(self.session.clone())
    }

    /// Which of the session's ids this is.
    pub(super) fn by(&self, id: &SessionHash, now: Timestamp) -> Option<By> {
        if self.id == *id {
            return Some(By::Current);
        }
        self.former.as_ref().is_some_and(|former| former.id == *id && now < former.until).then_some(By::Former)
    }
}
