//! Every refusal of the library: the code that the caller reads, the event that explains it, the headers on both.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use palisade::limit::OnFailure;
use palisade::network::Networks;
use palisade::origin::Origin;
use palisade::preset::Preset;
use palisade::stage::admit::Admit;
use palisade::stage::client::Client;
use palisade::stage::cors::{CorsSettings, Readers};
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::operation::{AccessRule, Audience, Limit, LimitBy};
use palisade_core::principal::Level;

use crate::build::{Passing, hand_built};
use crate::world::{Stand, Unreachable, ask, assert_dressed, assert_refused, from, minutely, parse};

type Change = fn(Preset) -> Preset;

const USER: &str = "\nhost: a\nauthorization: Bearer $TOKEN";

/// Requests that break one rule each, against a chain with a change.
const BROKEN: &[(&str, &str, Change)] = &[
    ("assurance-insufficient", "GET /me$USER", two_factors),
    ("body-too-large", "POST /echo\nhost: a\ncontent-length: 1048577", same),
    ("claim-insufficient", "GET /me$USER", |preset| preset.require("GET /me", "department", ["sales"])),
    ("coding-undeclared", "POST /echo\nhost: a\ncontent-encoding: gzip", same),
    ("credential-ambiguous", "GET /me$USER\nx-api-key: k", same),
    ("credential-ambiguous", "GET /me\nhost: a\nx-api-key: k\nx-api-key: k", same),
    ("credential-invalid", "GET /me\nhost: a\nauthorization: Bearer a.b.c", same),
    ("credential-invalid", "GET /me\nhost: a\nauthorization: Basic dTpw", same),
    ("credential-invalid", "GET /me\nhost: a\nx-api-key: a-key-of-nobody", same),
    // A bad credential is not taken for none, not even where none is needed.
    ("credential-invalid", "GET /open\nhost: a\nauthorization: Bearer a.b.c", same),
    ("credential-missing", "GET /me\nhost: a", same),
    // A cookie is no credential that anybody here can check.
    ("credential-missing", "GET /me\nhost: a\ncookie: session=1", same),
    ("cross-site-request", "POST /echo\nhost: a\ncookie: s=1\nsec-fetch-site: cross-site", same),
    ("cross-site-request", "POST /echo\nhost: a\ncookie: s=1\norigin: https://evil.example", same),
    ("expectation-unsupported", "POST /echo\nhost: a\nexpect: a-miracle", same),
    ("header-forbidden", "GET /open\nhost: a\nx-http-method-override: DELETE", same),
    ("header-forbidden", "POST /echo\nhost: a\ncontent-type: a/b\ncontent-type: c/d", same),
    ("host-invalid", "GET /open", same),
    ("host-invalid", "GET /open\nhost: user@a", same),
    ("host-invalid", "GET http://b/open\nhost: a", same),
    ("internal", "GET /panic\nhost: a", same),
    ("method-undeclared", "TRACE /open\nhost: a", same),
    ("object-forbidden", "GET /users/u-2$USER", owned),
    // A parameter that stands in path and query names two objects, and so none.
    ("object-forbidden", "GET /users/u-1?id=u-2$USER", owned),
    // All that a catch-all takes is the object, not only its first segment.
    ("object-forbidden", "GET /files/u-1/u-2$USER", owned),
    ("operation-undeclared", "GET /nowhere$USER", same),
    ("path-ambiguous", "GET /users/%2e%2e%2fopen\nhost: a", same),
    ("path-ambiguous", "GET //evil.example/open\nhost: a", same),
    ("path-ambiguous", "GET /open?q=%00\nhost: a", same),
    (
        "preflight-refused",
        "OPTIONS /open\nhost: a\norigin: https://a.example\naccess-control-request-method: GET",
        same,
    ),
    (
        "preflight-refused",
        "OPTIONS /me\nhost: a\norigin: https://app.example\naccess-control-request-method: PUT",
        read,
    ),
    ("quota-exhausted", "GET /open\nhost: a", twice_a_minute),
    ("proof-invalid", "GET /me\nhost: a\nauthorization: DPoP $BOUND", same),
    ("role-insufficient", "GET /me$USER", |preset| preset.roles("GET /me", ["admin"])),
    ("scope-insufficient", "GET /me$USER", |preset| preset.scopes("GET /me", ["me:read"])),
    ("throttled", "GET /open\nhost: a", |preset| throttled(preset, OnFailure::Deny)),
];

fn same(preset: Preset) -> Preset {
    preset
}

fn two_factors(preset: Preset) -> Preset {
    preset.rule("GET /me", AccessRule { level: Level::Aal2, ..AccessRule::default() }, Vec::new())
}

fn owned(preset: Preset) -> Preset {
    preset.owner("GET /users/{id}", "id", "sub").owner("GET /files/{*path}", "path", "sub")
}

fn read(preset: Preset) -> Preset {
    let origins = Readers::Listed(vec![Origin::parse("https://app.example").unwrap()]);
    preset.cors(CorsSettings { origins, ..CorsSettings::default() })
}

fn twice_a_minute(preset: Preset) -> Preset {
    let limit = Limit::new(2, Duration::from_secs(60), LimitBy::Principal);
    let public = AccessRule { audience: Audience::Public, ..AccessRule::default() };
    preset.rule("GET /open", public, vec![limit])
}

fn throttled(preset: Preset, on_failure: OnFailure) -> Preset {
    preset.throttle(minutely(1, on_failure))
}

fn code(slug: &str) -> DenialCode {
    *DenialCode::ALL.iter().find(|code| code.slug() == slug).unwrap()
}

fn recently(preset: Preset) -> Preset {
    let max_age = Some(Duration::from_secs(300));
    preset.rule("GET /me", AccessRule { max_age, ..AccessRule::default() }, Vec::new())
}

#[tokio::test]
async fn each_broken_rule_has_its_refusal() {
    for (slug, text, change) in BROKEN {
        let stand = Stand::new();
        let app = stand.app(*change);
        let ask = async || ask(&app, stand.request(&text.replace("$USER", USER))).await;
        let mut answer = ask().await;
        // Budgets are used up first.
        for _ in 0..2 {
            if answer.status.is_success() {
                stand.kept.take();
                answer = ask().await;
            }
        }
        assert_refused(&answer, stand.kept.take(), code(slug));
    }
}

/// What answers GET answers HEAD, and the rules of GET hold for both.
#[tokio::test]
async fn head_does_not_go_around_the_rules_of_get() {
    let stand = Stand::new();
    let app = stand.app(|preset| owned(preset).roles("GET /me", ["admin"]));
    for (text, expect) in [
        ("HEAD /me$USER", Some(DenialCode::RoleInsufficient)),
        ("HEAD /users/u-2$USER", Some(DenialCode::ObjectForbidden)),
        ("HEAD /users/u-1$USER", None),
        ("HEAD /open\nhost: a", None),
    ] {
        let answer = ask(&app, stand.request(&text.replace("$USER", USER))).await;
        assert_eq!(answer.status, expect.map_or(http::StatusCode::OK, DenialCode::status), "{text}");
        assert_eq!((stand.kept.take().len(), answer.text.as_str()), (1 + usize::from(expect.is_some()), ""), "{text}");
    }
}

#[tokio::test]
async fn sizes_are_refused_before_anything_is_read() {
    let wide: String = (0..5).map(|n| format!("\nx-{n}: {}", "a".repeat(8000))).collect();
    for (slug, text) in [
        ("uri-too-long", format!("GET /open?q={}\nhost: a", "a".repeat(8200))),
        ("headers-too-large", format!("GET /open\nhost: a{wide}")),
    ] {
        let stand = Stand::new();
        let answer = ask(&stand.app(same), stand.request(&text)).await;
        let event = assert_refused(&answer, stand.kept.take(), code(slug));
        assert_eq!(&*event.path, "/open", "the query stays out of events");
    }
}

#[tokio::test]
async fn a_long_path_does_not_make_a_long_event() {
    let stand = Stand::new();
    let answer = ask(&stand.app(same), parse(&format!("GET /users/{}\nhost: a", "a".repeat(9000)))).await;
    let event = assert_refused(&answer, stand.kept.take(), DenialCode::UriTooLong);
    assert_eq!(event.path.len(), 512);
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_and_refused() {
    let stand = Stand::new();
    let pieces = (0..20).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; 1 << 16])));
    let mut request = parse("POST /echo\nhost: a");
    *request.body_mut() = Body::from_stream(stream::iter(pieces));
    let answer = ask(&stand.app(same), request).await;
    assert_refused(&answer, stand.kept.take(), DenialCode::BodyTooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_given_up() {
    let stand = Stand::new();
    let mut request = parse("POST /echo\nhost: a");
    *request.body_mut() = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = ask(&stand.app(same), request).await;
    assert_refused(&answer, stand.kept.take(), DenialCode::RequestTimeout);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_begins_is_given_up() {
    let stand = Stand::new();
    let answer = ask(&stand.app(same), parse("GET /never\nhost: a")).await;
    assert_refused(&answer, stand.kept.take(), DenialCode::DeadlineExceeded);
}

#[tokio::test]
async fn what_a_panic_said_stands_in_the_event_only() {
    let stand = Stand::new();
    let answer = ask(&stand.app(same), parse("GET /panic\nhost: a")).await;
    let event = assert_refused(&answer, stand.kept.take(), DenialCode::Internal);
    assert_eq!(event.evidence.iter().next(), Some(("panic", "the password is hunter2")));
    assert!(!answer.text.contains("hunter2"));
}

#[tokio::test]
async fn a_store_that_fails_refuses_unless_the_rule_says_otherwise() {
    let stand = Stand::counting_in(Unreachable);
    let answer = ask(&stand.app(same), parse("GET /open\nhost: a")).await;
    let event = assert_refused(&answer, stand.kept.take(), DenialCode::Unavailable);
    assert!(event.evidence.iter().any(|(_, value)| value.contains("no route to 10.0.0.7")));

    let allowing = stand.app(|preset| throttled(preset, OnFailure::Allow));
    let answer = ask(&allowing, parse("GET /open\nhost: a")).await;
    assert_eq!(answer.text, "open");
    assert_dressed(&answer);
    let kinds: Vec<EventKind> = stand.kept.take().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::ServiceFailed, EventKind::Access]);
    // A budget of a business flow is not granted uncounted.
    let allowing = stand.app(|preset| twice_a_minute(throttled(preset, OnFailure::Allow)));
    let answer = ask(&allowing, parse("GET /open\nhost: a")).await;
    assert_eq!(answer.code().as_deref(), Some("unavailable"));
}

#[tokio::test]
async fn budgets_are_those_of_each_client_and_come_back() {
    let stand = Stand::new();
    let app = stand.app(|preset| throttled(preset, OnFailure::Deny));
    let ask = async |peer: &str| ask(&app, from(parse("GET /open\nhost: a"), peer)).await;
    let first = ask("192.0.2.1:5000").await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit")), (200, Some("\"throttle\";r=0;t=60")));
    assert_eq!(first.header("ratelimit-policy"), Some("\"throttle\";q=1;w=60"));
    let second = ask("192.0.2.1:5001").await;
    assert_eq!((second.status.as_u16(), second.header("retry-after")), (429, Some("60")));
    assert_eq!(ask("192.0.2.2:5000").await.status, 200, "another client has its own");
    stand.clock.advance(Duration::from_secs(60));
    assert_eq!(ask("192.0.2.1:5002").await.status, 200, "waiting as told is enough");
}

#[tokio::test]
async fn a_challenge_says_what_would_help() {
    for (text, change, expect) in [
        ("GET /me\nhost: a", same as Change, "Bearer"),
        ("GET /me\nhost: a\nauthorization: Bearer x", same, "Bearer error=\"invalid_token\""),
        (
            "GET /me\nhost: a\nauthorization: DPoP $BOUND",
            same,
            "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA ES384\"",
        ),
        ("GET /me$USER", recently, "Bearer error=\"insufficient_user_authentication\", max_age=300"),
        ("GET /me\nhost: a\nx-api-key: x", same, "ApiKey header=\"x-api-key\""),
        ("GET /me$USER", |p| p.scopes("GET /me", ["b", "a"]), "Bearer error=\"insufficient_scope\", scope=\"a b\""),
        ("GET /me$USER", two_factors, "Bearer error=\"insufficient_user_authentication\", acr_values=\"aal2\""),
    ] {
        let stand = Stand::new();
        let answer = ask(&stand.app(change), stand.request(&text.replace("$USER", USER))).await;
        // The stand takes proofs of possession too, and a challenge for a token says so.
        let proofs = if expect.starts_with("Bearer") { ", DPoP algs=\"ES256 EdDSA ES384\"" } else { "" };
        assert_eq!(answer.header("www-authenticate"), Some(&*format!("{expect}{proofs}")), "{text}");
    }
}

#[tokio::test]
async fn people_are_told_in_a_page() {
    let stand = Stand::new();
    let answer = ask(&stand.app(same), parse("GET /me?%3Cscript%3E\nhost: a\naccept: text/html,*/*")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(answer.text.contains("credential-missing") && !answer.text.contains("script"), "{}", answer.text);
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
}

/// Stages whose settings the presets do not have.
#[tokio::test]
async fn networks_and_places_are_refused() {
    let deny = Client {
        networks: Networks { deny: vec!["192.0.2.0/24".parse().unwrap()], ..Networks::default() },
        ..Client::default()
    };
    for (slug, stage) in [("client-forbidden", Passing::Client(deny)), ("overloaded", Passing::Admit(Admit::new(0)))] {
        let stand = Stand::new();
        let service = hand_built(&stand, stage);
        let answer = ask(&service, from(parse("GET /open\nhost: a"), "192.0.2.1:5000")).await;
        assert_refused(&answer, stand.kept.take(), code(slug));
        let elsewhere = ask(&service, from(parse("GET /open\nhost: a"), "198.51.100.1:5000")).await;
        assert_eq!(elsewhere.status.is_success(), slug == "client-forbidden");
    }
}

#[tokio::test]
async fn a_request_that_may_pass_is_changed_by_nothing() {
    let stand = Stand::new();
    let app = stand.app(owned);
    for (text, expect) in [
        ("GET /open\nhost: a", "open"),
        ("GET /me$USER", "user:u-1"),
        ("GET /me\nhost: a\nx-api-key: a-key-of-the-reports-program", "service:reports"),
        ("GET /users/u-1$USER", "u-1"),
        ("GET /users/u%2D1$USER", "u-1"),
        ("GET /files/u-1$USER", "u-1"),
        ("POST /echo\nhost: a\n\nhello", "hello"),
        ("POST /echo\nhost: a\ncookie: s=1\nsec-fetch-site: same-origin\n\nhello", "hello"),
        ("POST /echo$USER\nsec-fetch-site: cross-site\n\nhello", "hello"),
    ] {
        let answer = ask(&app, stand.request(&text.replace("$USER", USER))).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, expect), "{text}");
        assert_dressed(&answer);
        let kinds: Vec<EventKind> = stand.kept.take().into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Access], "{text}");
    }
}

/// What only a route, a contract or a backend can break has its tests with those stages and with the gateway.
#[test]
fn no_refusal_of_the_library_is_untested() {
    const ELSEWHERE: &[DenialCode] = &[
        DenialCode::CircuitOpen,
        DenialCode::CodingExcessive,
        DenialCode::CodingInvalid,
        DenialCode::DestinationForbidden,
        DenialCode::MarkupInText,
        DenialCode::MediaTypeUndeclared,
        DenialCode::NotCached,
        DenialCode::ParameterInvalid,
        DenialCode::PayloadInvalid,
        DenialCode::RequestMalformed,
        DenialCode::ResponseForeign,
        DenialCode::ObjectUnknown,
        DenialCode::SessionsExhausted,
        DenialCode::ResponseInvalid,
        DenialCode::ResponseLeaks,
        DenialCode::ResponseUndeclared,
        DenialCode::RouteUnknown,
        DenialCode::UpgradeInvalid,
        DenialCode::UpstreamFailed,
        DenialCode::UpstreamUnreachable,
    ];
    const ALONE: &[DenialCode] = &[
        DenialCode::ClientForbidden,
        DenialCode::DeadlineExceeded,
        DenialCode::HeadersTooLarge,
        DenialCode::Overloaded,
        DenialCode::RequestTimeout,
        DenialCode::Unavailable,
        DenialCode::Unpermitted,
        DenialCode::UriTooLong,
    ];
    let table = BROKEN.iter().map(|(slug, ..)| code(slug));
    let tested: BTreeSet<DenialCode> = table.chain(ALONE.iter().chain(ELSEWHERE).copied()).collect();
    assert_eq!(tested, DenialCode::ALL.iter().copied().collect::<BTreeSet<_>>());
}
