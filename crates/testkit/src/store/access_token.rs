//! What every store of opaque access tokens must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::access_token::{AccessHash, AccessTokenStore, KeptAccess, Which};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`AccessTokenStore`] against stores that `make` makes.
pub async fn assert_access_token_store<S: AccessTokenStore>(make: impl AsyncFn() -> S) {
    is_found_as_it_was_kept(make().await).await;
    ends_what_is_named_and_nothing_else(make().await).await;
    of_parallel_keepers_of_one_hash_one_succeeds(make().await).await;
    what_is_over_goes_as_others_come(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);

fn token(number: u8, subject: &str, session: Option<&str>) -> KeptAccess {
    KeptAccess {
        hash: AccessHash([number; 32]),
        subject: subject.into(),
        session: session.map(Into::into),
        claims: format!("{{\"sub\":\"{subject}\",\"n\":{number}}}").into(),
        expires: NOW.plus(MINUTE),
    }
}

async fn keep(store: &dyn AccessTokenStore, token: &KeptAccess, now: Timestamp) {
    store.keep(token, now).await.unwrap_or_else(|error| panic!("the store failed: {error}"));
}

async fn find(store: &dyn AccessTokenStore, number: u8) -> Option<KeptAccess> {
    store.find(&AccessHash([number; 32])).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn revoke(store: &dyn AccessTokenStore, which: Which<'_>) -> u64 {
    store.revoke(which).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn is_found_as_it_was_kept<S: AccessTokenStore>(store: S) {
    for kept in [token(1, "älice'", Some("s-1")), token(2, "bob", None)] {
        keep(&store, &kept, NOW).await;
    }
    assert_eq!(find(&store, 1).await, Some(token(1, "älice'", Some("s-1"))));
    assert_eq!(find(&store, 2).await, Some(token(2, "bob", None)));
    assert_eq!(find(&store, 3).await, None);
}

async fn ends_what_is_named_and_nothing_else<S: AccessTokenStore>(store: S) {
    let all = [
        token(1, "alice", Some("s-1")),
        token(2, "alice", Some("s-1")),
        token(3, "alice", Some("s-2")),
        token(4, "alice", None),
        token(5, "Alice", Some("S-1")),
        token(6, "bob", Some("s-1")),
        token(7, "s-1", Some("alice")),
    ];
    for kept in &all {
        keep(&store, kept, NOW).await;
    }
    let left = async || {
        let mut left = Vec::new();
        for number in 1..=7 {
            left.extend(find(&store, number).await.map(|_| number));
        }
        left
    };
    assert_eq!(revoke(&store, Which::Token(&AccessHash([9; 32]))).await, 0);
    assert_eq!(revoke(&store, Which::Token(&AccessHash([2; 32]))).await, 1);
    assert_eq!(left().await, [1, 3, 4, 5, 6, 7]);
    assert_eq!(revoke(&store, Which::Session("s-1")).await, 2);
    assert_eq!(left().await, [3, 4, 5, 7]);
    assert_eq!(revoke(&store, Which::Subject("alice")).await, 2);
    assert_eq!(revoke(&store, Which::Subject("alice")).await, 0);
    assert_eq!(left().await, [5, 7]);
}

async fn of_parallel_keepers_of_one_hash_one_succeeds<S: AccessTokenStore>(store: S) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.keep(&token(1, &task.to_string(), None), NOW).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|kept| *kept).count(), 1);
    assert!(find(&*store, 1).await.is_some());
}

async fn what_is_over_goes_as_others_come<S: AccessTokenStore>(store: S) {
    for number in 1..=2 {
        keep(&store, &token(number, "alice", None), NOW).await;
    }
    // A store may keep what is over, as long as whoever asks is told when that was.
    let later = NOW.plus(2 * MINUTE);
    let next = KeptAccess { expires: later.plus(MINUTE), ..token(3, "alice", None) };
    keep(&store, &next, later).await;
    for number in 1..=2 {
        assert!(find(&store, number).await.is_none_or(|kept| kept.expires <= later));
    }
    assert_eq!(find(&store, 3).await, Some(next));
}
