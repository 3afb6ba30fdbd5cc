//! What every store of rate limits must promise.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::CounterStore;
use palisade_core::port::counter::{Acquired, Algorithm, Ask, LimitKey, Rate, Tally};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`CounterStore`] against stores that `make` makes.
pub async fn assert_counter_store<S: CounterStore>(make: impl AsyncFn() -> S) {
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
        grants_exactly_the_burst_in_parallel(make().await, algorithm).await;
        a_batch_is_taken_whole_or_not_at_all_in_parallel(make().await, algorithm).await;
        a_refusal_leaves_the_state(make().await, algorithm).await;
        waiting_as_told_is_granted(make().await, algorithm).await;
        a_clock_set_back_costs_two_windows_at_most(make().await, algorithm).await;
        extremes_are_answered(make().await, algorithm).await;
    }
    keys_are_independent(make().await).await;
    a_refused_batch_takes_nothing(make().await).await;
    answers_as_the_pure_steps(make().await).await;
}

/// The middle of a minute, so that windows of the clock have a past and a future.
const NOW: Timestamp = Timestamp::from_secs(1_795_305_630);

fn rate(burst: u32, secs: u64) -> Rate {
    Rate { burst: burst.try_into().expect("a burst above zero"), per: Duration::from_secs(secs) }
}

fn key(holder: &str) -> LimitKey<'_> {
    LimitKey::new("suite", holder)
}

async fn acquire_all(store: &dyn CounterStore, asks: &mut [Ask<'_>], now: Timestamp) {
    if let Err(error) = store.acquire_all(asks, now).await {
        panic!("the store failed: {error}");
    }
}

/// Asks for one unit.
async fn acquire(store: &dyn CounterStore, ask: Ask<'_>, now: Timestamp) -> Acquired {
    let mut asks = [ask];
    acquire_all(store, &mut asks, now).await;
    let [Ask { outcome, .. }] = asks;
    outcome
}

async fn grants_exactly_the_burst_in_parallel<S: CounterStore>(store: S, algorithm: Algorithm) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        let ask = Ask { algorithm, ..Ask::new(key("parallel"), rate(10, 60)) };
        tasks.spawn(async move { acquire(&*store, ask, NOW).await.is_granted() });
    }
    let granted = tasks.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 10, "of {TASKS} parallel requests exactly the burst is granted");
}

/// Half of the tasks name the two budgets in the other order, so that a store that locks one after the other stops here.
async fn a_batch_is_taken_whole_or_not_at_all_in_parallel<S: CounterStore>(store: S, algorithm: Algorithm) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let small = Ask { algorithm, ..Ask::new(key("small"), rate(5, 60)) };
            let large = Ask { algorithm, ..Ask::new(key("large"), rate(7, 60)) };
            let mut asks = if task % 2 == 0 { [small, large] } else { [large, small] };
            acquire_all(&*store, &mut asks, NOW).await;
            asks.iter().all(|ask| ask.outcome.is_granted())
        });
    }
    let granted = tasks.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(granted, 5, "of {TASKS} parallel batches as many are granted as the smallest budget holds");
    let mut left = 0;
    while acquire(&*store, Ask { algorithm, ..Ask::new(key("large"), rate(7, 60)) }, NOW).await.is_granted() {
        left += 1;
    }
    assert_eq!(left, 2, "the refused batches have taken nothing from the other budget");
}

async fn a_refusal_leaves_the_state<S: CounterStore>(store: S, algorithm: Algorithm) {
    let ask = Ask { algorithm, ..Ask::new(key("refused"), rate(2, 60)) };
    for _ in 0..2 {
        assert!(acquire(&store, ask, NOW).await.is_granted(), "the burst is granted");
    }
    let first = acquire(&store, ask, NOW).await;
    for _ in 0..20 {
        assert_eq!(acquire(&store, ask, NOW).await, first, "asking again costs nothing");
    }
}

async fn waiting_as_told_is_granted<S: CounterStore>(store: S, algorithm: Algorithm) {
    let ask = Ask { algorithm, cost: NonZeroU32::MIN.saturating_add(1), ..Ask::new(key("patient"), rate(5, 10)) };
    let mut now = NOW;
    for _ in 0..20 {
        if let Acquired::Refused { retry_after } = acquire(&store, ask, now).await {
            let early = now.plus(retry_after.saturating_sub(Duration::from_millis(1)));
            assert!(!acquire(&store, ask, early).await.is_granted(), "a millisecond early is refused");
            now = now.plus(retry_after);
            assert!(acquire(&store, ask, now).await.is_granted(), "waiting as told is granted");
        }
    }
}

async fn keys_are_independent<S: CounterStore>(store: S) {
    for holder in ["a", "b", "", "a:b", "A", "ä", "a\0", "'; DROP TABLE tally; --"] {
        let ask = Ask::new(key(holder), rate(1, 60));
        assert!(acquire(&store, ask, NOW).await.is_granted(), "`{holder}` has a budget of its own");
        assert!(!acquire(&store, ask, NOW).await.is_granted(), "`{holder}` has used it up");
        let other = Ask { key: LimitKey { index: 1, ..key(holder) }, ..ask };
        assert!(acquire(&store, other, NOW).await.is_granted(), "another rule for `{holder}` is another budget");
        let windowed = Ask { algorithm: Algorithm::SlidingWindow, ..ask };
        assert!(acquire(&store, windowed, NOW).await.is_granted(), "counted in another way it starts anew");
    }
}

async fn a_refused_batch_takes_nothing<S: CounterStore>(store: S) {
    let second = Ask::new(key("per second"), rate(2, 1));
    let hour = Ask { algorithm: Algorithm::SlidingWindow, ..Ask::new(key("per hour"), rate(5, 3600)) };
    let mut granted = 0;
    for _ in 0..20 {
        let mut asks = [second, hour];
        acquire_all(&store, &mut asks, NOW).await;
        granted += usize::from(asks.iter().all(|ask| ask.outcome.is_granted()));
    }
    assert_eq!(granted, 2, "both budgets must hold");
    let left = acquire(&store, hour, NOW).await;
    assert!(
        matches!(left, Acquired::Granted { remaining: 2, .. }),
        "refused requests do not count by the hour: {left:?}"
    );
    let mut none: [Ask<'_>; 0] = [];
    acquire_all(&store, &mut none, NOW).await;
}

async fn a_clock_set_back_costs_two_windows_at_most<S: CounterStore>(store: S, algorithm: Algorithm) {
    let ask = Ask { algorithm, ..Ask::new(key("back"), rate(1, 60)) };
    let early = Timestamp::from_secs(1_000);
    assert!(acquire(&store, ask, NOW).await.is_granted());
    assert!(!acquire(&store, ask, early).await.is_granted(), "a clock set back grants nothing");
    let later = early.plus(Duration::from_secs(120));
    assert!(acquire(&store, ask, later).await.is_granted(), "and costs two windows at most");
}

/// Every store gives the answers of [`Algorithm::step`], whatever is asked and whatever the times are: so any two stores
/// give the same answers to the same calls.
async fn answers_as_the_pure_steps<S: CounterStore>(store: S) {
    let rates = [rate(4, 2), rate(1, 1), rate(20, 3600), Rate { burst: NonZeroU32::MAX, per: Duration::MAX }];
    let mut kept: HashMap<(usize, &str), Tally> = HashMap::new();
    // A fixed sequence that looks random: the multiplier and increment are Knuth's for 64 bits.
    let mut draw = 7_u64;
    let mut random = |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let mut now = NOW.as_millis();
    for step in 0..600 {
        // Between the same moment and two seconds later, now and then a step back.
        now = if random(17) == 0 { now.saturating_sub(random(5_000)) } else { now + random(3) * random(1_000) };
        let at = Timestamp::from_millis(now);
        let (mut rules, mut asks) = (Vec::new(), Vec::new());
        let most = usize::try_from(random(4)).unwrap_or(0);
        for (index, rate) in rates.iter().enumerate().take(most + 1) {
            let holder = match random(3) {
                0 => "a",
                1 => "b",
                _ => "c",
            };
            let algorithm = if index % 2 == 0 { Algorithm::Gcra } else { Algorithm::SlidingWindow };
            let cost = NonZeroU32::MIN.saturating_add(u32::try_from(random(3)).unwrap_or(0));
            let key = LimitKey { index, ..key(holder) };
            asks.push(Ask { algorithm, cost, ..Ask::new(key, *rate) });
            rules.push((index, holder));
        }
        let steps: Vec<_> = asks.iter().zip(&rules).map(|(ask, rule)| ask.step(kept.get(rule).copied(), at)).collect();
        let is_granted = steps.iter().all(|step| step.outcome.is_granted());
        for (step, rule) in steps.iter().zip(&rules) {
            if is_granted {
                kept.insert(*rule, step.after);
            } else if !step.outcome.is_granted() && kept.contains_key(rule) {
                kept.insert(*rule, step.before);
            }
        }
        acquire_all(&store, &mut asks, at).await;
        for (ask, expect) in asks.iter().zip(&steps) {
            assert_eq!(ask.outcome, expect.outcome, "step {step} is answered as the pure function answers it");
        }
    }
}

async fn extremes_are_answered<S: CounterStore>(store: S, algorithm: Algorithm) {
    let long = "x".repeat(100_000);
    let ask = Ask { algorithm, ..Ask::new(key(&long), rate(1, 60)) };
    assert!(acquire(&store, ask, NOW).await.is_granted(), "a long key is counted");
    assert!(!acquire(&store, ask, NOW).await.is_granted(), "a long key is remembered whole");
    for (holder, now) in [("first", Timestamp::default()), ("last", Timestamp::from_millis(u64::MAX))] {
        // Whether it is granted does not matter here; that it is answered does.
        let _ = acquire(&store, Ask { key: key(holder), ..ask }, now).await;
    }
    let forever = Rate { burst: NonZeroU32::MIN, per: Duration::MAX };
    let ask = Ask { key: key("forever"), rate: forever, ..ask };
    assert!(acquire(&store, ask, NOW).await.is_granted(), "the longest window is counted");
    let year = NOW.plus(Duration::from_secs(365 * 86_400));
    assert!(!acquire(&store, ask, year).await.is_granted(), "and lasts");
}
