//! The time, as a port, so that tests can hold it still.

use crate::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The current moment. Successive calls may be equal and, when the system's clock is set, run backwards.
    fn now(&self) -> Timestamp;
}
