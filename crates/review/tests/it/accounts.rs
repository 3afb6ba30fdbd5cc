//! Ways to sign in that strangers use, credentials that expire, and accounts that must survive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Form, Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Mode, Plan, Report, RunError, Target, read_identities, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ any: [] }]
paths:
  /register:
    post:
      operationId: register
      security: []
      requestBody: { content: { application/json: { schema: { type: object, required: [username, password], properties: { username: { type: string }, password: { type: string } } } } } }
      responses: { '201': { description: ok } }
  /me:
    get: { operationId: me, responses: { '200': { description: ok } } }
  /users/{username}:
    get:
      operationId: showUser
      parameters: [{ name: username, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: ok } }
    delete:
      operationId: deleteUser
      parameters: [{ name: username, in: path, required: true, schema: { type: string } }]
      responses: { '204': { description: ok } }
  /users/{username}/password:
    put:
      operationId: changePassword
      parameters: [{ name: username, in: path, required: true, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { type: object, required: [password], properties: { password: { type: string } } } } } }
      responses: { '204': { description: ok } }
  /logout-everywhere:
    post: { operationId: logoutEverywhere, responses: { '204': { description: ok } } }
";

/// What the service remembers.
#[derive(Default)]
struct Store {
    passwords: BTreeMap<String, String>,
    sessions: BTreeMap<String, (String, u32)>,
    /// How many requests a session is good for.
    lasts: u32,
    /// How many may sign in.
    sign_ins: u32,
    /// How many have signed in.
    signed_in: u32,
    log: Vec<(Method, String, Option<String>)>,
}

type Shared = Arc<Mutex<Store>>;

impl Store {
    fn sign_in(&mut self, name: &str, password: &str) -> Option<String> {
        (self.passwords.get(name)? == password && self.signed_in < self.sign_ins).then(|| {
            self.signed_in += 1;
            let session = format!("s{}-{name}", self.signed_in);
            self.sessions.insert(session.clone(), (name.to_owned(), self.lasts));
            session
        })
    }

    /// Who has sent this credential, wherever it is.
    fn who(&mut self, headers: &HeaderMap, query: &str) -> Option<String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        if let Some(pair) = text("authorization").strip_prefix("Basic ") {
            return ["ann", "ben"].into_iter().find(|name| basic(name) == pair).map(str::to_owned);
        }
        let places = [
            text("authorization").trim_start_matches("Bearer ").to_owned(),
            text("x-session"),
            query.split('&').find_map(|pair| pair.strip_prefix("session=")).unwrap_or_default().to_owned(),
            text("cookie").split("; ").find_map(|pair| pair.strip_prefix("sid=")).unwrap_or_default().to_owned(),
        ];
        let (name, left) = places.iter().find_map(|session| self.sessions.get(session).cloned())?;
        let session = places.iter().find(|session| self.sessions.contains_key(*session))?;
        if left == 0 {
            self.sessions.remove(session);
            return None;
        }
        self.sessions.insert(session.clone(), (name.clone(), left - 1));
        Some(name)
    }
}

/// The name, and a password that is made of it.
fn basic(name: &str) -> &'static str {
    if name == "ann" { "YW5uOnB3LWFubg==" } else { "YmVuOnB3LWJlbg==" }
}

async fn log_in_json(State(store): State<Shared>, Json(body): Json<Value>) -> Response {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match store.lock().unwrap().sign_in(&text("username"), &text("password")) {
        Some(session) => {
            ([("x-session", session.clone())], Json(json!({ "data": { "token": session } }))).into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn log_in_form(State(store): State<Shared>, Form(body): Form<BTreeMap<String, String>>) -> Response {
    let text = |name: &str| body.get(name).cloned().unwrap_or_default();
    match store.lock().unwrap().sign_in(&text("user"), &text("pass")) {
        Some(session) => {
            let cookie = format!("sid={session}; Path=/; HttpOnly");
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, "/me".to_owned())])
                .into_response()
        }
        None => (StatusCode::OK, "<form>wrong</form>").into_response(),
    }
}

async fn register(State(store): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    store.lock().unwrap().passwords.insert(text("username"), text("password"));
    StatusCode::CREATED
}

/// Careless: whoever has signed in may delete anybody.
async fn remove(State(store): State<Shared>, Path(name): Path<String>) -> StatusCode {
    let mut store = store.lock().unwrap();
    store.sessions.retain(|_, (owner, _)| *owner != name);
    if store.passwords.remove(&name).is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// Careless: whoever has signed in may change anybody's password.
async fn password(State(store): State<Shared>, Path(name): Path<String>, Json(body): Json<Value>) -> StatusCode {
    let password = body["password"].as_str().unwrap_or_default().to_owned();
    store.lock().unwrap().passwords.insert(name, password);
    StatusCode::NO_CONTENT
}

async fn log_out(State(store): State<Shared>) -> StatusCode {
    store.lock().unwrap().sessions.clear();
    StatusCode::NO_CONTENT
}

async fn guard(State(store): State<Shared>, mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let who = store.lock().unwrap().who(request.headers(), &query);
    let line = (request.method().clone(), request.uri().path().to_owned(), who.clone());
    store.lock().unwrap().log.push(line);
    let Some(who) = who else { return StatusCode::UNAUTHORIZED.into_response() };
    request.headers_mut().insert("x-who", who.parse().unwrap());
    next.run(request).await
}

async fn me(headers: HeaderMap) -> Json<Value> {
    Json(json!({ "username": headers["x-who"].to_str().unwrap() }))
}

async fn show(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match headers["x-who"] == name.as_str() {
        true => Json(json!({ "username": name })).into_response(),
        // Refusals that look like expiry are common.
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

struct Outcome {
    report: Result<Report, RunError>,
    store: Shared,
    _tasks: JoinSet<()>,
}

async fn attack(identities: &str, mode: Mode, lasts: u32) -> Outcome {
    attack_with(identities, mode, lasts, u32::MAX).await
}

async fn attack_with(identities: &str, mode: Mode, lasts: u32, sign_ins: u32) -> Outcome {
    let store = Shared::default();
    {
        let mut store = store.lock().unwrap();
        (store.lasts, store.sign_ins) = (lasts, sign_ins);
        store.passwords = ["ann", "ben"].map(|name| (name.to_owned(), format!("pw-{name}"))).into();
    }
    let routes = Router::new()
        .route("/me", get(me))
        .route("/users/{name}", get(show))
        .route("/users/{name}", delete(remove))
        .route("/users/{name}/password", put(password))
        .route("/logout-everywhere", post(log_out))
        .layer(from_fn_with_state(Arc::clone(&store), guard))
        .route("/login", post(log_in_json))
        .route("/form", post(log_in_form))
        .route("/register", post(register))
        .with_state(Arc::clone(&store));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities = read_identities(&Source::new("i.yaml", identities), &|_| None).unwrap();
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap().with_mode(mode);
    let report = run(&plan, target, &()).await;
    Outcome { report, store, _tasks: tasks }
}

const JSON_LOGIN: &str = "
auth:
  - { name: ann, loginEndpointAuth: { payloadUserPwd: { username: ann, password: pw-ann } } }
  - { name: ben, loginEndpointAuth: { payloadUserPwd: { username: ben, password: pw-ben } } }
authTemplate: { loginEndpointAuth: { endpoint: /login, verb: POST, token: { extractFrom: body, extractSelector: /data/token } } }
";

#[tokio::test]
async fn every_way_to_sign_in_is_good_for_a_whole_run() {
    let form = JSON_LOGIN
        .replace("endpoint: /login", "endpoint: /form")
        .replace("{ username", "{ usernameField: user, passwordField: pass, username")
        .replace(
            "token: { extractFrom: body, extractSelector: /data/token }",
            "expectCookies: true, contentType: application/x-www-form-urlencoded",
        );
    let with = |token: &str| JSON_LOGIN.replace("extractFrom: body, extractSelector: /data/token", token);
    let fixed = |part: fn(&str) -> String| format!("auth: [{}, {}]", part("ann"), part("ben"));
    let basic = fixed(|name| {
        format!("{{ name: {name}, fixedHeaders: [{{ name: Authorization, value: 'Basic {}' }}] }}", basic(name))
    });
    for (how, identities) in [
        ("a token deep in the body", JSON_LOGIN.to_owned()),
        (
            "a token that has to be found",
            JSON_LOGIN.replace(", token: { extractFrom: body, extractSelector: /data/token }", ""),
        ),
        (
            "a token from a header to a header",
            with(
                "extractFrom: header, extractSelector: X-Session, sendIn: header, sendName: x-session, sendTemplate: '{token}'",
            ),
        ),
        ("a token in the query", with("extractFromField: /data/token, sendIn: query, sendName: session")),
        ("a token in a cookie", with("extractFromField: /data/token, sendIn: cookie, sendName: sid")),
        ("a form and a cookie", form),
        ("basic", basic),
    ] {
        let outcome = attack(&identities, Mode::Active, 1_000_000).await;
        let report = outcome.report.unwrap_or_else(|error| panic!("{how}: {error}"));
        let me = report.operations.iter().find(|reach| reach.id == "me").unwrap();
        assert!(me.reached_2xx, "{how}: {me:?}");
        let shown = format!("{report:?}");
        for secret in ["pw-ann", "s1-ann", "YW5uOnB3LWFubg"] {
            assert!(!shown.contains(secret), "{how} shows {secret}: {shown}");
        }
    }
}

#[tokio::test]
async fn a_form_that_answers_with_a_page_is_no_sign_in() {
    let identities = "auth: [{ name: ann, loginEndpointAuth: { endpoint: /form, payloadRaw: user=ann&pass=wrong, contentType: application/x-www-form-urlencoded, expectCookies: true } }]";
    let error = attack(identities, Mode::Safe, 9).await.report.unwrap_err();
    assert_eq!(error.to_string(), "`ann` could not sign in: POST /form was answered with 200, with no cookie is set");
}

#[tokio::test]
async fn credentials_that_expire_are_renewed_and_what_is_refused_is_not() {
    let outcome = attack(JSON_LOGIN, Mode::Active, 7).await;
    let report = outcome.report.unwrap();
    assert_eq!(report.ending.incomplete, None);
    let store = outcome.store.lock().unwrap();
    let renewed = usize::try_from(store.signed_in).unwrap();
    let served = store.log.iter().filter(|(_, _, who)| who.is_some()).count();
    assert!(renewed > 3, "{renewed}");
    assert!(renewed <= served / 4 + 4, "{renewed} sign-ins for {served} requests");
}

#[tokio::test]
async fn a_credential_that_cannot_be_renewed_ends_the_run() {
    let outcome = attack_with(JSON_LOGIN, Mode::Active, 12, 3).await;
    let ending = outcome.report.unwrap().ending;
    let why = ending.incomplete.unwrap();
    assert!(why.contains("expired, and it could not sign in again"), "{why}");
    assert_eq!(ending.locked_out.len(), 1);
}

#[tokio::test]
async fn given_accounts_survive_a_full_run_and_throwaways_are_made_for_what_destroys() {
    let outcome = attack(JSON_LOGIN, Mode::Full, 1_000_000).await;
    let report = outcome.report.unwrap();
    assert_eq!((report.ending.throwaways, report.ending.locked_out.len()), (2, 0), "{:?}", report.ending);
    let store = outcome.store.lock().unwrap();
    for name in ["ann", "ben"] {
        assert_eq!(store.passwords.get(name), Some(&format!("pw-{name}")), "{name} is as before");
    }
    // To ask what may be asked changes nothing.
    for (method, path, who) in store.log.iter().filter(|(method, ..)| *method != Method::OPTIONS) {
        let is_dangerous = *method == Method::DELETE || path.ends_with("/password") || path.starts_with("/logout");
        let is_given = |name: &str| name == "ann" || name == "ben";
        let about_given = path.split('/').any(is_given);
        assert!(!is_dangerous || !about_given && !who.as_deref().is_some_and(is_given), "{method} {path} as {who:?}");
    }
}

#[tokio::test]
async fn a_safe_run_makes_no_accounts() {
    let outcome = attack(JSON_LOGIN, Mode::Safe, 1_000_000).await;
    assert_eq!(outcome.report.unwrap().ending.throwaways, 0);
    let store = outcome.store.lock().unwrap();
    assert_eq!(store.passwords.len(), 2);
    assert!(
        store.log.iter().all(|(method, ..)| matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)),
        "{:?}",
        store.log
    );
}

#[tokio::test]
async fn one_identity_gets_company_where_anybody_can_register() {
    let alone = JSON_LOGIN.lines().filter(|line| !line.contains("name: ben")).collect::<Vec<_>>().join("\n");
    let outcome = attack(&alone, Mode::Active, 1_000_000).await;
    assert_eq!(outcome.report.unwrap().ending.throwaways, 2);
}
