//! What every store of rate limits must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::CounterStore;
use palisade_core::port::counter::{Acquired, LimitKey, Rate, gcra};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`CounterStore`] against stores that `make` makes.
pub async fn assert_counter_store<S: CounterStore>(make: impl AsyncFn() -> S) {
    grants_exactly_the_burst_in_parallel(make().await).await;
    a_refusal_leaves_the_state(make().await).await;
    waiting_as_told_is_granted(make().await).await;
    keys_are_independent(make().await).await;
    a_clock_set_back_costs_one_window_at_most(make().await).await;
    answers_as_the_pure_step(make().await).await;
    extremes_are_answered(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

fn rate(burst: u32, secs: u64) -> Rate {
    Rate { burst: burst.try_into().expect("a burst above zero"), per: Duration::from_secs(secs) }
}

fn key(holder: &str) -> LimitKey {
    LimitKey::new("suite", holder)
}

fn is_granted(outcome: Acquired) -> bool {
    matches!(outcome, Acquired::Granted { .. })
}

async fn acquire(store: &dyn CounterStore, holder: &str, rate: Rate, now: Timestamp) -> Acquired {
    match store.try_acquire(&key(holder), rate, now).await {
        Ok(outcome) => outcome,
        Err(error) => panic!("the store failed: {error}"),
    }
}

async fn grants_exactly_the_burst_in_parallel<S: CounterStore>(store: S) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { is_granted(acquire(&*store, "parallel", rate(10, 60), NOW).await) });
    }
    let granted = tasks.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 10, "of {TASKS} parallel requests exactly the burst is granted");
}

async fn a_refusal_leaves_the_state<S: CounterStore>(store: S) {
    let rate = rate(2, 60);
    for _ in 0..2 {
        assert!(is_granted(acquire(&store, "refused", rate, NOW).await), "the burst is granted");
    }
    for _ in 0..20 {
        let refused = Acquired::Refused { retry_after: Duration::from_secs(30) };
        assert_eq!(acquire(&store, "refused", rate, NOW).await, refused, "asking again costs nothing");
    }
}

async fn waiting_as_told_is_granted<S: CounterStore>(store: S) {
    let rate = rate(3, 10);
    let mut now = NOW;
    for _ in 0..20 {
        if let Acquired::Refused { retry_after } = acquire(&store, "patient", rate, now).await {
            let early = now.plus(retry_after.saturating_sub(Duration::from_millis(1)));
            assert!(!is_granted(acquire(&store, "patient", rate, early).await), "a millisecond early is refused");
            now = now.plus(retry_after);
            assert!(is_granted(acquire(&store, "patient", rate, now).await), "waiting as told is granted");
        }
    }
}

async fn keys_are_independent<S: CounterStore>(store: S) {
    let rate = rate(1, 60);
    for holder in ["a", "b", "", "a:b", "A", "ä", "a\0", "'; DROP TABLE counter; --"] {
        assert!(is_granted(acquire(&store, holder, rate, NOW).await), "`{holder}` has a budget of its own");
        assert!(!is_granted(acquire(&store, holder, rate, NOW).await), "`{holder}` has used it up");
    }
}

async fn a_clock_set_back_costs_one_window_at_most<S: CounterStore>(store: S) {
    let (rate, early) = (rate(1, 60), Timestamp::from_secs(1_000));
    assert!(is_granted(acquire(&store, "back", rate, NOW).await));
    let refused = Acquired::Refused { retry_after: Duration::from_secs(60) };
    assert_eq!(acquire(&store, "back", rate, early).await, refused, "a clock set back grants nothing");
    let later = early.plus(Duration::from_secs(60));
    assert!(is_granted(acquire(&store, "back", rate, later).await), "and costs one window at most");
}

/// Every store gives the answers of [`gcra`], whatever the times are.
async fn answers_as_the_pure_step<S: CounterStore>(store: S) {
    let rate = rate(4, 2);
    let (mut state, mut now, mut gap) = (None, NOW.as_millis(), 7_u64);
    for step in 0..200 {
        // Gaps between 0 and 1.3 seconds, now and then a step back; any fixed sequence would do.
        gap = (gap * 37 + 11) % 1_301;
        now = if step % 17 == 0 { now.saturating_sub(gap) } else { now + gap * u64::from(step % 3 != 0) };
        let (expect, next) = gcra(state, rate, Timestamp::from_millis(now));
        state = Some(next);
        let outcome = acquire(&store, "model", rate, Timestamp::from_millis(now)).await;
        assert_eq!(outcome, expect, "step {step} is answered as the pure function answers it");
    }
}

async fn extremes_are_answered<S: CounterStore>(store: S) {
    let long = "x".repeat(100_000);
    assert!(is_granted(acquire(&store, &long, rate(1, 60), NOW).await), "a long key is counted");
    assert!(!is_granted(acquire(&store, &long, rate(1, 60), NOW).await), "a long key is remembered whole");
    for (holder, now) in [("first", Timestamp::default()), ("last", Timestamp::from_millis(u64::MAX))] {
        // Whether it is granted does not matter here; that it is answered does.
        let _ = acquire(&store, holder, rate(1, 60), now).await;
    }
    let forever = Rate { burst: std::num::NonZeroU32::MAX, per: Duration::MAX };
    assert!(is_granted(acquire(&store, "forever", forever, NOW).await), "the largest rate is counted");
}
