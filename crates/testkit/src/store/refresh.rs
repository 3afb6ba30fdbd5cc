//! What every store of refresh tokens must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{ClientId, KeyThumbprint, TenantId, UserId};
use palisade_core::port::RefreshStore;
use palisade_core::port::refresh::{
    Binding, Family, FamilyId, Grace, Grant, Outcome, Presented, Progress, Turn, Whose,
};
use palisade_core::principal::{Level, MethodSet, ScopeSet};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`RefreshStore`] against stores that `make` makes, which count by the caller's clock.
pub async fn assert_refresh_store<S: RefreshStore>(make: impl AsyncFn() -> S) {
    a_family_is_read_back_as_it_was_written(make().await).await;
    of_many_parallel_refreshes_one_steps(make().await).await;
    of_many_parallel_replays_one_revokes(make().await).await;
    revocation_wins_over_parallel_refreshes(make().await).await;
    what_is_revoked_stays_so(make().await).await;
    is_answered_as_the_pure_step_answers(make().await).await;
    only_what_counts_is_listed(make().await).await;
    extremes_are_answered(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const HOUR: Duration = Duration::from_secs(3600);

/// A family for tests of stores: of the user `u-alice`, for an hour unused and a day in all.
pub fn family(id: u128, session: &str, subject: &str) -> Family {
    let grant = Grant { session: Some(session.into()), ..Grant::new(ClientId::new("app"), UserId::new(subject)) };
    let (begun, idle, until) = (NOW, HOUR, NOW.plus(24 * HOUR));
    Family { id: FamilyId::from_bytes(id.to_be_bytes()), salt: [7; 16], key: "k1".into(), grant, begun, idle, until }
}

fn rotate(generation: u32) -> Presented {
    Presented { generation, turn: Turn::Rotate, grace: Grace::default() }
}

async fn begin(store: &dyn RefreshStore, family: &Family) -> FamilyId {
    store.begin(family, NOW).await.unwrap_or_else(|error| panic!("the store failed: {error}"));
    family.id
}

async fn redeem(store: &dyn RefreshStore, id: FamilyId, presented: Presented, now: Timestamp) -> Outcome {
    store.redeem(id, presented, now).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn revoke(store: &dyn RefreshStore, whose: Whose<'_>) -> u64 {
    store.revoke(whose, NOW).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn race<S: RefreshStore>(store: &Arc<S>, id: FamilyId, presented: Presented, now: Timestamp) -> Vec<Outcome> {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(store);
        tasks.spawn(async move { redeem(&*store, id, presented, now).await });
    }
    tasks.join_all().await
}

async fn a_family_is_read_back_as_it_was_written<S: RefreshStore>(store: S) {
    let mut whole = family(1, "s-1", "u-älice");
    whole.grant.tenant = Some(TenantId::new("acme"));
    whole.grant.scopes = ScopeSet::from_iter(["orders:read", "orders:write"]);
    whole.grant.resources = vec!["https://api.example.com".into(), "https://b.example.com/x".into()];
    whole.grant.methods = MethodSet::from_iter(["pwd", "otp"]);
    (whole.grant.level, whole.grant.authenticated) = (Level::Aal2, Timestamp::from_secs(1_795_300_000));
    let thumbprint = KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let bindings = [None, Some(Binding::Key(thumbprint.clone())), Some(Binding::Certificate(thumbprint))];
    for (binding, id) in bindings.into_iter().zip(1_u128..) {
        whole.id = FamilyId::from_bytes(id.to_be_bytes());
        whole.grant.binding = binding;
        begin(&store, &whole).await;
        assert!(matches!(store.find(whole.id).await, Ok(Some(found)) if found == whole), "nothing is lost");
        assert!(store.begin(&whole, NOW).await.is_err(), "no family takes the place of another");
    }
    let bare = Family { grant: Grant { session: None, ..family(9, "", "u").grant }, ..family(9, "", "u") };
    begin(&store, &bare).await;
    assert!(matches!(store.find(bare.id).await, Ok(Some(found)) if found == bare), "what is absent stays absent");
    let unknown = FamilyId::from_bytes([0xff; 16]);
    assert!(matches!(store.find(unknown).await, Ok(None)));
    assert_eq!(redeem(&store, unknown, rotate(0), NOW).await, Outcome::Unknown);
}

async fn of_many_parallel_refreshes_one_steps<S: RefreshStore>(store: S) {
    let store = Arc::new(store);
    let id = begin(&*store, &family(1, "s", "u")).await;
    for generation in 0..3 {
        let outcomes = race(&store, id, rotate(generation), NOW).await;
        let next = generation + 1;
        let rotated = outcomes.iter().filter(|outcome| **outcome == Outcome::Rotated { generation: next }).count();
        let again = outcomes.iter().filter(|outcome| **outcome == Outcome::Again { generation: next }).count();
        assert_eq!((rotated, again), (1, TASKS - 1), "one step and one successor: {outcomes:?}");
    }
    assert_eq!(redeem(&*store, id, rotate(3), NOW).await, Outcome::Rotated { generation: 4 });
}

async fn of_many_parallel_replays_one_revokes<S: RefreshStore>(store: S) {
    let store = Arc::new(store);
    let id = begin(&*store, &family(1, "s", "u")).await;
    redeem(&*store, id, rotate(0), NOW).await;
    let outcomes = race(&store, id, rotate(0), NOW.plus(HOUR / 2)).await;
    let replayed = outcomes.iter().filter(|outcome| **outcome == Outcome::Replayed).count();
    let revoked = outcomes.iter().filter(|outcome| **outcome == Outcome::Revoked).count();
    assert_eq!((replayed, revoked), (1, TASKS - 1), "a replay is told of once: {outcomes:?}");
    assert_eq!(
        redeem(&*store, id, rotate(1), NOW.plus(HOUR / 2)).await,
        Outcome::Revoked,
        "the newest is worth nothing"
    );
}

async fn revocation_wins_over_parallel_refreshes<S: RefreshStore>(store: S) {
    let store = Arc::new(store);
    for number in 0..8 {
        let id = begin(&*store, &family(number, "s", "u")).await;
        let mut tasks = JoinSet::new();
        for task in 0..TASKS / 4 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                if task == 7 {
                    assert_eq!(revoke(&*store, Whose::Family(id)).await, 1, "it was revoked once");
                } else {
                    redeem(&*store, id, rotate(0), NOW).await;
                }
            });
        }
        tasks.join_all().await;
        for generation in 0..3 {
            assert_eq!(redeem(&*store, id, rotate(generation), NOW).await, Outcome::Revoked, "nothing rises again");
        }
    }
}

async fn what_is_revoked_stays_so<S: RefreshStore>(store: S) {
    let families = [(1, "s-1", "u-1"), (2, "s-1", "u-1"), (3, "s-2", "u-1"), (4, "s-3", "u-1"), (5, "s-4", "u-2")];
    for (id, session, subject) in families {
        begin(&store, &family(id, session, subject)).await;
    }
    let id = |id: u128| FamilyId::from_bytes(id.to_be_bytes());
    let (subject, nobody) = (UserId::new("u-1"), UserId::new("s-4"));
    assert_eq!(revoke(&store, Whose::Session("s-1")).await, 2, "all of a session");
    assert_eq!(revoke(&store, Whose::Session("u-2")).await, 0, "a subject is no session");
    assert_eq!(revoke(&store, Whose::Subject(&nobody)).await, 0, "a session is no subject");
    assert_eq!(revoke(&store, Whose::Family(id(3))).await, 1, "one");
    assert_eq!(revoke(&store, Whose::Family(id(3))).await, 0, "what is revoked is not revoked again");
    assert_eq!(redeem(&store, id(4), rotate(0), NOW).await, Outcome::Rotated { generation: 1 });
    assert_eq!(revoke(&store, Whose::Subject(&subject)).await, 1, "what was left of a subject");
    for number in 1..=4 {
        let keep = Presented { turn: Turn::Keep, ..rotate(u32::from(number == 4)) };
        assert_eq!(redeem(&store, id(number), keep, NOW).await, Outcome::Revoked, "family {number}");
    }
    assert_eq!(redeem(&store, id(5), rotate(0), NOW).await, Outcome::Rotated { generation: 1 }, "the others go on");
}

/// A long walk over one family after another, with the clock going both ways: every answer is that of the pure step.
async fn is_answered_as_the_pure_step_answers<S: RefreshStore>(store: S) {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for number in 0..12 {
        let family = family(number, "s", "u");
        let id = begin(&store, &family).await;
        let mut model = Progress::begin(family.idle, family.until, NOW);
        let mut now = NOW;
        for _ in 0..12 {
            let presented = u64::from(model.generation) + 1 - random(8).min(u64::from(model.generation) + 1).min(2);
            let back = if random(5) == 0 { random(2) } else { 1 };
            let generation = u32::try_from(presented).unwrap_or(0).saturating_sub(u32::try_from(back).unwrap_or(0));
            let turn = if random(4) == 0 { Turn::Keep } else { Turn::Rotate };
            let grace = if random(3) == 0 { Grace::default().danger_until_used() } else { Grace::default() };
            now = match random(12) {
                0 => now.plus(HOUR),
                1 => Timestamp::from_millis(now.as_millis() - 20_000),
                _ => now.plus(Duration::from_millis(random(9_000))),
            };
            if random(3) == 0 {
                assert!(store.note_used(id, generation).await.is_ok());
                model.used |= generation == model.generation;
            }
            let asked = Presented { generation, turn, grace };
            let expect = model.redeem(asked, family.idle, now);
            assert_eq!(redeem(&store, id, asked, now).await, expect, "{asked:?} of family {number}");
        }
    }
}

async fn only_what_counts_is_listed<S: RefreshStore>(store: S) {
    for id in 1..=4 {
        begin(&store, &family(id, "s", "u")).await;
    }
    begin(&store, &family(5, "s", "other")).await;
    let id = |id: u128| FamilyId::from_bytes(id.to_be_bytes());
    revoke(&store, Whose::Family(id(2))).await;
    let later = NOW.plus(HOUR / 2);
    redeem(&store, id(3), rotate(0), later).await;
    let listed = async |now| {
        let found = store.list(&UserId::new("u"), now).await;
        let found = found.unwrap_or_else(|error| panic!("the store failed: {error}"));
        found.into_iter().map(|kept| (kept.family.id, kept.progress.generation)).collect::<Vec<_>>()
    };
    assert_eq!(listed(later).await, [(id(3), 1), (id(1), 0), (id(4), 0)], "the latest used first");
    assert_eq!(listed(NOW.plus(HOUR)).await, [(id(3), 1)], "what was not used for long is over");
}

async fn extremes_are_answered<S: RefreshStore>(store: S) {
    let long = "x".repeat(10_000);
    let mut extreme = family(1, &long, "'; DROP TABLE refresh; --");
    (extreme.idle, extreme.until) = (Duration::MAX, NOW.plus(HOUR));
    let id = begin(&store, &extreme).await;
    assert_eq!(redeem(&store, id, rotate(0), NOW).await, Outcome::Rotated { generation: 1 });
    let keep = Presented { turn: Turn::Keep, ..rotate(1) };
    assert_eq!(redeem(&store, id, keep, NOW).await, Outcome::Kept);
    assert_eq!(revoke(&store, Whose::Session(&long)).await, 1);
    let id = begin(&store, &family(2, "s", "u")).await;
    assert_eq!(redeem(&store, id, rotate(u32::MAX), NOW).await, Outcome::Replayed, "newer than the newest");
}
