//! The clock is the one place that reads the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch; zero if the machine believes it is before 1970.
#[expect(clippy::disallowed_methods, reason = "orchard depends on no palisade crate, so it has no clock port")]
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .unwrap_or_default()
}
