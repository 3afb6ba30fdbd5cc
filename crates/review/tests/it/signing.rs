//! Sign-ins with a form: guessing and enumeration are found there as they are with JSON.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use http::Method;
use palisade_core::diagnostic::Source;
use palisade_review::{
    Confidence, Grant, Identity, Login, LoginPayload, LoginRequest, Mode, Plan, Report, Target, run,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ session: [] }]
paths:
  /enter:
    post:
      operationId: enter
      security: []
      requestBody: { content: { application/x-www-form-urlencoded: { schema: { type: object, required: [username, password], properties: { username: { type: string }, password: { type: string } } } } } }
      responses: { '303': { description: in } }
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
";

struct Door {
    is_weak: bool,
    failures: Mutex<BTreeMap<String, u32>>,
}

/// A refused form is answered with a page and a success, as pages do.
async fn enter(State(door): State<Arc<Door>>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (name, password) = (text("username"), text("password"));
    let failed = door.failures.lock().unwrap().get(&name).copied().unwrap_or_default();
    if failed >= 6 && !door.is_weak {
        return (StatusCode::TOO_MANY_REQUESTS, "later").into_response();
    }
    let is_known = ["ann", "ben"].contains(&name.as_str());
    if is_known && password == format!("{name}-key-5") {
        let cookie = format!("sid={name}-9f8e; HttpOnly; Secure; SameSite=Lax");
        return (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, "/me".to_owned())])
            .into_response();
    }
    *door.failures.lock().unwrap().entry(name).or_default() += 1;
    let said = if door.is_weak && !is_known { "<p>No such account</p>" } else { "<p>That was not right</p>" };
    ([(header::CONTENT_TYPE, "text/html")], said).into_response()
}

async fn me(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = ["ann", "ben"].into_iter().find(|name| cookies.contains(&format!("sid={name}-9f8e")));
    name.map(|name| Json(json!({ "username": name }))).ok_or(StatusCode::UNAUTHORIZED)
}

async fn review(is_weak: bool) -> Report {
    let door = Arc::new(Door { is_weak, failures: Mutex::default() });
    let routes = Router::new().route("/enter", post(enter)).route("/me", get(me)).with_state(door);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identity = |name: &str| {
        let fields = [("username", name.to_owned()), ("password", format!("{name}-key-5"))];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let login = LoginRequest {
            page: None,
            method: Method::POST,
            path: "/enter".to_owned(),
            headers: Vec::new(),
            payload: LoginPayload::Form(fields),
            grant: Grant::Cookies,
        };
        Identity::new(name, Login::Request(Box::new(login)))
    };
    let identities = vec![identity("ann"), identity("ben")];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap().with_mode(Mode::Full);
    run(&plan, target, &()).await.unwrap()
}

#[tokio::test]
async fn forms_are_guessed_and_asked_for_names() {
    let check = |report: &Report, rule: &str| {
        report
            .findings()
            .any(|one| one.rule == rule && one.operation == "enter" && one.confidence == Confidence::Proved)
    };
    let weak = review(true).await;
    for rule in ["account-enumerable", "guessing-unbounded"] {
        assert!(check(&weak, rule), "{rule}: {:#?}", weak.rows);
        assert!(!format!("{:?}", weak.rows).contains("-key-5"), "passwords are not shown");
    }
    let sound = review(false).await;
    for rule in ["account-enumerable", "guessing-unbounded"] {
        assert!(!check(&sound, rule), "{rule}");
    }
    for probe in ["account-enumeration", "password-guessing"] {
        let verdict = sound.rows.iter().find(|row| row.probe == probe).map(|row| &row.verdict);
        assert!(matches!(verdict, Some(palisade_review::Verdict::NotProved { .. })), "{probe}: {verdict:?}");
    }
}
