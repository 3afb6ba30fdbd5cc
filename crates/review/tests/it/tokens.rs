//! A service whose secret can be guessed: what it does not check of a token is found, and what it checks is not.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, Plan, Report, Target, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::strangers::Stranger;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ bearer: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
";

/// The parts of a token that are not looked at.
type Blind = Arc<BTreeSet<&'static str>>;

fn mac(message: &str) -> String {
    let pad = |byte: u8| {
        let mut key = b"secret123".to_vec();
        key.resize(64, 0);
        key.iter().map(|one| one ^ byte).collect::<Vec<u8>>()
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

fn token(name: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "sub": name, "iss": "https://issuer.example", "aud": ["https://api.example"], "token_use": "access",
        "exp": 4_000_000_000_u64,
    });
    let message = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "at+jwt" })), part(claims));
    format!("{message}.{}", mac(&message))
}

async fn me(State(blind): State<Blind>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let refused = StatusCode::UNAUTHORIZED;
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(refused)?;
    let (message, signature) = text.strip_prefix("Bearer ").and_then(|text| text.rsplit_once('.')).ok_or(refused)?;
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (head, claims) = message.split_once('.').ok_or(refused)?;
    let (head, claims) = read(head).zip(read(claims)).ok_or(refused)?;
    let checks = [
        ("aud", claims["aud"].as_array().is_some_and(|all| all.contains(&json!("https://api.example")))),
        ("b64", head.get("b64").is_none()),
        ("crit", head.get("crit").is_none_or(|names| *names == json!(["b64"]))),
        ("iss", claims["iss"] == "https://issuer.example"),
        ("kind", head["typ"] == "at+jwt"),
        ("nbf", claims["nbf"].as_u64().is_none_or(|from| from < 3_000_000_000)),
        ("token_use", claims["token_use"] == "access"),
    ];
    let is_signed = head["alg"] == "HS256" && mac(message) == signature;
    let is_fresh = claims["exp"].as_u64().is_some_and(|until| until > 3_000_000_000);
    let is_meant = checks.into_iter().all(|(name, is_fine)| is_fine || blind.contains(name));
    if is_signed && is_fresh && is_meant { Ok(Json(json!({ "name": claims["sub"] }))) } else { Err(refused) }
}

async fn review(blind: &[&'static str]) -> Report {
    let routes = Router::new().route("/me", get(me)).with_state(Arc::new(blind.iter().copied().collect()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities = ["ann", "ben"].map(|name| Identity::new(name, Login::Token(token(name)))).to_vec();
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap();
    run(&plan, target, &()).await.unwrap()
}

/// The parts of which a token was believed although they make it unfit.
fn unchecked(report: &Report) -> BTreeSet<&str> {
    let found = report.findings().filter(|finding| finding.rule == "token-unchecked");
    found.filter_map(|finding| finding.insertion.strip_prefix("header/authorization/")).collect()
}

#[tokio::test]
async fn each_claim_that_nobody_checks_is_found_and_no_other() {
    let all = ["aud", "b64", "crit", "iss", "kind", "nbf", "token_use"];
    assert_eq!(unchecked(&review(&all).await), BTreeSet::from(all));
    let report = review(&[]).await;
    assert!(report.findings().any(|finding| finding.rule == "token-guessable"), "the secret was guessed");
    assert_eq!(unchecked(&report), BTreeSet::new());
    for one in all {
        assert_eq!(unchecked(&review(&[one]).await), BTreeSet::from([one]));
    }
}

/// What was proved of a service that believes tokens of one kind too many, by the rule and how it was done.
async fn sealed(flaw: &str) -> BTreeSet<(String, String)> {
    let service = Stranger::start("node", "seal.mjs", flaw);
    let target = Target::new(format!("http://127.0.0.1:{}", service.port()).parse().unwrap()).unwrap();
    let login = |name: &str| Identity::new(name, Login::json("/login", json!({ "name": name }), "/token"));
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), vec![login("ann"), login("ben")]).unwrap();
    let report = run(&plan, target, &()).await.unwrap();
    let found = report.findings().filter(|one| one.confidence == Confidence::Proved && one.rule.starts_with("token-"));
    found.map(|one| (one.rule.to_owned(), one.summary.clone())).collect()
}

#[tokio::test]
async fn a_public_key_that_is_taken_for_a_secret_is_found_in_every_writing() {
    for writing in ["spki", "spki-trimmed", "pkcs1", "pkcs1-trimmed", "spki-der", "pkcs1-der", "jwk"] {
        let found = sealed(writing).await;
        assert_eq!(found.len(), 1, "{writing}: {found:#?}");
        assert_eq!(found.first().unwrap().0, "token-confused", "{writing}");
    }
    assert_eq!(sealed("none").await, BTreeSet::new());
}

#[tokio::test]
async fn an_encrypted_token_that_nobody_has_signed_is_found_where_it_is_believed() {
    for (flaw, rule, word) in [
        ("sealed", "token-unsigned", "encrypted for the service"),
        ("sealed-256", "token-unsigned", "encrypted for the service"),
        ("sealed-zeros", "token-guessable", "key of zeros"),
    ] {
        let found = sealed(flaw).await;
        assert_eq!(found.len(), 1, "{flaw}: {found:#?}");
        let (proved, summary) = found.first().unwrap();
        assert!(proved == rule && summary.contains(word), "{flaw}: {found:#?}");
    }
}
