//! A service that checks whose collection a path names, and not whether the object is in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{delete, get};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan, Row, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.1.0
security: [{ token: [] }]
paths:
  /files:
    get: { operationId: listFiles, responses: { '200': { content: { application/json: { schema: { type: array, items: { $ref: '#/components/schemas/File' } } } } } } }
    post: { operationId: makeFile, responses: { '201': { content: { application/json: { schema: { $ref: '#/components/schemas/File' } } } } } }
  /files/{file}:
    get:
      operationId: showFile
      x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }
      parameters: [{ name: file, in: path, required: true, schema: { $ref: '#/components/schemas/FileId' } }]
      responses: { '200': { content: { application/json: { schema: { $ref: '#/components/schemas/File' } } } } }
  /people/{person}/files/{file}:
    delete:
      operationId: removeFile
      x-palisade: { owner: { request: [{ parameter: person, claim: sub }] } }
      parameters:
        - { name: person, in: path, required: true, schema: { type: string } }
        - { name: file, in: path, required: true, schema: { $ref: '#/components/schemas/FileId' } }
      responses: { '204': { description: gone } }
components:
  schemas:
    FileId: { type: string }
    File: { type: object, properties: { id: { $ref: '#/components/schemas/FileId' }, owner: { type: string } } }
";

type Files = Arc<Mutex<BTreeMap<String, String>>>;

fn caller(headers: &HeaderMap) -> Result<String, StatusCode> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer opaque-")).map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

fn render((id, owner): (&String, &String)) -> Value {
    json!({ "id": id, "owner": owner })
}

async fn list(State(files): State<Files>, headers: HeaderMap) -> Result<Json<Vec<Value>>, StatusCode> {
    let caller = caller(&headers)?;
    Ok(Json(files.lock().unwrap().iter().filter(|(_, owner)| **owner == caller).map(render).collect()))
}

async fn make(State(files): State<Files>, headers: HeaderMap) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let caller = caller(&headers)?;
    let mut files = files.lock().unwrap();
    let id = format!("f-{}", 100 + files.len());
    files.insert(id.clone(), caller.clone());
    Ok((StatusCode::CREATED, Json(render((&id, &caller)))))
}

async fn show(
    State(files): State<Files>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let caller = caller(&headers)?;
    let files = files.lock().unwrap();
    let owner = files.get(&id).filter(|owner| **owner == caller).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(render((&id, owner))))
}

async fn remove(
    State(files): State<Files>,
    Path((person, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, StatusCode> {
    if caller(&headers)? != person {
        return Err(StatusCode::FORBIDDEN);
    }
    // Kept under another name, so that ids are not used again.
    let gone = files.lock().unwrap().get_mut(&id).map(|owner| *owner = "nobody".to_owned());
    gone.map(|()| StatusCode::NO_CONTENT).ok_or(StatusCode::NOT_FOUND)
}

#[tokio::test]
async fn a_foreign_object_below_an_own_path_is_found() {
    let files = Files::default();
    let routes = Router::new()
        .route("/files", get(list).post(make))
        .route("/files/{file}", get(show))
        .route("/people/{person}/files/{file}", delete(remove))
        .with_state(Arc::clone(&files));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let identity = |name: &str| Identity::new(name, Login::Token(format!("opaque-{name}"))).with_claim("sub", name);
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), vec![identity("ann"), identity("ben")]).unwrap();
    let report = run(&plan, target, &()).await.unwrap();

    let written = || report.findings().filter(|finding| finding.row == Row::ObjectAuthorization);
    let found: Vec<_> = written().map(|finding| (finding.rule, finding.insertion.as_str())).collect();
    assert_eq!(found, [("object-written", "path/file")]);
    let finding = written().next().unwrap();
    assert!(finding.curl.contains("/people/ann/files/f-"), "{}", finding.curl);
    assert!(report.operations.iter().all(|reach| reach.reached_2xx), "{:?}", report.operations);
}
