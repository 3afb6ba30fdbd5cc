//! A service of a stranger's: a plain contract, no hints, and for each flaw a twin without it and a look-alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, Plan, Report, Target, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CONTRACT: &str = include_str!("lab.yaml");

/// The service, weak everywhere or nowhere.
struct Lab {
    is_weak: bool,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    users: Vec<Value>,
    notes: Vec<Value>,
    failures: BTreeMap<String, u32>,
    gone: BTreeSet<String>,
    redeemed: BTreeSet<String>,
    next: u64,
}

type Shared = State<Arc<Lab>>;
type Reply = Result<Response, StatusCode>;

impl Lab {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    fn secret(&self) -> &'static [u8] {
        if self.is_weak { b"secret123" } else { b"5vA-qT8.zR2!mW7_kX4#nB9" }
    }

    fn mac(&self, message: &str) -> String {
        let pad = |byte: u8| {
            let mut key = self.secret().to_vec();
            key.resize(64, 0);
            key.iter().map(|one| one ^ byte).collect::<Vec<u8>>()
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
    }

    fn token(&self, user: &Value) -> String {
        let number = {
            let mut rows = self.rows();
            rows.next += 1;
            rows.next
        };
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "id": user["id"], "email": user["email"], "role": user["role"], "n": number, "exp": 4_000_000_000_u64 });
        let message = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
        format!("{message}.{}", self.mac(&message))
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Value, StatusCode> {
        let token = headers.get(header::AUTHORIZATION).and_then(|one| one.to_str().ok()).unwrap_or_default();
        let token = token.strip_prefix("Bearer ").ok_or(StatusCode::UNAUTHORIZED)?;
        let (message, signature) = token.rsplit_once('.').ok_or(StatusCode::UNAUTHORIZED)?;
        let (head, claims) = message.split_once('.').ok_or(StatusCode::UNAUTHORIZED)?;
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (head, claims) = read(head).zip(read(claims)).ok_or(StatusCode::UNAUTHORIZED)?;
        let is_fine = self.mac(message) == signature && head["alg"] == "HS256" || self.is_weak && head["alg"] == "none";
        let is_old = claims["exp"].as_u64().unwrap_or_default() < 2_000_000_000;
        let rows = self.rows();
        let user = rows.users.iter().find(|user| user["id"] == claims["id"]).cloned();
        let is_gone = rows.gone.contains(token) && !self.is_weak;
        user.filter(|_| is_fine && !is_old && !is_gone).ok_or(StatusCode::UNAUTHORIZED)
    }

    /// The caller, if the user of this id is the caller's to touch.
    fn of(&self, headers: &HeaderMap, id: &str) -> Result<Value, StatusCode> {
        let caller = self.caller(headers)?;
        let is_own = has_id(&caller, id) || caller["role"] == "admin";
        if is_own || self.is_weak { Ok(caller) } else { Err(StatusCode::FORBIDDEN) }
    }

    fn shown(&self, user: &Value) -> Value {
        let mut shown = json!({ "id": user["id"], "email": user["email"], "name": user["name"], "role": user["role"], "phone": user["phone"] });
        if self.is_weak {
            shown["password"] = user["password"].clone();
        }
        shown
    }
}

fn has_id(row: &Value, id: &str) -> bool {
    row["id"].as_u64().is_some_and(|number| id.parse() == Ok(number))
}

fn ok(value: Value) -> Reply {
    Ok(Json(value).into_response())
}

async fn login(State(lab): Shared, Json(body): Json<Value>) -> Reply {
    let email = body["email"].as_str().unwrap_or_default().to_owned();
    let user = lab.rows().users.iter().find(|user| user["email"] == email).cloned();
    let refused = |why: &str| Ok((StatusCode::UNAUTHORIZED, Json(json!({ "error": why }))).into_response());
    let failures = lab.rows().failures.get(&email).copied().unwrap_or_default();
    if failures >= 8 && !lab.is_weak {
        return Err(StatusCode::TOO_MANY_REQUESTS);
    }
    let Some(user) = user else {
        return refused(if lab.is_weak { "no such account" } else { "wrong name or password" });
    };
    let is_right = match &body["password"] {
        Value::Object(operator) if lab.is_weak => {
            operator.get("$ne").is_some_and(|value| *value != user["password"])
                || operator.get("$gt").is_some_and(|value| value.as_str() < user["password"].as_str())
        }
        password => *password == user["password"],
    };
    if !is_right {
        *lab.rows().failures.entry(email).or_default() += 1;
        return refused(if lab.is_weak { "wrong password" } else { "wrong name or password" });
    }
    ok(json!({ "data": { "token": lab.token(&user) } }))
}

async fn register(State(lab): Shared, Json(body): Json<Value>) -> Reply {
    let mut rows = lab.rows();
    if body["email"].as_str().is_none() || rows.users.iter().any(|user| user["email"] == body["email"]) {
        return Err(StatusCode::CONFLICT);
    }
    rows.next += 1;
    let mut user = json!({ "id": 100 + rows.next, "role": "user", "phone": "555", "balance": 0 });
    for (name, value) in body.as_object().into_iter().flatten() {
        if lab.is_weak || ["email", "name", "password"].contains(&name.as_str()) {
            user[name] = value.clone();
        }
    }
    rows.users.push(user);
    Ok((StatusCode::CREATED, Json(json!({ "ok": true }))).into_response())
}

async fn logout(State(lab): Shared, headers: HeaderMap) -> Reply {
    lab.caller(&headers)?;
    let token = headers[header::AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    lab.rows().gone.insert(token);
    ok(json!({ "ok": true }))
}

async fn me(State(lab): Shared, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    ok(lab.shown(&caller))
}

async fn user(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    lab.of(&headers, &id)?;
    let user = lab.rows().users.iter().find(|user| has_id(user, &id)).cloned();
    ok(lab.shown(&user.ok_or(StatusCode::NOT_FOUND)?))
}

async fn rename(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    lab.of(&headers, &id)?;
    let mut rows = lab.rows();
    let user = rows.users.iter_mut().find(|user| has_id(user, &id)).ok_or(StatusCode::NOT_FOUND)?;
    for (name, value) in body.as_object().into_iter().flatten() {
        if lab.is_weak && user.get(name).is_some() || name == "name" {
            user[name] = value.clone();
        }
    }
    let user = user.clone();
    drop(rows);
    ok(lab.shown(&user))
}

async fn password(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    lab.of(&headers, &id)?;
    let mut rows = lab.rows();
    let user = rows.users.iter_mut().find(|user| has_id(user, &id)).ok_or(StatusCode::NOT_FOUND)?;
    user["password"] = body["password"].clone();
    ok(json!({ "ok": true }))
}

async fn dismiss(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    lab.of(&headers, &id)?;
    lab.rows().users.retain(|user| !has_id(user, &id));
    ok(json!({ "ok": true }))
}

async fn notes(State(lab): Shared, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    let rows = lab.rows();
    ok(json!({ "notes": rows.notes.iter().filter(|note| note["user_id"] == caller["id"]).collect::<Vec<_>>() }))
}

async fn write(State(lab): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let caller = lab.caller(&headers)?;
    let mut rows = lab.rows();
    rows.next += 1;
    let mut note = json!({ "id": 500 + rows.next, "user_id": caller["id"], "text": body["text"], "pinned": false });
    if lab.is_weak && body["pinned"].is_boolean() {
        note["pinned"] = body["pinned"].clone();
    }
    rows.notes.push(note.clone());
    // An echo of everything that was sent, stored or not.
    for (name, value) in body.as_object().into_iter().flatten().filter(|(name, _)| *name != "id") {
        note[name] = value.clone();
    }
    Ok((StatusCode::CREATED, Json(note)).into_response())
}

async fn note(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    let note = lab.rows().notes.iter().find(|note| has_id(note, &id)).cloned().ok_or(StatusCode::NOT_FOUND)?;
    if note["user_id"] == caller["id"] || lab.is_weak { ok(note) } else { Err(StatusCode::NOT_FOUND) }
}

async fn remove(State(lab): Shared, Path(id): Path<String>, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    let mut rows = lab.rows();
    let before = rows.notes.len();
    rows.notes.retain(|note| !has_id(note, &id) || note["user_id"] != caller["id"] && !lab.is_weak);
    if rows.notes.len() < before { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(StatusCode::NOT_FOUND) }
}

fn article(id: u64, author: u64) -> Value {
    json!({ "id": id, "author": author, "title": "On figs" })
}

/// Meant for everybody who is signed in.
async fn articles(State(lab): Shared, headers: HeaderMap) -> Reply {
    lab.caller(&headers)?;
    ok(json!([article(1, 11), article(2, 12)]))
}

async fn one_article(State(lab): Shared, Path(id): Path<u64>, headers: HeaderMap) -> Reply {
    lab.caller(&headers)?;
    if id < 3 { ok(article(id, 10 + id)) } else { Err(StatusCode::NOT_FOUND) }
}

async fn stats(State(lab): Shared, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    if caller["role"] == "admin" || lab.is_weak {
        ok(json!({ "users": 3, "revenue": 120 }))
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

async fn audit(State(lab): Shared, headers: HeaderMap) -> Reply {
    let caller = lab.caller(&headers)?;
    let is_believed = lab.is_weak && headers.get("x-role").is_some_and(|role| role == "admin");
    if caller["role"] == "admin" || is_believed {
        ok(json!({ "events": ["sign-in"] }))
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

type Words = Query<BTreeMap<String, String>>;

fn word(query: &BTreeMap<String, String>, name: &str) -> String {
    query.get(name).cloned().unwrap_or_default()
}

async fn ping(State(lab): Shared, headers: HeaderMap, Query(query): Words) -> Reply {
    lab.caller(&headers)?;
    let host = word(&query, "host");
    if lab.is_weak {
        let output = std::process::Command::new("sh").arg("-c").arg(format!("echo pinging {host}")).output().unwrap();
        return ok(json!({ "output": String::from_utf8_lossy(&output.stdout) }));
    }
    ok(json!({ "output": format!("pinging {host}") }))
}

async fn render(State(lab): Shared, headers: HeaderMap, Query(query): Words) -> Reply {
    lab.caller(&headers)?;
    let name = word(&query, "name");
    let run = |name: &str| {
        let (before, rest) = name.split_once("{{")?;
        let (inner, after) = rest.split_once("}}")?;
        let (left, right) = inner.split_once('*')?;
        Some(format!("{before}{}{after}", left.parse::<u64>().ok()? * right.parse::<u64>().ok()?))
    };
    let shown = run(&name).filter(|_| lab.is_weak).unwrap_or(name);
    ok(json!({ "text": format!("Dear {shown}") }))
}

async fn file(State(lab): Shared, Path(name): Path<String>, headers: HeaderMap) -> Reply {
    lab.caller(&headers)?;
    if name == "guide.txt" {
        return Ok("the file /etc/passwd is not here".into_response());
    }
    let text = std::fs::read_to_string(format!("/tmp/{name}")).ok().filter(|_| lab.is_weak);
    text.map(IntoResponse::into_response).ok_or(StatusCode::NOT_FOUND)
}

async fn go(State(lab): Shared, Query(query): Words) -> Reply {
    let next = word(&query, "next");
    let is_ours = next.starts_with('/') && !next.starts_with("//");
    let to = if is_ours || lab.is_weak { next } else { "/home?from=evil.example".to_owned() };
    let to = to.split(['\r', '\n']).next().unwrap_or_default().to_owned();
    Ok((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
}

async fn hook(State(lab): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    lab.caller(&headers)?;
    let url = body["url"].as_str().unwrap_or_default().to_owned();
    let rest = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).filter(|_| lab.is_weak);
    if let Some((host, path)) = rest
        && let Ok(mut stream) = TcpStream::connect(host).await
    {
        let _ = stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await;
        let _ = stream.readable().await;
    }
    ok(json!({ "state": "queued", "url": url }))
}

/// An XML reader that knows one entity.
async fn import(State(lab): Shared, headers: HeaderMap, body: Bytes) -> Reply {
    lab.caller(&headers)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let address = text.split("SYSTEM \"").nth(1).and_then(|rest| rest.split('"').next());
    let outside = address.and_then(|one| one.strip_prefix("file://")).filter(|_| lab.is_weak);
    let outside = outside.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    ok(json!({ "title": outside }))
}

async fn hello(State(lab): Shared, Query(query): Words) -> Reply {
    let name = word(&query, "name");
    let name = if lab.is_weak { name } else { name.replace('&', "&amp;").replace('<', "&lt;") };
    Ok(Html(format!("<p>Hello {name}</p>")).into_response())
}

/// An echo is no page.
async fn echo(Query(query): Words) -> Reply {
    ok(json!({ "you": word(&query, "text") }))
}

async fn redeem(State(lab): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let caller = lab.caller(&headers)?;
    let mut rows = lab.rows();
    let is_new = rows.redeemed.insert(format!("{}{}", caller["id"], body["code"]));
    if body["code"] != "FIG10" || !is_new && !lab.is_weak {
        return Err(StatusCode::CONFLICT);
    }
    let user = rows.users.iter_mut().find(|user| user["id"] == caller["id"]).unwrap();
    let balance = user["balance"].as_i64().unwrap_or_default() + 10;
    user["balance"] = balance.into();
    ok(json!({ "balance": balance }))
}

async fn cart(State(lab): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    lab.caller(&headers)?;
    let quantity = body["quantity"].as_i64().ok_or(StatusCode::BAD_REQUEST)?;
    if quantity < 1 && !lab.is_weak {
        return Err(StatusCode::BAD_REQUEST);
    }
    ok(json!({ "sku": body["sku"], "quantity": quantity, "total": quantity * 5 }))
}

async fn review(is_weak: bool) -> Report {
    let lab = Lab { is_weak, rows: Mutex::default() };
    for (id, name, role) in [(11, "ann", "user"), (12, "ben", "user"), (13, "root", "admin")] {
        let user = json!({ "id": id, "email": format!("{name}@lab.example"), "name": name, "role": role, "phone": "555-01",
            "password": format!("{name}-Password-1"), "balance": 0 });
        lab.rows().users.push(user);
        lab.rows().notes.push(json!({ "id": 500 + id, "user_id": id, "text": format!("of {name}"), "pinned": false }));
    }
    let routes = Router::new()
        .route("/api/auth/login", post(login))
        .route("/api/auth/register", post(register))
        .route("/api/auth/logout", post(logout))
        .route("/api/me", get(me))
        .route("/api/users/{id}", get(user).patch(rename).delete(dismiss))
        .route("/api/users/{id}/password", put(password))
        .route("/api/notes", get(notes).post(write))
        .route("/api/notes/{id}", get(note).delete(remove))
        .route("/api/articles", get(articles))
        .route("/api/articles/{id}", get(one_article))
        .route("/api/admin/stats", get(stats))
        .route("/api/admin/audit", get(audit))
        .route("/api/tools/ping", get(ping))
        .route("/api/render", get(render))
        .route("/api/files/{name}", get(file))
        .route("/api/go", get(go))
        .route("/api/hooks", post(hook))
        .route("/api/import", post(import))
        .route("/api/hello", get(hello))
        .route("/api/echo", get(echo))
        .route("/api/coupons/redeem", post(redeem))
        .route("/api/cart", post(cart))
        .with_state(Arc::new(lab));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identity = |name: &str| {
        let body = json!({ "email": format!("{name}@lab.example"), "password": format!("{name}-Password-1") });
        Identity::new(name, Login::json("/api/auth/login", body, "/data/token"))
    };
    let plan = Plan::new(&Source::new("lab.yaml", CONTRACT), ["ann", "ben", "root"].map(identity).into()).unwrap();
    run(&plan, target, &()).await.unwrap()
}

fn proved(report: &Report) -> BTreeSet<String> {
    let proved = report.findings().filter(|finding| finding.confidence == Confidence::Proved);
    proved.map(|finding| format!("{} {}", finding.rule, finding.operation)).collect()
}

#[tokio::test]
async fn every_flaw_of_a_stranger_is_proved() {
    let report = review(true).await;
    let proved = proved(&report);
    let expect = [
        "account-enumerable login",
        "amount-unchecked fillCart",
        "command-injected ping",
        "entity-resolved import",
        "file-read showFile",
        "flow-repeated redeem",
        "function-bypassed audit",
        "function-exposed stats",
        "guessing-unbounded login",
        "nosql-injected login",
        "object-read showNote",
        "object-read showUser",
        "object-written changePassword",
        "object-written dismissUser",
        "object-written removeNote",
        "object-written renameUser",
        "property-assigned register",
        "property-assigned renameUser",
        "property-assigned writeNote",
        "property-exposed showMe",
        "redirect-open go",
        "request-forged addHook",
        "script-reflected hello",
        "session-outlives logout",
        "template-evaluated render",
        "token-guessable showMe",
        "token-unsigned showMe",
    ];
    let rows: Vec<String> = report.rows.iter().map(|row| format!("{} {:?}", row.probe, row.verdict)).collect();
    let missing: Vec<&str> = expect.into_iter().filter(|one| !proved.contains(*one)).collect();
    assert!(missing.is_empty(), "missing {missing:#?}\nproved {proved:#?}\nrows {}", rows.join("\n"));
    assert!(report.requests < 1_500, "{}", report.requests);
}

#[tokio::test]
async fn nothing_is_proved_where_a_stranger_is_sound() {
    let report = review(false).await;
    let proved = proved(&report);
    assert!(proved.is_empty(), "{proved:#?}");
    assert!(report.requests < 1_500, "{}", report.requests);
}
