//! What every store of used-up keys must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::OnceStore;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`OnceStore`] against stores that `make` makes.
pub async fn assert_once_store<S: OnceStore>(make: impl AsyncFn() -> S) {
    exactly_one_of_many_is_first(make().await).await;
    a_key_is_forgotten_after_its_time(make().await).await;
    asking_again_does_not_prolong(make().await).await;
    exactly_one_is_first_after_the_time(make().await).await;
    keys_are_independent(make().await).await;
    a_clock_set_back_forgets_nothing(make().await).await;
    extremes_are_answered(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);

async fn take(store: &dyn OnceStore, value: &str, ttl: Duration, now: Timestamp) -> Taken {
    match store.take(&OnceKey::new("suite", value), ttl, now).await {
        Ok(taken) => taken,
        Err(error) => panic!("the store failed: {error}"),
    }
}

async fn race<S: OnceStore>(store: &Arc<S>, now: Timestamp) -> usize {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(store);
        tasks.spawn(async move { take(&*store, "race", MINUTE, now).await });
    }
    tasks.join_all().await.into_iter().filter(|taken| *taken == Taken::First).count()
}

async fn exactly_one_of_many_is_first<S: OnceStore>(store: S) {
    assert_eq!(race(&Arc::new(store), NOW).await, 1, "of {TASKS} parallel calls exactly one is first");
}

async fn a_key_is_forgotten_after_its_time<S: OnceStore>(store: S) {
    assert_eq!(take(&store, "k", MINUTE, NOW).await, Taken::First);
    let last = NOW.plus(MINUTE - Duration::from_millis(1));
    assert_eq!(take(&store, "k", MINUTE, last).await, Taken::Again, "remembered to the last millisecond");
    assert_eq!(take(&store, "k", MINUTE, NOW.plus(MINUTE)).await, Taken::First, "forgotten after the time");
    assert_eq!(take(&store, "k", MINUTE, NOW.plus(MINUTE)).await, Taken::Again, "and remembered anew");
}

async fn asking_again_does_not_prolong<S: OnceStore>(store: S) {
    assert_eq!(take(&store, "k", MINUTE, NOW).await, Taken::First);
    assert_eq!(take(&store, "k", MINUTE * 100, NOW).await, Taken::Again);
    assert_eq!(take(&store, "k", MINUTE, NOW.plus(MINUTE)).await, Taken::First, "a replay does not prolong the time");
}

async fn exactly_one_is_first_after_the_time<S: OnceStore>(store: S) {
    let store = Arc::new(store);
    assert_eq!(take(&*store, "race", MINUTE, NOW).await, Taken::First);
    assert_eq!(race(&store, NOW.plus(MINUTE)).await, 1, "a key that is over is won by exactly one");
}

async fn keys_are_independent<S: OnceStore>(store: S) {
    for value in ["a", "b", "", "a:b", "A", "ä", "a\0", "'; DROP TABLE once; --"] {
        assert_eq!(take(&store, value, MINUTE, NOW).await, Taken::First, "`{value}` is a key of its own");
        assert_eq!(take(&store, value, MINUTE, NOW).await, Taken::Again, "`{value}` is used up");
    }
    let other = store.take(&OnceKey::new("other", "a"), MINUTE, NOW).await;
    assert!(matches!(other, Ok(Taken::First)), "the same value for another purpose is another key");
}

async fn a_clock_set_back_forgets_nothing<S: OnceStore>(store: S) {
    assert_eq!(take(&store, "k", MINUTE, NOW).await, Taken::First);
    let early = Timestamp::from_secs(1_000);
    assert_eq!(take(&store, "k", MINUTE, early).await, Taken::Again, "a clock set back allows no replay");
}

async fn extremes_are_answered<S: OnceStore>(store: S) {
    let long = "x".repeat(100_000);
    assert_eq!(take(&store, &long, MINUTE, NOW).await, Taken::First);
    assert_eq!(take(&store, &long, MINUTE, NOW).await, Taken::Again, "a long key is remembered whole");
    assert_eq!(take(&store, "forever", Duration::MAX, NOW).await, Taken::First);
    assert_eq!(take(&store, "forever", Duration::MAX, NOW).await, Taken::Again, "the longest time is kept");
    assert_eq!(take(&store, "at once", Duration::ZERO, NOW).await, Taken::First);
    assert_eq!(take(&store, "at once", Duration::ZERO, NOW).await, Taken::First, "no time at all is not remembered");
    let _ = take(&store, "last", MINUTE, Timestamp::from_millis(u64::MAX)).await;
}
