//! An external entity is found, found again by a replay, and gone when the service is repaired.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use palisade_core::diagnostic::Source;
use palisade_review::{Format, Identity, Login, Mode, Plan, Recorded, Replayed, Target, replay, run};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::formats::about;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
  /import:
    post:
      operationId: import
      requestBody: { content: { application/xml: { schema: { type: object, properties: { title: { type: string } } } } } }
      responses: { '200': { description: ok } }
";

/// What the service's reader of XML does with an external entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Fetches,
    Leaves,
    Reads,
}

fn is_known(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer opaque-ann")
}

async fn me(headers: HeaderMap) -> impl IntoResponse {
    let status = if is_known(&headers) { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    (status, Json(json!({ "known": is_known(&headers) })))
}

async fn import(State(reader): State<Reader>, headers: HeaderMap, text: String) -> impl IntoResponse {
    if !is_known(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "known": false })));
    }
    let address = text.split("SYSTEM \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let title = match (reader, address.split_once("://")) {
        (Reader::Fetches, Some(("http", rest))) => fetched(rest).await,
        (Reader::Reads, Some(("file", path))) => std::fs::read_to_string(path).unwrap_or_default(),
        _ => String::new(),
    };
    (StatusCode::OK, Json(json!({ "title": title })))
}

async fn fetched(address: &str) -> String {
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let Ok(mut stream) = TcpStream::connect(host).await else { return String::new() };
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = [0; 64];
    let _ = stream.read(&mut buffer).await;
    "fetched".to_owned()
}

async fn serve(reader: Reader) -> (Target, JoinSet<()>) {
    let routes = Router::new().route("/me", get(me)).route("/import", post(import)).with_state(reader);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (target, tasks)
}

fn identities() -> Vec<Identity> {
    vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))]
}

#[tokio::test]
async fn an_external_entity_is_replayed_with_its_witness() {
    for weak in [Reader::Fetches, Reader::Reads] {
        let (target, _tasks) = serve(weak).await;
        let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities()).unwrap().with_mode(Mode::Active);
        let mut about = about();
        about.target = target.base.to_string();
        let report = run(&plan, target.clone(), &()).await.unwrap();
        let finding = report.findings().find(|one| one.rule == "entity-resolved");
        let finding = finding.unwrap_or_else(|| panic!("{weak:?}: {:#?}", report.rows));
        let recorded = Recorded::read(&report.render(Format::Json, &about), &finding.fingerprint).unwrap();
        assert_eq!(replay(&recorded, &target, &identities()).await.unwrap(), Replayed::StillPresent, "{weak:?}");
        let (repaired, _others) = serve(Reader::Leaves).await;
        let fate = replay(&recorded, &repaired, &identities()).await.unwrap();
        assert!(matches!(fate, Replayed::Gone { .. }), "{weak:?}: {fate:?}");
    }
    let (sound, _tasks) = serve(Reader::Leaves).await;
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities()).unwrap().with_mode(Mode::Active);
    let report = run(&plan, sound, &()).await.unwrap();
    assert!(!report.findings().any(|one| one.rule == "entity-resolved"));
}
