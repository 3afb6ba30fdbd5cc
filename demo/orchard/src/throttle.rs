//! The throttle counts failed logins, so that a password cannot be guessed at any rate.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failed logins of the last minute, by username.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, Vec<i64>>>,
}

impl Throttle {
    /// Whether this username failed too often in the minute before `now`.
    pub(crate) fn is_closed(&self, username: &str, now: i64) -> bool {
        let failures = self.lock();
        failures.get(username).is_some_and(|times| times.iter().filter(|at| is_recent(**at, now)).count() >= MAXIMUM)
    }

    /// Counts one failure, and forgets those older than a minute.
    pub(crate) fn fail(&self, username: &str, now: i64) {
        let mut failures = self.lock();
        failures.retain(|_, times| {
            times.retain(|at| is_recent(*at, now));
            !times.is_empty()
        });
        failures.entry(username.to_owned()).or_default().push(now);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<i64>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(at: i64, now: i64) -> bool {
    now - at < WINDOW_SECONDS
}

const MAXIMUM: usize = 10;
const WINDOW_SECONDS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::Throttle;

    #[test]
    fn closes_after_ten_failures_and_opens_a_minute_later() {
        let throttle = Throttle::default();
        for _ in 0..10 {
            assert!(!throttle.is_closed("alice", 1_000));
            throttle.fail("alice", 1_000);
        }
        assert!(throttle.is_closed("alice", 1_059));
        assert!(!throttle.is_closed("bob", 1_059));
        assert!(!throttle.is_closed("alice", 1_060));
    }
}
