//! Stores with one fault each, which the suites must find.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::counter::{Acquired, LimitKey, Rate, gcra};
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
struct OneBudgetForAll(Mutex<Option<Timestamp>>);

#[async_trait]
impl CounterStore for OneBudgetForAll {
    async fn try_acquire(&self, _: &LimitKey, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError> {
        let mut state = self.0.lock().unwrap();
        let (outcome, next) = gcra(*state, rate, now);
        *state = Some(next);
        Ok(outcome)
    }
}

/// Reads, lets others run, and writes.
#[derive(Default)]
struct ReadThenWrite(Mutex<std::collections::HashMap<LimitKey, Timestamp>>);

#[async_trait]
impl CounterStore for ReadThenWrite {
    async fn try_acquire(&self, key: &LimitKey, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError> {
        let state = self.0.lock().unwrap().get(key).copied();
        tokio::task::yield_now().await;
        let (outcome, next) = gcra(state, rate, now);
        self.0.lock().unwrap().insert(key.clone(), next);
        Ok(outcome)
    }
}

/// Remembers right, but a replay prolongs the time.
#[derive(Default)]
struct Prolongs(Mutex<std::collections::HashMap<OnceKey, Timestamp>>);

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
    assert!(fails(assert_once_store(async || Prolongs::default())).await);
    assert!(fails(assert_once_store(async || Forever::default())).await);
}
