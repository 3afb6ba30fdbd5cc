//! The stage in front of a backend that plays a script and remembers what it was asked.

use std::sync::Mutex;
use std::time::Duration;

use palisade_core::canon::host::CanonicalHost;
use palisade_core::id::{PolicyVersion, TenantId};
use palisade_core::operation::{AccessRule, Audience};
use palisade_core::policy::Policy;
use palisade_core::principal::{Principal, RoleSet, ScopeSet, Subject};
use tokio::time::advance;

use super::*;
use crate::stage::End;
use crate::testing::{FixedClock, assert_stage, head, operation, user};

const NOW: u64 = 1_795_305_600_000;

/// A backend that gives these answers in turn: a status, headers, an empty line, a body; or nothing, then it fails.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<String>>,
    heads: Mutex<Vec<String>>,
    /// How long it takes.
    takes: Duration,
}

impl Script {
    fn plays(answers: &[&str]) -> Self {
        let answers = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    fn last(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl End for Script {
    fn serve<'a>(&'a self, head: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            assert!(head.take_permit().is_some());
            let mut text = format!("{} {}\n", head.parts.method, head.parts.uri);
            for (name, value) in &std::mem::take(&mut head.parts.headers) {
                text += &format!("{name}: {}\n", value.to_str().unwrap());
            }
            self.heads.lock().unwrap().push(text);
            let answer = self.answers.lock().unwrap().pop().expect("the backend is asked no more than that");
            tokio::time::sleep(self.takes).await;
            if answer.is_empty() {
                return Err(Denial::new(DenialCode::UpstreamUnreachable, StageId::Forward).into());
            }
            let (top, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
            let mut lines = top.lines();
            let mut response = Response::builder().status(lines.next().unwrap());
            for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
                response = response.header(name, value);
            }
            Ok(response.body(Body::from(body.to_owned())).unwrap())
        })
    }
}

fn stage(settings: CacheSettings) -> Cache {
    Cache::new(PerRoute::same(Some(CacheStore::new(settings))), Arc::new(FixedClock(NOW)))
}

/// The answer as text: status, what `Cache-Status` says, and the body; or the code of the refusal.
async fn ask_as(stage: &Cache, script: &Script, principal: Principal, request: &str) -> String {
    let mut head = head(request);
    head.facts.host = head.text("host").and_then(|host| CanonicalHost::parse(host).ok());
    head.facts.principal = principal;
    let public = AccessRule { audience: Audience::Public, ..AccessRule::default() };
    head.facts.operation = Some(operation(public));
    let authorize = crate::stage::authorize::Authorize::new(
        Arc::new(Policy::new(PolicyVersion::new("test"))),
        PerRoute::same(None),
    );
    assert_eq!(crate::testing::refusal(&authorize, &mut head), None);
    let outcome = stage.wrap(&mut head, Body::empty(), Next::new(&[], script)).await;
    match outcome {
        Err(Stop::Deny(denial)) => denial.code().slug().to_owned(),
        Err(Stop::Answer(_)) => panic!("the stage gives no such answer"),
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let mut headers = HeaderMap::new();
            head.plan.apply(&mut headers);
            let status = headers.get("cache-status").map_or("-", |value| value.to_str().unwrap());
            let status = status.trim_start_matches("palisade; ");
            let body = body.collect().await.unwrap().to_bytes();
            format!("{} [{status}] {}", parts.status.as_u16(), std::str::from_utf8(&body).unwrap())
        }
    }
}

async fn ask(stage: &Cache, script: &Script, request: &str) -> String {
    ask_as(stage, script, Principal::anonymous(), request).await
}

fn telling() -> CacheSettings {
    CacheSettings { status: true, ..CacheSettings::default() }
}

const A: &str = "200\ncache-control: max-age=60\netag: \"a\"\n\nA";
const B: &str = "200\ncache-control: max-age=60\netag: \"b\"\n\nB";
const CONFIRMED: &str = "304\ncache-control: max-age=60\netag: \"a\"";
const ITEMS: &str = "GET /items\nhost: h";

/// The second of two requests, some seconds behind the first: what it is answered, and whether the backend was asked.
#[tokio::test(start_paused = true)]
async fn the_rules_of_a_shared_cache() {
    for (name, first, kept, wait, second, then, expect, asked) in [
        ("fresh", ITEMS, A, 59, ITEMS, B, "200 [hit; ttl=1] A", 1),
        ("stale, confirmed", ITEMS, A, 60, ITEMS, CONFIRMED, "200 [fwd=stale; fwd-status=304] A", 2),
        ("stale, changed", ITEMS, A, 60, ITEMS, B, "200 [fwd=stale; stored] B", 2),
        ("another query", ITEMS, A, 0, "GET /items?p=2\nhost: h", B, "200 [fwd=miss; stored] B", 2),
        ("another host", ITEMS, A, 0, "GET /items\nhost: i", B, "200 [fwd=miss; stored] B", 2),
        ("no word", ITEMS, "200\n\nA", 0, ITEMS, B, "200 [fwd=miss; stored] B", 2),
        ("no-store", ITEMS, "200\ncache-control: no-store, max-age=9\n\nA", 0, ITEMS, B, "200 [fwd=miss; stored] B", 2),
        ("private", ITEMS, "200\ncache-control: private, max-age=9\n\nA", 0, ITEMS, B, "200 [fwd=miss; stored] B", 2),
        ("an error", ITEMS, "400\ncache-control: max-age=9\n\nA", 0, ITEMS, B, "200 [fwd=miss; stored] B", 2),
        ("no such thing", ITEMS, "404\ncache-control: max-age=9\n\nA", 0, ITEMS, B, "404 [hit; ttl=9] A", 1),
        ("Age", ITEMS, "200\ncache-control: max-age=9\nage: 5\n\nA", 3, ITEMS, B, "200 [hit; ttl=1] A", 1),
        (
            "old already",
            ITEMS,
            "200\ncache-control: max-age=9\nage: 9\n\nA",
            0,
            ITEMS,
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        (
            "no-cache with a tag",
            ITEMS,
            "200\ncache-control: no-cache\netag: \"a\"\n\nA",
            0,
            ITEMS,
            "304\ncache-control: no-cache",
            "200 [fwd=stale; fwd-status=304] A",
            2,
        ),
        (
            "confirmed, and not to be kept any longer",
            ITEMS,
            A,
            60,
            ITEMS,
            "304\ncache-control: no-store\netag: \"a\"",
            "200 [fwd=stale; fwd-status=304] A",
            2,
        ),
        ("a confirmation of something else", ITEMS, A, 60, ITEMS, "304\netag: \"b\"", "upstream-failed", 2),
        ("HEAD from GET", ITEMS, A, 0, "HEAD /items\nhost: h", B, "200 [hit; ttl=60] ", 1),
        ("GET not from HEAD", "HEAD /items\nhost: h", A, 0, ITEMS, B, "200 [fwd=miss; stored] B", 2),
        (
            "the client has it",
            ITEMS,
            A,
            0,
            "GET /items\nhost: h\nif-none-match: \"x\", W/\"a\"",
            B,
            "304 [hit; ttl=60] ",
            1,
        ),
        ("the client has any", ITEMS, A, 0, "GET /items\nhost: h\nif-none-match: *", B, "304 [hit; ttl=60] ", 1),
        (
            "the client has another",
            ITEMS,
            A,
            0,
            "GET /items\nhost: h\nif-none-match: \"b\"",
            B,
            "200 [hit; ttl=60] A",
            1,
        ),
        (
            "the client has one of that time",
            ITEMS,
            "200\ncache-control: max-age=9\nlast-modified: Sun, 22 Nov 2026 00:00:00 GMT\n\nA",
            0,
            "GET /items\nhost: h\nif-modified-since: Sun, 22 Nov 2026 00:00:00 GMT",
            B,
            "304 [hit; ttl=9] ",
            1,
        ),
        (
            "what the client has is asked for",
            "GET /items\nhost: h\nif-none-match: \"a\"",
            CONFIRMED,
            0,
            ITEMS,
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        ("a part", ITEMS, A, 0, "GET /items\nhost: h\nrange: bytes=0-0", B, "200 [fwd=bypass] B", 2),
        ("a cookie", ITEMS, A, 0, "GET /items\nhost: h\ncookie: a=1", B, "200 [fwd=bypass] B", 2),
        ("a credential nobody knows", ITEMS, A, 0, "GET /items\nhost: h\nauthorization: x", B, "200 [fwd=bypass] B", 2),
        ("a precondition", ITEMS, A, 0, "GET /items\nhost: h\nif-match: \"a\"", B, "200 [fwd=bypass] B", 2),
        ("wants none stored", ITEMS, A, 0, "GET /items\nhost: h\ncache-control: no-store", B, "200 [fwd=bypass] B", 2),
        (
            "wants a fresh one",
            ITEMS,
            A,
            0,
            "GET /items\nhost: h\ncache-control: no-cache",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "wants a fresh one, as of old",
            ITEMS,
            A,
            0,
            "GET /items\nhost: h\npragma: no-cache",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "wants a younger one",
            ITEMS,
            A,
            9,
            "GET /items\nhost: h\ncache-control: max-age=8",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "wants one that stays fresh",
            ITEMS,
            A,
            9,
            "GET /items\nhost: h\ncache-control: min-fresh=52",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "takes a stale one",
            ITEMS,
            A,
            65,
            "GET /items\nhost: h\ncache-control: max-stale=5",
            B,
            "200 [hit; ttl=-5] A",
            1,
        ),
        (
            "takes none so stale",
            ITEMS,
            A,
            66,
            "GET /items\nhost: h\ncache-control: max-stale=5",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "takes what must not be stale",
            ITEMS,
            "200\ncache-control: max-age=60, must-revalidate\n\nA",
            61,
            "GET /items\nhost: h\ncache-control: max-stale",
            B,
            "200 [fwd=stale; stored] B",
            2,
        ),
        (
            "takes a stored one",
            ITEMS,
            A,
            0,
            "GET /items\nhost: h\ncache-control: only-if-cached",
            B,
            "200 [hit; ttl=60] A",
            1,
        ),
        (
            "takes a stored one only",
            ITEMS,
            A,
            60,
            "GET /items\nhost: h\ncache-control: only-if-cached",
            B,
            "not-cached",
            1,
        ),
        (
            "varies, and is the same",
            "GET /items\nhost: h\naccept: a",
            "200\ncache-control: max-age=60\nvary: Accept\n\nA",
            0,
            "GET /items\nhost: h\naccept: a",
            B,
            "200 [hit; ttl=60] A",
            1,
        ),
        (
            "varies",
            "GET /items\nhost: h\naccept: a",
            "200\ncache-control: max-age=60\nvary: Accept\n\nA",
            0,
            "GET /items\nhost: h\naccept: b",
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        (
            "varies, and has one more",
            "GET /items\nhost: h\naccept: a",
            "200\ncache-control: max-age=60\nvary: Accept\n\nA",
            0,
            "GET /items\nhost: h\naccept: a\naccept: b",
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        (
            "varies by what nobody sees",
            ITEMS,
            "200\ncache-control: max-age=60\nvary: *\n\nA",
            0,
            ITEMS,
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        (
            "sets a cookie",
            ITEMS,
            "200\ncache-control: max-age=60\nset-cookie: a=1\n\nA",
            0,
            ITEMS,
            B,
            "200 [fwd=miss; stored] B",
            2,
        ),
        (
            "a failure is not hidden",
            ITEMS,
            "200\ncache-control: max-age=60, stale-if-error=99\n\nA",
            61,
            ITEMS,
            "503",
            "503 [fwd=stale] ",
            2,
        ),
    ] {
        let (stage, script) = (stage(telling()), Script::plays(&[kept, then]));
        ask(&stage, &script, first).await;
        advance(Duration::from_secs(wait)).await;
        assert_eq!(ask(&stage, &script, second).await, expect, "{name}");
        assert_eq!(script.asked(), asked, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_is_asked_for_with_what_is_kept_and_renews_it() {
    let script = Script::plays(&[A, "304\ncache-control: max-age=100\nx-new: 1\netag: \"a\"\ncontent-length: 99"]);
    let stage = stage(telling());
    ask(&stage, &script, ITEMS).await;
    advance(Duration::from_secs(61)).await;
    // The tag of the client is another one: the one that is kept is asked about, and then the client is answered.
    let other = "GET /items\nhost: h\nif-none-match: \"old\"";
    assert_eq!(ask(&stage, &script, other).await, "200 [fwd=stale; fwd-status=304] A");
    assert!(script.last().contains("if-none-match: \"a\"") && !script.last().contains("old"), "{}", script.last());
    advance(Duration::from_secs(99)).await;
    assert_eq!(ask(&stage, &script, ITEMS).await, "200 [hit; ttl=1] A");
}

#[tokio::test]
async fn two_principals_never_share() {
    let public = "200\ncache-control: public, max-age=60\n\n";
    let someone = |roles: &[&str]| user("u-1").with_roles(RoleSet::from_iter(roles.iter().copied()));
    let principals = [
        Principal::anonymous(),
        user("u-1"),
        user("u-2"),
        user("u-1").with_tenant(TenantId::new("t-1")),
        user("u-1").with_tenant(TenantId::new("t-2")),
        someone(&["a"]),
        someone(&["a", "b"]),
        user("u-1").with_scopes(ScopeSet::from_iter(["a"])),
        // Names that would say the same if they were only put behind each other.
        user("u-1 Some(\"t-1\")"),
        user("u-1\" None"),
    ];
    let answers: Vec<String> = (0..principals.len()).map(|number| format!("{public}for {number}")).collect();
    let script = Script::plays(&answers.iter().map(String::as_str).collect::<Vec<_>>());
    let stage = stage(telling());
    for (number, principal) in principals.iter().enumerate() {
        let first = ask_as(&stage, &script, principal.clone(), ITEMS).await;
        assert_eq!(first, format!("200 [fwd=miss; stored] for {number}"));
    }
    for (number, principal) in principals.iter().enumerate() {
        let second = ask_as(&stage, &script, principal.clone(), ITEMS).await;
        assert_eq!(second, format!("200 [hit; ttl=60] for {number}"));
    }
    let delegated = Principal::establish(Subject::Delegated, user("x").assurance().clone());
    let script = Script::plays(&[A, B]);
    for expect in ["A", "B"] {
        let answer = ask_as(&stage, &script, delegated.clone(), ITEMS).await;
        assert_eq!(answer, format!("200 [fwd=bypass] {expect}"));
    }
}

#[tokio::test]
async fn what_the_backend_does_not_give_to_all_is_not_kept_with_a_credential() {
    let (stage, script) = (stage(telling()), Script::plays(&[A, B]));
    for expect in ["200 [fwd=miss] A", "200 [fwd=miss] B"] {
        assert_eq!(ask_as(&stage, &script, user("u-1"), ITEMS).await, expect);
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_a_resource_makes_its_answers_useless() {
    for (change, answer, gone) in [
        ("POST /items\nhost: h", "201", true),
        ("PUT /items?x=1\nhost: h", "204", true),
        ("DELETE /items\nhost: h", "500", true),
        ("POST /items\nhost: h", "", true),
        ("POST /orders\nhost: h", "201\nlocation: /items", true),
        ("POST /orders\nhost: h", "201\ncontent-location: http://h/items?p=1", true),
        ("POST /orders\nhost: h", "201\nlocation: http://other/items", false),
        ("POST /orders\nhost: h", "201", false),
        ("POST /items\nhost: other", "201", false),
        ("OPTIONS /items\nhost: h", "204", false),
    ] {
        let (stage, script) = (stage(telling()), Script::plays(&[A, A, answer, B, B]));
        for request in [ITEMS, "GET /items?p=2\nhost: h"] {
            ask(&stage, &script, request).await;
        }
        advance(Duration::from_millis(1)).await;
        ask(&stage, &script, change).await;
        advance(Duration::from_millis(1)).await;
        for request in [ITEMS, "GET /items?p=2\nhost: h"] {
            let got = ask(&stage, &script, request).await;
            assert_eq!(got.ends_with('B'), gone, "{change}: {answer}: {got}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_asks_and_the_others_wait_for_a_while() {
    let wait = |secs| CacheSettings { max_wait: Duration::from_secs(secs), ..telling() };
    for (settings, answers, asked) in [
        (wait(3), vec![A], 1),
        // Nobody waits twice, and nobody longer than that.
        (wait(1), vec![A; 5], 5),
        // What cannot be kept is asked for by everybody.
        (wait(3), vec!["200\n\nA"; 5], 5),
    ] {
        let script = Script { takes: Duration::from_secs(2), ..Script::plays(&answers) };
        let stage = stage(settings);
        let all = futures_util::future::join_all((0..5).map(|_| ask(&stage, &script, ITEMS))).await;
        assert!(all.iter().all(|answer| answer.ends_with('A')), "{all:?}");
        assert_eq!(script.asked(), asked, "{settings:?}");
    }
    // Who asked has gone: the next one asks.
    let script = Script { takes: Duration::from_secs(2), ..Script::plays(&[A, B]) };
    let stage = stage(wait(9));
    let gone = timeout(Duration::from_secs(1), ask(&stage, &script, ITEMS));
    let (gone, answer) = tokio::join!(gone, ask(&stage, &script, ITEMS));
    assert!(gone.is_err());
    assert_eq!((answer.as_str(), script.asked()), ("200 [fwd=miss; stored] B", 2));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_could_not_be_kept_before() {
    let script = Script { takes: Duration::from_secs(1), ..Script::plays(&["200\n\nA"; 3]) };
    let stage = stage(telling());
    ask(&stage, &script, ITEMS).await;
    let begun = Instant::now();
    tokio::join!(ask(&stage, &script, ITEMS), ask(&stage, &script, ITEMS));
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_used_where_the_settings_and_the_backend_allow_it() {
    let stale = CacheSettings { stale_if_error: true, stale_while_revalidate: true, ..telling() };
    let both = "200\ncache-control: max-age=60, stale-if-error=100, stale-while-revalidate=100\n\nA";
    for (name, settings, kept, wait, then, expect) in [
        ("a failure", stale, both, 160, "503", "200 [hit; detail=stale-if-error; ttl=-100] A"),
        ("no answer", stale, both, 61, "", "200 [hit; detail=stale-if-error; ttl=-1] A"),
        ("too late", stale, both, 161, "503", "503 [fwd=stale] "),
        ("an answer", stale, both, 61, "403", "403 [fwd=stale] "),
        ("not set", telling(), both, 61, "", "upstream-unreachable"),
        ("not said", stale, A, 61, "", "upstream-unreachable"),
        (
            "forbidden",
            stale,
            "200\ncache-control: must-revalidate, max-age=60, stale-if-error=9\n\nA",
            61,
            "503",
            "503 [fwd=stale] ",
        ),
        ("for all", stale, "200\ncache-control: s-maxage=60, stale-if-error=9\n\nA", 61, "503", "503 [fwd=stale] "),
    ] {
        let (stage, script) = (stage(settings), Script::plays(&[kept, then]));
        ask(&stage, &script, ITEMS).await;
        advance(Duration::from_secs(wait)).await;
        assert_eq!(ask(&stage, &script, ITEMS).await, expect, "{name}");
    }
    let script = Script { takes: Duration::from_secs(2), ..Script::plays(&[both, B]) };
    let stage = stage(stale);
    ask(&stage, &script, ITEMS).await;
    advance(Duration::from_secs(70)).await;
    let begun = Instant::now();
    let meanwhile = async { (ask(&stage, &script, ITEMS).await, begun.elapsed()) };
    let (first, (second, waited)) = tokio::join!(ask(&stage, &script, ITEMS), meanwhile);
    assert_eq!(first, "200 [fwd=stale; stored] B");
    assert_eq!((second.as_str(), waited), ("200 [hit; detail=stale-while-revalidate; ttl=-12] A", Duration::ZERO));
}

#[tokio::test]
async fn what_is_too_long_passes_whole_and_is_not_kept() {
    let long = format!("200\ncache-control: max-age=60\n\n{}", "x".repeat(200));
    for answer in [long.clone(), long.replace("\n\n", "\ncontent-length: 200\n\n")] {
        let stage = stage(CacheSettings { max_body: 100, ..telling() });
        let script = Script::plays(&[&answer, &answer]);
        for _ in 0..2 {
            assert_eq!(ask(&stage, &script, ITEMS).await, format!("200 [fwd=miss] {}", "x".repeat(200)));
        }
    }
}

#[tokio::test]
async fn wishes_can_be_ignored() {
    let stage = stage(CacheSettings { wishes: Wishes::Ignored, ..telling() });
    let script = Script::plays(&[A, B]);
    ask(&stage, &script, ITEMS).await;
    for wish in ["no-cache", "max-age=0", "only-if-cached", "min-fresh=90"] {
        let request = format!("{ITEMS}\ncache-control: {wish}");
        assert_eq!(ask(&stage, &script, &request).await, "200 [hit; ttl=60] A", "{wish}");
    }
    let request = format!("{ITEMS}\ncache-control: no-store");
    assert_eq!(ask(&stage, &script, &request).await, "200 [fwd=bypass] B");
}

#[tokio::test]
async fn nothing_is_answered_without_a_permit() {
    let (stage, script) = (stage(telling()), Script::plays(&[A]));
    ask(&stage, &script, "GET /items").await;
    let mut unpermitted = head("GET /items");
    let outcome = stage.wrap(&mut unpermitted, Body::empty(), Next::new(&[], &script)).await;
    let Err(Stop::Deny(denial)) = outcome else { panic!("it was answered") };
    assert_eq!(denial.code(), DenialCode::Unpermitted);
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&stage(telling()));
    assert_stage(&Cache::new(PerRoute::same(None), Arc::new(FixedClock(NOW))));
}
