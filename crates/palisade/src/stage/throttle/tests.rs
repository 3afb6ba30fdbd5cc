//! What the throttle does, as tables.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::RouteName;
use palisade_core::port::StoreError;
use palisade_core::port::counter::{Algorithm, Ask};
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryCounters;

use super::*;
use crate::facts::RouteMatch;
use crate::testing::{Unreachable, assert_stage, head, refusal, refusal_with_body};

const MINUTE: Duration = Duration::from_secs(60);
const THROTTLED: Option<DenialCode> = Some(DenialCode::Throttled);

fn memory() -> Arc<MemoryCounters> {
    Arc::default()
}

fn by_client(requests: u32, secs: u64) -> Limit {
    Limit::new(requests, Duration::from_secs(secs), LimitBy::Client)
}

fn throttle(limits: &[Limit]) -> Throttle {
    Throttle::new(PerRoute::same(ThrottleSettings { limits: limits.to_vec() }), memory())
}

/// A request of a client, to a route, so many milliseconds after the beginning of an hour.
fn request(client: Option<&str>, route: &str, millis: u64) -> Head {
    let mut head = head("GET /");
    head.facts.client = client.map(|client| client.parse().unwrap());
    head.facts.route = Some(RouteMatch { index: 0, name: RouteName::new(route) });
    head.facts.received = Timestamp::from_millis(3_600_000_000 + millis);
    head
}

/// What the plan puts on the answer to a request.
fn told_all(mut head: Head) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    std::mem::take(&mut head.plan).apply(&mut headers);
    headers
}

#[test]
fn each_client_has_a_budget_for_each_route_and_it_comes_back() {
    let stage = throttle(&[by_client(2, 60)]);
    for (client, route, secs, expect) in [
        (Some("192.0.2.1"), "a", 0, None),
        (Some("192.0.2.1"), "a", 0, None),
        (Some("192.0.2.1"), "a", 0, THROTTLED),
        (Some("192.0.2.1"), "b", 0, None),
        (Some("192.0.2.2"), "a", 0, None),
        (None, "a", 0, None),
        (None, "a", 0, None),
        (None, "a", 0, THROTTLED),
        (Some("192.0.2.1"), "a", 29, THROTTLED),
        (Some("192.0.2.1"), "a", 30, None),
    ] {
        let refused = refusal(&stage, &mut request(client, route, secs * 1000));
        assert_eq!(refused, expect, "{client:?} {route} {secs}");
    }
}

#[test]
fn a_network_of_ipv6_is_one_client() {
    for (prefix, first, second, expect) in [
        (64, "2001:db8::1", "2001:db8::ffff:1", THROTTLED),
        (64, "2001:db8::1", "2001:db8:0:1::1", None),
        (128, "2001:db8::1", "2001:db8::2", None),
        (48, "2001:db8:0:1::1", "2001:db8:0:2::1", THROTTLED),
    ] {
        let stage = throttle(&[by_client(1, 60)]).with_prefix(Ipv6Prefix::new(prefix).unwrap());
        assert_eq!(refusal(&stage, &mut request(Some(first), "a", 0)), None);
        assert_eq!(refusal(&stage, &mut request(Some(second), "a", 0)), expect, "{first} {second} /{prefix}");
    }
}

#[test]
fn every_limit_must_hold_and_a_refusal_takes_nothing_from_the_others() {
    let stage = throttle(&[by_client(2, 1), by_client(4, 3600)]);
    // Ten requests a second for three seconds: two, then two more, then the hour is used up.
    for (secs, granted) in [(0, 2), (1, 2), (2, 0), (3, 0)] {
        let passed = (0..10).filter(|_| refusal(&stage, &mut request(None, "a", secs * 1000)).is_none()).count();
        assert_eq!(passed, granted, "second {secs}");
    }
}

#[test]
fn limits_for_all_clients_and_all_routes_are_shared() {
    let all = Limit::new(2, MINUTE, LimitBy::All);
    let (one, two, three) = ("192.0.2.1", "192.0.2.2", "192.0.2.3");
    for (stage, last_route, expect) in [
        (throttle(&[all]), "a", THROTTLED),
        (throttle(&[all]), "b", None),
        (throttle(&[by_client(100, 1)]).everywhere(&[all]), "b", THROTTLED),
        (throttle(&[by_client(100, 1)]).everywhere(&[by_client(2, 60)]), "b", None),
    ] {
        for client in [one, two] {
            assert_eq!(refusal(&stage, &mut request(Some(client), "a", 0)), None);
        }
        assert_eq!(refusal(&stage, &mut request(Some(three), last_route, 0)), expect, "{stage:?} {last_route}");
    }
}

#[test]
fn a_sliding_window_counts_what_is_still_within_it() {
    let stage = throttle(&[Limit { algorithm: Algorithm::SlidingWindow, ..by_client(4, 60) }]);
    for (secs, granted) in [(30, 4), (59, 0), (60, 0), (75, 1), (90, 1), (180, 4)] {
        let passed = (0..10).filter(|_| refusal(&stage, &mut request(None, "a", secs * 1000)).is_none()).count();
        assert_eq!(passed, granted, "second {secs}");
    }
}

#[test]
fn a_request_may_cost_more_than_one() {
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
        let stage = throttle(&[Limit { cost: 5, algorithm, ..by_client(12, 60) }]);
        let passed = (0..10).filter(|_| refusal(&stage, &mut request(None, "a", 0)).is_none()).count();
        assert_eq!(passed, 2, "{algorithm:?}");
    }
}

#[test]
fn the_answer_says_what_is_left() {
    let one = throttle(&[by_client(2, 60)]);
    for expect in ["\"throttle\";r=1;t=30", "\"throttle\";r=0;t=60", "\"throttle\";r=0;t=30"] {
        let mut head = request(None, "a", 0);
        refusal(&one, &mut head);
        assert_eq!(told_all(head)["ratelimit"], expect);
    }
    let two = throttle(&[by_client(2, 1), by_client(9, 3600)]);
    for (expect, refused) in [
        ("\"throttle\";r=1;t=1, \"throttle-2\";r=8;t=400", false),
        ("\"throttle\";r=0;t=1, \"throttle-2\";r=7;t=800", false),
        ("\"throttle\";r=0;t=1", true),
    ] {
        let mut head = request(None, "a", 0);
        assert_eq!(refusal(&two, &mut head).is_some(), refused);
        let headers = told_all(head);
        assert_eq!(headers["ratelimit-policy"], "\"throttle\";q=2;w=1, \"throttle-2\";q=9;w=3600");
        assert_eq!(headers["ratelimit"], expect);
    }
}

#[tokio::test]
async fn the_longest_wait_of_all_limits_is_told() {
    let stage = throttle(&[by_client(1, 1), by_client(1, 3600)]);
    assert_eq!(refusal(&stage, &mut request(None, "a", 0)), None);
    let mut head = request(None, "a", 0);
    let Verdict::Now(Err(crate::stage::Stop::Deny(denial))) = stage.check(&mut head) else { panic!("it passed") };
    assert_eq!(denial.wait(), Some(Duration::from_secs(3600)));
}

/// A store that can be switched off, or be made to say nothing.
#[derive(Default)]
struct Unsteady {
    down: AtomicBool,
    silent: AtomicBool,
    asked: AtomicUsize,
    inner: MemoryCounters,
}

#[async_trait]
impl CounterStore for Unsteady {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::Relaxed) {
            return Err(StoreError::Unreachable { reason: "evidence-marker".to_owned() });
        }
        self.inner.acquire_all(asks, now).await
    }
}

/// How many of so many requests pass, and how many events say that the store is out of order.
async fn passes(stage: &Throttle, requests: usize) -> (usize, usize) {
    let (mut passed, mut events) = (0, 0);
    for _ in 0..requests {
        let mut head = request(None, "a", 0);
        passed += usize::from(refusal_with_body(stage, &mut head, "").await.is_none());
        events += head.facts.notes.iter().filter(|note| note.kind == EventKind::ServiceFailed).count();
    }
    (passed, events)
}

fn unsteady(on_failure: OnFailure) -> (Throttle, Arc<Unsteady>) {
    let store = Arc::<Unsteady>::default();
    let settings = ThrottleSettings { limits: vec![Limit { on_failure, ..by_client(5, 60) }] };
    let stage = Throttle::new(PerRoute::same(settings), Arc::<Unsteady>::clone(&store)).with_local(memory());
    (stage, store)
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_met_as_each_limit_says_and_told_once() {
    for (on_failure, passed, events) in [(OnFailure::Deny, 0, 0), (OnFailure::Local, 5, 1), (OnFailure::Allow, 20, 1)] {
        let (stage, store) = unsteady(on_failure);
        store.down.store(true, Ordering::Relaxed);
        assert_eq!(passes(&stage, 20).await, (passed, events), "{on_failure:?}");
        assert_eq!(store.asked.load(Ordering::Relaxed), 1, "a store that has failed is left alone");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_in_memory_a_local_limit_refuses() {
    let settings = ThrottleSettings { limits: vec![Limit { on_failure: OnFailure::Local, ..by_client(5, 60) }] };
    let stage = Throttle::new(PerRoute::same(settings), Arc::new(Unreachable));
    let code = refusal_with_body(&stage, &mut request(None, "a", 0), "").await;
    assert_eq!(code, Some(DenialCode::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn the_strictest_choice_of_several_limits_holds() {
    let limit = |on_failure| Limit { on_failure, ..by_client(5, 60) };
    for (limits, passed) in [
        ([OnFailure::Allow, OnFailure::Deny], 0),
        ([OnFailure::Local, OnFailure::Deny], 0),
        ([OnFailure::Allow, OnFailure::Local], 5),
    ] {
        let settings = ThrottleSettings { limits: limits.map(limit).to_vec() };
        let stage = Throttle::new(PerRoute::same(settings), Arc::new(Unreachable)).with_local(memory());
        assert_eq!(passes(&stage, 20).await.0, passed, "{limits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_nothing_costs_one_request_a_tenth_of_a_second() {
    let (stage, store) = unsteady(OnFailure::Local);
    store.silent.store(true, Ordering::Relaxed);
    let begun = tokio::time::Instant::now();
    assert_eq!(passes(&stage, 20).await, (5, 1));
    assert_eq!(begun.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_asked_again_and_that_is_told() {
    let (stage, store) = unsteady(OnFailure::Allow);
    assert_eq!(passes(&stage, 2).await, (2, 0));
    store.down.store(true, Ordering::Relaxed);
    assert_eq!(passes(&stage, 10).await, (10, 1));
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(passes(&stage, 10).await, (10, 1), "it goes on, and is told again");
    store.down.store(false, Ordering::Relaxed);
    assert_eq!(passes(&stage, 1).await, (1, 0), "not asked yet");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(passes(&stage, 10).await, (3, 1), "three were left of five, and the end is told");
}

#[test]
fn only_passing_uncounted_is_a_danger() {
    for (on_failure, dangers) in [(OnFailure::Allow, 1), (OnFailure::Deny, 0), (OnFailure::Local, 0)] {
        assert_eq!(unsteady(on_failure).0.dangers().len(), dangers, "{on_failure:?}");
    }
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&throttle(&[by_client(1, 60)]));
    assert_stage(&throttle(&[by_client(1, 60), Limit::new(1, MINUTE, LimitBy::All)]));
    let settings = || PerRoute::same(ThrottleSettings { limits: vec![by_client(1, 60)] });
    assert_stage(&Throttle::new(settings(), Arc::new(Unreachable)));
    let costly = Limit { cost: NonZeroU32::MAX.get(), ..by_client(1, 1) };
    assert_stage(&throttle(&[costly]));
}
