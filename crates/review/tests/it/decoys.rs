//! A sound service that looks weak to whoever trusts a status code: nothing may be proved against it.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Mode, Plan, Target, Verdict, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.1.0
security: [{ token: [] }]
paths:
  /v2/search:
    get:
      operationId: search
      parameters:
        - { name: q, in: query, schema: { type: string }, example: fig }
        - { name: limit, in: query, schema: { type: integer, maximum: 2 } }
      responses: { '200': { content: { application/json: { schema: { type: array, items: { type: string } } } } } }
  /v2/notes:
    get: { operationId: listNotes, responses: { '200': { content: { application/json: { schema: { type: array, items: { $ref: '#/components/schemas/Note' } } } } } } }
  /v2/notes/{note_id}:
    parameters: [{ name: note_id, in: path, required: true, schema: { $ref: '#/components/schemas/NoteId' } }]
    get:
      operationId: showNote
      x-palisade: { owner: { response: [{ pointer: /author, claim: sub }] } }
      responses: { '200': { content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } } }
    patch:
      operationId: changeNote
      x-palisade: { owner: { response: [{ pointer: /author, claim: sub }] } }
      requestBody: { content: { application/json: { schema: { type: object, properties: { text: { type: string } } } } } }
      responses: { '200': { content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } } }
  /v2/page:
    get: { operationId: page, security: [], responses: { '200': { content: { text/html: {} } } } }
  /v2/hooks:
    post:
      operationId: addHook
      requestBody: { content: { application/json: { schema: { type: object, required: [url], properties: { url: { type: string, format: uri } } }, example: { url: 'https://example.com/' } } } }
      responses: { '202': { content: { application/json: { schema: { type: object } } } } }
  /v2/report:
    get:
      operationId: report
      x-palisade: { roles: [auditor] }
      responses: { '200': { content: { application/json: { schema: { type: array, items: { type: string } } } } } }
components:
  schemas:
    NoteId: { type: string, pattern: '^n[0-9]$' }
    Note:
      type: object
      properties:
        id: { $ref: '#/components/schemas/NoteId' }
        author: { type: string }
        text: { type: string }
        pinned: { type: boolean }
";

type Notes = Arc<Mutex<Vec<Value>>>;

fn caller(headers: &HeaderMap) -> Result<String, StatusCode> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let name = header.and_then(|value| value.strip_prefix("Bearer opaque-"));
    name.map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

/// Any of the words may match, so that more words find more: true and false conditions differ here by accident.
async fn search(
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Vec<String>>, StatusCode> {
    caller(&headers)?;
    let text = query.iter().find(|(name, _)| name == "q").map_or("", |(_, value)| value);
    let limit = query.iter().find(|(name, _)| name == "limit").and_then(|(_, value)| value.parse().ok());
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let items = ["fig", "route 8", "route 9", "plum"].into_iter();
    let found = items.filter(|item| words.is_empty() || words.iter().any(|word| item.contains(word)));
    // A limit too large is taken for the largest.
    Ok(Json(found.take(limit.unwrap_or(2_usize).min(2)).map(str::to_owned).collect()))
}

async fn list(State(notes): State<Notes>, headers: HeaderMap) -> Result<Json<Vec<Value>>, StatusCode> {
    let caller = caller(&headers)?;
    Ok(Json(notes.lock().unwrap().iter().filter(|note| note["author"] == caller).cloned().collect()))
}

/// Somebody else's note is answered with 200, and with nothing in it.
async fn show(
    State(notes): State<Notes>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let caller = caller(&headers)?;
    let notes = notes.lock().unwrap();
    let note = notes.iter().find(|note| note["id"] == id).ok_or(StatusCode::NOT_FOUND)?;
    let foreign = json!({ "id": id, "author": null, "text": null, "pinned": null });
    Ok(Json(if note["author"] == caller { note.clone() } else { foreign }))
}

/// Every change is answered with 200. What is not the caller's, or not a text, is left as it was.
async fn change(
    State(notes): State<Notes>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(changes): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let caller = caller(&headers)?;
    if let Some(note) = notes.lock().unwrap().iter_mut().find(|note| note["id"] == id && note["author"] == caller)
        && let Some(text) = changes["text"].as_str()
    {
        note["text"] = text.into();
    }
    Ok(Json(changes))
}

async fn page(State(notes): State<Notes>) -> Html<String> {
    let texts: Vec<String> =
        notes.lock().unwrap().iter().map(|note| note["text"].to_string().replace('<', "&lt;")).collect();
    Html(format!("<p>How to read a stack backtrace</p>{}", texts.join("<br>")))
}

async fn hook(headers: HeaderMap, Json(_): Json<Value>) -> Result<Response, StatusCode> {
    caller(&headers)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "state": "queued" }))).into_response())
}

/// Everybody may ask, and only auditors are told.
async fn report(headers: HeaderMap) -> Result<Json<Vec<&'static str>>, StatusCode> {
    let is_auditor = caller(&headers)? == "eve";
    Ok(Json(if is_auditor { vec!["ann sold figs", "ben bought figs"] } else { vec![] }))
}

/// Any page may read what needs no credential, and the server has a name without a version.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
    headers.insert(header::SERVER, HeaderValue::from_static("notary"));
    response
}

#[tokio::test]
async fn nothing_is_proved_by_a_status() {
    let note = |id: &str, author: &str| json!({ "id": id, "author": author, "text": "figs", "pinned": false });
    let notes: Notes = Arc::new(Mutex::new(vec![note("n1", "ann"), note("n2", "ben"), note("n3", "eve")]));
    let routes = Router::new()
        .route("/v2/search", get(search))
        .route("/v2/notes", get(list))
        .route("/v2/notes/{id}", get(show).patch(change))
        .route("/v2/page", get(page))
        .route("/v2/hooks", post(hook))
        .route("/v2/report", get(report))
        // A single-page application answers every path.
        .fallback(|| async { Html("<div id=app></div>") })
        .layer(middleware::from_fn(finish))
        .with_state(notes);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let identity = |name: &str| Identity::new(name, Login::Token(format!("opaque-{name}"))).with_claim("sub", name);
    let identities = vec![identity("ann"), identity("ben"), identity("eve").with_role("auditor")];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap().with_mode(Mode::Full);
    let report = run(&plan, target, &()).await.unwrap();

    let rules: Vec<&str> = report.findings().map(|finding| finding.rule).collect();
    assert!(rules.is_empty(), "{rules:?}");
    // The attacks were really made.
    for probe in [
        "business-flow",
        "function-authorization",
        "inventory",
        "misconfiguration",
        "object-authorization",
        "page-size",
        "password-guessing",
        "property-authorization",
        "server-side-request-forgery",
        "sql-injection",
        "stored-script",
        "unsafe-consumption",
        "verbose-errors",
    ] {
        let verdict = report.rows.iter().find(|result| result.probe == probe).map(|result| &result.verdict).unwrap();
        let is_skipped = ["business-flow", "inventory", "password-guessing", "unsafe-consumption"].contains(&probe);
        assert_eq!(matches!(verdict, Verdict::Skipped { .. }), is_skipped, "{probe}: {verdict:?}");
    }
}
