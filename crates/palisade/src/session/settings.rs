//! How long sessions last and how many somebody may have.

use std::num::NonZeroU32;
use std::time::Duration;

use palisade_core::port::session::{Concurrency, WhenFull};

use super::SessionCookie;

/// How sessions are kept.
///
/// ```
/// use std::time::Duration;
/// use palisade::core::port::session::{Concurrency, WhenFull};
/// use palisade::session::{CookieSite, SessionCookie, SessionSettings};
///
/// let strict = SessionSettings {
///     limit: Some(Concurrency { most: std::num::NonZeroU32::MIN, when_full: WhenFull::Refuse }),
///     cookie: SessionCookie::new("sid", CookieSite::Strict)?,
///     ..SessionSettings::aal3()
/// };
/// assert_eq!(strict.idle, Duration::from_secs(15 * 60));
/// # Ok::<(), palisade::cookie::CookieError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// How long a session may be unused. It is written down about once a minute that one is used, so that it may end up
    /// to a minute sooner.
    pub idle: Duration,
    /// How long a session may last, used or not.
    pub absolute: Duration,
    /// How many sessions a user may have at once.
    pub limit: Option<Concurrency>,
    /// How long the id before a change still opens the session.
    pub grace: Duration,
    /// The cookie.
    pub cookie: SessionCookie,
}

impl SessionSettings {
    /// The longest times for what one factor is enough for: thirty days, and a week without use (NIST SP 800-63B-4
    /// section 2.1.3).
    pub fn aal1() -> Self {
        Self { idle: 7 * DAY, absolute: 30 * DAY, ..Self::default() }
    }

    /// The longest times for what needs two factors: a day, and an hour without use (section 2.2.3).
    pub fn aal2() -> Self {
        Self { idle: HOUR, absolute: DAY, ..Self::default() }
    }

    /// The longest times for what needs two factors with a key in hardware: twelve hours, and a quarter of an hour without
    /// use (section 2.3.3).
    pub fn aal3() -> Self {
        Self { idle: HOUR / 4, absolute: 12 * HOUR, ..Self::default() }
    }
}

impl Default for SessionSettings {
    /// Half an hour without use and twelve hours in all; twenty sessions, of which the oldest ends for one more.
    fn default() -> Self {
        let most = const { NonZeroU32::MIN.saturating_add(19) };
        Self {
            idle: HOUR / 2,
            absolute: 12 * HOUR,
            limit: Some(Concurrency { most, when_full: WhenFull::EvictOldest }),
            grace: Duration::from_secs(10),
            cookie: SessionCookie::default(),
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
