//! Stores with one fault each, which the suites must find.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::counter::{Algorithm, Ask, Tally};
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{CounterStore, OnceStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_testkit::store::{assert_counter_store, assert_once_store};
use tokio::task::JoinSet;

/// Runs a suite in a task of its own and says whether it failed.
async fn fails(suite: impl Future<Output = ()> + Send + 'static) -> bool {
    let mut tasks = JoinSet::new();
    tasks.spawn(suite);
    tasks.join_next().await.unwrap().is_err()
}

/// Counts right, but all keys together.
#[derive(Default)]
struct OneBudgetForAll(Mutex<Option<Tally>>);

#[async_trait]
impl CounterStore for OneBudgetForAll {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap();
        for ask in asks {
            let step = ask.step(*state, now);
            (ask.outcome, *state) = (step.outcome, Some(step.after));
        }
        Ok(())
    }
}

/// What is kept for each rule and key.
type Kept = Mutex<HashMap<(bool, usize, String), Tally>>;

fn place(ask: &Ask<'_>) -> (bool, usize, String) {
    (ask.algorithm == Algorithm::Gcra, ask.key.index, ask.key.to_string())
}

/// Reads, lets others run, and writes.
#[derive(Default)]
struct ReadThenWrite(Kept);

#[async_trait]
impl CounterStore for ReadThenWrite {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let kept = self.0.lock().unwrap().clone();
        tokio::task::yield_now().await;
        for ask in asks.iter_mut() {
            ask.outcome = ask.step(kept.get(&place(ask)).copied(), now).outcome;
        }
        if asks.iter().all(|ask| ask.outcome.is_granted()) {
            for ask in asks {
                let after = ask.step(kept.get(&place(ask)).copied(), now).after;
                self.0.lock().unwrap().insert(place(ask), after);
            }
        }
        Ok(())
    }
}

/// Takes from the budgets one after the other, also when a later one refuses.
#[derive(Default)]
struct TakesOnTheWay(Kept);

#[async_trait]
impl CounterStore for TakesOnTheWay {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap();
        for ask in asks {
            let step = ask.step(kept.get(&place(ask)).copied(), now);
            kept.insert(place(ask), step.after);
            ask.outcome = step.outcome;
        }
        Ok(())
    }
}

/// Remembers right, but a replay prolongs the time.
#[derive(Default)]
struct Prolongs(Mutex<HashMap<OnceKey, Timestamp>>);

#[async_trait]
impl OnceStore for Prolongs {
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        let before = self.0.lock().unwrap().insert(key.clone(), now.plus(ttl));
        Ok(if before.is_some_and(|until| until > now) { Taken::Again } else { Taken::First })
    }
}

/// Forgets nothing.
#[derive(Default)]
struct Forever(Mutex<std::collections::HashSet<OnceKey>>);

#[async_trait]
impl OnceStore for Forever {
    async fn take(&self, key: &OnceKey, _: Duration, _: Timestamp) -> Result<Taken, StoreError> {
        Ok(if self.0.lock().unwrap().insert(key.clone()) { Taken::First } else { Taken::Again })
    }
}

#[tokio::test]
async fn each_fault_is_found() {
    assert!(fails(assert_counter_store(async || OneBudgetForAll::default())).await);
    assert!(fails(assert_counter_store(async || ReadThenWrite::default())).await);
    assert!(fails(assert_counter_store(async || TakesOnTheWay::default())).await);
    assert!(fails(assert_once_store(async || Prolongs::default())).await);
    assert!(fails(assert_once_store(async || Forever::default())).await);
}
