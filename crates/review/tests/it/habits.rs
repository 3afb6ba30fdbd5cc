//! Small habits of services: cookies, codes, actions and patterns, each with the flaw, without it, and with a look-alike.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, Mode, Plan, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
info: { title: Habits, version: '1' }
paths:
  /login:
    post:
      security: []
      requestBody: { content: { application/json: { schema: { type: object, properties: { user: { type: string }, password: { type: string } } } } } }
      responses: { '200': { description: signed in } }
  /orders:
    get: { responses: { '200': { description: own orders } } }
    post:
      requestBody: { content: { application/json: { schema: { type: object, required: [item], properties: { item: { type: string } } } } } }
      responses: { '201': { description: made } }
  /orders/{orderId}:
    get:
      parameters: [{ name: orderId, in: path, required: true, schema: { type: integer } }]
      responses: { '200': { description: one } }
  /orders/{orderId}/cancel:
    post:
      parameters: [{ name: orderId, in: path, required: true, schema: { type: integer } }]
      responses: { '200': { description: cancelled } }
  /orders/{orderId}/like:
    post:
      parameters: [{ name: orderId, in: path, required: true, schema: { type: integer } }]
      responses: { '200': { description: liked } }
  /otp/verify:
    post:
      requestBody: { content: { application/json: { schema: { type: object, required: [otp], properties: { otp: { type: string, example: '0000' } } } } } }
      responses: { '200': { description: right } }
  /newsletter:
    post:
      requestBody: { content: { application/json: { schema: { type: object, required: [email], properties: { email: { type: string, format: email } } } } } }
      responses: { '200': { description: noted } }
";

/// What is wrong with the service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Sound,
    /// Flaws everywhere.
    Bad,
    /// Nothing is wrong, and much looks as if it were.
    Odd,
}

struct Shop {
    habit: Habit,
    orders: Mutex<Vec<Value>>,
    guesses: Mutex<u32>,
}

type Shared = State<Arc<Shop>>;
type Reply = Result<Response, StatusCode>;

fn ok(value: Value) -> Reply {
    Ok(Json(value).into_response())
}

fn caller(headers: &HeaderMap) -> Result<String, StatusCode> {
    let cookie = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sid = cookie.split("; ").find_map(|pair| pair.strip_prefix("sid=session-of-"));
    sid.or(bearer.strip_prefix("Bearer session-of-")).map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

async fn login(State(shop): Shared, Json(body): Json<Value>) -> Reply {
    let user = body["user"].as_str().unwrap_or_default();
    if body["password"] != format!("{user}-Word-5") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let cookie = match shop.habit {
        Habit::Bad => format!("sid=session-of-{user}; Path=/"),
        Habit::Odd => "theme=dark-and-blue-77; Path=/".to_owned(),
        Habit::Sound => format!("sid=session-of-{user}; Path=/; HttpOnly; SameSite=Lax"),
    };
    let token = json!({ "token": format!("session-of-{user}") });
    Ok(([(header::SET_COOKIE, cookie)], Json(token)).into_response())
}

async fn orders(State(shop): Shared, headers: HeaderMap) -> Reply {
    let caller = caller(&headers)?;
    let orders = shop.orders.lock().unwrap();
    ok(json!({ "data": orders.iter().filter(|one| one["owner"] == caller).collect::<Vec<_>>() }))
}

async fn place(State(shop): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let caller = caller(&headers)?;
    let mut orders = shop.orders.lock().unwrap();
    let id = 40 + orders.len();
    let order = json!({ "id": id, "owner": caller, "item": body["item"], "state": "open", "likes": 0 });
    orders.push(order.clone());
    Ok((StatusCode::CREATED, Json(json!({ "data": order }))).into_response())
}

async fn order(State(shop): Shared, Path(id): Path<u64>, headers: HeaderMap) -> Reply {
    let caller = caller(&headers)?;
    let orders = shop.orders.lock().unwrap();
    let order = orders.iter().find(|one| one["id"] == id && one["owner"] == caller);
    ok(json!({ "data": order.ok_or(StatusCode::NOT_FOUND)? }))
}

async fn cancel(State(shop): Shared, Path(id): Path<u64>, headers: HeaderMap) -> Reply {
    let caller = caller(&headers)?;
    let mut orders = shop.orders.lock().unwrap();
    let order = orders.iter_mut().find(|one| one["id"] == id).ok_or(StatusCode::NOT_FOUND)?;
    let is_own = order["owner"] == caller || shop.habit == Habit::Bad;
    if is_own {
        order["state"] = "cancelled".into();
    } else if shop.habit == Habit::Sound {
        return Err(StatusCode::NOT_FOUND);
    }
    // An odd service says so, and does nothing.
    ok(json!({ "data": { "id": id, "state": "cancelled" } }))
}

/// Meant for everybody.
async fn like(State(shop): Shared, Path(id): Path<u64>, headers: HeaderMap) -> Reply {
    caller(&headers)?;
    let mut orders = shop.orders.lock().unwrap();
    let order = orders.iter_mut().find(|one| one["id"] == id).ok_or(StatusCode::NOT_FOUND)?;
    order["likes"] = (order["likes"].as_u64().unwrap_or_default() + 1).into();
    ok(json!({ "data": { "id": id } }))
}

async fn verify(State(shop): Shared, headers: HeaderMap, Json(_): Json<Value>) -> Reply {
    caller(&headers)?;
    let mut guesses = shop.guesses.lock().unwrap();
    *guesses += 1;
    let is_over = *guesses > 5 && shop.habit == Habit::Sound;
    let why = match shop.habit {
        Habit::Odd => "no code was asked for",
        Habit::Bad | Habit::Sound => "wrong code",
    };
    let status = if is_over { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::BAD_REQUEST };
    Ok((status, Json(json!({ "error": why }))).into_response())
}

/// Stands for a matcher that tries every way: the time doubles with every letter before what does not match.
async fn subscribe(State(shop): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    caller(&headers)?;
    let email = body["email"].as_str().unwrap_or_default();
    let letters = email.chars().take_while(char::is_ascii_alphanumeric).count();
    let micros = match shop.habit {
        Habit::Bad if letters < email.len() && !email.contains('@') => 1_u64 << letters.min(20),
        // Slow for every text, and for longer ones a little more.
        Habit::Odd => 60_000 + 1_000 * u64::try_from(email.len().min(100)).unwrap_or_default(),
        Habit::Bad | Habit::Sound => 0,
    };
    tokio::time::sleep(Duration::from_micros(micros)).await;
    if email.contains('@') { ok(json!({ "noted": true })) } else { Err(StatusCode::BAD_REQUEST) }
}

async fn review(habit: Habit) -> Report {
    let order = |id: u64, owner: &str| json!({ "id": id, "owner": owner, "item": "figs", "state": "open", "likes": 0 });
    let shop = Shop { habit, orders: Mutex::new(vec![order(31, "ann"), order(32, "ben")]), guesses: Mutex::default() };
    let routes = Router::new()
        .route("/login", post(login))
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}", get(self::order))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/like", post(like))
        .route("/otp/verify", post(verify))
        .route("/newsletter", post(subscribe))
        .with_state(Arc::new(shop));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identity = |name: &str| {
        let body = json!({ "user": name, "password": format!("{name}-Word-5") });
        Identity::new(name, Login::json("/login", body, "/token"))
    };
    let contract = format!(
        "{CONTRACT}security: [{{ s: [] }}]\ncomponents: {{ securitySchemes: {{ s: {{ type: http, scheme: bearer }} }} }}\n"
    );
    let plan = Plan::new(&Source::new("habits.yaml", contract), ["ann", "ben"].map(identity).into()).unwrap();
    run(&plan.with_mode(Mode::Active), target, &()).await.unwrap()
}

fn found(report: &Report, confidence: Confidence) -> BTreeSet<(&str, &str)> {
    let found = report.findings().filter(|finding| finding.confidence == confidence);
    let found = found.map(|finding| (finding.rule, finding.operation.as_str()));
    // What everybody's own password guessing says is another test's.
    found.filter(|(rule, _)| *rule != "guessing-unbounded").collect()
}

#[tokio::test]
async fn bad_habits_are_proved() {
    let report = review(Habit::Bad).await;
    let expect = BTreeSet::from([
        ("cookie-unprotected", "POST /login"),
        ("object-written", "POST /orders/{orderId}/cancel"),
        ("pattern-exponential", "POST /newsletter"),
    ]);
    assert_eq!(found(&report, Confidence::Proved), expect);
    assert!(found(&report, Confidence::Suspect).contains(&("requests-unbounded", "POST /otp/verify")));
}

#[tokio::test]
async fn sound_and_odd_habits_are_left_alone() {
    for habit in [Habit::Sound, Habit::Odd] {
        let report = review(habit).await;
        assert_eq!(found(&report, Confidence::Proved), BTreeSet::new());
        let suspected = found(&report, Confidence::Suspect);
        assert!(suspected.iter().all(|(rule, _)| *rule == "headers-missing"), "{suspected:?}");
    }
}
