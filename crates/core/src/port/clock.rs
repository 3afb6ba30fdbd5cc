//! The time, as a port, so that tests can hold it still.

use crate::time::Timestamp;

/// Tells the time.
///
/// ```
/// use palisade_core::{port::Clock, time::Timestamp};
///
/// /// The clock of a test.
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_secs(12 * 3600)
///     }
/// }
/// assert_eq!(Noon.now().to_string(), "1970-01-01T12:00:00.000Z");
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The current moment. Successive calls may be equal and, when the system's clock is set, run backwards.
    fn now(&self) -> Timestamp;
}
