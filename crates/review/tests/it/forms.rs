//! A service in the manner of older frameworks: a form to sign in, sessions in cookies, a token against cross-site
//! requests in everything that changes something. Nobody has an account there before the run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;
use palisade_review::{
    About, Format, Mode, Plan, Recorded, Replayed, Report, RunError, Target, read_identities, replay, run,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.1.0
security: [{ session: [] }]
components: { securitySchemes: { session: { type: apiKey, in: cookie, name: sid } } }
paths:
  /notes:
    get: { operationId: listNotes, responses: { '200': { description: ok, content: { application/json: { schema: { type: array } } } } } }
    post:
      operationId: writeNote
      requestBody: { content: { application/json: { schema: { type: object, required: [text], properties: { text: { type: string } } } } } }
      responses: { '201': { description: ok } }
  /notes/{id}:
    get:
      operationId: readNote
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: ok } }
";

const IDENTITIES: &str = "
auth: [{ name: ann }, { name: ben }]
authTemplate:
  createUsers:
    endpoint: /join
    verb: POST
    contentType: application/x-www-form-urlencoded
    payloadRaw: user={$user}&pass={$secret}
    generators: [{ placeHolder: '{$user}', maxLength: 12 }, { placeHolder: '{$secret}', prefix: Aa1-, minLength: 20 }]
  loginEndpointAuth:
    endpoint: /sign-in
    contentType: application/x-www-form-urlencoded
    payloadRaw: user={$user}&pass={$secret}
    expectCookies: true
";

#[derive(Default)]
struct Store {
    passwords: BTreeMap<String, String>,
    /// The account and the token of each session.
    sessions: BTreeMap<String, (String, String)>,
    notes: Vec<(String, String)>,
    next: u32,
}

type Shared = State<Arc<Mutex<Store>>>;

fn cookie(headers: &HeaderMap, name: &str) -> String {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pair = cookies.split("; ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    pair.unwrap_or_default().to_owned()
}

async fn page(State(store): Shared) -> Response {
    let mut store = store.lock().unwrap();
    store.next += 1;
    let token = format!("before-{}", store.next);
    let html = format!(
        "<form method=post><input type=hidden name=token value=\"{token}\"><input type=password name=pass></form>"
    );
    ([(header::SET_COOKIE, format!("csrftoken={token}; Path=/"))], Html(html)).into_response()
}

async fn sign_in(State(store): Shared, headers: HeaderMap, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let sent = form.get("token").cloned().unwrap_or_default();
    if sent.is_empty() || sent != cookie(&headers, "csrftoken") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut store = store.lock().unwrap();
    let user = form.get("user").cloned().unwrap_or_default();
    if !store.passwords.contains_key(&user) || store.passwords.get(&user) != form.get("pass") {
        return Html("wrong").into_response();
    }
    store.next += 1;
    let (session, token) = (format!("s3ss-{:08}", store.next), format!("after-{}", store.next));
    store.sessions.insert(session.clone(), (user, token.clone()));
    let mut response = (StatusCode::FOUND, [(header::LOCATION, "/")]).into_response();
    for set in [format!("sid={session}; HttpOnly"), format!("csrftoken={token}")] {
        response.headers_mut().append(header::SET_COOKIE, set.parse().unwrap());
    }
    response
}

async fn join(State(store): Shared, Form(form): Form<BTreeMap<String, String>>) -> StatusCode {
    let mut store = store.lock().unwrap();
    let is_long = form["user"].len() <= 12 && form["pass"].len() >= 20;
    if !is_long || store.passwords.contains_key(&form["user"]) {
        return StatusCode::CONFLICT;
    }
    store.passwords.insert(form["user"].clone(), form["pass"].clone());
    StatusCode::CREATED
}

fn who(store: &Store, headers: &HeaderMap) -> Result<(String, String), StatusCode> {
    store.sessions.get(&cookie(headers, "sid")).cloned().ok_or(StatusCode::UNAUTHORIZED)
}

/// Far enough from the others that a neighbor does not exist, not even later.
fn name(at: usize) -> String {
    format!("n{}", at * 1_000 + 517)
}

async fn list(State(store): Shared, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let store = store.lock().unwrap();
    let (user, _) = who(&store, &headers)?;
    let own = store.notes.iter().enumerate().filter(|(_, (owner, _))| *owner == user);
    Ok(Json(own.map(|(at, (_, text))| json!({ "id": name(at), "text": text })).collect()))
}

async fn write(
    State(store): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let mut store = store.lock().unwrap();
    let (user, token) = who(&store, &headers)?;
    if headers.get("x-csrftoken").and_then(|value| value.to_str().ok()) != Some(token.as_str()) {
        return Err(StatusCode::FORBIDDEN);
    }
    let text = body["text"].as_str().unwrap_or_default().to_owned();
    store.notes.push((user, text.clone()));
    Ok((StatusCode::CREATED, Json(json!({ "id": name(store.notes.len() - 1), "text": text }))))
}

/// Careless: whoever has signed in may read any note.
async fn read(State(store): Shared, headers: HeaderMap, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let store = store.lock().unwrap();
    who(&store, &headers)?;
    let found = store.notes.iter().enumerate().find(|(at, _)| name(*at) == id);
    let (_, (_, text)) = found.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({ "id": id, "text": text })))
}

struct Service {
    target: Target,
    store: Arc<Mutex<Store>>,
    _tasks: JoinSet<()>,
}

async fn open() -> Service {
    let store = Arc::<Mutex<Store>>::default();
    let routes = Router::new()
        .route("/sign-in", get(page).post(sign_in))
        .route("/join", post(join))
        .route("/notes", get(list).post(write))
        .route("/notes/{id}", get(read))
        .with_state(Arc::clone(&store));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Service { target, store, _tasks: tasks }
}

async fn review(service: &Service, identities: &str, mode: Mode) -> Result<Report, RunError> {
    let identities = read_identities(&Source::new("i.yaml", identities), &|_| None).unwrap();
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap().with_mode(mode);
    run(&plan, service.target.clone(), &()).await
}

#[tokio::test]
async fn accounts_are_made_signed_in_by_a_form_and_may_write() {
    let service = open().await;
    let report = review(&service, IDENTITIES, Mode::Active).await.unwrap();
    let reached = |id: &str| report.operations.iter().any(|reach| reach.id == id && reach.reached_2xx);
    assert!(reached("writeNote"), "the token is repeated in a header: {:?}", report.operations);
    let made = service.store.lock().unwrap().passwords.len();
    assert!(made > 2, "what is tried on throw-away accounts makes them in the same way: {made}");
    let rules: Vec<&str> = report.findings().map(|finding| finding.rule).collect();
    assert!(rules.contains(&"object-read"), "{rules:?}");
    assert!(rules.contains(&"cookie-unprotected"), "the page was asked for its token before: {rules:?}");
    let text = format!("{report:?}");
    for secret in ["Aa1-", "s3ss-", "after-"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_replay_signs_in_to_the_accounts_that_the_run_has_made() {
    let service = open().await;
    let report = review(&service, IDENTITIES, Mode::Active).await.unwrap();
    let about = About {
        target: service.target.base.to_string(),
        contract: Source::new("c.yaml", CONTRACT),
        mode: Mode::Active,
        started: Timestamp::from_secs(1_795_305_600),
    };
    let finding = report.findings().find(|finding| finding.rule == "object-read").unwrap();
    let recorded = Recorded::read(&report.render(Format::Json, &about), &finding.fingerprint).unwrap();
    let identities = read_identities(&Source::new("i.yaml", IDENTITIES), &|_| None).unwrap();
    let made = service.store.lock().unwrap().passwords.len();
    let fate = replay(&recorded, &service.target, &identities).await.unwrap();
    assert_eq!(fate, Replayed::StillPresent);
    assert_eq!(service.store.lock().unwrap().passwords.len(), made, "nobody else was made");
}

#[tokio::test]
async fn an_account_that_cannot_be_made_is_told_with_its_request() {
    let service = open().await;
    let identities = IDENTITIES.replace("minLength: 20", "maxLength: 8");
    let error = review(&service, &identities, Mode::Safe).await.unwrap_err();
    assert_eq!(error.to_string(), "no account could be made for `ann`: POST /join was answered with 409");
}

#[test]
fn what_is_wrong_with_the_making_of_accounts_is_told() {
    for (from, to, expect) in [
        (
            "generators: [{ placeHolder: '{$user}', maxLength: 12 }, { placeHolder: '{$secret}', prefix: Aa1-, minLength: 20 }]",
            "{}",
            "every account would be the same",
        ),
        (
            "placeHolder: '{$user}', maxLength: 12",
            "placeHolder: '{$user}', maxLength: 1, minLength: 2",
            "`minLength` is over `maxLength`",
        ),
        ("placeHolder: '{$user}'", "placeHolder: '{$name}'", "`{$name}` is not in `payloadRaw`"),
        ("placeHolder: '{$user}', ", "", "a generator needs a `placeHolder`"),
        ("endpoint: /join", "endpoint: join", "`endpoint` is no path"),
        ("endpoint: /join", "externalEndpointURL: https://elsewhere.example/", "outside the target"),
    ] {
        let text = IDENTITIES.replace(from, to);
        let text = if to == "{}" { IDENTITIES.replace(&format!("    {from}\n"), "") } else { text };
        let problems = read_identities(&Source::new("i.yaml", text), &|_| None).unwrap_err();
        let told: String = problems.iter().map(|problem| problem.to_string()).collect();
        assert!(told.contains(expect), "{expect}: {told}");
    }
}
