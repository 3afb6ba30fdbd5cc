//! Sessions that anybody can sign, because the secret is a common word, and tokens of which nobody says when they end.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, Part, PartPlace, Plan, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ session: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
";

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message).as_ref().to_vec()
}

/// A session in a cookie, with the time and the signature behind it.
fn cookie(secret: &str, name: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(json!({ "who": name }).to_string()), "aRJ2gA");
    format!("{message}.{}", signature(secret, &message))
}

fn signature(secret: &str, message: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(&mac(secret.as_bytes(), b"cookie-session"), message.as_bytes()))
}

async fn by_cookie(State(secret): State<Arc<str>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let refused = StatusCode::UNAUTHORIZED;
    let text = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).ok_or(refused)?;
    let (message, signed) = text.strip_prefix("session=").and_then(|text| text.rsplit_once('.')).ok_or(refused)?;
    let kept = message.split_once('.').and_then(|(kept, _)| URL_SAFE_NO_PAD.decode(kept).ok()).ok_or(refused)?;
    let kept: Value = serde_json::from_slice(&kept).map_err(|_| refused)?;
    if signature(&secret, message) == signed { Ok(Json(kept)) } else { Err(refused) }
}

/// A token that the service keeps in a list, with these claims.
fn token(name: &str, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({ "alg": "HS256" })), part(claims), URL_SAFE_NO_PAD.encode(format!("{name:-<32}")))
}

async fn by_token(State(claims): State<Arc<Value>>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = ["ann", "ben"].into_iter().find(|name| text == format!("Bearer {}", token(name, &claims)));
    known.map(|name| Json(json!({ "who": name }))).ok_or(StatusCode::UNAUTHORIZED)
}

async fn review(routes: Router, login: impl Fn(&str) -> Login) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities = ["ann", "ben"].map(|name| Identity::new(name, login(name))).to_vec();
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap();
    run(&plan, target, &()).await.unwrap()
}

#[tokio::test]
async fn a_session_cookie_signed_with_a_common_word_is_signed_by_the_reviewer_as_well() {
    for (secret, expect) in [("changeme", true), ("R8vq-unlikely-0Zk1", false)] {
        let routes = Router::new().route("/me", get(by_cookie)).with_state(Arc::<str>::from(secret));
        let report = review(routes, |name| {
            let (name, value) = ("session".to_owned(), cookie(secret, name));
            Login::Fixed(vec![Part { place: PartPlace::Cookie, name, value }])
        });
        let report = report.await;
        let proved = report.findings().filter(|one| one.confidence == Confidence::Proved);
        let is_guessed = proved.into_iter().any(|one| one.rule == "token-guessable" && one.insertion == "cookie");
        assert_eq!(is_guessed, expect, "{secret}");
    }
}

#[tokio::test]
async fn of_a_token_without_an_end_it_is_asked_whether_it_has_one() {
    for (claims, expect) in [(json!({ "kind": "app" }), true), (json!({ "exp": 4_000_000_000_u64 }), false)] {
        let routes = Router::new().route("/me", get(by_token)).with_state(Arc::new(claims.clone()));
        let report = review(routes, |name| Login::Token(token(name, &claims))).await;
        let about_end: Vec<Confidence> =
            report.findings().filter(|one| one.rule == "token-expired").map(|one| one.confidence).collect();
        let asked = if expect { vec![Confidence::Question] } else { Vec::new() };
        assert_eq!(about_end, asked, "{claims}");
    }
}
