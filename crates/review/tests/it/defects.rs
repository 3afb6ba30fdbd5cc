//! A contract with defects and a foreign server: the defects are questions, and the foreign server hears nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Format, Identity, Login, Mode, Plan, Target, run};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::formats::about;

fn contract(foreign: &str) -> String {
    format!(
        "openapi: 3.0.3
servers: [{{ url: '{foreign}/v1' }}]
security: [{{ token: [] }}]
paths:
  /notes:
    servers: [{{ url: '{foreign}' }}]
    get:
      operationId: notes
      servers: [{{ url: '{foreign}/other' }}]
      responses: {{ '200': {{ $ref: '#/components/responses/Gone' }} }}
  /moved: {{ get: {{ operationId: moved, responses: {{ '302': {{ description: elsewhere }} }} }} }}
  /notes/{{note}}: {{ get: {{ operationId: note, responses: {{ '200': {{ description: ok }} }} }} }}
"
    )
}

#[tokio::test]
async fn defects_are_questions_and_a_foreign_server_hears_nothing() {
    let mut tasks = JoinSet::new();
    let foreign = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}", foreign.local_addr().unwrap());
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    tasks.spawn(async move {
        while foreign.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });

    let address = elsewhere.clone();
    let moved = move || async move { (StatusCode::FOUND, [(header::LOCATION, format!("{address}/v1/notes"))]) };
    let caller = |headers: &HeaderMap| headers.get(header::AUTHORIZATION).is_some_and(|one| one == "Bearer opaque-ann");
    let notes = move |headers: HeaderMap| async move {
        let served = Json(json!([{ "id": "n1" }]));
        if caller(&headers) { served.into_response() } else { StatusCode::UNAUTHORIZED.into_response() }
    };
    let note = move |headers: HeaderMap| async move {
        let served = Json(json!({ "id": "n1" }));
        let answer: Response =
            if caller(&headers) { served.into_response() } else { StatusCode::UNAUTHORIZED.into_response() };
        answer
    };
    let routes =
        Router::new().route("/notes", get(notes)).route("/moved", get(moved)).route("/notes/{note}", get(note));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let identities = vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))];
    let plan = Plan::new(&Source::new("c.yaml", contract(&elsewhere)), identities).unwrap().with_mode(Mode::Full);
    let report = run(&plan, target, &()).await.unwrap();
    assert!(report.requests > 20, "{}", report.requests);
    assert_eq!(connections.load(Ordering::SeqCst), 0, "somebody else was asked");

    let found: Vec<_> = report.findings().filter(|one| one.rule == "contract-defective").collect();
    let shown: Vec<_> =
        found.iter().map(|one| (one.operation.as_str(), one.confidence, one.summary.as_str())).collect();
    let expect = [
        ("notes", Confidence::Question, "`#/components/responses/Gone` leads to nothing in this document (line 10)"),
        ("note", Confidence::Question, "the path parameter `note` is not declared (line 12)"),
    ];
    assert_eq!(shown, expect);
    for format in Format::ALL {
        // A finding without a request has its place in every format but that of requests.
        let text = report.render(format, &about());
        assert!(format == Format::Har || text.contains("contract-defective"), "{format}: {text}");
    }
}
