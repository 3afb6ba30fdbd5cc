//! What the tests share: a world that stands still, tokens of a known issuer, and requests written as text.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path};
use axum::routing::{get, post};
use http::Request;
use palisade::Chain;
use palisade::credential::api_key::{ApiKeyHash, ApiKeyRecord, ApiKeys};
use palisade::extract::Principal;
use palisade::limit::OnFailure;
use palisade::observe::Kept;
use palisade::preset::{Preset, World};
use palisade::stage::throttle::ThrottleSettings;
pub(crate) use palisade::testing::{Answer, request as parse, send as ask};
use palisade::testing::{StillClock, TestIssuer, TestWorld};
use palisade::token::jwks::KeySet;
use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use palisade_core::id::ClientId;
use palisade_core::operation::{Limit, LimitBy};
use palisade_core::port::counter::Ask;
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_store::memory::{MemoryCounters, MemoryOnce};
use serde_json::{Value, json};

pub(crate) const API_KEY: &str = "a-key-of-the-reports-program";

/// A world, the events that happen in it, and an issuer whose tokens it believes.
pub(crate) struct Stand {
    pub(crate) clock: StillClock,
    pub(crate) kept: Kept,
    pub(crate) world: World,
    issuer: TestIssuer,
}

impl Stand {
    pub(crate) fn new() -> Self {
        Self::counting_in(MemoryCounters::default())
    }

    pub(crate) fn counting_in(counters: impl CounterStore) -> Self {
        let TestWorld { clock, events, issuer, world } = TestWorld::counting_in(counters);
        Self { clock, kept: events, world, issuer }
    }

    pub(crate) fn keys(&self) -> KeySet {
        self.issuer.key_set()
    }

    /// A token with these claims beside those that each needs.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.issuer.token(claims)
    }

    /// A chain that takes the issuer's tokens and one API key.
    pub(crate) fn preset(&self) -> Preset {
        let reports = ApiKeyRecord::new(ApiKeyHash::of(API_KEY), ClientId::new("reports"));
        Chain::api()
            .bearer_with_proofs(self.issuer.rules(), self.issuer.keys(), MemoryOnce::default())
            .api_keys(ApiKeys::new([reports]).unwrap())
            .public("GET /open")
            .public("POST /echo")
            .public("GET /panic")
            .public("GET /never")
    }

    /// The routes of [`routes`] behind the preset that `change` makes.
    pub(crate) fn app(&self, change: impl FnOnce(Preset) -> Preset) -> Router {
        change(self.preset()).protect(routes(), &self.world).unwrap()
    }

    /// A request written as its request line, headers and, after an empty line, its body. `$TOKEN` is a token of `u-1`,
    /// `$BOUND` one that is bound to a key.
    pub(crate) fn request(&self, text: &str) -> Request<Body> {
        let bound = json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}});
        parse(&text.replace("$TOKEN", &self.token(&json!({}))).replace("$BOUND", &self.token(&bound)))
    }
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/open", get(|| async { "open" }))
        .route("/me", get(|who: Principal| async move { who.subject().to_string() }))
        .route("/users/{id}", get(|Path(id): Path<String>| async move { id }))
        .route("/files/{*path}", get(|Path(path): Path<String>| async move { path }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("the password is hunter2")
                }
            }),
        )
        .route("/never", get(std::future::pending::<()>))
}

/// The same request from a client whose address is known.
pub(crate) fn from(mut request: Request<Body>, peer: &str) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    request
}

/// That an answer is the refusal `code` as everyone is promised it: a problem with that code, the headers that every
/// answer has, and one event that knows more than the caller and has the same request id. Gives that event back.
pub(crate) fn assert_refused(answer: &Answer, events: Vec<SecurityEvent>, code: DenialCode) -> SecurityEvent {
    assert_eq!(answer.code().as_deref(), Some(code.public().slug()), "{answer:?}");
    assert_eq!(answer.status, code.status(), "{code}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{code}");
    assert_dressed(answer);
    let problem: Value = serde_json::from_str(&answer.text).unwrap();
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(problem["request_id"], *id, "{code}");
    let [event, access]: [SecurityEvent; 2] = events.try_into().unwrap();
    assert_eq!((event.kind, access.kind), (code.event(), EventKind::Access), "{code}");
    for event in [&event, &access] {
        assert_eq!((event.outcome, event.request.as_str()), (Outcome::Denied(code), id), "{code}");
    }
    // The names of stages and headers may well be part of an answer, and so may a reason that is one plain word.
    let plain = |fact: &str, value: &str| {
        matches!(fact, "header" | "headers" | "stage") || fact == "reason" && !value.contains(['_', '-'])
    };
    let telling = |(fact, value): &(&str, &str)| !plain(fact, value) && value.len() > 4;
    for (fact, value) in event.evidence.iter().filter(telling) {
        assert!(!answer.text.contains(value), "{code} shows its evidence `{fact}`: {answer:?}");
    }
    event
}

/// That an answer has the headers that every answer has.
pub(crate) fn assert_dressed(answer: &Answer) {
    for (name, expect) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(expect), "{name} of {answer:?}");
    }
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{answer:?}");
    assert_eq!(answer.header("x-request-id").map(str::len), Some(36), "{answer:?}");
}

/// A budget of `burst` requests a minute.
pub(crate) fn minutely(burst: u32, on_failure: OnFailure) -> ThrottleSettings {
    let limit = Limit::new(burst, Duration::from_secs(60), LimitBy::Client);
    ThrottleSettings { limits: vec![Limit { on_failure, ..limit }] }
}

/// A store that nobody can reach.
pub(crate) struct Unreachable;

#[async_trait]
impl CounterStore for Unreachable {
    async fn acquire_all(&self, _: &mut [Ask<'_>], _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unreachable { reason: "no route to 10.0.0.7".to_owned() })
    }
}
