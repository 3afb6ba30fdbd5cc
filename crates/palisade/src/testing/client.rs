//! Requests written as text, sent in process, and what comes back.

use std::convert::Infallible;

use axum::Router;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use palisade_core::event::SecurityEvent;
use serde_json::Value;
use tower_service::Service;

use super::{TestIssuer, TestWorld};
use crate::body::Body;
use crate::observe::Kept;

/// Somebody who calls an application, without a socket.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use palisade::{Chain, testing::TestWorld};
/// use serde_json::{Value, json};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let test = TestWorld::new();
/// let routes = Router::new().route("/echo", post(|body: Json<Value>| async move { body }));
/// let app = Chain::api().bearer(test.issuer.rules(), test.issuer.keys()).protect(routes, &test.world)?;
/// let alice = test.client(app).signed_in(json!({"sub": "alice"}));
/// let answer = alice.ask("POST /echo\ncontent-type: application/json\n\n{\"a\": 1}").await;
/// assert_eq!(answer.json(), json!({"a": 1}));
/// # Ok::<(), palisade::chain::ChainError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct TestClient {
    app: Router,
    issuer: TestIssuer,
    events: Kept,
    token: Option<String>,
}

impl TestClient {
    pub(super) fn new(app: Router, test: &TestWorld) -> Self {
        Self { app, issuer: test.issuer.clone(), events: test.events.clone(), token: None }
    }

    /// The caller of a token with these claims, such as `{"sub": "alice", "roles": ["admin"]}`.
    #[must_use]
    pub fn signed_in(&self, claims: impl Into<Value>) -> Self {
        Self { token: Some(self.issuer.token(&claims.into())), ..self.clone() }
    }

    /// Sends a request that is written as [`request`] reads it.
    pub async fn ask(&self, text: &str) -> Answer {
        self.send(request(text)).await
    }

    /// Sends a request, with a host and the caller's token where it has none.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers.entry(HOST).or_insert(HeaderValue::from_static("api.example.com"));
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is a header value");
            headers.entry(AUTHORIZATION).or_insert(value);
        }
        self.events.take();
        let answer = send(&self.app, request).await;
        Answer { events: self.events.take(), ..answer }
    }
}

/// An answer that was read to its end.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use axum::{Router, routing::get};
/// use palisade::testing::{request, send};
///
/// let app = Router::new().route("/", get(|| async { ([("x-a", "1")], "hi") }));
/// let answer = send(&app, request("GET /")).await;
/// assert_eq!((answer.status.as_u16(), answer.text.as_str(), answer.header("x-a")), (200, "hi", Some("1")));
/// assert_eq!(answer.code(), None);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; what is not UTF-8 is replaced.
    pub text: String,
    /// What was written down about the request, where a [`TestClient`] has sent it.
    pub events: Vec<SecurityEvent>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Its body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The code of a refusal; `None` for any other answer.
    pub fn code(&self) -> Option<String> {
        Some(self.json().get("code")?.as_str()?.to_owned())
    }
}

/// A request written as its request line, headers and, after an empty line, its body.
///
/// ```
/// let request = palisade::testing::request("POST /orders\nhost: a\n\nx=1");
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.headers()["host"], "a");
/// ```
pub fn request(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, uri) = lines.next().and_then(|line| line.split_once(' ')).expect("a method and a URI");
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header has a colon");
        request = request.header(name.parse::<HeaderName>().expect("a header name"), value.trim());
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

/// Sends one request to a service and reads the answer to its end. The service may be a [`Router`] or a
/// [`Guarded`](crate::chain::Guarded).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let answer = palisade::testing::send(&axum::Router::new(), palisade::testing::request("GET /")).await;
/// assert_eq!(answer.status, 404);
/// # });
/// ```
pub async fn send<S>(service: &S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let mut service = service.clone();
    let Ok(()) = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
    let Ok(response) = service.call(request).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("the answer has an end").to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: parts.status, headers: parts.headers, text, events: Vec::new() }
}
