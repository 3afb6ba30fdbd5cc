//! An API for programs: bearer tokens, a public health check, users who read only their own data, a report for admins.
//!
//! ```text
//! ISSUER_KEYS=jwks.json cargo run -p palisade --example api
//! curl -i http://127.0.0.1:3000/health
//! curl -i http://127.0.0.1:3000/users/u-alice -H "Authorization: Bearer $TOKEN"
//! ```
//!
//! `jwks.json` is the key set of the issuer `https://id.example.com`. Every refusal is a line of JSON on the standard
//! output, and says in the event what it keeps from the caller.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use palisade::Chain;
use palisade::extract::Principal;
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules};
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let keys = KeySet::parse(&std::fs::read(std::env::var("ISSUER_KEYS")?)?)?;
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let app = app(keys, &world)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    // The chain counts requests by client address, which it knows from here.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The application, with the issuer's keys.
pub(crate) fn app(keys: KeySet, world: &World) -> Result<Router, Failure> {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/me", get(me))
        .route("/users/{id}", get(user).delete(remove_user))
        .route("/reports", get(reports));

    // The ten lines that secure it. A route that they do not name needs a token.
    let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
    let secured = Chain::api()
        .bearer(rules, StaticKeys::new(keys))
        .public("GET /health")
        .owner("GET /users/{id}", "id", "sub")
        .roles("DELETE /users/{id}", ["admin"])
        .roles("GET /reports", ["admin", "auditor"])
        .scopes("GET /reports", ["reports:read"])
        .protect(routes, world)?;
    Ok(secured)
    // That was the tenth.
}

async fn health() -> &'static str {
    "ok"
}

/// A handler that asks for its [`Principal`] does not run without the chain.
async fn me(who: Principal) -> String {
    who.subject().to_string()
}

/// Nobody gets here for somebody else's id.
async fn user(Path(id): Path<String>) -> String {
    format!("the data of {id}")
}

async fn remove_user(Path(id): Path<String>) -> String {
    format!("{id} is gone")
}

async fn reports() -> &'static str {
    "what everybody bought"
}
