//! A sound service whose users show each other much on purpose, and whose contract does not say so: nothing may be
//! proved against it, however much it looks like somebody else's.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::get;
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Mode, Plan, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
paths:
  /api/me: { get: { responses: { 200: { description: who asks } } } }
  /api/people: { get: { responses: { 200: { description: all members } } } }
  /api/people/{username}: { get: { parameters: [{ name: username, in: path, required: true, schema: { type: string } }], responses: { 200: { description: a profile } } } }
  /api/posts:
    get: { responses: { 200: { description: everybody's posts } } }
    post:
      requestBody: { content: { application/json: { schema: { type: object, required: [text], properties: { text: { type: string } } } } } }
      responses: { 201: { description: made } }
  /api/posts/{postId}:
    parameters: [{ name: postId, in: path, required: true, schema: { type: integer } }]
    get: { responses: { 200: { description: a post } } }
    put:
      requestBody: { content: { application/json: { schema: { type: object, required: [text], properties: { text: { type: string } } } } } }
      responses: { 200: { description: a post } }
  /api/drafts: { get: { responses: { 200: { description: the caller's drafts } } } }
  /api/drafts/{id}: { get: { parameters: [{ name: id, in: path, required: true, schema: { type: integer } }], responses: { 200: { description: a draft } } } }
  /api/news: { get: { responses: { 200: { description: for everybody } } } }
";

type Posts = Arc<Mutex<Vec<Value>>>;
type Answer = Result<Json<Value>, StatusCode>;

const PEOPLE: [(u64, &str); 3] = [(1, "ann"), (2, "ben"), (3, "cem")];

fn caller(headers: &HeaderMap) -> Result<(u64, &'static str), StatusCode> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let name = header.and_then(|value| value.strip_prefix("Bearer opaque-")).ok_or(StatusCode::UNAUTHORIZED)?;
    PEOPLE.into_iter().find(|(_, known)| *known == name).ok_or(StatusCode::UNAUTHORIZED)
}

fn profile((id, name): (u64, &str)) -> Value {
    json!({ "id": id, "username": name, "about": format!("I am {name}") })
}

async fn me(headers: HeaderMap) -> Answer {
    Ok(Json(json!({ "data": profile(caller(&headers)?) })))
}

async fn people(headers: HeaderMap) -> Answer {
    caller(&headers)?;
    Ok(Json(json!({ "data": PEOPLE.map(profile) })))
}

async fn person(headers: HeaderMap, Path(name): Path<String>) -> Answer {
    caller(&headers)?;
    let person = PEOPLE.into_iter().find(|(_, known)| *known == name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "data": profile(person) })))
}

async fn posts(State(posts): State<Posts>, headers: HeaderMap) -> Answer {
    caller(&headers)?;
    Ok(Json(json!({ "data": *posts.lock().unwrap() })))
}

async fn write(
    State(posts): State<Posts>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let (_, author) = caller(&headers)?;
    let text = body["text"].as_str().ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    let mut posts = posts.lock().unwrap();
    let post = json!({ "id": posts.len(), "author": author, "text": text });
    posts.push(post.clone());
    Ok((StatusCode::CREATED, Json(json!({ "data": post }))))
}

async fn post(State(posts): State<Posts>, headers: HeaderMap, Path(id): Path<usize>) -> Answer {
    caller(&headers)?;
    posts.lock().unwrap().get(id).map(|post| Json(json!({ "data": post }))).ok_or(StatusCode::NOT_FOUND)
}

async fn rewrite(
    State(posts): State<Posts>,
    headers: HeaderMap,
    Path(id): Path<usize>,
    Json(body): Json<Value>,
) -> Answer {
    let (_, author) = caller(&headers)?;
    let text = body["text"].as_str().ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    let mut posts = posts.lock().unwrap();
    let post = posts.get_mut(id).ok_or(StatusCode::NOT_FOUND)?;
    if post["author"] != author {
        return Err(StatusCode::FORBIDDEN);
    }
    post["text"] = text.into();
    Ok(Json(json!({ "data": post })))
}

async fn drafts(headers: HeaderMap) -> Answer {
    let (id, author) = caller(&headers)?;
    Ok(Json(json!({ "data": [{ "id": 500 + id, "author": author, "text": "unfinished" }] })))
}

async fn draft(headers: HeaderMap, Path(draft): Path<u64>) -> Answer {
    let (id, author) = caller(&headers)?;
    let is_own = draft == 500 + id;
    is_own
        .then(|| Json(json!({ "data": { "id": draft, "author": author, "text": "unfinished" } })))
        .ok_or(StatusCode::NOT_FOUND)
}

#[tokio::test]
async fn what_is_shared_on_purpose_is_no_finding() {
    let routes = Router::new()
        .route("/api/me", get(me))
        .route("/api/people", get(people))
        .route("/api/people/{username}", get(person))
        .route("/api/posts", get(posts).post(write))
        .route("/api/posts/{id}", get(post).put(rewrite))
        .route("/api/drafts", get(drafts))
        .route("/api/drafts/{id}", get(draft))
        .route("/api/news", get(|| async { Json(json!(["it rains"])) }))
        .layer(middleware::from_fn(async |request, next: Next| {
            let mut response = next.run(request).await;
            let name = HeaderName::from_static("x-content-type-options");
            response.headers_mut().insert(name, HeaderValue::from_static("nosniff"));
            response
        }))
        .with_state(Posts::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let identities = PEOPLE.map(|(_, name)| Identity::new(name, Login::Token(format!("opaque-{name}"))));
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities.into()).unwrap().with_mode(Mode::Full);
    let report = run(&plan, target, &()).await.unwrap();
    let found: Vec<_> =
        report.findings().map(|finding| (finding.rule, &finding.operation, finding.confidence)).collect();
    let proved: Vec<_> = found.iter().filter(|(_, _, confidence)| confidence.slug() == "proved").collect();
    assert!(proved.is_empty(), "{proved:?}");
    assert!(report.operations.iter().all(|reach| reach.reached_2xx), "{:?}", report.operations);
    // The objects were attacked, not passed over.
    let objects = report.rows.iter().find(|result| result.probe == "object-authorization").unwrap();
    assert_eq!(objects.verdict.slug(), "not-proved", "{:?}", objects.verdict);
}
