//! A service behind a wall that lets only look-ups out: they show what it would fetch, and what it only judges.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, NameServer, Plan, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
  /hooks:
    post:
      operationId: addHook
      requestBody: { content: { application/json: { schema: { type: object, required: [url], properties: { url: { type: string, format: uri, example: 'https://hooks.example/a' } } } } } }
      responses: { '202': { description: ok } }
  /documents:
    post:
      operationId: addDocument
      requestBody: { content: { application/xml: { schema: { type: object, properties: { title: { type: string } } } } } }
      responses: { '202': { description: ok } }
";

/// What the service does with a name that a caller gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Compares it with a list, and looks nothing up.
    Listed,
    /// Looks it up, and refuses what leads inside.
    Judged,
    /// Looks it up to go there, and takes it although the wall stops it.
    Trusting,
}

struct Service {
    habit: Habit,
    resolver: SocketAddr,
}

/// Asks the resolver for the address of a name, as a stub resolver does.
async fn resolve(resolver: SocketAddr, host: &str) -> Option<[u8; 4]> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.split('.') {
        message.push(u8::try_from(label.len()).ok()?);
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    socket.send_to(&message, resolver).await.ok()?;
    let mut buffer = [0; 512];
    let length =
        tokio::time::timeout(std::time::Duration::from_millis(500), socket.recv(&mut buffer)).await.ok()?.ok()?;
    let answer = &buffer[..length];
    if answer[..2] != message[..2] || answer[7] == 0 { None } else { answer[length - 4..].try_into().ok() }
}

fn caller(headers: &HeaderMap) -> Result<(), StatusCode> {
    let is_known = headers.get(header::AUTHORIZATION).is_some_and(|one| one == "Bearer opaque-ann");
    if is_known { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

async fn add(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Json<Value>,
) -> Result<StatusCode, StatusCode> {
    caller(&headers)?;
    let uri: Uri = body["url"].as_str().unwrap_or_default().parse().map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let host = uri.host().unwrap_or_default();
    let is_address = host.chars().all(|one| one.is_ascii_digit() || one == '.') || host == "localhost";
    let refused = Err(StatusCode::UNPROCESSABLE_ENTITY);
    match service.habit {
        Habit::Listed if host == "hooks.example" => Ok(StatusCode::ACCEPTED),
        Habit::Listed => refused,
        _ if is_address => refused,
        Habit::Judged => match resolve(service.resolver, host).await {
            Some([127, ..]) | None => refused,
            Some(_) => Ok(StatusCode::ACCEPTED),
        },
        Habit::Trusting => {
            resolve(service.resolver, host).await;
            Ok(StatusCode::ACCEPTED)
        }
    }
}

/// Replaces an entity that stands in the document by what its address gives, as far as the wall lets it.
async fn document(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    text: String,
) -> Result<StatusCode, StatusCode> {
    caller(&headers)?;
    let declared = text.split("<!ENTITY ").nth(1).and_then(|rest| rest.split_once(" SYSTEM \""));
    if let Some((name, rest)) = declared.filter(|_| service.habit == Habit::Trusting)
        && text.contains(&format!("&{name};"))
        && let Some(uri) = rest.split('"').next().and_then(|address| address.parse::<Uri>().ok())
        && let Some(host) = uri.host().filter(|host| host.chars().any(char::is_alphabetic))
    {
        resolve(service.resolver, host).await;
    }
    Ok(StatusCode::ACCEPTED)
}

async fn review(habit: Habit) -> Report {
    let names = NameServer::open(([127, 0, 0, 1], 0).into(), "review.example").await.unwrap();
    let service = Arc::new(Service { habit, resolver: names.address() });
    let me = |headers: HeaderMap| async move { caller(&headers).map(|()| Json(json!({ "name": "ann" }))) };
    let routes = Router::new()
        .route("/me", get(me))
        .route("/hooks", post(add))
        .route("/documents", post(document))
        .with_state(service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let identities = vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap().with_name_server(names);
    run(&plan, target, &()).await.unwrap()
}

#[tokio::test]
async fn a_look_up_shows_what_is_fetched_and_is_no_proof_where_it_is_refused() {
    for (habit, expect) in
        [(Habit::Listed, None), (Habit::Judged, Some(Confidence::Suspect)), (Habit::Trusting, Some(Confidence::Proved))]
    {
        let report = review(habit).await;
        let found = report.findings().find(|one| one.rule == "request-forged" && one.operation == "addHook");
        assert_eq!(found.map(|one| one.confidence), expect, "{:#?}", report.rows);
        let entity = report.findings().find(|one| one.rule == "entity-resolved").map(|one| one.confidence);
        assert_eq!(entity, (habit == Habit::Trusting).then_some(Confidence::Proved), "{:#?}", report.rows);
    }
}
