//! A world that stands still: time moves when a test says so, randomness is known, counts and events stay in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use palisade_core::port::counter::{Ask, Tally};
use palisade_core::port::{Clock, CounterStore, Entropy, StoreError};
use palisade_core::time::Timestamp;

use super::{TestClient, TestIssuer};
use crate::observe::Kept;
use crate::preset::World;

/// Everything that a chain under test needs from outside, and what a test needs to see of it.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use palisade::{Chain, testing::TestWorld};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let test = TestWorld::new();
/// let routes = Router::new().route("/health", get(|| async { "ok" }));
/// let client = test.client(Chain::api().public("GET /health").protect(routes, &test.world)?);
/// let mut answer = client.ask("GET /health").await;
/// while answer.status == 200 {
///     answer = client.ask("GET /health").await;
/// }
/// assert_eq!(answer.code().as_deref(), Some("throttled"));
/// test.clock.advance(Duration::from_secs(1));
/// assert_eq!(client.ask("GET /health").await.status, 200);
/// # Ok::<(), palisade::chain::ChainError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct TestWorld {
    /// The clock of the world.
    pub clock: StillClock,
    /// The events that have happened. [`TestClient`] takes those of each answer out.
    pub events: Kept,
    /// Somebody who signs tokens.
    pub issuer: TestIssuer,
    /// What a chain takes.
    pub world: World,
}

impl TestWorld {
    /// A world in which nothing has happened yet.
    pub fn new() -> Self {
        Self::counting_in(MemoryCounts::default())
    }

    /// A world with counters of your own, such as some that fail.
    pub fn counting_in(counters: impl CounterStore) -> Self {
        let (clock, events) = (StillClock::default(), Kept::default());
        let world = World::new(clock.clone(), SeededEntropy::new(1), counters, events.clone());
        Self { issuer: TestIssuer::new(clock.clone()), clock, events, world }
    }

    /// Somebody without a credential who calls an application of this world.
    pub fn client(&self, app: Router) -> TestClient {
        TestClient::new(app, self)
    }
}

impl Default for TestWorld {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock that moves only when a test says so. Clones show the same time.
///
/// ```
/// use palisade::{core::port::Clock, testing::StillClock};
///
/// let clock = StillClock::default();
/// let (given_to_the_code, before) = (clock.clone(), clock.now());
/// clock.advance(std::time::Duration::from_secs(30));
/// assert_eq!(given_to_the_code.now().since(before).as_secs(), 30);
/// ```
#[derive(Clone, Debug)]
pub struct StillClock(Arc<AtomicU64>);

impl StillClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(at.as_millis())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.0.store(self.now().plus(span).as_millis(), Ordering::SeqCst);
    }
}

impl Default for StillClock {
    /// 2026-11-22T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_secs(1_795_305_600))
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes that are the same in every run. FOR TESTS ONLY: anyone can compute them.
///
/// ```
/// use palisade::{core::port::Entropy, testing::SeededEntropy};
///
/// let (mut first, mut again) = ([0; 16], [0; 16]);
/// SeededEntropy::new(7).fill(&mut first);
/// SeededEntropy::new(7).fill(&mut again);
/// assert_eq!(first, again);
/// ```
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            // Knuth's linear congruential generator, of which the upper bits are the better ones.
            let step =
                |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let state = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| Some(step(state)));
            let [.., high] = step(state.unwrap_or_else(|state| state)).to_le_bytes();
            *byte = high;
        }
    }
}

/// Counts in memory that are never cleaned up.
///
/// ```
/// use palisade::testing::{MemoryCounts, TestWorld};
///
/// let test = TestWorld::counting_in(MemoryCounts::default());
/// assert!(test.events.take().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct MemoryCounts(Mutex<HashMap<String, Tally>>);

#[async_trait]
impl CounterStore for MemoryCounts {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut steps = Vec::with_capacity(asks.len());
        for ask in &mut *asks {
            let key = format!("{:?} {}", ask.algorithm, ask.key);
            let step = ask.step(counts.get(&key).copied(), now);
            ask.outcome = step.outcome;
            steps.push((key, step));
        }
        let is_granted = steps.iter().all(|(_, step)| step.outcome.is_granted());
        for (key, step) in steps {
            if is_granted {
                counts.insert(key, step.after);
            } else if !step.outcome.is_granted()
                && let Some(kept) = counts.get_mut(&key)
            {
                // A clock that was set back is corrected.
                *kept = step.before;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_are_those_of_every_store() {
        palisade_testkit::store::assert_counter_store(async || MemoryCounts::default()).await;
    }
}
