//! Published keys over time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use super::*;
use crate::token::sign::Signer;
use crate::token::tests::{NOW, Still};

/// Answers from a list, each answer only when a permit for it was given.
struct Script {
    answers: Mutex<VecDeque<Result<Bytes, String>>>,
    permits: Semaphore,
    fetches: AtomicU64,
}

#[async_trait]
impl Fetch for Script {
    async fn fetch(&self) -> Result<Bytes, String> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| Err("no answer".to_owned()))
    }
}

fn body(id: &str) -> Bytes {
    let key = Signer::generate_es256(id).unwrap().public_jwk().unwrap();
    serde_json::json!({ "keys": [key] }).to_string().into()
}

fn source<const N: usize>(
    answers: [Result<Bytes, String>; N],
    permits: usize,
) -> (Arc<Script>, Arc<Still>, RemoteKeys) {
    let answers = Mutex::new(VecDeque::from(answers));
    let script = Arc::new(Script { answers, permits: Semaphore::new(permits), fetches: AtomicU64::new(0) });
    let clock = Still::at(NOW);
    let keys = RemoteKeys::new(script.clone(), clock.clone(), RemoteSettings::default());
    (script, clock, keys)
}

impl Script {
    fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn id(keys: &Result<Arc<KeySet>, KeySourceError>) -> &str {
    keys.as_ref().unwrap().keys()[0].id().unwrap()
}

#[test]
fn decides_by_age_and_last_question() {
    let settings = RemoteSettings::default();
    let keys = Arc::new(KeySet::parse(&body("a")).unwrap());
    let now = Timestamp::from_secs(NOW);
    let (day, ten_minutes) = (86_400, 600);
    for (held, asked, flying, any, newer) in [
        (None, None, false, "fetch", "fetch"),
        (None, None, true, "wait", "wait"),
        (None, Some(4), false, "refuse", "refuse"),
        (None, Some(5), false, "fetch", "fetch"),
        (Some(0), Some(0), false, "use", "use"),
        (Some(29), Some(29), false, "use", "use"),
        (Some(30), Some(30), false, "use", "fetch"),
        (Some(30), Some(30), true, "use", "wait"),
        (Some(ten_minutes - 1), Some(1), false, "use", "use"),
        (Some(ten_minutes), Some(ten_minutes), false, "use and fetch", "fetch"),
        (Some(ten_minutes), Some(4), false, "use", "use"),
        (Some(ten_minutes), Some(5), false, "use and fetch", "use"),
        (Some(ten_minutes), Some(5), true, "use", "wait"),
        (Some(day - 1), Some(5), false, "use and fetch", "use"),
        (Some(day), Some(4), false, "refuse", "refuse"),
        (Some(day), Some(5), false, "fetch", "fetch"),
        (Some(-1), Some(-1), false, "use and fetch", "fetch"),
    ] {
        let ago = |secs: i64| Timestamp::from_secs(NOW.checked_add_signed(-secs).unwrap());
        let held = held.map(|age| Held { keys: keys.clone(), body: Bytes::new(), at: ago(age) });
        let state = State { held, asked: asked.map(ago), flying, failure: None };
        for (want, expect) in [(Want::Any, any), (Want::Newer, newer)] {
            let step = match state.step(want, &settings, now) {
                Step::Fetch => "fetch",
                Step::Refuse(_) => "refuse",
                Step::Use(_) => "use",
                Step::UseAndFetch(_) => "use and fetch",
                Step::Wait => "wait",
            };
            let held = state.held.as_ref().map(|held| held.at);
            assert_eq!(step, expect, "{want:?}, held {held:?}, asked {asked:?}, flying {flying}");
        }
    }
}

#[tokio::test]
async fn parallel_callers_share_one_fetch() {
    let (script, _, keys) = source([Ok(body("a"))], 0);
    let give = async { script.permits.add_permits(1) };
    let (first, second, third, ()) = tokio::join!(keys.keys(), keys.keys(), keys.refresh(), give);
    assert!([&first, &second, &third].into_iter().all(|outcome| id(outcome) == "a"));
    assert_eq!(script.fetches(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch() {
    let (script, clock, keys) = source([Ok(body("a")), Ok(body("b"))], 1);
    keys.keys().await.unwrap();
    clock.set(NOW + 31);
    assert!(keys.refresh().now_or_never().is_none());
    script.permits.add_permits(1);
    assert_eq!(id(&keys.refresh().await), "b");
    assert_eq!(script.fetches(), 2);
}

#[tokio::test]
async fn unknown_keys_are_asked_for_twice_a_minute() {
    let (script, clock, keys) = source([Ok(body("a")), Ok(body("b"))], 9);
    keys.keys().await.unwrap();
    for (now, expect, fetches) in [(NOW + 29, "a", 1), (NOW + 30, "b", 2), (NOW + 31, "b", 2), (NOW + 60, "b", 3)] {
        clock.set(now);
        assert_eq!((id(&keys.refresh().await), script.fetches()), (expect, fetches), "at {now}");
    }
}

#[tokio::test]
async fn old_keys_serve_while_new_ones_are_fetched() {
    let (script, clock, keys) = source([Ok(body("a")), Ok(body("b"))], 1);
    keys.keys().await.unwrap();
    clock.set(NOW + 600);
    assert_eq!(id(&keys.keys().await), "a");
    assert_eq!(id(&keys.keys().await), "a");
    script.permits.add_permits(1);
    assert_eq!(id(&keys.refresh().await), "b");
    assert_eq!(id(&keys.keys().await), "b");
    assert_eq!(script.fetches(), 2);
}

#[tokio::test]
async fn keys_outlive_a_silent_issuer_for_a_day() {
    let (_, clock, keys) = source([Ok(body("a"))], 99);
    keys.keys().await.unwrap();
    for (now, expect) in [(NOW + 86_399, Ok("a")), (NOW + 86_400 + 5, Err("no answer"))] {
        clock.set(now);
        let outcome = keys.keys().await;
        let outcome = outcome.as_ref().map(|set| set.keys()[0].id().unwrap());
        assert_eq!(outcome.map_err(ToString::to_string), expect.map_err(str::to_owned), "at {now}");
    }
}

#[tokio::test]
async fn bad_answers_are_no_answers() {
    let secret = serde_json::json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": "A".repeat(43) }] }).to_string();
    for (answer, expect) in [
        (Bytes::from_static(b"<html>"), "`JWK set` is missing or malformed"),
        (Bytes::from(secret), "the set publishes shared secrets"),
        (Bytes::from(vec![b' '; MAX_BODY + 1]), "the set is too large"),
    ] {
        let (_, clock, keys) = source([Ok(answer), Ok(body("a"))], 2);
        assert_eq!(keys.keys().await.unwrap_err().to_string(), expect);
        assert_eq!(keys.keys().await.unwrap_err().to_string(), expect);
        clock.set(NOW + 5);
        assert_eq!(id(&keys.keys().await), "a");
    }
}

#[tokio::test]
async fn the_same_answer_is_the_same_set() {
    let (first, second) = (body("a"), body("a"));
    let (_, clock, keys) = source([Ok(first.clone()), Ok(first), Ok(second)], 3);
    let mut epochs = vec![];
    for now in [NOW, NOW + 30, NOW + 60] {
        clock.set(now);
        epochs.push(keys.refresh().await.unwrap().epoch());
    }
    assert_eq!(epochs[0], epochs[1]);
    assert_ne!(epochs[1], epochs[2]);
}

#[tokio::test]
async fn a_slow_issuer_is_a_silent_one() {
    let (script, _, _) = source([], 0);
    let settings = RemoteSettings { deadline: Duration::ZERO, ..RemoteSettings::default() };
    let keys = RemoteKeys::new(script, Still::at(NOW), settings);
    assert_eq!(keys.keys().await.unwrap_err().to_string(), "the issuer did not answer in time");
}

#[tokio::test]
async fn a_panicking_fetch_is_over() {
    struct Panicking;

    #[async_trait]
    impl Fetch for Panicking {
        async fn fetch(&self) -> Result<Bytes, String> {
            panic!("on purpose");
        }
    }

    let clock = Still::at(NOW);
    let keys = RemoteKeys::new(Arc::new(Panicking), clock.clone(), RemoteSettings::default());
    for now in [NOW, NOW + 5, NOW + 10] {
        clock.set(now);
        assert_eq!(keys.keys().await.unwrap_err().to_string(), "the keys have not been fetched");
    }
}
