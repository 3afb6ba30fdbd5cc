//! What every store of sessions must promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use palisade_core::id::{KeyThumbprint, SessionHandle, TenantId, UserId};
use palisade_core::port::SessionStore;
use palisade_core::port::session::{
    By, Change, Concurrency, Device, Ended, Holder, NewSession, Opened, Over, Renewal, Renewed, Rights, Session,
    SessionHash, Touched, WhenFull,
};
use palisade_core::principal::{Assurance, Attribute, Attributes, Level};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`SessionStore`] against stores that `make` makes.
pub async fn assert_session_store<S: SessionStore>(make: impl AsyncFn() -> S) {
    what_was_said_of_a_holder_is_said_again(make().await).await;
    a_session_ends_when_it_is_unused_or_old(make().await).await;
    being_seen_is_written_down_from_time_to_time(make().await).await;
    a_limit_refuses_or_evicts(make().await).await;
    a_limit_holds_for_parallel_sign_ins(make().await).await;
    a_sign_in_ends_what_it_replaces(make().await).await;
    a_renewed_session_has_one_id_and_a_short_memory(make().await).await;
    a_former_id_has_no_more_rights_than_it_had(make().await).await;
    of_parallel_renewals_one_wins(make().await).await;
    what_is_ended_stays_ended(make().await).await;
    ending_wins_against_calls_under_way(make().await).await;
    a_user_ends_own_sessions_only(make().await).await;
    a_list_has_what_is_not_over(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// An id that nobody else has.
fn id() -> SessionHash {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut hash = [0xa5; 32];
    hash.iter_mut().zip(COUNT.fetch_add(1, Ordering::SeqCst).to_be_bytes()).for_each(|(to, from)| *to = from);
    SessionHash(hash)
}

/// A session of half an hour without use, and of twelve hours at the most.
fn new(user: &str) -> NewSession {
    let id = id();
    NewSession {
        id,
        handle: SessionHandle::new(id.to_string()),
        holder: Holder::new(UserId::new(user), Assurance::new(Level::Aal1, NOW)),
        idle: 30 * MINUTE,
        absolute: 12 * HOUR,
        limit: None,
        replaces: None,
    }
}

fn limited(user: &str, most: u32, when_full: WhenFull) -> NewSession {
    let most = most.try_into().expect("a limit is not zero");
    NewSession { limit: Some(Concurrency { most, when_full }), ..new(user) }
}

async fn open(store: &dyn SessionStore, new: &NewSession, now: Timestamp) -> Opened {
    store.open(new, now).await.expect("the store answers")
}

async fn touch(store: &dyn SessionStore, id: &SessionHash, now: Timestamp) -> Touched {
    store.touch(id, now).await.expect("the store answers")
}

async fn is_live(store: &dyn SessionStore, id: &SessionHash, now: Timestamp) -> bool {
    matches!(touch(store, id, now).await, Touched::Live { .. })
}

fn renewal(change: Change) -> Renewal {
    Renewal { id: id(), change, grace: 10 * SECOND }
}

async fn renew(store: &dyn SessionStore, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Renewed {
    store.renew(id, renewal, now).await.expect("the store answers")
}

async fn list(store: &dyn SessionStore, user: &str, now: Timestamp) -> Vec<Session> {
    store.list(&UserId::new(user), now).await.expect("the store answers")
}

async fn what_was_said_of_a_holder_is_said_again<S: SessionStore>(store: S) {
    let mut assurance = Assurance::new(Level::Aal3, Timestamp::from_millis(1_795_305_599_123));
    assurance.methods = ["hwk", "pin"].into_iter().collect();
    assurance.bound_to = Some(KeyThumbprint::new("a-thumbprint"));
    let attributes = [
        ("active", Attribute::Flag(true)),
        ("empty", Attribute::Text(String::new())),
        ("groups", Attribute::List(vec!["a b".to_owned(), "ü".to_owned()])),
        ("lowest", Attribute::Number(i64::MIN)),
        ("name", Attribute::Text("'; DROP TABLE session; --\0\u{1f600}".to_owned())),
    ];
    let holder = Holder {
        user: UserId::new("ü'--"),
        tenant: Some(TenantId::new("north")),
        attributes: attributes.into_iter().collect::<Attributes>(),
        rights: Rights {
            assurance,
            roles: ["a role", "admin"].into_iter().collect(),
            scopes: ["orders:read"].into_iter().collect(),
        },
        device: Device { label: "Firefox\0 \"on\" Linux".into(), address: "2001:db8::7".parse().ok() },
    };
    let rich = NewSession { holder: holder.clone(), ..new("") };
    let Opened::Opened { session, evicted, replaced } = open(&store, &rich, NOW).await else { panic!("it is opened") };
    assert_eq!((&session.holder, session.created, session.ends), (&holder, NOW, NOW.plus(12 * HOUR)));
    assert_eq!((session.seen, session.idle, evicted, replaced), (NOW, 30 * MINUTE, Vec::new(), None));
    assert_eq!(touch(&store, &rich.id, NOW).await, Touched::Live { session: *session, by: By::Current });
    let plain = new("plain");
    open(&store, &plain, NOW).await;
    let Touched::Live { session, .. } = touch(&store, &plain.id, NOW).await else { panic!("it is live") };
    assert_eq!(session.holder, plain.holder);
}

async fn a_session_ends_when_it_is_unused_or_old<S: SessionStore>(store: S) {
    let (unused, used) = (new("a"), new("a"));
    for new in [&unused, &used] {
        open(&store, new, NOW).await;
    }
    let last = NOW.plus(30 * MINUTE - Duration::from_millis(1));
    for at in 1..=25 {
        assert!(is_live(&store, &used.id, NOW.plus(at * MINUTE)).await, "it is used");
    }
    let outcome = touch(&store, &unused.id, NOW.plus(30 * MINUTE)).await;
    assert!(matches!(outcome, Touched::Over { why: Over::Idle, .. }), "after its idle time: {outcome:?}");
    let outcome = renew(&store, &unused.id, &renewal(Change::default()), NOW.plus(30 * MINUTE)).await;
    assert!(matches!(outcome, Renewed::Over { why: Over::Idle, .. }), "{outcome:?}");
    assert!(is_live(&store, &used.id, last.plus(25 * MINUTE)).await, "use has moved its end");
    let mut now = last.plus(25 * MINUTE);
    while now < NOW.plus(12 * HOUR) {
        assert!(is_live(&store, &used.id, now).await, "it is used at {now}");
        now = now.plus(20 * MINUTE);
    }
    let outcome = touch(&store, &used.id, NOW.plus(12 * HOUR)).await;
    assert!(matches!(outcome, Touched::Over { why: Over::Absolute, .. }), "no use moves its last end: {outcome:?}");
}

async fn being_seen_is_written_down_from_time_to_time<S: SessionStore>(store: S) {
    let new = new("a");
    open(&store, &new, NOW).await;
    let seen = async |at: Duration| {
        touch(&store, &new.id, NOW.plus(at)).await;
        list(&store, "a", NOW.plus(at)).await.first().map(|session| session.seen.since(NOW))
    };
    assert_eq!(seen(59 * SECOND).await, Some(Duration::ZERO), "not with every request");
    assert_eq!(seen(60 * SECOND).await, Some(60 * SECOND), "but once a minute");
    assert_eq!(seen(61 * SECOND).await, Some(60 * SECOND));
    assert_eq!(seen(Duration::ZERO).await, Some(60 * SECOND), "a clock that is set back takes nothing away");
}

async fn a_limit_refuses_or_evicts<S: SessionStore>(store: S) {
    let mut ids = Vec::new();
    for at in 0..3 {
        let new = limited("a", 3, WhenFull::Refuse);
        assert!(matches!(open(&store, &new, NOW.plus(at * SECOND)).await, Opened::Opened { .. }));
        ids.push(new);
    }
    let [first, second, third] = ids.try_into().expect("three");
    let now = NOW.plus(10 * SECOND);
    let one_more = limited("a", 3, WhenFull::Refuse);
    assert_eq!(open(&store, &one_more, now).await, Opened::Refused { open: 3 });
    assert_eq!(touch(&store, &one_more.id, now).await, Touched::Unknown);
    let instead = NewSession { replaces: Some(second.id), ..limited("a", 3, WhenFull::Refuse) };
    assert!(matches!(open(&store, &instead, now).await, Opened::Opened { .. }), "what it replaces does not count");
    assert!(matches!(open(&store, &limited("b", 3, WhenFull::Refuse), now).await, Opened::Opened { .. }));
    let newer = limited("a", 3, WhenFull::EvictOldest);
    let Opened::Opened { evicted, .. } = open(&store, &newer, now).await else { panic!("it is opened") };
    assert_eq!(evicted, vec![first.handle.clone()], "the oldest has to go");
    let fewer = limited("a", 1, WhenFull::EvictOldest);
    let Opened::Opened { evicted, .. } = open(&store, &fewer, now.plus(SECOND)).await else { panic!("it is opened") };
    assert_eq!(evicted.len(), 3, "a lower limit is kept at the next sign-in");
    for id in [first.id, second.id, third.id, instead.id, newer.id] {
        assert_eq!(touch(&store, &id, now).await, Touched::Unknown);
    }
    let later = now.plus(HOUR);
    let after = limited("a", 1, WhenFull::Refuse);
    assert!(matches!(open(&store, &after, later).await, Opened::Opened { .. }), "what is over does not count");
}

async fn a_limit_holds_for_parallel_sign_ins<S: SessionStore>(store: S) {
    let store = Arc::new(store);
    for when_full in [WhenFull::Refuse, WhenFull::EvictOldest] {
        let user = format!("{when_full:?}");
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let (store, new) = (Arc::clone(&store), limited(&user, 3, when_full));
            tasks.spawn(async move { matches!(open(&*store, &new, NOW).await, Opened::Opened { .. }) });
        }
        let opened = tasks.join_all().await.into_iter().filter(|opened| *opened).count();
        let expect = if when_full == WhenFull::Refuse { 3 } else { TASKS };
        assert_eq!(opened, expect, "{when_full:?}");
        assert_eq!(list(&*store, &user, NOW).await.len(), 3, "{TASKS} parallel sign-ins leave three: {when_full:?}");
    }
}

async fn a_sign_in_ends_what_it_replaces<S: SessionStore>(store: S) {
    let (before, unknown) = (new("before"), id());
    open(&store, &before, NOW).await;
    let after = NewSession { replaces: Some(before.id), ..new("after") };
    let Opened::Opened { replaced, .. } = open(&store, &after, NOW).await else { panic!("it is opened") };
    assert_eq!(replaced, Some(before.handle), "also that of another user");
    assert_eq!(touch(&store, &before.id, NOW).await, Touched::Unknown);
    let planted = NewSession { replaces: Some(unknown), ..new("after") };
    let Opened::Opened { replaced, .. } = open(&store, &planted, NOW).await else { panic!("it is opened") };
    assert_eq!(replaced, None);
    assert_eq!(touch(&store, &unknown, NOW).await, Touched::Unknown, "an id that was not given opens nothing");
}

async fn a_renewed_session_has_one_id_and_a_short_memory<S: SessionStore>(store: S) {
    let new = new("a");
    open(&store, &new, NOW).await;
    let (first, second) = (renewal(Change::default()), renewal(Change::default()));
    assert!(matches!(renew(&store, &new.id, &first, NOW).await, Renewed::Renewed(_)));
    let by = async |id: &SessionHash, at: Duration| match touch(&store, id, NOW.plus(at)).await {
        Touched::Live { session, by } => Some((session.handle, by)),
        _ => None,
    };
    let former = Some((new.handle.clone(), By::Former));
    assert_eq!(by(&new.id, 9 * SECOND).await, former, "what is under way arrives");
    assert_eq!(by(&first.id, 9 * SECOND).await, Some((new.handle.clone(), By::Current)));
    assert_eq!(renew(&store, &new.id, &second, NOW).await, Renewed::Former, "one session does not become two");
    assert_eq!(touch(&store, &second.id, NOW).await, Touched::Unknown);
    assert_eq!(by(&new.id, 10 * SECOND).await, None, "after the grace it is worth nothing");
    assert_eq!(renew(&store, &new.id, &second, NOW.plus(10 * SECOND)).await, Renewed::Unknown);
    assert!(matches!(renew(&store, &first.id, &second, NOW.plus(SECOND)).await, Renewed::Renewed(_)));
    assert_eq!(by(&new.id, 2 * SECOND).await, None, "only the last one is remembered");
    assert!(by(&first.id, 2 * SECOND).await.is_some_and(|(_, by)| by == By::Former));
    assert_eq!(renew(&store, &id(), &renewal(Change::default()), NOW).await, Renewed::Unknown);
}

async fn a_former_id_has_no_more_rights_than_it_had<S: SessionStore>(store: S) {
    let mut new = new("a");
    new.holder.rights.roles = ["customer", "support"].into_iter().collect();
    open(&store, &new, NOW).await;
    let later = NOW.plus(5 * SECOND);
    let change = Change {
        assurance: Some(Assurance::new(Level::Aal2, later)),
        roles: Some(["admin", "customer"].into_iter().collect()),
        scopes: None,
    };
    let renewal = renewal(change);
    let Renewed::Renewed(session) = renew(&store, &new.id, &renewal, later).await else { panic!("it is renewed") };
    assert_eq!((session.holder.rights.assurance.level, session.holder.rights.assurance.at), (Level::Aal2, later));
    assert_eq!(session.holder.rights.roles.to_string(), "admin customer");
    let Touched::Live { session, .. } = touch(&store, &new.id, later).await else { panic!("it is live") };
    assert_eq!((session.holder.rights.assurance.level, session.holder.rights.assurance.at), (Level::Aal1, NOW));
    assert_eq!(session.holder.rights.roles.to_string(), "customer", "neither what came nor what was taken away");
    let Touched::Live { session, .. } = touch(&store, &renewal.id, later).await else { panic!("it is live") };
    assert_eq!(session.holder.rights.assurance.level, Level::Aal2);
}

async fn of_parallel_renewals_one_wins<S: SessionStore>(store: S) {
    let (store, new) = (Arc::new(store), new("a"));
    open(&*store, &new, NOW).await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (store, old) = (Arc::clone(&store), new.id);
        tasks.spawn(async move {
            let renewal = renewal(Change::default());
            match renew(&*store, &old, &renewal, NOW).await {
                Renewed::Renewed(_) => Some(renewal.id),
                Renewed::Former => None,
                other => panic!("a renewal that lost says so: {other:?}"),
            }
        });
    }
    let won: Vec<SessionHash> = tasks.join_all().await.into_iter().flatten().collect();
    let [won] = won.try_into().expect("exactly one renewal wins");
    assert!(is_live(&*store, &won, NOW).await);
    assert_eq!(list(&*store, "a", NOW).await.len(), 1);
}

async fn what_is_ended_stays_ended<S: SessionStore>(store: S) {
    let new = new("a");
    open(&store, &new, NOW).await;
    let renewal = renewal(Change::default());
    renew(&store, &new.id, &renewal, NOW).await;
    let ended = store.end(&new.id).await.expect("the store answers");
    let user = UserId::new("a");
    assert_eq!(ended, Ended::Ended { handle: new.handle, user }, "a former id ends its session as well");
    for id in [new.id, renewal.id] {
        assert_eq!(touch(&store, &id, NOW.plus(2 * MINUTE)).await, Touched::Unknown);
        assert_eq!(renew(&store, &id, &self::renewal(Change::default()), NOW).await, Renewed::Unknown);
        assert_eq!(store.end(&id).await.expect("the store answers"), Ended::Unknown);
    }
}

async fn ending_wins_against_calls_under_way<S: SessionStore>(store: S) {
    let store = Arc::new(store);
    for round in 0..8 {
        let new = new("a");
        open(&*store, &new, NOW).await;
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let (store, old) = (Arc::clone(&store), new.id);
            tasks.spawn(async move {
                let renewal = renewal(Change::default());
                if (task + round) % 2 == 0 {
                    // Later each time, so that there is something to write down.
                    touch(&*store, &old, NOW.plus((task + 1) * MINUTE)).await;
                } else if matches!(renew(&*store, &old, &renewal, NOW).await, Renewed::Renewed(_)) {
                    return Some(renewal.id);
                }
                None
            });
        }
        let user = UserId::new("a");
        if round % 2 == 0 {
            store.end_all(&user, None).await.expect("the store answers");
        } else {
            store.end(&new.id).await.expect("the store answers");
        }
        let renewed = tasks.join_all().await;
        for id in renewed.into_iter().flatten().chain([new.id]) {
            assert!(!is_live(&*store, &id, NOW).await, "nothing brings back what was ended");
        }
        assert!(list(&*store, "a", NOW).await.is_empty());
    }
}

async fn a_user_ends_own_sessions_only<S: SessionStore>(store: S) {
    let (alice, bob) = (UserId::new("alice"), UserId::new("bob"));
    let sessions = [new("alice"), new("alice"), new("alice"), new("bob")];
    for (new, at) in sessions.iter().zip(0..) {
        open(&store, new, NOW.plus(at * SECOND)).await;
    }
    let [first, second, third, of_bob] = &sessions;
    assert_eq!(store.end_one(&bob, &first.handle).await.expect("the store answers"), Ended::Unknown);
    assert!(is_live(&store, &first.id, NOW).await, "a handle of somebody else ends nothing");
    let ended = store.end_one(&alice, &first.handle).await.expect("the store answers");
    assert_eq!(ended, Ended::Ended { handle: first.handle.clone(), user: alice.clone() });
    let ended = store.end_all(&alice, Some(&second.handle)).await.expect("the store answers");
    assert_eq!(ended, vec![third.handle.clone()]);
    assert!(is_live(&store, &second.id, NOW).await, "but for the excepted one");
    assert_eq!(store.end_all(&alice, None).await.expect("the store answers"), vec![second.handle.clone()]);
    assert!(is_live(&store, &of_bob.id, NOW).await, "others keep theirs");
    assert_eq!(store.end_all(&alice, None).await.expect("the store answers"), []);
}

async fn a_list_has_what_is_not_over<S: SessionStore>(store: S) {
    let (old, young) = (new("a"), new("a"));
    open(&store, &young, NOW.plus(20 * MINUTE)).await;
    open(&store, &old, NOW).await;
    let handles = async |at: Duration| -> Vec<SessionHandle> {
        list(&store, "a", NOW.plus(at)).await.into_iter().map(|session| session.handle).collect()
    };
    assert_eq!(handles(21 * MINUTE).await, [old.handle, young.handle.clone()], "the oldest first");
    assert_eq!(handles(30 * MINUTE).await, [young.handle]);
    assert!(list(&store, "b", NOW).await.is_empty());
}
