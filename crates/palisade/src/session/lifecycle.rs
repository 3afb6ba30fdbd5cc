//! From sign-in to sign-out: the rules of a session's life. Each gives an outcome that says which event it is.

use http::HeaderMap;
use palisade_core::event::EventKind;
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::StoreError;
use palisade_core::port::session::{
    By, Change, Ended, Holder, NewSession, Opened, Over, Renewal, Renewed, Session, Touched,
};
use palisade_core::principal::Assurance;

use super::{Presented, SessionId, Sessions};
use crate::cookie::SetCookie;
use crate::extract::Noted;
use crate::token::base64url;

/// What has become of a sign-in.
///
/// ```
/// use palisade::session::Started;
///
/// let refused = Started::Refused { open: 3 };
/// assert!(matches!(refused, Started::Refused { open } if open == 3));
/// ```
#[derive(Clone, Debug)]
pub enum Started {
    /// There are as many sessions as allowed. The one that the browser had is as it was.
    Refused {
        /// How many.
        open: u32,
    },
    /// A session is open.
    Started {
        /// Its id, for the cookie.
        id: SessionId,
        /// The session.
        session: Box<Session>,
        /// Sessions that ended for it.
        evicted: Vec<SessionHandle>,
        /// The session that the browser had before, and that has ended.
        replaced: Option<SessionHandle>,
    },
}

/// What a request's cookie opens.
///
/// ```
/// use palisade::session::Resolved;
///
/// assert_eq!(Resolved::Unknown.reason(), Some("session_unknown"));
/// assert_eq!(Resolved::Absent.reason(), None);
/// ```
#[derive(Clone, Debug)]
pub enum Resolved {
    /// There is no cookie.
    Absent,
    /// This session.
    Live(Box<Session>, By),
    /// Nothing: the cookie is not of our making, or stands there twice.
    Malformed,
    /// Nothing any more.
    Over(Box<Session>, Over),
    /// Nothing: it was never given, was ended, or was changed for another.
    Unknown,
}

/// What has become of a session whose rights should change.
///
/// ```
/// use palisade::session::Changed;
///
/// assert!(Changed::SignedOut.id().is_none());
/// ```
#[derive(Clone, Debug)]
pub enum Changed {
    /// It has another id.
    Changed {
        /// The id, for the cookie.
        id: SessionId,
        /// The session.
        session: Box<Session>,
        /// Other sessions of the user that have ended.
        ended: Vec<SessionHandle>,
    },
    /// The id was given up a moment ago, by a request beside this one. Nothing has changed, and the browser has the new
    /// id already: the answer must set no cookie.
    Superseded,
    /// There is no session.
    SignedOut,
}

impl Sessions {
    /// Signs somebody in: opens a session with a new id and ends the one that the browser had before.
    pub async fn start(&self, mut holder: Holder, headers: &HeaderMap) -> Result<Started, StoreError> {
        let device = &mut holder.device;
        device.label = device.label.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect::<String>().into();
        let settings = self.settings();
        let (id, replaces) = (SessionId::generate(&*self.0.entropy), self.presented(headers));
        let new = NewSession {
            id: id.hash(),
            handle: self.handle(),
            holder,
            idle: settings.idle,
            absolute: settings.absolute,
            limit: settings.limit,
            replaces: replaces.map(|id| id.hash()),
        };
        Ok(match self.0.store.open(&new, self.now()).await? {
            Opened::Refused { open } => Started::Refused { open },
            Opened::Opened { session, evicted, replaced } => Started::Started { id, session, evicted, replaced },
        })
    }

    /// What the cookie of a request opens.
    pub async fn resolve(&self, headers: &HeaderMap) -> Result<Resolved, StoreError> {
        self.look_up(self.settings().cookie.read(headers)).await
    }

    pub(crate) async fn look_up(&self, presented: Presented) -> Result<Resolved, StoreError> {
        let id = match presented {
            Presented::Absent => return Ok(Resolved::Absent),
            Presented::Malformed => return Ok(Resolved::Malformed),
            Presented::Id(id) => id,
        };
        let now = self.now();
        Ok(match self.0.store.touch(&id.hash(), now).await? {
            // Settings that have become stricter hold for the sessions that are there as well.
            Touched::Live { session, .. } if now >= session.created.plus(self.settings().absolute) => {
                Resolved::Over(Box::new(session), Over::Absolute)
            }
            Touched::Live { session, by } => Resolved::Live(Box::new(session), by),
            Touched::Over { session, why } => Resolved::Over(Box::new(session), why),
            Touched::Unknown => Resolved::Unknown,
        })
    }

    /// Writes down a stronger or fresher sign-in in the session that is there (RFC 9470), under a new id.
    pub async fn step_up(&self, headers: &HeaderMap, assurance: Assurance) -> Result<Changed, StoreError> {
        self.change(headers, Change { assurance: Some(assurance), ..Change::default() }).await
    }

    /// Gives the session that is there other rights, under a new id.
    pub async fn change(&self, headers: &HeaderMap, change: Change) -> Result<Changed, StoreError> {
        let Some(old) = self.presented(headers) else { return Ok(Changed::SignedOut) };
        let id = SessionId::generate(&*self.0.entropy);
        let renewal = Renewal { id: id.hash(), change, grace: self.settings().grace };
        Ok(match self.0.store.renew(&old.hash(), &renewal, self.now()).await? {
            Renewed::Former => Changed::Superseded,
            Renewed::Over { .. } | Renewed::Unknown => Changed::SignedOut,
            Renewed::Renewed(session) => Changed::Changed { id, session: Box::new(session), ended: Vec::new() },
        })
    }

    /// To be called when a password or a second factor of `user` has changed: ends all their sessions but the one that
    /// asks, and gives that one a new id. Whoever had got in with what was changed is out. Where the session that asks is
    /// none of theirs, all end.
    pub async fn credential_changed(&self, headers: &HeaderMap, user: &UserId) -> Result<Changed, StoreError> {
        let own = match self.resolve(headers).await? {
            Resolved::Live(session, _) if session.holder.user == *user => Some(session.handle),
            _ => None,
        };
        let others = self.0.store.end_all(user, own.as_ref()).await?;
        if own.is_none() {
            return Ok(Changed::SignedOut);
        }
        Ok(match self.change(headers, Change::default()).await? {
            Changed::Changed { id, session, .. } => Changed::Changed { id, session, ended: others },
            other => other,
        })
    }

    /// Signs out: ends the session that is there. The answer should have [`super::SessionCookie::removal`].
    pub async fn end(&self, headers: &HeaderMap) -> Result<Ended, StoreError> {
        match self.presented(headers) {
            Some(id) => self.0.store.end(&id.hash()).await,
            None => Ok(Ended::Unknown),
        }
    }

    /// The event that the end of a session is, where there was one to end.
    pub fn noted(outcome: &Ended) -> Noted {
        match outcome {
            Ended::Ended { handle, user } => {
                ended(Noted::default(), user.as_str(), std::slice::from_ref(handle), "by_request")
            }
            Ended::Unknown => Noted::default(),
        }
    }

    /// Ends one session of this user, as it stands in their list.
    pub async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError> {
        self.0.store.end_one(user, session).await
    }

    /// Ends all sessions of a user but one, or all: for "sign out everywhere", and for administrators.
    pub async fn end_all(
        &self,
        user: &UserId,
        except: Option<&SessionHandle>,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        self.0.store.end_all(user, except).await
    }

    /// The sessions of a user, the oldest first. Which of them asks, says the claim `sid` of its principal.
    pub async fn list(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        self.0.store.list(user, self.now()).await
    }

    /// The cookie for the answer to a sign-in or a change. Where no session has a new id there is none to set.
    pub fn cookie(&self, id: Option<&SessionId>) -> Option<SetCookie> {
        id.map(|id| self.settings().cookie.carrying(id))
    }

    fn presented(&self, headers: &HeaderMap) -> Option<SessionId> {
        match self.settings().cookie.read(headers) {
            Presented::Id(id) => Some(id),
            Presented::Absent | Presented::Malformed => None,
        }
    }

    fn handle(&self) -> SessionHandle {
        let mut bytes = [0; 16];
        self.0.entropy.fill(&mut bytes);
        SessionHandle::new(base64url::encode(&bytes))
    }
}

impl Started {
    /// The id, where there is one.
    pub fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Started { id, .. } => Some(id),
            Self::Refused { .. } => None,
        }
    }

    /// The events that it is.
    pub fn noted(&self) -> Noted {
        match self {
            Self::Refused { open } => {
                Noted::default().with(EventKind::LimitExceeded, &[("limit", "sessions"), ("open", &open.to_string())])
            }
            Self::Started { session, evicted, replaced, .. } => {
                let user = session.holder.user.as_str();
                let level = session.holder.rights.assurance.level.as_str();
                let facts = [("session", session.handle.as_str()), ("user", user), ("level", level)];
                let noted = Noted::default().with(EventKind::SessionStarted, &facts);
                let noted = ended(noted, user, evicted, "limit");
                ended(noted, user, replaced.as_slice(), "signed_in_again")
            }
        }
    }
}

impl Changed {
    /// The id, where there is a new one.
    pub fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Changed { id, .. } => Some(id),
            Self::Superseded | Self::SignedOut => None,
        }
    }

    /// The events that it is.
    pub fn noted(&self) -> Noted {
        let Self::Changed { session, ended: others, .. } = self else { return Noted::default() };
        let user = session.holder.user.as_str();
        let level = session.holder.rights.assurance.level.as_str();
        let facts = [("session", session.handle.as_str()), ("user", user), ("level", level)];
        ended(Noted::default().with(EventKind::SessionRenewed, &facts), user, others, "credential_changed")
    }
}

impl Resolved {
    /// Why a cookie that is there opens nothing, as the event spells it.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::Live(..) => None,
            Self::Malformed => Some("session_malformed"),
            Self::Over(_, Over::Absolute) => Some("session_too_old"),
            Self::Over(_, Over::Idle) => Some("session_unused"),
            Self::Unknown => Some("session_unknown"),
        }
    }
}

/// The events of sessions that were ended for this reason.
fn ended(noted: Noted, user: &str, handles: &[SessionHandle], reason: &str) -> Noted {
    handles.iter().fold(noted, |noted, handle| {
        let facts = [("session", handle.as_str()), ("user", user), ("reason", reason)];
        noted.with(EventKind::SessionEnded, &facts)
    })
}

/// How many characters of a device's label are kept.
const LONGEST_LABEL: usize = 200;
