//! What every store of service accounts and API keys must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{ApiKeyId, ClientId, TenantId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, KeptApiKey, NewApiKey, Refused, SecretHash, ServiceAccount};
use palisade_core::port::{ApiKeyStore, StoreError};
use palisade_core::principal::{RoleSet, ScopeSet};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`ApiKeyStore`] against stores that `make` makes.
pub async fn assert_api_key_store<S: ApiKeyStore>(make: impl AsyncFn() -> S) {
    accounts_are_read_back_as_they_were_written(make().await).await;
    an_account_has_two_live_keys(make().await).await;
    of_many_that_are_added_at_once_two_are_live(make().await).await;
    a_key_is_revoked_once_and_for_ever(make().await).await;
    a_use_is_written_once_a_minute(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn ok<T>(outcome: Result<T, StoreError>) -> T {
    outcome.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

fn key(account: &str, id: &str, expires: Option<Timestamp>) -> NewApiKey {
    let hash = SecretHash([0xff; 32]);
    NewApiKey { id: ApiKeyId::new(id), account: ClientId::new(account), hash, expires }
}

async fn register(store: &dyn ApiKeyStore, id: &str) -> ServiceAccount {
    let account = ServiceAccount::new(ClientId::new(id), NOW);
    assert!(ok(store.register(&account).await), "{id} is new");
    account
}

async fn add(store: &dyn ApiKeyStore, new: &NewApiKey, now: Timestamp) -> Added {
    ok(store.add(new, now).await)
}

async fn accounts_are_read_back_as_they_were_written<S: ApiKeyStore>(store: S) {
    let network = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is a network"));
    let full = ServiceAccount {
        tenant: Some(TenantId::new("acme; --")),
        name: "Reports \"nightly\" \u{2713}".into(),
        scopes: ScopeSet::from_iter(["read", "write all"]),
        roles: RoleSet::from_iter(["auditor"]),
        networks: vec![network("10.0.0.0/8"), network("2001:db8::/32")],
        ..ServiceAccount::new(ClientId::new("reports"), NOW)
    };
    assert!(ok(store.register(&full).await));
    let bare = register(&store, "Bare").await;
    let other = ServiceAccount { name: "other".into(), ..full.clone() };
    assert!(!ok(store.register(&other).await), "an id is given once");
    assert_eq!(ok(store.accounts().await), [bare, full.clone()], "in the order of their ids");

    assert_eq!(add(&store, &key("reports", "k-1", Some(later(9))), NOW).await, Added::Added);
    let held = ok(store.find(&ApiKeyId::new("k-1")).await).unwrap_or_else(|| panic!("the key is there"));
    assert_eq!((&held.account, held.key.expires, held.key.last_used), (&full, Some(later(9)), None));
    assert_eq!((held.key.hash, held.key.created), (SecretHash([0xff; 32]), NOW));
    assert_eq!([held.refused(later(8)), held.refused(later(9))], [None, Some(Refused::Expired)]);
    assert!(ok(store.find(&ApiKeyId::new("K-1")).await).is_none(), "an id is exact");

    for expect in [StatusSet::Changed, StatusSet::Unchanged] {
        assert_eq!(ok(store.set_status(&full.id, AccountStatus::Disabled).await), expect);
    }
    assert_eq!(ok(store.set_status(&ClientId::new("x"), AccountStatus::Active).await), StatusSet::Unknown);
    let held = ok(store.find(&ApiKeyId::new("k-1")).await);
    assert_eq!(held.and_then(|held| held.refused(NOW)), Some(Refused::Disabled));
}

async fn an_account_has_two_live_keys<S: ApiKeyStore>(store: S) {
    register(&store, "a").await;
    register(&store, "b").await;
    for (new, now, expect) in [
        (key("nobody", "1", None), NOW, Added::Unknown),
        (key("a", "1", Some(later(60))), NOW, Added::Added),
        (key("a", "1", None), NOW, Added::Taken),
        (key("a", "2", None), NOW, Added::Added),
        (key("a", "3", None), later(59), Added::Full),
        (key("b", "4", None), NOW, Added::Added),
        (key("a", "3", None), later(60), Added::Added),
        (key("a", "5", None), later(60), Added::Full),
    ] {
        assert_eq!(add(&store, &new, now).await, expect, "{new:?}");
    }
    assert!(ok(store.revoke(&ApiKeyId::new("2"), later(60)).await));
    assert_eq!(add(&store, &key("a", "5", None), later(61)).await, Added::Added, "a revoked key makes room");
    let list = ok(store.list(&ClientId::new("a")).await);
    let ids: Vec<_> = list.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "5"], "the oldest first, and nothing is forgotten");
    assert!(ok(store.list(&ClientId::new("nobody")).await).is_empty());
}

async fn of_many_that_are_added_at_once_two_are_live<S: ApiKeyStore>(store: S) {
    register(&store, "a").await;
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { add(&*store, &key("a", &task.to_string(), None), NOW).await });
    }
    let outcomes = tasks.join_all().await;
    let number = |which| outcomes.iter().filter(|added| **added == which).count();
    assert_eq!((number(Added::Added), number(Added::Full)), (2, TASKS - 2));
    let live = ok(store.list(&ClientId::new("a")).await);
    assert_eq!(live.iter().filter(|key| key.is_live(NOW)).count(), 2);
}

async fn a_key_is_revoked_once_and_for_ever<S: ApiKeyStore>(store: S) {
    register(&store, "a").await;
    add(&store, &key("a", "1", None), NOW).await;
    for (at, expect) in [(1, true), (2, false)] {
        assert_eq!(ok(store.revoke(&ApiKeyId::new("1"), later(at)).await), expect);
    }
    assert!(!ok(store.revoke(&ApiKeyId::new("9"), NOW).await), "what is not there is not revoked");
    let held = ok(store.find(&ApiKeyId::new("1")).await);
    let held = held.unwrap_or_else(|| panic!("a revoked key is kept"));
    assert_eq!((held.key.revoked_at, held.refused(NOW)), (Some(later(1)), Some(Refused::Revoked)));
    assert_eq!(add(&store, &key("a", "1", None), NOW).await, Added::Taken, "nothing takes its place");
}

async fn a_use_is_written_once_a_minute<S: ApiKeyStore>(store: S) {
    register(&store, "a").await;
    add(&store, &key("a", "1", None), NOW).await;
    let id = ApiKeyId::new("1");
    for (at, expect) in [(0, true), (0, false), (59, false), (60, true), (61, false), (3, false)] {
        assert_eq!(ok(store.note_used(&id, later(at)).await), expect, "after {at} seconds");
    }
    let used = |key: KeptApiKey| key.last_used;
    assert_eq!(ok(store.list(&ClientId::new("a")).await).into_iter().map(used).collect::<Vec<_>>(), [Some(later(60))]);
    assert!(!ok(store.note_used(&ApiKeyId::new("9"), NOW).await), "what is not there is not used");

    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (store, id) = (Arc::clone(&store), id.clone());
        tasks.spawn(async move { ok(store.note_used(&id, later(600)).await) });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|wrote| *wrote).count(), 1, "one of many writes");
}
