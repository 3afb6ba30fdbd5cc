//! What every store of accounts must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{AuthenticatorId, TenantId, UserId};
use palisade_core::port::AccountStore;
use palisade_core::port::account::{
    Account, AccountStatus, FOR_GOOD, Failed, FailureLimit, NewAccount, NewPassword, Registered, Replaced, SignInName,
    StatusSet, Strength, Succeeded,
};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`AccountStore`] against stores that `make` makes.
pub async fn assert_account_store<S: AccountStore>(make: impl AsyncFn() -> S) {
    what_is_registered_is_found(make().await).await;
    a_name_is_taken_once_in_each_organization(make().await).await;
    exactly_one_of_many_registers_a_name(make().await).await;
    a_list_is_read_in_pages(make().await).await;
    exactly_one_of_many_replaces_a_password(make().await).await;
    another_hash_is_no_other_password(make().await).await;
    a_status_is_set(make().await).await;
    failures_in_a_row_disable(make().await).await;
    many_failures_at_once_are_all_counted(make().await).await;
    what_is_disabled_for_a_time_starts_anew(make().await).await;
    nobody_has_no_failures(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);

fn name(text: &str) -> SignInName {
    SignInName::parse(text).expect("the suite writes names")
}

fn id(text: &str) -> UserId {
    UserId::new(text)
}

fn password(hash: &str, strength: Strength) -> NewPassword {
    NewPassword { hash: Secret::new(hash), strength }
}

fn limit(failures: u32, lasts: Option<Duration>) -> FailureLimit {
    FailureLimit { failures: failures.try_into().expect("the suite writes no zero"), lasts }
}

async fn found(store: &dyn AccountStore, text: &str) -> Account {
    let found = store.find(&id(text)).await.expect("the store answers");
    found.unwrap_or_else(|| panic!("`{text}` is registered and not found"))
}

async fn register(store: &dyn AccountStore, text: &str) {
    let new = NewAccount::new(id(text), name(text));
    let registered = store.register(&new, NOW).await.expect("the store answers");
    assert_eq!(registered, Registered::Done, "`{text}` is new");
}

async fn fail(store: &dyn AccountStore, limit: FailureLimit, now: Timestamp) -> Failed {
    store.record_failure(&id("a"), &AuthenticatorId::new("password"), limit, now).await.expect("the store answers")
}

async fn succeed(store: &dyn AccountStore, now: Timestamp) -> Succeeded {
    store.record_success(&id("a"), &AuthenticatorId::new("password"), now).await.expect("the store answers")
}

async fn disabled(store: &dyn AccountStore, authenticator: &str, now: Timestamp) -> Option<Timestamp> {
    store.disabled_until(&id("a"), &AuthenticatorId::new(authenticator), now).await.expect("the store answers")
}

async fn what_is_registered_is_found<S: AccountStore>(store: S) {
    let awkward = "'; DROP TABLE account; --";
    let new = NewAccount {
        id: id("u-1"),
        tenant: Some(TenantId::new(awkward)),
        name: name("älice@example.com"),
        password: Some(password("$argon2id$x", Strength::WithSecondFactor)),
        roles: vec!["a,b".to_owned(), "\"c\"\n".to_owned(), String::new()],
        scopes: vec!["ä".to_owned()],
    };
    assert_eq!(store.register(&new, NOW).await.expect("the store answers"), Registered::Done);
    let by_name = store.find_by_name(new.tenant.as_ref(), &new.name).await.expect("the store answers");
    for account in [found(&store, "u-1").await, by_name.expect("a name is found")] {
        assert_eq!((&account.id, &account.tenant, &account.name), (&new.id, &new.tenant, &new.name));
        assert_eq!((&account.roles, &account.scopes), (&new.roles, &new.scopes), "lists keep what is in them");
        let password = account.password.expect("the password is kept");
        assert!(password.hash.matches(b"$argon2id$x"), "the hash is kept as it is");
        assert_eq!(password.strength, Strength::WithSecondFactor);
        assert_eq!((account.status, account.password_version), (AccountStatus::Active, 1));
        assert_eq!((account.created, account.changed), (NOW, NOW));
    }
    assert!(store.find(&id("U-1")).await.expect("the store answers").is_none(), "ids are compared exactly");
    register(&store, "bare").await;
    assert!(found(&store, "bare").await.password.is_none(), "an account may have no password");
}

async fn a_name_is_taken_once_in_each_organization<S: AccountStore>(store: S) {
    let tenants = [None, Some(TenantId::new("")), Some(TenantId::new("acme")), Some(TenantId::new("=acme"))];
    for (n, tenant) in tenants.iter().enumerate() {
        let own = format!("u-{n}");
        let new = NewAccount { tenant: tenant.clone(), ..NewAccount::new(id(&own), name("alice")) };
        assert_eq!(store.register(&new, NOW).await.expect("the store answers"), Registered::Done, "{tenant:?}");
        let again = NewAccount { id: id("other"), ..new.clone() };
        assert_eq!(store.register(&again, NOW).await.expect("the store answers"), Registered::Taken, "{tenant:?}");
        let same_id = NewAccount { name: name("bob"), ..new };
        assert_eq!(
            store.register(&same_id, NOW).await.expect("the store answers"),
            Registered::Taken,
            "an id is one's"
        );
    }
    for (n, tenant) in tenants.iter().enumerate() {
        let found = store.find_by_name(tenant.as_ref(), &name("alice")).await.expect("the store answers");
        assert_eq!(found.expect("it is registered").id, id(&format!("u-{n}")), "{tenant:?}");
        let nobody = store.find_by_name(tenant.as_ref(), &name("bob")).await.expect("the store answers");
        assert!(nobody.is_none(), "what was not registered is not found");
    }
}

async fn exactly_one_of_many_registers_a_name<S: AccountStore>(store: S) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let new = NewAccount::new(id(&format!("u-{n}")), name("alice"));
            store.register(&new, NOW).await.expect("the store answers")
        });
    }
    let done = tasks.join_all().await.into_iter().filter(|registered| *registered == Registered::Done).count();
    assert_eq!(done, 1, "of {TASKS} parallel calls exactly one registers");
    assert_eq!(store.list(None, 100).await.expect("the store answers").len(), 1);
}

async fn a_list_is_read_in_pages<S: AccountStore>(store: S) {
    for text in ["c", "a", "e", "d", "b"] {
        register(&store, text).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.list(after.as_ref(), 2).await.expect("the store answers");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.iter().map(|account| account.id.to_string()));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"], "each account is on one page");
}

async fn exactly_one_of_many_replaces_a_password<S: AccountStore>(store: S) {
    register(&store, "a").await;
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let new = password(&format!("hash {n}"), Strength::Alone);
            (n, store.replace_password(&id("a"), 1, &new, NOW.plus(MINUTE)).await.expect("the store answers"))
        });
    }
    let outcomes = tasks.join_all().await;
    let done: Vec<_> = outcomes.iter().filter(|(_, replaced)| *replaced == Replaced::Done { version: 2 }).collect();
    assert_eq!(done.len(), 1, "of {TASKS} parallel calls exactly one replaces: {outcomes:?}");
    assert!(outcomes.iter().all(|(_, replaced)| !matches!(replaced, Replaced::Unknown)), "{outcomes:?}");
    let account = found(&*store, "a").await;
    let kept = account.password.expect("it was set");
    let winner = done.first().map(|(n, _)| format!("hash {n}")).unwrap_or_default();
    assert!(kept.hash.matches(winner.as_bytes()), "what the winner wrote is kept");
    assert_eq!((kept.strength, account.password_version, account.changed), (Strength::Alone, 2, NOW.plus(MINUTE)));
    let weaker = password("next", Strength::WithSecondFactor);
    for (version, expect) in [(1, Replaced::Stale), (3, Replaced::Stale), (2, Replaced::Done { version: 3 })] {
        let replaced = store.replace_password(&id("a"), version, &weaker, NOW).await.expect("the store answers");
        assert_eq!(replaced, expect, "version {version}");
    }
    let strength = found(&*store, "a").await.password.map(|password| password.strength);
    assert_eq!(strength, Some(Strength::WithSecondFactor), "the strength is replaced too");
    let nobody = store.replace_password(&id("nobody"), 1, &weaker, NOW).await.expect("the store answers");
    assert_eq!(nobody, Replaced::Unknown);
}

async fn another_hash_is_no_other_password<S: AccountStore>(store: S) {
    register(&store, "a").await;
    let weaker = password("second", Strength::WithSecondFactor);
    let replaced = store.replace_password(&id("a"), 1, &weaker, NOW.plus(MINUTE)).await.expect("the store answers");
    assert_eq!(replaced, Replaced::Done { version: 2 });
    for (who, version, hash, expect) in [
        ("a", 2, "better", Replaced::Done { version: 2 }),
        ("a", 1, "of the first password", Replaced::Stale),
        ("a", 3, "of no password", Replaced::Stale),
        ("nobody", 1, "of nobody", Replaced::Unknown),
    ] {
        let done = store.rehash_password(&id(who), version, &Secret::new(hash)).await.expect("the store answers");
        assert_eq!(done, expect, "{who} {version}");
    }
    let account = found(&store, "a").await;
    let kept = account.password.expect("it was set");
    assert!(kept.hash.matches(b"better"), "what is stale is not kept");
    let expect = (Strength::WithSecondFactor, 2, NOW.plus(MINUTE));
    assert_eq!((kept.strength, account.password_version, account.changed), expect, "nothing else has changed");
    register(&store, "bare").await;
    let done = store.rehash_password(&id("bare"), 1, &Secret::new("x")).await.expect("the store answers");
    assert_eq!(done, Replaced::Stale, "there is no password");
}

async fn a_status_is_set<S: AccountStore>(store: S) {
    register(&store, "a").await;
    for (who, status, expect) in [
        ("a", AccountStatus::Active, StatusSet::Unchanged),
        ("a", AccountStatus::Disabled, StatusSet::Changed),
        ("a", AccountStatus::Disabled, StatusSet::Unchanged),
        ("nobody", AccountStatus::Disabled, StatusSet::Unknown),
    ] {
        let set = store.set_status(&id(who), status, NOW.plus(MINUTE)).await.expect("the store answers");
        assert_eq!(set, expect, "{who} {status:?}");
    }
    let account = found(&store, "a").await;
    assert_eq!((account.status, account.changed), (AccountStatus::Disabled, NOW.plus(MINUTE)));
}

async fn failures_in_a_row_disable<S: AccountStore>(store: S) {
    register(&store, "a").await;
    let three = limit(3, None);
    for in_a_row in [1, 2] {
        assert_eq!(fail(&store, three, NOW).await, Failed::Counted { in_a_row });
    }
    assert_eq!(succeed(&store, NOW).await, Succeeded::Done, "a success before the limit counts");
    for in_a_row in [1, 2] {
        assert_eq!(fail(&store, three, NOW).await, Failed::Counted { in_a_row }, "and the count starts anew");
    }
    for _ in 0..3 {
        assert_eq!(fail(&store, three, NOW).await, Failed::Disabled { until: FOR_GOOD }, "the limit disables");
    }
    let late = NOW.plus(MINUTE * 1_000_000);
    assert_eq!(succeed(&store, late).await, Succeeded::Disabled { until: FOR_GOOD }, "a success comes too late");
    assert_eq!(disabled(&store, "password", late).await, Some(FOR_GOOD));
    assert_eq!(disabled(&store, "passkey", NOW).await, None, "no other authenticator is disabled");
    let enable = async |authenticator: &str| {
        store.enable(&id("a"), &AuthenticatorId::new(authenticator)).await.expect("the store answers")
    };
    assert!(!enable("passkey").await, "there was nothing to enable");
    assert!(enable("password").await && !enable("password").await);
    assert_eq!(disabled(&store, "password", NOW).await, None);
    assert_eq!(fail(&store, three, NOW).await, Failed::Counted { in_a_row: 1 }, "what is enabled starts anew");
    assert_eq!(succeed(&store, NOW).await, Succeeded::Done);
    assert_eq!(fail(&store, limit(1, None), NOW).await, Failed::Disabled { until: FOR_GOOD }, "one may be enough");
}

async fn many_failures_at_once_are_all_counted<S: AccountStore>(store: S) {
    register(&store, "a").await;
    let store = Arc::new(store);
    let race = async |limit: FailureLimit| {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let store = Arc::clone(&store);
            tasks.spawn(async move { fail(&*store, limit, NOW).await });
        }
        tasks.join_all().await
    };
    let half = u32::try_from(TASKS / 2).unwrap_or(u32::MAX);
    let counted = race(limit(half, None)).await.into_iter().filter(|failed| matches!(failed, Failed::Counted { .. }));
    assert_eq!(u32::try_from(counted.count()), Ok(half - 1), "the rest of {TASKS} finds it disabled");
    assert_eq!(disabled(&*store, "password", NOW).await, Some(FOR_GOOD));
}

async fn what_is_disabled_for_a_time_starts_anew<S: AccountStore>(store: S) {
    register(&store, "a").await;
    let two = limit(2, Some(MINUTE));
    assert_eq!(fail(&store, two, NOW).await, Failed::Counted { in_a_row: 1 });
    let until = NOW.plus(MINUTE);
    assert_eq!(fail(&store, two, NOW).await, Failed::Disabled { until });
    let last = NOW.plus(MINUTE - Duration::from_millis(1));
    assert_eq!(fail(&store, two, last).await, Failed::Disabled { until }, "failures meanwhile do not prolong it");
    assert_eq!(succeed(&store, last).await, Succeeded::Disabled { until });
    assert_eq!(disabled(&store, "password", last).await, Some(until));
    assert_eq!(disabled(&store, "password", until).await, None, "it ends at its end");
    assert_eq!(fail(&store, two, until).await, Failed::Counted { in_a_row: 1 }, "and then counts from one");
    assert_eq!(fail(&store, two, until).await, Failed::Disabled { until: until.plus(MINUTE) });
    assert_eq!(succeed(&store, until.plus(MINUTE)).await, Succeeded::Done);
    assert_eq!(fail(&store, two, until).await, Failed::Counted { in_a_row: 1 }, "a success forgets what is over");
}

async fn nobody_has_no_failures<S: AccountStore>(store: S) {
    assert_eq!(fail(&store, limit(1, None), NOW).await, Failed::Unknown);
    assert_eq!(succeed(&store, NOW).await, Succeeded::Done);
    assert_eq!(disabled(&store, "password", NOW).await, None);
}
