//! What every store of second factors must promise.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{FactorId, UserId};
use palisade_core::port::FactorStore;
use palisade_core::port::factor::{
    Advanced, Ceremony, CodeHash, Confirmed, Consumed, Enrolled, FactorKind, Failed, LastFactor, NewFactor, Removed,
    Replaced,
};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`FactorStore`] against stores that `make` makes.
pub async fn assert_factor_store<S: FactorStore>(make: impl AsyncFn() -> S) {
    a_factor_counts_once_it_is_proven(make().await).await;
    what_was_said_of_a_factor_is_said_again(make().await).await;
    a_proof_comes_in_time_and_from_the_owner(make().await).await;
    a_name_is_somebodys(make().await).await;
    codes_come_with_the_first_factor(make().await).await;
    a_counter_is_used_once(make().await).await;
    of_parallel_uses_one_wins(make().await).await;
    a_passkey_that_does_not_count_stays_at_zero(make().await).await;
    failures_in_a_row_disable_what_failed_and_nothing_else(make().await).await;
    a_success_forgets_the_failures_of_its_kind(make().await).await;
    of_parallel_failures_each_counts(make().await).await;
    a_code_is_used_once(make().await).await;
    the_last_factor_stays_unless_it_is_meant(make().await).await;
    of_parallel_removals_one_factor_is_left(make().await).await;
    a_ceremony_is_taken_once(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);
const CODES: [CodeHash; 3] = [CodeHash([1; 32]), CodeHash([2; 32]), CodeHash([3; 32])];

fn user(name: &str) -> UserId {
    UserId::new(name)
}

fn new(owner: &str, id: &str, kind: FactorKind) -> NewFactor {
    let (id, label, data) = (FactorId::new(id), "my key".into(), b"\0\xffsealed".to_vec());
    NewFactor { id, user: user(owner), kind, label, data, lasts: 10 * MINUTE }
}

async fn enroll(store: &dyn FactorStore, new: &NewFactor, now: Timestamp) -> Enrolled {
    store.enroll(new, now).await.expect("the store answers")
}

async fn confirm(store: &dyn FactorStore, owner: &str, id: &str, counter: u64, now: Timestamp) -> Confirmed {
    store.confirm(&user(owner), &FactorId::new(id), counter, &CODES, now).await.expect("the store answers")
}

async fn advance(store: &dyn FactorStore, owner: &str, id: &str, to: u64) -> Advanced {
    store.advance(&user(owner), &FactorId::new(id), to, None, NOW).await.expect("the store answers")
}

/// A failure with the apps, of which five in a row are too many.
async fn fail(store: &dyn FactorStore, owner: &str, now: Timestamp) -> Failed {
    let most = const { NonZeroU32::MIN.saturating_add(4) };
    store.fail(&user(owner), FactorKind::Totp, most, now).await.expect("the store answers")
}

/// Since when each factor is disabled.
async fn disabled(store: &dyn FactorStore, owner: &str) -> Vec<Option<Timestamp>> {
    let listed = store.list(&user(owner)).await.expect("the store answers").factors;
    listed.iter().map(|factor| factor.disabled).collect()
}

async fn consume(store: &dyn FactorStore, owner: &str, code: &CodeHash) -> Consumed {
    store.consume(&user(owner), code).await.expect("the store answers")
}

async fn remove(store: &dyn FactorStore, owner: &str, id: &str, last: LastFactor) -> Removed {
    store.remove(&user(owner), &FactorId::new(id), last).await.expect("the store answers")
}

/// The names of the factors that count, and how many codes are left.
async fn list(store: &dyn FactorStore, owner: &str) -> (Vec<String>, u32) {
    let listed = store.list(&user(owner)).await.expect("the store answers");
    (listed.factors.iter().map(|factor| factor.id.to_string()).collect(), listed.codes)
}

/// Enrolls and proves at once.
async fn add(store: &dyn FactorStore, owner: &str, id: &str, kind: FactorKind) {
    assert_eq!(enroll(store, &new(owner, id, kind), NOW).await, Enrolled::Pending);
    assert!(matches!(confirm(store, owner, id, 0, NOW).await, Confirmed::Confirmed { .. }));
}

async fn a_factor_counts_once_it_is_proven<S: FactorStore>(store: S) {
    assert_eq!(enroll(&store, &new("a", "f", FactorKind::Totp), NOW).await, Enrolled::Pending);
    assert_eq!(list(&store, "a").await, (vec![], 0), "an unproven factor is none, and brings no codes");
    assert_eq!(advance(&store, "a", "f", 5).await, Advanced::Unknown);
    assert_eq!(remove(&store, "a", "f", LastFactor::Remove).await, Removed::Unknown);
    assert_eq!(confirm(&store, "a", "f", 100, NOW).await, Confirmed::Confirmed { issued: true });
    assert_eq!(confirm(&store, "a", "f", 101, NOW).await, Confirmed::Unknown, "once");
    assert_eq!(list(&store, "a").await, (vec!["f".to_owned()], 3));
    assert_eq!(advance(&store, "a", "f", 100).await, Advanced::Replayed, "the proof of the enrollment is used up");
    assert_eq!(advance(&store, "a", "f", 101).await, Advanced::Advanced);
}

async fn what_was_said_of_a_factor_is_said_again<S: FactorStore>(store: S) {
    let new = new("a", "f", FactorKind::Totp);
    enroll(&store, &new, NOW).await;
    let pending = store.pending(&new.user, &new.id, NOW).await.expect("the store answers").expect("it waits");
    assert_eq!((&pending.data, &pending.label, pending.kind), (&new.data, &new.label, new.kind));
    let later = NOW.plus(MINUTE);
    confirm(&store, "a", "f", 7, later).await;
    assert_eq!(store.pending(&new.user, &new.id, later).await.expect("the store answers"), None);
    let advanced = store.advance(&new.user, &new.id, 9, Some(b"other"), later.plus(MINUTE)).await;
    assert_eq!(advanced.expect("the store answers"), Advanced::Advanced);
    let listed = store.list(&new.user).await.expect("the store answers").factors;
    let [factor] = listed.try_into().expect("one");
    assert_eq!((factor.counter, factor.created, factor.used), (9, NOW, Some(later.plus(MINUTE))));
    assert_eq!((factor.data.as_slice(), factor.kind), (&b"other"[..], FactorKind::Totp));
}

async fn a_proof_comes_in_time_and_from_the_owner<S: FactorStore>(store: S) {
    let new = new("a", "f", FactorKind::Totp);
    enroll(&store, &new, NOW).await;
    assert_eq!(confirm(&store, "b", "f", 1, NOW).await, Confirmed::Unknown, "another user proves nothing");
    assert_eq!(store.pending(&user("b"), &new.id, NOW).await.expect("the store answers"), None);
    let late = NOW.plus(10 * MINUTE);
    assert_eq!(confirm(&store, "a", "f", 1, late).await, Confirmed::Unknown);
    assert_eq!(store.pending(&new.user, &new.id, late).await.expect("the store answers"), None);
    enroll(&store, &self::new("a", "g", FactorKind::Totp), late).await;
    enroll(&store, &self::new("a", "h", FactorKind::Totp), late).await;
    assert_eq!(confirm(&store, "a", "g", 1, late).await, Confirmed::Unknown, "a newer one takes its place");
    assert!(matches!(confirm(&store, "a", "h", 1, late).await, Confirmed::Confirmed { .. }));
}

async fn a_name_is_somebodys<S: FactorStore>(store: S) {
    add(&store, "a", "credential", FactorKind::Passkey).await;
    for owner in ["a", "b"] {
        assert_eq!(enroll(&store, &new(owner, "credential", FactorKind::Passkey), NOW).await, Enrolled::Taken);
    }
    assert_eq!(list(&store, "a").await, (vec!["credential".to_owned()], 3));
    assert_eq!(advance(&store, "b", "credential", 1).await, Advanced::Unknown);
    assert_eq!(remove(&store, "b", "credential", LastFactor::Remove).await, Removed::Unknown);
    enroll(&store, &new("a", "unproven", FactorKind::Passkey), NOW).await;
    let late = NOW.plus(10 * MINUTE);
    assert_eq!(enroll(&store, &new("b", "unproven", FactorKind::Passkey), late).await, Enrolled::Pending);
}

async fn codes_come_with_the_first_factor<S: FactorStore>(store: S) {
    let replaced = async || store.replace_codes(&user("a"), &[CodeHash([9; 32])]).await.expect("the store answers");
    assert_eq!(replaced().await, Replaced::NoFactor);
    add(&store, "a", "f", FactorKind::Totp).await;
    assert!(matches!(consume(&store, "a", &CODES[0]).await, Consumed::Consumed { left: 2 }));
    enroll(&store, &new("a", "g", FactorKind::Passkey), NOW).await;
    assert_eq!(
        confirm(&store, "a", "g", 0, NOW).await,
        Confirmed::Confirmed { issued: false },
        "the printed ones hold"
    );
    assert_eq!(consume(&store, "a", &CODES[0]).await, Consumed::Unknown);
    assert_eq!(replaced().await, Replaced::Replaced);
    assert_eq!(consume(&store, "a", &CODES[1]).await, Consumed::Unknown, "the old ones are worth nothing");
    assert_eq!(consume(&store, "a", &CodeHash([9; 32])).await, Consumed::Consumed { left: 0 });
    enroll(&store, &new("a", "h", FactorKind::Passkey), NOW).await;
    assert_eq!(confirm(&store, "a", "h", 0, NOW).await, Confirmed::Confirmed { issued: true }, "when none is left");
}

async fn a_counter_is_used_once<S: FactorStore>(store: S) {
    add(&store, "a", "f", FactorKind::Totp).await;
    for (to, expect) in [
        (0, Advanced::Replayed),
        (59_843_520, Advanced::Advanced),
        (59_843_520, Advanced::Replayed),
        (59_843_519, Advanced::Replayed),
        (59_843_521, Advanced::Advanced),
    ] {
        assert_eq!(advance(&store, "a", "f", to).await, expect, "{to}");
    }
    assert_eq!(advance(&store, "a", "g", 1).await, Advanced::Unknown);
}

async fn of_parallel_uses_one_wins<S: FactorStore>(store: S) {
    let store = Arc::new(store);
    add(&*store, "a", "f", FactorKind::Totp).await;
    let (mut uses, mut codes) = (JoinSet::new(), JoinSet::new());
    for _ in 0..TASKS {
        let own = Arc::clone(&store);
        uses.spawn(async move { advance(&*own, "a", "f", 7).await });
        let own = Arc::clone(&store);
        codes.spawn(async move { consume(&*own, "a", &CODES[0]).await });
    }
    let won = uses.join_all().await.into_iter().filter(|used| *used == Advanced::Advanced).count();
    assert_eq!(won, 1, "of {TASKS} parallel uses of one step exactly one counts");
    let won = codes.join_all().await.into_iter().filter(|used| *used != Consumed::Unknown).count();
    assert_eq!(won, 1, "of {TASKS} parallel uses of one code exactly one counts");
}

async fn a_passkey_that_does_not_count_stays_at_zero<S: FactorStore>(store: S) {
    add(&store, "a", "k", FactorKind::Passkey).await;
    for (to, expect) in [
        (0, Advanced::Advanced),
        (0, Advanced::Advanced),
        (3, Advanced::Advanced),
        (3, Advanced::Replayed),
        (0, Advanced::Replayed),
        (4, Advanced::Advanced),
    ] {
        assert_eq!(advance(&store, "a", "k", to).await, expect, "{to}");
    }
}

async fn failures_in_a_row_disable_what_failed_and_nothing_else<S: FactorStore>(store: S) {
    assert_eq!(fail(&store, "a", NOW).await, Failed::Unknown);
    enroll(&store, &new("a", "p", FactorKind::Totp), NOW).await;
    assert_eq!(fail(&store, "a", NOW).await, Failed::Unknown, "what waits for its proof does not count");
    for (owner, id, kind) in
        [("a", "f", FactorKind::Totp), ("a", "k", FactorKind::Passkey), ("b", "g", FactorKind::Totp)]
    {
        add(&store, owner, id, kind).await;
    }
    let last = NOW.plus(4 * MINUTE);
    for minute in 0..4 {
        assert_eq!(fail(&store, "a", NOW.plus(minute * MINUTE)).await, Failed::Counted, "{minute}");
    }
    assert_eq!(disabled(&store, "a").await, [None, None]);
    assert_eq!(fail(&store, "a", last).await, Failed::Disabled);
    assert_eq!(disabled(&store, "a").await, [Some(last), None]);
    for later in [last, last.plus(1000 * MINUTE)] {
        assert_eq!(fail(&store, "a", later).await, Failed::Unknown, "once, and for good");
    }
    assert_eq!(advance(&store, "a", "f", 7).await, Advanced::Disabled, "a good code comes too late");
    assert_eq!(advance(&store, "a", "k", 7).await, Advanced::Advanced);
    assert_eq!(disabled(&store, "a").await, [Some(last), None], "a passkey enables no app");
    assert_eq!(advance(&store, "b", "g", 7).await, Advanced::Advanced, "another user");
    assert_eq!(consume(&store, "a", &CODES[0]).await, Consumed::Consumed { left: 2 });
    assert_eq!(remove(&store, "a", "f", LastFactor::Keep).await, Removed::Removed { left: 1 });
    add(&store, "a", "f", FactorKind::Totp).await;
    assert_eq!(fail(&store, "a", last).await, Failed::Counted, "what is enrolled again starts anew");
}

async fn a_success_forgets_the_failures_of_its_kind<S: FactorStore>(store: S) {
    for (id, kind) in [("f", FactorKind::Totp), ("g", FactorKind::Totp), ("k", FactorKind::Passkey)] {
        add(&store, "a", id, kind).await;
    }
    let fails = async |times: u32, expect: Failed| {
        for time in 0..times {
            assert_eq!(fail(&store, "a", NOW).await, expect, "{time}");
        }
    };
    fails(4, Failed::Counted).await;
    assert_eq!(advance(&store, "a", "f", 7).await, Advanced::Advanced);
    fails(4, Failed::Counted).await;
    assert_eq!(advance(&store, "a", "f", 7).await, Advanced::Replayed);
    assert_eq!(advance(&store, "a", "k", 7).await, Advanced::Advanced);
    fails(1, Failed::Disabled).await;
    assert_eq!(disabled(&store, "a").await, [Some(NOW), Some(NOW), None], "neither a replay nor a passkey was one");
}

async fn of_parallel_failures_each_counts<S: FactorStore>(store: S) {
    let store = Arc::new(store);
    add(&*store, "a", "f", FactorKind::Totp).await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { fail(&*store, "a", NOW).await });
    }
    let all = tasks.join_all().await;
    let count = |failed: Failed| all.iter().filter(|one| **one == failed).count();
    assert_eq!((count(Failed::Counted), count(Failed::Disabled)), (4, 1), "of {TASKS} parallel failures");
}

async fn a_code_is_used_once<S: FactorStore>(store: S) {
    add(&store, "a", "f", FactorKind::Totp).await;
    assert_eq!(consume(&store, "b", &CODES[0]).await, Consumed::Unknown, "a code of somebody else");
    assert_eq!(consume(&store, "a", &CODES[0]).await, Consumed::Consumed { left: 2 });
    assert_eq!(consume(&store, "a", &CODES[0]).await, Consumed::Unknown);
    assert_eq!(consume(&store, "a", &CodeHash([0; 32])).await, Consumed::Unknown);
}

async fn the_last_factor_stays_unless_it_is_meant<S: FactorStore>(store: S) {
    for id in ["f", "g"] {
        add(&store, "a", id, FactorKind::Totp).await;
    }
    assert_eq!(remove(&store, "a", "f", LastFactor::Keep).await, Removed::Removed { left: 1 });
    assert_eq!(remove(&store, "a", "f", LastFactor::Keep).await, Removed::Unknown);
    assert_eq!(remove(&store, "a", "g", LastFactor::Keep).await, Removed::IsLast);
    assert_eq!(list(&store, "a").await, (vec!["g".to_owned()], 3), "nothing has changed");
    assert_eq!(remove(&store, "a", "g", LastFactor::Remove).await, Removed::Removed { left: 0 });
    assert_eq!(list(&store, "a").await, (vec![], 0), "the codes are gone with it");
}

async fn of_parallel_removals_one_factor_is_left<S: FactorStore>(store: S) {
    let store = Arc::new(store);
    for id in 0..8 {
        add(&*store, "a", &id.to_string(), FactorKind::Totp).await;
    }
    let mut tasks = JoinSet::new();
    for id in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { remove(&*store, "a", &id.to_string(), LastFactor::Keep).await });
    }
    let kept = tasks.join_all().await.into_iter().filter(|removed| *removed == Removed::IsLast).count();
    assert_eq!((kept, list(&*store, "a").await.0.len()), (1, 1));
}

async fn a_ceremony_is_taken_once<S: FactorStore>(store: S) {
    let store = Arc::new(store);
    let ceremony = |number| Ceremony { id: CodeHash([number; 32]), state: b"\0state".to_vec(), lasts: 5 * MINUTE };
    for number in [1, 2] {
        store.begin(&ceremony(number), NOW).await.expect("the store answers");
    }
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.take(&CodeHash([1; 32]), NOW).await.expect("the store answers") });
    }
    let taken: Vec<Vec<u8>> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [b"\0state".to_vec()], "of {TASKS} parallel calls exactly one has it");
    let late = store.take(&CodeHash([2; 32]), NOW.plus(5 * MINUTE)).await.expect("the store answers");
    assert_eq!(late, None, "too late");
    let again = store.take(&CodeHash([2; 32]), NOW).await.expect("the store answers");
    assert_eq!(again, None, "and gone");
}
