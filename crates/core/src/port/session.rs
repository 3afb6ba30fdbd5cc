//! Sessions of people who have signed in: opened, seen, renewed and ended, each in one step.
//!
//! A store keeps [`Record`]s and takes their pure steps, [`Record::opened`], [`Record::touch`] and [`Record::renew`],
//! under whatever lock it has; so all stores answer alike. Of a session's id it keeps the hash only: whoever reads the
//! store cannot act as anybody.

mod record;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
pub use record::{Former, Record};

use super::StoreError;
use crate::id::{SessionHandle, TenantId, UserId};
use crate::principal::{Assurance, Attributes, RoleSet, ScopeSet};
use crate::time::Timestamp;

/// Keeps the sessions of people who have signed in.
///
/// ```
/// use palisade_core::port::{SessionStore, StoreError};
/// use palisade_core::{id::UserId, time::Timestamp};
///
/// /// On how many devices somebody is signed in.
/// async fn devices(sessions: &dyn SessionStore, user: &UserId, now: Timestamp) -> Result<usize, StoreError> {
///     Ok(sessions.list(user, now).await?.len())
/// }
/// # let _ = devices;
/// ```
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session and ends the one that it replaces. The limit is kept by whatever number of parallel calls.
    async fn open(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError>;

    /// The session that the id opens, which was seen now. That is written down from time to time only; what was ended
    /// is never brought back by it.
    async fn touch(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError>;

    /// Gives a session another id. Of any number of parallel calls with one id exactly one is [`Renewed::Renewed`].
    async fn renew(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError>;

    /// Ends the session that the id opens or has opened before it was renewed.
    async fn end(&self, id: &SessionHash) -> Result<Ended, StoreError>;

    /// Ends one session of this user.
    async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError>;

    /// Ends all sessions of a user but one, and says which.
    async fn end_all(&self, user: &UserId, except: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError>;

    /// The sessions of a user that are not over, the oldest first.
    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError>;
}

/// The SHA-256 of a session's id: enough to know it again, useless to whoever steals it.
///
/// ```
/// use palisade_core::port::session::SessionHash;
///
/// assert_eq!(SessionHash([0xab; 32]).to_string().get(..6), Some("ababab"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHash(pub [u8; 32]);

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whose session it is, and what may be done in it.
///
/// ```
/// use palisade_core::id::UserId;
/// use palisade_core::port::session::{Device, Holder, Rights};
/// use palisade_core::principal::{Assurance, Level, RoleSet};
/// use palisade_core::time::Timestamp;
///
/// let signed_in = Assurance::new(Level::Aal1, Timestamp::from_secs(1_795_305_600));
/// let holder = Holder {
///     rights: Rights { roles: RoleSet::from_iter(["customer"]), ..Rights::new(signed_in) },
///     device: Device { label: "Firefox on Linux".into(), address: Some([192, 0, 2, 7].into()) },
///     ..Holder::new(UserId::new("u-alice"), Assurance::new(Level::Aal1, Timestamp::default()))
/// };
/// assert_eq!(holder.rights.assurance.level, Level::Aal1);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// Who has signed in.
    pub user: UserId,
    /// The organization they act in.
    pub tenant: Option<TenantId>,
    /// Further facts about them.
    pub attributes: Attributes,
    /// What they may do, and how sure we are of them.
    pub rights: Rights,
    /// Where they have signed in.
    pub device: Device,
}

impl Holder {
    /// Somebody without roles, on a device that nothing is known of.
    pub fn new(user: UserId, assurance: Assurance) -> Self {
        let (tenant, attributes, device) = Default::default();
        Self { user, tenant, attributes, rights: Rights::new(assurance), device }
    }
}

/// What may be done in a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Rights {
    /// How the user was authenticated, and when.
    pub assurance: Assurance,
    /// The user's roles.
    pub roles: RoleSet,
    /// What the session may be used for.
    pub scopes: ScopeSet,
}

impl Rights {
    /// No roles and no scopes.
    pub fn new(assurance: Assurance) -> Self {
        Self { assurance, roles: RoleSet::default(), scopes: ScopeSet::default() }
    }

    /// What both have: an id that was given up must not profit from what came after it, nor keep what was taken away.
    #[must_use]
    pub fn lesser(&self, other: &Self) -> Self {
        let mut assurance = self.assurance.clone();
        assurance.level = assurance.level.min(other.assurance.level);
        assurance.at = assurance.at.min(other.assurance.at);
        let methods = &other.assurance.methods;
        assurance.methods = self.assurance.methods.iter().filter(|method| methods.contains(method)).collect();
        let roles = self.roles.iter().filter(|role| other.roles.contains(role)).collect();
        let scopes = self.scopes.iter().filter(|scope| other.scopes.contains(scope)).collect();
        Self { assurance, roles, scopes }
    }
}

/// Where somebody has signed in, as they may recognize it in a list. Nothing is decided by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// What the device calls itself.
    pub label: Box<str>,
    /// The address that it had.
    pub address: Option<IpAddr>,
}

/// A session to be opened.
///
/// ```
/// use std::time::Duration;
/// use palisade_core::id::{SessionHandle, UserId};
/// use palisade_core::port::session::{Concurrency, Holder, NewSession, SessionHash, WhenFull};
/// use palisade_core::principal::{Assurance, Level};
/// use palisade_core::time::Timestamp;
///
/// let new = NewSession {
///     id: SessionHash([7; 32]),
///     handle: SessionHandle::new("s-1"),
///     holder: Holder::new(UserId::new("u-1"), Assurance::new(Level::Aal1, Timestamp::default())),
///     idle: Duration::from_secs(30 * 60),
///     absolute: Duration::from_secs(12 * 3600),
///     limit: Some(Concurrency { most: 3.try_into()?, when_full: WhenFull::EvictOldest }),
///     replaces: None,
/// };
/// # let _ = new;
/// # Ok::<(), std::num::TryFromIntError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The hash of its id.
    pub id: SessionHash,
    /// Its name.
    pub handle: SessionHandle,
    /// Whose it is.
    pub holder: Holder,
    /// How long it may be unused.
    pub idle: Duration,
    /// How long it may last.
    pub absolute: Duration,
    /// How many sessions its user may have.
    pub limit: Option<Concurrency>,
    /// The session that the browser had before: it ends in the same step, whosever it is.
    pub replaces: Option<SessionHash>,
}

/// How many sessions a user may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// The number.
    pub most: NonZeroU32,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// What happens when a user has as many sessions as allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest ends.
    EvictOldest,
    /// The new one is refused.
    Refuse,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its name, which opens nothing.
    pub handle: SessionHandle,
    /// Whose it is.
    pub holder: Holder,
    /// When it was opened.
    pub created: Timestamp,
    /// When it was last seen, to the minute or so.
    pub seen: Timestamp,
    /// How long it may be unused.
    pub idle: Duration,
    /// When it ends in any case.
    pub ends: Timestamp,
}

impl Session {
    /// From when on it is over, unless it is seen before.
    pub fn over_at(&self) -> Timestamp {
        self.seen.plus(self.idle).min(self.ends)
    }

    /// Why it is over, if it is.
    pub fn over(&self, now: Timestamp) -> Option<Over> {
        match (now >= self.ends, now >= self.over_at()) {
            (true, _) => Some(Over::Absolute),
            (false, true) => Some(Over::Idle),
            (false, false) => None,
        }
    }

    /// Whether it is time to write down that the session was seen: once a minute, and oftener where little idleness is
    /// allowed. Requests between do not write.
    fn is_due(&self, now: Timestamp) -> bool {
        now.since(self.seen) >= MINUTE.min(self.idle / 30)
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It has lasted as long as it may.
    Absolute,
    /// It was unused for too long.
    Idle,
}

/// What has become of a session to be opened.
///
/// ```
/// use palisade_core::port::session::Opened;
///
/// fn told(opened: &Opened) -> String {
///     match opened {
///         Opened::Opened { evicted, .. } => format!("welcome; {} other sessions have ended", evicted.len()),
///         Opened::Refused { open } => format!("you are signed in on {open} devices already"),
///     }
/// }
/// assert!(told(&Opened::Refused { open: 3 }).contains('3'));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// It is open.
    Opened {
        /// The session.
        session: Box<Session>,
        /// Those that had to end for it, the oldest first.
        evicted: Vec<SessionHandle>,
        /// The one that it replaced.
        replaced: Option<SessionHandle>,
    },
    /// The user has as many as allowed; nothing has changed.
    Refused {
        /// How many.
        open: u32,
    },
}

/// What an id opens.
///
/// ```
/// use palisade_core::port::session::{By, Over, Session, Touched};
///
/// let unused = |touched: &Touched| matches!(touched, Touched::Over { why: Over::Idle, .. });
/// assert!(!unused(&Touched::Unknown));
///
/// /// The session, if the browser has its present id.
/// fn own(touched: Touched) -> Option<Session> {
///     match touched {
///         Touched::Live { session, by: By::Current } => Some(session),
///         _ => None,
///     }
/// }
/// assert_eq!(own(Touched::Unknown), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Touched {
    /// This session.
    Live {
        /// The session; behind a former id, with no more rights than that id had.
        session: Session,
        /// Which of its ids was asked with.
        by: By,
    },
    /// Nothing any more.
    Over {
        /// The session as it was.
        session: Session,
        /// Why.
        why: Over,
    },
    /// Nothing: the id was never given, or its session was ended, or it was renewed too long ago.
    Unknown,
}

/// Which id of a session was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Its own.
    Current,
    /// The one before it was renewed, moments ago: a request that was under way.
    Former,
}

/// Another id for a session, and what changes with it.
///
/// ```
/// use std::time::Duration;
/// use palisade_core::port::session::{Change, Renewal, SessionHash};
/// use palisade_core::principal::{Assurance, Level};
/// use palisade_core::time::Timestamp;
///
/// let second_factor = Assurance::new(Level::Aal2, Timestamp::from_secs(1_795_305_600));
/// let change = Change { assurance: Some(second_factor), ..Change::default() };
/// let renewal = Renewal { id: SessionHash([8; 32]), change, grace: Duration::from_secs(10) };
/// # let _ = renewal;
/// ```
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The hash of the new id.
    pub id: SessionHash,
    /// What is different from now on.
    pub change: Change,
    /// How long the old id still opens the session, for requests that are under way.
    pub grace: Duration,
}

/// What is different after a renewal; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// How the user was authenticated.
    pub assurance: Option<Assurance>,
    /// The user's roles.
    pub roles: Option<RoleSet>,
    /// What the session may be used for.
    pub scopes: Option<ScopeSet>,
}

/// What has become of a session to be renewed.
///
/// ```
/// use palisade_core::port::session::Renewed;
///
/// assert_ne!(Renewed::Former, Renewed::Unknown);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Renewed {
    /// The id was given up for another one moments ago, and one session has one id: it does not fork.
    Former,
    /// It is over.
    Over {
        /// The session as it was.
        session: Session,
        /// Why.
        why: Over,
    },
    /// It has another id.
    Renewed(Session),
    /// There is none.
    Unknown,
}

/// What has become of a session to be ended.
///
/// ```
/// use palisade_core::id::{SessionHandle, UserId};
/// use palisade_core::port::session::Ended;
///
/// let ended = Ended::Ended { handle: SessionHandle::new("s-1"), user: UserId::new("u-1") };
/// assert_ne!(ended, Ended::Unknown);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has ended.
    Ended {
        /// Its name.
        handle: SessionHandle,
        /// Whose it was.
        user: UserId,
    },
    /// There was none.
    Unknown,
}

/// How often it is written down that a session was seen.
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
