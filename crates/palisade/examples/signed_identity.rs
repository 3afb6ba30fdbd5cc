//! Two services that trust each other's word and not the network: the front one takes tokens of users and tells the back
//! one who asks, signed for it alone.
//!
//! ```text
//! ISSUER_KEYS=jwks.json cargo run -p palisade --example signed_identity
//! curl -i http://127.0.0.1:3000/my-orders -H "Authorization: Bearer $TOKEN"
//! curl -i http://127.0.0.1:3001/orders -H "Palisade-Subject: admin"      # refused: nobody has signed it
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode};
use palisade::Chain;
use palisade::extract::Principal;
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade::token::identity::{self, IdentitySigner};
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules, sign::Signer};
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
use palisade_testkit::client::Client;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const FRONT: &str = "https://shop.example.com";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let users = KeySet::parse(&std::fs::read(std::env::var("ISSUER_KEYS")?)?)?;
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    // In earnest the key is in a file of the front service, and only its public half is with the back one.
    let key = Signer::generate_ed25519("2026-11")?;
    let public = KeySet::new([key.verify_key()?])?;
    let back_address: SocketAddr = "127.0.0.1:3001".parse()?;
    let (front, back) = (front(users, key, back_address, &world)?, back(public, &world)?);
    let (front_socket, back_socket) =
        tokio::try_join!(tokio::net::TcpListener::bind("127.0.0.1:3000"), tokio::net::TcpListener::bind(back_address))?;
    let connected = |app: Router| app.into_make_service_with_connect_info::<SocketAddr>();
    let (front, back) = (axum::serve(front_socket, connected(front)), axum::serve(back_socket, connected(back)));
    tokio::try_join!(front.into_future(), back.into_future())?;
    Ok(())
}

/// What the front service needs to ask the back one.
struct Orders {
    address: SocketAddr,
    signer: IdentitySigner,
}

/// The service that users ask.
pub(crate) fn front(users: KeySet, key: Signer, back: SocketAddr, world: &World) -> Result<Router, Failure> {
    let signer = IdentitySigner::new(key, FRONT, Arc::clone(&world.clock))?;
    let routes =
        Router::new().route("/my-orders", get(my_orders)).with_state(Arc::new(Orders { address: back, signer }));
    let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
    Ok(Chain::api().bearer(rules, StaticKeys::new(users)).protect(routes, world)?)
}

async fn my_orders(State(orders): State<Arc<Orders>>, who: Principal) -> Result<String, StatusCode> {
    let failed = |_| StatusCode::BAD_GATEWAY;
    let signed = orders.signer.sign(&who, "orders").map_err(failed)?;
    let request = Request::get("/orders").header("host", "orders").header(identity::HEADER, signed);
    let request = request.body(Bytes::new()).map_err(|_| StatusCode::BAD_GATEWAY)?;
    let answer = Client::http1(orders.address).send(request).await;
    String::from_utf8(answer.into_body().to_vec()).map_err(|_| StatusCode::BAD_GATEWAY)
}

/// The service behind, which believes signed identities of the front one and nothing else.
pub(crate) fn back(front: KeySet, world: &World) -> Result<Router, Failure> {
    let routes = Router::new().route("/orders", get(orders));
    let rules = identity::rules(FRONT, "orders")?;
    Ok(Chain::api().identity(rules, StaticKeys::new(front)).protect(routes, world)?)
}

async fn orders(who: Principal) -> String {
    format!("the orders of {}", who.subject())
}
