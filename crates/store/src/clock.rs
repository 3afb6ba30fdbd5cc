//! The machine's clock: the one place where Palisade asks the system for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use palisade_core::port::Clock;
use palisade_core::time::Timestamp;

/// Tells the time of the machine, in UTC. It jumps when the machine's clock is set; every rule built on it has to
/// tolerate that.
///
/// ```
/// use palisade_core::port::Clock;
/// use palisade_core::time::Timestamp;
/// use palisade_store::clock::SystemClock;
///
/// assert!(SystemClock.now() > Timestamp::from_secs(1_700_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is told to use")]
    fn now(&self) -> Timestamp {
        // A machine that believes it is before 1970 has no clock; 1970 itself makes every token "not yet valid".
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since_1970)
    }
}
