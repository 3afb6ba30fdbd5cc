//! A service that shares nothing with the shop: other names, opaque tokens, numbers for ids, no references.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan, Report, Target, Verdict, run};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /api/notes:
    get:
      operationId: listNotes
      responses:
        '200':
          content:
            application/json:
              schema:
                type: object
                properties: { notes: { type: array, items: { type: object, properties: { id: { type: integer }, author: { type: string }, text: { type: string } } } } }
  /api/notes/{noteId}:
    get:
      operationId: showNote
      x-palisade: { owner: { response: [{ pointer: /author, claim: sub }] } }
      parameters: [{ name: noteId, in: path, required: true, schema: { type: integer } }]
      responses:
        '200': { content: { application/json: { schema: { type: object, properties: { id: { type: integer }, author: { type: string }, text: { type: string } } } } } }
";

/// How the service treats somebody else's note.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It shows it.
    Careless,
    /// It answers as a gateway of ours would.
    Guarded,
    /// It says that it is not there.
    Sound,
}

const NOTES: [(u64, &str, &str); 3] = [(17, "ann", "buy figs"), (18, "ben", "sell figs"), (19, "ben", "plant figs")];

fn author(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer opaque-")
}

async fn list(headers: HeaderMap) -> Response {
    let Some(author) = author(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    let own = NOTES.iter().filter(|(_, owner, _)| *owner == author);
    let notes: Vec<_> = own.map(|(id, author, text)| json!({ "id": id, "author": author, "text": text })).collect();
    Json(json!({ "notes": notes })).into_response()
}

async fn show(State(manner): State<Arc<Manner>>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    let Some(caller) = author(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    match NOTES.iter().find(|(known, owner, _)| *known == id && (*owner == caller || *manner == Manner::Careless)) {
        Some((id, author, text)) => Json(json!({ "id": id, "author": author, "text": text })).into_response(),
        None if *manner == Manner::Guarded => {
            let problem =
                json!({ "type": "urn:palisade:problem:object-forbidden", "status": 404, "code": "object-forbidden" });
            let headers = [(header::CONTENT_TYPE, "application/problem+json")];
            (StatusCode::NOT_FOUND, headers, problem.to_string()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn review(manner: Manner) -> Report {
    let routes = Router::new().route("/api/notes", get(list)).route("/api/notes/{id}", get(show));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes.with_state(Arc::new(manner))).await.unwrap() });
    let identities =
        ["ann", "ben"].map(|name| Identity::new(name, Login::Token(format!("opaque-{name}"))).with_claim("sub", name));
    let plan = Plan::new(&Source::new("notes.yaml", CONTRACT), identities.into()).unwrap();
    run(&plan, target, &()).await.unwrap()
}

fn verdict<'r>(report: &'r Report, probe: &str) -> &'r Verdict {
    report.rows.iter().find(|result| result.probe == probe).map(|result| &result.verdict).unwrap()
}

#[tokio::test]
async fn objects_are_found_by_the_shape_of_the_paths() {
    let report = review(Manner::Careless).await;
    let finding = report.findings().find(|finding| finding.rule == "object-read").unwrap();
    assert_eq!((finding.operation.as_str(), finding.insertion.as_str()), ("showNote", "path/noteId"));
    assert!(finding.curl.contains("/api/notes/18") && finding.curl.contains("Bearer $ANN_TOKEN"), "{}", finding.curl);
    assert_eq!(
        *verdict(&review(Manner::Sound).await, "object-authorization"),
        Verdict::NotProved { reason: "an object of somebody else is answered with 404".to_owned(), blocked_by: None }
    );
}

#[tokio::test]
async fn the_rule_that_stopped_an_attack_is_named() {
    let report = review(Manner::Guarded).await;
    let Verdict::NotProved { blocked_by, .. } = verdict(&report, "object-authorization") else { panic!("proved") };
    assert_eq!(blocked_by.as_deref(), Some("object-forbidden"));
    let result = report.rows.iter().find(|result| result.probe == "object-authorization").unwrap();
    assert_eq!(result.withstood[0].blocked_by.as_deref(), Some("object-forbidden"));
    let careless = review(Manner::Careless).await;
    let finding = careless.findings().find(|finding| finding.rule == "object-read").unwrap();
    assert_eq!(result.withstood[0].fingerprint.as_ref(), Some(&finding.fingerprint), "the two can be put side by side");
}

#[tokio::test]
async fn what_the_contract_does_not_have_is_skipped() {
    let report = review(Manner::Sound).await;
    for probe in ["business-flow", "function-authorization", "page-size", "stored-script", "unsafe-consumption"] {
        assert!(matches!(verdict(&report, probe), Verdict::Skipped { .. }), "{probe}: {:?}", verdict(&report, probe));
    }
}
