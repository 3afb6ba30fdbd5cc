//! What every store of signing keys must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::KeyStore;
use palisade_core::port::key::{Added, KeyRecord};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`KeyStore`] against stores that `make` makes.
pub async fn assert_key_store<S: KeyStore>(make: impl AsyncFn() -> S) {
    a_key_is_read_back_as_it_was_written(make().await).await;
    of_many_that_make_the_next_one_does(make().await).await;
    what_is_revoked_or_destroyed_loses_its_private_half(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

fn key(purpose: &str, number: u32, sealed: u8) -> KeyRecord {
    KeyRecord {
        purpose: purpose.into(),
        number,
        algorithm: "ES256".into(),
        public: r#"{"kty":"EC"}"#.into(),
        sealed: Some(vec![sealed, 0, 0xff]),
        created: NOW,
        active_from: NOW.plus(Duration::from_secs(3600)),
        revoked_at: None,
    }
}

async fn list(store: &dyn KeyStore, purpose: &str) -> Vec<KeyRecord> {
    store.list(purpose).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn add(store: &dyn KeyStore, record: &KeyRecord) -> Added {
    store.add(record).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn a_key_is_read_back_as_it_was_written<S: KeyStore>(store: S) {
    let [first, second] = [key("access", 1, 1), key("access", 2, 2)];
    let [other, odd] = [key("acces", 1, 3), key("'; DROP TABLE x; --", u32::MAX, 4)];
    for record in [&odd, &other, &second, &first] {
        assert_eq!(add(&store, record).await, Added::Ours);
    }
    assert_eq!(list(&store, "access").await, [first, second], "in the order of their numbers");
    assert_eq!(list(&store, "'; DROP TABLE x; --").await, [odd]);
    assert!(list(&store, "other").await.is_empty());
}

async fn of_many_that_make_the_next_one_does<S: KeyStore>(store: S) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        let made = key("access", 1, u8::try_from(task).unwrap_or_default());
        tasks.spawn(async move { (add(&*store, &made).await, made) });
    }
    let outcomes = tasks.join_all().await;
    let ours = outcomes.into_iter().filter(|(added, _)| *added == Added::Ours).map(|(_, made)| made);
    let ours: Vec<_> = ours.collect();
    assert_eq!(ours.len(), 1, "of {TASKS} parallel calls exactly one makes the key");
    assert_eq!(list(&*store, "access").await, ours, "and it is the one that is kept");
}

async fn what_is_revoked_or_destroyed_loses_its_private_half<S: KeyStore>(store: S) {
    for number in 1..=3 {
        add(&store, &key("access", number, 0)).await;
    }
    for expect in [true, false] {
        assert!(matches!(store.revoke("access", 1, NOW).await, Ok(done) if done == expect), "it is revoked once");
        assert!(matches!(store.destroy("access", 2).await, Ok(done) if done == expect), "it is destroyed once");
    }
    assert!(matches!(store.revoke("access", 9, NOW).await, Ok(false)), "what is not there is not revoked");
    let revoked = KeyRecord { sealed: None, revoked_at: Some(NOW), ..key("access", 1, 0) };
    let destroyed = KeyRecord { sealed: None, ..key("access", 2, 0) };
    assert_eq!(list(&store, "access").await, [revoked, destroyed, key("access", 3, 0)]);
    assert_eq!(add(&store, &key("access", 1, 7)).await, Added::Theirs, "nothing takes the place of a revoked key");
}
