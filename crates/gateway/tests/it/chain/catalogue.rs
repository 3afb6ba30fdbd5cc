//! Every refusal that a gateway can give, provoked once: its status, its problem, its two events, and a backend that
//! hears of it only where the answer is at fault.

use palisade_core::denial::DenialCode;
use palisade_testkit::upstream::{Upstream, closed_address};
use tokio::task::JoinSet;

use super::harness::{POLICY, STACK_TRACE, Site, shop, with_route, with_sections};
use super::held::Held;
use super::identity::with_proofs;
use super::wire;

/// What has to be there for a refusal.
struct Scene {
    policy: String,
    backend: Backend,
    /// Requests that are answered before.
    before: Vec<&'static str>,
    /// The request that is refused.
    request: String,
    /// The body behind it, where that is no text.
    encoded: Option<Vec<u8>>,
    /// What the head of the answer says besides.
    headers: Vec<(&'static str, &'static str)>,
}

enum Backend {
    /// Nobody listens.
    Closed,
    /// It is busy with a first request and answers none.
    Held,
    /// It answers.
    Shop,
    /// It takes connections and says nothing.
    Silent,
}

/// A request that the usual policy refuses.
fn ask(request: impl Into<String>) -> Scene {
    let (policy, request) = (POLICY.to_owned(), request.into());
    Scene { policy, backend: Backend::Shop, before: Vec::new(), request, encoded: None, headers: Vec::new() }
}

/// A request that another policy refuses.
fn under(policy: String, request: &str) -> Scene {
    Scene { policy, ..ask(request) }
}

/// An order that is not valid.
fn order(body: &str) -> Scene {
    ask(format!("POST /orders\nauthorization: Bearer ${{alice}}\ncontent-type: application/json\n\n{body}"))
}

/// A form whose body is compressed.
const FORM: &str = "POST /forms\ncontent-type: application/x-www-form-urlencoded\ncontent-encoding: gzip";

/// Whether a wait is what is left of another after a moment: on a busy machine requests follow each other slowly.
fn is_a_little_less(told: &str, whole: &str) -> bool {
    let (told, whole): (u64, u64) = (told.parse().unwrap(), whole.parse().unwrap());
    (whole.saturating_sub(120).max(1)..=whole).contains(&told)
}

/// How each refusal comes about. A code that is new in the catalogue needs a scene of its own. Two of those without one
/// say that the gateway itself is broken, and one belongs to routes of the library.
fn scene(code: DenialCode) -> Option<Scene> {
    use DenialCode as Code;
    Some(match code {
        Code::AssuranceInsufficient => Scene {
            headers: vec![(
                "www-authenticate",
                "Bearer error=\"insufficient_user_authentication\", acr_values=\"aal2\"",
            )],
            ..ask("POST /transfers\nauthorization: Bearer ${alice}")
        },
        Code::BodyTooLarge => under(
            with_route("max_body = \"8B\""),
            "POST /forms\ncontent-type: application/x-www-form-urlencoded\n\nname=0123456789",
        ),
        Code::CircuitOpen => Scene {
            policy: POLICY.replace("failures = 100", "failures = 1\npause = \"1h\""),
            backend: Backend::Closed,
            before: vec!["GET /items"],
            headers: vec![("retry-after", "3600")],
            ..ask("GET /items")
        },
        Code::ClientForbidden => under(with_sections("[client]\ndeny = [\"127.0.0.0/8\"]"), "GET /items"),
        Code::ClaimInsufficient => ask("GET /prices\nauthorization: Bearer ${alice}"),
        Code::CodingExcessive => Scene {
            encoded: Some(super::limits::gzip(&[b'a'; 200_000])),
            ..under(with_route("accept_encoding = [\"gzip\"]"), FORM)
        },
        Code::CodingInvalid => {
            Scene { encoded: Some(b"name=plain".to_vec()), ..under(with_route("accept_encoding = [\"gzip\"]"), FORM) }
        }
        Code::CodingUndeclared => Scene {
            encoded: Some(super::limits::gzip(b"name=apple")),
            headers: vec![("accept-encoding", "deflate, identity")],
            ..under(with_route("accept_encoding = [\"deflate\"]"), FORM)
        },
        Code::CredentialAmbiguous => ask("GET /items/1\nauthorization: Bearer ${alice}\nx-api-key: ${key}"),
        Code::CredentialInvalid => Scene {
            headers: vec![("www-authenticate", "Bearer error=\"invalid_token\"")],
            ..ask("GET /items/1\nauthorization: Bearer ${expired}")
        },
        Code::CredentialMissing => Scene { headers: vec![("www-authenticate", "Bearer")], ..ask("GET /items/1") },
        Code::CrossSiteRequest => ask("POST /checkout\ncookie: session=1\nsec-fetch-site: cross-site"),
        Code::DeadlineExceeded => Scene {
            policy: POLICY.replace("timeout = \"10s\"", "timeout = \"100ms\""),
            backend: Backend::Silent,
            ..ask("GET /items")
        },
        Code::DestinationForbidden => {
            order(r#"{"item": 1, "amount": 2, "picture": "http://169.254.169.254/latest/meta-data/"}"#)
        }
        Code::ExpectationUnsupported => ask("GET /items\nexpect: 200-ok"),
        Code::HeaderForbidden => ask("GET /items\nx-http-method-override: DELETE"),
        Code::HeadersTooLarge => under(
            with_sections("[limits]\nmax_headers = \"1KiB\""),
            &format!("GET /items\naccept-language: {}", "a".repeat(1024)),
        ),
        Code::HostInvalid => ask("GET /items\nhost: shop.example@evil.example"),
        Code::MarkupInText => order(r#"{"item": 1, "amount": 2, "note": "<img src=x onerror=alert(1)>"}"#),
        Code::MediaTypeUndeclared => {
            ask("POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/xml\n\n<order/>")
        }
        Code::MethodUndeclared => Scene { headers: vec![("allow", "GET, HEAD")], ..ask("PATCH /items") },
        Code::NotCached => under(with_route("cache = {}"), "GET /items\ncache-control: only-if-cached"),
        Code::ObjectForbidden => ask("GET /users/bob/orders\nauthorization: Bearer ${alice}"),
        Code::ObjectUnknown => ask("GET /orders/7\nauthorization: Bearer ${alice}\nx-play: not found"),
        Code::OperationUndeclared => ask("GET /admin\nauthorization: Bearer ${admin}"),
        Code::Overloaded => Scene {
            policy: with_sections("[limits]\nmax_concurrent = 1"),
            backend: Backend::Held,
            headers: vec![("retry-after", "1")],
            ..ask("GET /items")
        },
        Code::ParameterInvalid => ask("GET /items?limit=51"),
        Code::PathAmbiguous => ask("GET /items/..%2f..%2fadmin"),
        Code::PayloadInvalid => order(r#"{"item": 1, "amount": 2, "is_paid": true}"#),
        Code::PreflightRefused => {
            ask("OPTIONS /items/1\norigin: https://evil.example\naccess-control-request-method: DELETE")
        }
        Code::ProofInvalid => Scene {
            headers: vec![(
                "www-authenticate",
                "DPoP error=\"invalid_dpop_proof\", resource_metadata=\"https://api.example.com/.well-known/\
                 oauth-protected-resource\", algs=\"ES256 EdDSA ES384\"",
            )],
            ..under(with_proofs("required"), "GET /items/1\nauthorization: DPoP ${bound}")
        },
        Code::QuotaExhausted => Scene {
            before: vec!["POST /checkout\nauthorization: Bearer ${alice}"; 2],
            headers: vec![
                ("retry-after", "1800"),
                ("ratelimit-policy", "\"throttle\";q=100;w=1, \"quota\";q=2;w=3600"),
            ],
            ..ask("POST /checkout\nauthorization: Bearer ${alice}")
        },
        Code::RequestMalformed => ask("PUT /photos/1\ncontent-length: 1\ntransfer-encoding: chunked\n\n0\r\n\r\n"),
        Code::RequestTimeout => under(
            with_route("body_timeout = \"100ms\""),
            "POST /forms\ncontent-type: application/x-www-form-urlencoded\ncontent-length: 10\n\nname=",
        ),
        Code::ResponseForeign => ask("GET /orders/7\nauthorization: Bearer ${alice}\nx-play: bob"),
        Code::ResponseInvalid => ask("GET /items/1\nauthorization: Bearer ${alice}\nx-play: wrong type"),
        Code::ResponseLeaks => ask("GET /items/1\nauthorization: Bearer ${alice}\nx-play: leak"),
        Code::ResponseUndeclared => ask("GET /items/1\nauthorization: Bearer ${alice}\nx-play: page"),
        Code::RoleInsufficient => ask("DELETE /items/1\nauthorization: Bearer ${alice}"),
        Code::RouteUnknown => under(POLICY.replace("/**", "/items/**"), "GET /orders"),
        Code::ScopeInsufficient => Scene {
            headers: vec![("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"reports:read\"")],
            ..ask("GET /reports\nauthorization: Bearer ${alice}")
        },
        Code::Throttled => Scene {
            policy: with_route("throttle = { requests = 1, per = \"1h\" }"),
            before: vec!["GET /items"],
            headers: vec![
                ("retry-after", "3600"),
                ("ratelimit-policy", "\"throttle\";q=1;w=3600"),
                ("ratelimit", "\"throttle\";r=0;t=3600"),
            ],
            ..ask("GET /items")
        },
        Code::Unavailable => under(
            POLICY.replace("file:jwks.json", "http://{closed}/jwks.json"),
            "GET /items/1\nauthorization: Bearer ${alice}",
        ),
        Code::UpgradeInvalid => Scene {
            headers: vec![("sec-websocket-version", "13")],
            ..ask("GET /socket\nupgrade: websocket\nsec-websocket-version: 13")
        },
        Code::UpstreamFailed => ask("GET /items/1\nauthorization: Bearer ${alice}\nx-play: trace"),
        Code::UpstreamUnreachable => Scene { backend: Backend::Closed, ..ask("GET /items") },
        Code::UriTooLong => ask(format!("GET /items?q={}", "a".repeat(8 << 10))),
        Code::Internal | Code::SessionsExhausted | Code::Unpermitted => return None,
    })
}

#[tokio::test]
async fn every_refusal_has_its_answer_and_its_events() {
    let mut scenes = JoinSet::new();
    for code in DenialCode::ALL.iter().copied() {
        if let Some(scene) = scene(code) {
            scenes.spawn(provoke(code, scene));
        }
    }
    assert_eq!(scenes.join_all().await.len(), DenialCode::ALL.len() - 3);
}

async fn provoke(code: DenialCode, scene: Scene) {
    let closed = closed_address().await.to_string();
    let policy = scene.policy.replace("{closed}", &closed);
    let (mut waiting, mut upstream, mut busy) = (JoinSet::new(), None, None);
    let url = match scene.backend {
        Backend::Closed => format!("http://{closed}"),
        Backend::Held => busy.insert(Held::start("", "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await).url(),
        Backend::Shop => upstream.insert(shop().await).url(),
        Backend::Silent => upstream.insert(Upstream::silent().await).url(),
    };
    let site = Site::start(&policy, &url).await;
    if let Some(busy) = &busy {
        let (address, first) = (site.address, site.request("GET /items"));
        waiting.spawn(async move { wire::exchange(address, &first).await });
        busy.entered().await;
    }
    for text in scene.before {
        site.ask(text).await;
    }
    let seen = upstream.as_ref().map_or(0, |upstream| upstream.received().len());
    let answer = match scene.encoded {
        None => site.ask(&scene.request).await,
        Some(body) => site.ask_with(&scene.request, &body).await,
    };
    let forwarded = upstream.as_ref().map_or(0, |upstream| upstream.received().len()) - seen;
    assert_eq!(forwarded, usize::from(is_of_the_answer(code)), "{code} is told before or after the backend");
    for (name, value) in scene.headers {
        let told = answer.header(name);
        assert!(told == value || name == "retry-after" && is_a_little_less(told, value), "{code}: {answer:?}");
    }
    if let Some(busy) = &busy {
        busy.release();
        waiting.join_next().await;
    }
    let log = site.finish().await;
    let evidence = log.assert_refused(&answer, code);
    if code == DenialCode::UpstreamFailed {
        assert_eq!(evidence["text"], STACK_TRACE);
        assert!(!answer.text().contains("Orders.java"), "{answer:?}");
    }
}

/// Whether it is the backend's answer that is refused.
fn is_of_the_answer(code: DenialCode) -> bool {
    use DenialCode::{
        ObjectUnknown, ResponseForeign, ResponseInvalid, ResponseLeaks, ResponseUndeclared, UpstreamFailed,
    };
    matches!(
        code,
        ObjectUnknown | ResponseForeign | ResponseInvalid | ResponseLeaks | ResponseUndeclared | UpstreamFailed
    )
}
