//! A clock that moves only when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use palisade_core::port::Clock;
use palisade_core::time::Timestamp;

/// A clock whose clones all show the same time.
///
/// ```
/// use std::time::Duration;
///
/// use palisade_core::port::Clock;
/// use palisade_core::time::Timestamp;
/// use palisade_testkit::clock::TestClock;
///
/// let clock = TestClock::at(Timestamp::from_secs(1_000));
/// let given_to_the_code_under_test = clock.clone();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(given_to_the_code_under_test.now(), Timestamp::from_secs(1_030));
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(at.as_millis())))
    }

    /// Moves the clock to `at`, which may lie in the past.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_millis(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }
}

impl Default for TestClock {
    /// 2026-11-22T00:00:00Z: late enough that no span subtracted in a test reaches 1970.
    fn default() -> Self {
        Self::at(Timestamp::from_secs(1_795_305_600))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
