//! What the reviewer asks where the contract does not say, and what it says of what it has not tested.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;
use palisade_review::{Baseline, Confidence, Identity, Login, Mode, Plan, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.1.0
security: [{ token: [] }]
components: { securitySchemes: { token: { type: http, scheme: bearer } } }
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
  /figures: { get: { operationId: figures, tags: [Administration], responses: { '200': { description: ok } } } }
  /ledger: { get: { operationId: ledger, tags: [admin], responses: { '200': { description: ok } } } }
  /drafts:
    post: { operationId: draft, responses: { '201': { description: ok } } }
  /drafts/{id}:
    get:
      operationId: readDraft
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: ok } }
";

fn caller(headers: &HeaderMap) -> Result<String, StatusCode> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    token.strip_prefix("Bearer opaque-").map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

async fn me(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!({ "name": caller(&headers)? })))
}

/// Careless: whoever has signed in sees them.
async fn figures(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    caller(&headers).map(|_| Json(json!({ "sold": 712 })))
}

async fn ledger(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    if caller(&headers)? == "admin" { Ok(Json(json!({ "due": 34 }))) } else { Err(StatusCode::FORBIDDEN) }
}

async fn no_draft(headers: HeaderMap, Path(_): Path<String>) -> Result<Json<Value>, StatusCode> {
    caller(&headers)?;
    Err(StatusCode::NOT_FOUND)
}

async fn review(names: &[&str], mode: Mode) -> Report {
    let routes = Router::new()
        .route("/me", get(me))
        .route("/figures", get(figures))
        .route("/ledger", get(ledger))
        .route("/drafts/{id}", get(no_draft));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identity = |name: &&str| Identity::new(*name, Login::Token(format!("opaque-{name}")));
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), names.iter().map(identity).collect()).unwrap();
    run(&plan.with_mode(mode), target, &()).await.unwrap()
}

fn exposed(report: &Report) -> Vec<(&str, Confidence)> {
    let exposed = report.findings().filter(|finding| finding.rule == "function-exposed");
    exposed.map(|finding| (finding.operation.as_str(), finding.confidence)).collect()
}

#[tokio::test]
async fn a_function_that_seems_to_be_for_few_is_a_question_without_an_administrator_and_a_proof_with_one() {
    let asked = review(&["ann", "ben"], Mode::Safe).await;
    assert_eq!(exposed(&asked), [("figures", Confidence::Question)]);
    let question = asked.findings().find(|finding| finding.rule == "function-exposed").unwrap();
    let expect =
        "ann is served what seems to be for administrators, and no identity is given that has it: is that meant?";
    assert_eq!(question.summary, expect);
    assert!(!asked.gate(&Baseline::default(), Timestamp::from_secs(1_795_305_600)).stops(), "a question stops nothing");
    let proved = review(&["ann", "ben", "admin"], Mode::Safe).await;
    assert_eq!(exposed(&proved), [("figures", Confidence::Proved)]);
}

#[tokio::test]
async fn a_safe_run_says_what_it_has_left_out_and_how_it_is_tested() {
    let report = review(&["ann", "ben"], Mode::Safe).await;
    let why = |id: &str| report.ending.coverage.iter().find(|one| one.operation == id).unwrap().why_not.clone();
    assert_eq!(why("draft").unwrap(), "it writes, and a safe run only reads: `--mode active` tests it");
    let json = report.to_json();
    let told = json["ending"]["coverage"].as_array().unwrap().iter().find(|one| one["operation"] == "draft").unwrap();
    assert_eq!(told["why_not"].as_str(), why("draft").as_deref(), "the report in JSON says it, too");
}
