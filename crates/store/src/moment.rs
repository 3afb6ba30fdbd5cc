//! Whose clock a shared store counts by.

#[cfg(any(feature = "postgres", feature = "redis"))]
use palisade_core::time::Timestamp;

/// Whose clock a store that several gateways share counts by.
///
/// The clocks of gateways differ. With the caller's, a gateway whose clock is ahead by a second would see what the
/// others have used as a second older than it is, and one whose clock is behind would take the first one's records for
/// damage and cut them: together they would let more pass than the limit, again and again. The store has one clock.
///
/// ```
/// use palisade_store::{Place, moment::Moment};
///
/// assert_eq!(Place::new("redis://127.0.0.1").moment, Moment::Server);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// The moment that each call names: for tests, which hold the time still.
    Caller,
    /// That of the store.
    #[default]
    Server,
}

/// The latest moment, in milliseconds, that the steps of rate limits tell from later ones; it is in the year 2252. The
/// number is exact as a floating-point number too.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) const LATEST: u64 = 8_900_000_000_000;

#[cfg(any(feature = "postgres", feature = "redis"))]
impl Moment {
    /// The moment if it is the caller who names it.
    pub(crate) fn named(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Caller => Some(Timestamp::from_millis(now.as_millis().min(LATEST))),
            Self::Server => None,
        }
    }
}
