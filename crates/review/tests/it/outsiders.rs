//! A service as others write them: a form to sign in, accounts named in bodies, lists in bodies, slugs, and a contract
//! with gaps; in its broken and in its fixed build.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Mode, Plan, Report, Target, read_identities, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
info: { title: Kitchen, version: '1' }
components: { securitySchemes: { bearer: { type: http, scheme: bearer } } }
paths:
  /token:
    post: { requestBody: { content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { username: { type: string }, password: { type: string } } } } } }, responses: { '200': { description: ok } } }
  /accounts:
    post: { requestBody: { content: { application/json: { schema: { type: object, required: [username, password], properties: { username: { type: string }, password: { type: string } } } } } }, responses: { '201': { description: ok } } }
  /users:
    get: { responses: { '200': { description: who is here } } }
  /menus:
    get: { parameters: [{ name: kind, in: query, schema: { type: string, example: lunch } }], responses: { '200': { description: a text } } }
  /debug:
    get: { responses: { '200': { description: settings } } }
  /reset-password:
    post: { requestBody: { content: { application/json: { schema: { type: object, properties: { username: { type: string } } } } } }, responses: { '200': { description: sent } } }
  /profile:
    get: { security: [{ bearer: [] }], responses: { '200': { description: own } } }
    put: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { username: { type: string }, city: { type: string } } } } } }, responses: { '200': { description: ok } } }
  /profile/email:
    put: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { email: { type: string } } } } } }, responses: { '204': { description: ok } } }
  /people/role:
    put: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { username: { type: string }, role: { type: string } } } } } }, responses: { '200': { description: ok } } }
  /orders:
    post: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { items: { type: array, items: { type: object, properties: { sku: { type: string, example: soup }, quantity: { type: integer, example: 1 } } } } } } } } }, responses: { '201': { description: ok } } }
  /session:
    delete: { security: [{ bearer: [] }], responses: { '204': { description: signed out } } }
  /dishes:
    get: { responses: { '200': { description: all } } }
    post: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { title: { type: string } } } } } }, responses: { '201': { description: ok } } }
  /dishes/{number}:
    parameters: [{ name: number, in: path, required: true, schema: { type: integer } }]
    put: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { title: { type: string } } } } } }, responses: { '200': { description: ok } } }
    delete: { security: [{ bearer: [] }], responses: { '204': { description: gone } } }
  /notes:
    get: { security: [{ bearer: [] }], responses: { '200': { description: own } } }
    post: { security: [{ bearer: [] }], requestBody: { content: { application/json: { schema: { type: object, properties: { title: { type: string } } } } } }, responses: { '201': { description: ok } } }
  /notes/{slug}:
    parameters: [{ name: slug, in: path, required: true, schema: { type: string } }]
    get: { security: [{ bearer: [] }], responses: { '200': { description: one } } }
    delete: { security: [{ bearer: [] }], responses: { '204': { description: gone } } }
";

const IDENTITIES: &str = "
auth:
  - name: ann
    loginEndpointAuth: { payloadUserPwd: { username: ann, password: Word-5-ann } }
  - name: ben
    loginEndpointAuth: { payloadUserPwd: { username: ben, password: Word-5-ben } }
  - name: carla
    loginEndpointAuth: { payloadUserPwd: { username: carla, password: Word-5-carla } }
    x-palisade: { roles: [chef] }
authTemplate:
  loginEndpointAuth:
    endpoint: /token
    contentType: application/x-www-form-urlencoded
    payloadUserPwd: { usernameField: username, passwordField: password }
    token: { extractFrom: body, extractSelector: /access_token, sendIn: header, sendName: authorization, sendTemplate: 'Bearer {token}' }
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    Broken,
    Fixed,
}

#[derive(Clone, Default)]
struct Person {
    password: String,
    city: String,
    role: String,
    failures: u32,
}

struct Kitchen {
    build: Build,
    people: Mutex<BTreeMap<String, Person>>,
    notes: Mutex<Vec<Value>>,
    dishes: Mutex<Vec<Value>>,
    signed_out: Mutex<BTreeSet<String>>,
    serial: AtomicU64,
}

type Shared = State<Arc<Kitchen>>;
type Reply = Result<Response, StatusCode>;

impl Kitchen {
    fn new(build: Build) -> Self {
        let person = |name: &str, role: &str| {
            let (password, city) = (format!("Word-5-{name}"), "Bergen".to_owned());
            (name.to_owned(), Person { password, city, role: role.to_owned(), failures: 0 })
        };
        // Somebody is called what a wish asks for.
        let people = [("ann", "guest"), ("ben", "guest"), ("carla", "chef"), ("admin", "admin")];
        let people = people.into_iter().map(|(name, role)| person(name, role)).collect();
        Self {
            build,
            people: Mutex::new(people),
            notes: Mutex::default(),
            dishes: Mutex::default(),
            signed_out: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = text.strip_prefix("Bearer served-to-").ok_or(StatusCode::UNAUTHORIZED)?;
        let (name, _) = token.rsplit_once('.').ok_or(StatusCode::UNAUTHORIZED)?;
        let is_out = self.build == Build::Fixed && self.signed_out.lock().unwrap().contains(text);
        let is_here = !is_out && self.people.lock().unwrap().contains_key(name);
        is_here.then(|| name.to_owned()).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn chef(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let caller = self.caller(headers)?;
        let people = self.people.lock().unwrap();
        people.get(&caller).filter(|person| person.role == "chef").map(|_| ()).ok_or(StatusCode::FORBIDDEN)
    }
}

fn ok(value: Value) -> Reply {
    Ok(Json(value).into_response())
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

async fn token(State(kitchen): Shared, Form(form): Form<BTreeMap<String, String>>) -> Reply {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut people = kitchen.people.lock().unwrap();
    let person = people.get_mut(&field("username")).ok_or(StatusCode::UNAUTHORIZED)?;
    if person.failures > 7 {
        return Err(StatusCode::TOO_MANY_REQUESTS);
    }
    if person.password != field("password") {
        person.failures += 1;
        return Err(StatusCode::UNAUTHORIZED);
    }
    person.failures = 0;
    let serial = kitchen.serial.fetch_add(1, Ordering::Relaxed);
    ok(json!({ "access_token": format!("served-to-{}.{serial}", field("username")), "token_type": "bearer" }))
}

async fn register(State(kitchen): Shared, Json(body): Json<Value>) -> Reply {
    let person = Person { password: text(&body, "password"), role: "guest".to_owned(), ..Person::default() };
    kitchen.people.lock().unwrap().entry(text(&body, "username")).or_insert(person);
    Ok((StatusCode::CREATED, Json(json!({ "username": body["username"] }))).into_response())
}

async fn users(State(kitchen): Shared) -> Reply {
    let people = kitchen.people.lock().unwrap();
    ok(people.iter().map(|(name, person)| json!({ "username": name, "role": person.role })).collect())
}

async fn menus(Query(query): Query<BTreeMap<String, String>>) -> Reply {
    let is_known = query.get("kind").is_some_and(|kind| ["dinner", "lunch"].contains(&kind.as_str()));
    let refusal = (StatusCode::BAD_REQUEST, Json(json!({ "success": false, "error": "kind" })));
    Ok(if is_known { "Soup, fish, figs.".into_response() } else { refusal.into_response() })
}

async fn debug(State(kitchen): Shared) -> Reply {
    match kitchen.build {
        Build::Broken => ok(json!({ "env": { "JWT_SECRET_KEY": "kitchen", "WORKERS": "2" } })),
        Build::Fixed => ok(json!({ "env": { "WORKERS": "2" } })),
    }
}

async fn forgot(State(kitchen): Shared, Json(body): Json<Value>) -> Reply {
    let is_known = kitchen.people.lock().unwrap().contains_key(&text(&body, "username"));
    if kitchen.build == Build::Broken && !is_known {
        return Err(StatusCode::NOT_FOUND);
    }
    ok(json!({ "detail": "a code is on its way, if there is such an account" }))
}

fn profile_of(people: &BTreeMap<String, Person>, name: &str) -> Reply {
    let person = people.get(name).ok_or(StatusCode::NOT_FOUND)?;
    ok(json!({ "username": name, "city": person.city, "role": person.role }))
}

async fn profile(State(kitchen): Shared, headers: HeaderMap) -> Reply {
    let caller = kitchen.caller(&headers)?;
    profile_of(&kitchen.people.lock().unwrap(), &caller)
}

async fn change(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let caller = kitchen.caller(&headers)?;
    let name = if kitchen.build == Build::Broken { text(&body, "username") } else { caller };
    let mut people = kitchen.people.lock().unwrap();
    people.get_mut(&name).ok_or(StatusCode::NOT_FOUND)?.city = text(&body, "city");
    profile_of(&people, &name)
}

/// Stands for a matcher that tries every way: the time doubles with every letter before what does not match.
async fn email(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    kitchen.caller(&headers)?;
    let email = text(&body, "email");
    let letters = email.chars().take_while(char::is_ascii_alphanumeric).count();
    if kitchen.build == Build::Broken && !email.contains('@') {
        tokio::time::sleep(Duration::from_micros(1 << letters.min(20))).await;
    }
    if email.contains('@') { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(StatusCode::BAD_REQUEST) }
}

async fn role(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let (caller, name) = (kitchen.caller(&headers)?, text(&body, "username"));
    let mut people = kitchen.people.lock().unwrap();
    if kitchen.build == Build::Fixed && people.get(&caller).is_none_or(|person| person.role != "chef") {
        return Err(StatusCode::FORBIDDEN);
    }
    people.get_mut(&name).ok_or(StatusCode::NOT_FOUND)?.role = text(&body, "role");
    profile_of(&people, &name)
}

async fn place(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    kitchen.caller(&headers)?;
    let items = body["items"].as_array().filter(|items| !items.is_empty()).ok_or(StatusCode::BAD_REQUEST)?;
    let mut total = 0;
    for item in items.iter().filter(|item| item["sku"] == "soup") {
        let quantity = item["quantity"].as_i64().ok_or(StatusCode::BAD_REQUEST)?;
        if kitchen.build == Build::Fixed && quantity < 1 {
            return Err(StatusCode::BAD_REQUEST);
        }
        total += 5 * quantity;
    }
    Ok((StatusCode::CREATED, Json(json!({ "number": 7, "total": total }))).into_response())
}

async fn sign_out(State(kitchen): Shared, headers: HeaderMap) -> Reply {
    kitchen.caller(&headers)?;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kitchen.signed_out.lock().unwrap().insert(token.to_owned());
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn dishes(State(kitchen): Shared) -> Reply {
    ok(kitchen.dishes.lock().unwrap().clone().into())
}

async fn cook(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    kitchen.chef(&headers)?;
    let mut dishes = kitchen.dishes.lock().unwrap();
    let dish = json!({ "number": 7_100 + dishes.len(), "title": body["title"] });
    dishes.push(dish.clone());
    Ok((StatusCode::CREATED, Json(dish)).into_response())
}

async fn season(State(kitchen): Shared, Path(number): Path<u64>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    kitchen.chef(&headers)?;
    let mut dishes = kitchen.dishes.lock().unwrap();
    let dish = dishes.iter_mut().find(|dish| dish["number"] == number).ok_or(StatusCode::NOT_FOUND)?;
    dish["title"] = body["title"].clone();
    ok(dish.clone())
}

async fn discard(State(kitchen): Shared, Path(number): Path<u64>, headers: HeaderMap) -> Reply {
    match kitchen.build {
        Build::Broken => kitchen.caller(&headers).map(|_| ())?,
        Build::Fixed => kitchen.chef(&headers)?,
    }
    kitchen.dishes.lock().unwrap().retain(|dish| dish["number"] != number);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn notes(State(kitchen): Shared, headers: HeaderMap) -> Reply {
    let caller = kitchen.caller(&headers)?;
    let notes = kitchen.notes.lock().unwrap();
    ok(json!({ "success": true, "data": notes.iter().filter(|note| note["owner"] == caller).collect::<Vec<_>>() }))
}

async fn write(State(kitchen): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let caller = kitchen.caller(&headers)?;
    let mut notes = kitchen.notes.lock().unwrap();
    let number = notes.len();
    let named = body["owner"].as_str().filter(|_| kitchen.build == Build::Broken).map(str::to_owned);
    let owner = named.unwrap_or(caller);
    let note =
        json!({ "_id": 4000 + number, "slug": format!("note-{number}"), "owner": owner, "title": body["title"] });
    notes.push(note.clone());
    Ok((StatusCode::CREATED, Json(json!({ "success": true, "data": note }))).into_response())
}

async fn note(State(kitchen): Shared, Path(slug): Path<String>, headers: HeaderMap) -> Reply {
    let caller = kitchen.caller(&headers)?;
    let notes = kitchen.notes.lock().unwrap();
    let note = notes.iter().find(|note| note["slug"] == slug && note["owner"] == caller);
    ok(json!({ "success": true, "data": note.ok_or(StatusCode::NOT_FOUND)? }))
}

async fn erase(State(kitchen): Shared, Path(slug): Path<String>, headers: HeaderMap) -> Reply {
    let caller = kitchen.caller(&headers)?;
    let mut notes = kitchen.notes.lock().unwrap();
    let before = notes.len();
    let may = |note: &Value| kitchen.build == Build::Broken || note["owner"] == caller;
    notes.retain(|note| note["slug"] != slug || !may(note));
    if notes.len() < before { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(StatusCode::NOT_FOUND) }
}

async fn review(build: Build) -> Report {
    let description = || async { Json(json!({ "openapi": "3.0.3", "paths": {} })) };
    let routes = Router::new()
        .route("/token", post(token))
        .route("/accounts", post(register))
        .route("/users", get(users))
        .route("/menus", get(menus))
        .route("/debug", get(debug))
        .route("/openapi.json", get(description))
        .route("/reset-password", post(forgot))
        .route("/profile", get(profile).put(change))
        .route("/profile/email", put(email))
        .route("/people/role", put(role))
        .route("/orders", post(place))
        .route("/session", delete(sign_out))
        .route("/dishes", get(dishes).post(cook))
        .route("/dishes/{number}", put(season).delete(discard))
        .route("/notes", get(notes).post(write))
        .route("/notes/{slug}", get(note).delete(erase))
        .with_state(Arc::new(Kitchen::new(build)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities = read_identities(&Source::new("identities.yaml", IDENTITIES), &|_| None).unwrap();
    let plan = Plan::new(&Source::new("kitchen.yaml", CONTRACT), identities).unwrap().with_mode(Mode::Full);
    run(&plan, target, &()).await.unwrap()
}

fn found(report: &Report, confidence: Confidence) -> BTreeSet<(&str, &str)> {
    let found = report.findings().filter(|finding| finding.confidence == confidence);
    found.map(|finding| (finding.rule, finding.operation.as_str())).collect()
}

#[tokio::test]
async fn what_is_broken_in_a_service_by_others_is_proved() {
    let report = review(Build::Broken).await;
    let expect = BTreeSet::from([
        ("account-enumerable", "POST /reset-password"),
        ("amount-unchecked", "POST /orders"),
        ("function-exposed", "DELETE /dishes/{number}"),
        ("function-exposed", "PUT /people/role"),
        ("object-written", "DELETE /notes/{slug}"),
        ("object-written", "PUT /profile"),
        ("pattern-exponential", "PUT /profile/email"),
        ("property-assigned", "POST /notes"),
        ("property-exposed", "GET /debug"),
        ("session-outlives", "DELETE /session"),
    ]);
    assert_eq!(found(&report, Confidence::Proved), expect);
}

#[tokio::test]
async fn nothing_is_proved_in_its_fixed_build() {
    let report = review(Build::Fixed).await;
    assert_eq!(found(&report, Confidence::Proved), BTreeSet::new());
    let questions = found(&report, Confidence::Question);
    assert!(questions.contains(&("operation-undeclared", "GET /openapi.json")), "{questions:?}");
}
