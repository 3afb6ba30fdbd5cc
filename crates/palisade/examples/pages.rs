//! Pages with scripts, under a Content-Security-Policy that an injected script does not get around.
//!
//! ```text
//! cargo run -p palisade --example pages
//! curl -i http://127.0.0.1:3000/
//! curl -i http://127.0.0.1:3000/search?q=%3Cscript%3Ealert(1)%3C/script%3E
//! ```
//!
//! The first page asks for its nonce and so may run one script; the second does not ask, and in it nothing runs.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use palisade::Chain;
use palisade::csp::{Nonce, Policy};
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
use serde::Deserialize;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(&world)?.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The application. What a page needs beyond its own parts is named, one source at a time; what would be dangerous does
/// not build, such as `allow("script-src", "'unsafe-inline'")`.
pub(crate) fn app(world: &World) -> Result<Router, Failure> {
    let routes = Router::new().route("/", get(home)).route("/search", get(search));
    let policy = Policy::page().allow("img-src", "https://images.example.com")?;
    let secured = Chain::browser_app()
        .behind_tls()
        .page_policy(policy)
        .reports_at("/.well-known/palisade/reports")?
        .public("GET /")
        .public("GET /search")
        .protect(routes, world)?;
    Ok(secured)
}

/// The nonce is minted because it is asked for; it is in the policy of this one answer.
async fn home(nonce: Nonce) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><title>Home</title><style nonce=\"{nonce}\">p {{ color: green }}</style>\
         <p>Hello<script nonce=\"{nonce}\">document.title = 'It runs'</script></html>"
    ))
}

#[derive(Deserialize)]
struct Search {
    q: String,
}

/// A page with a fault: what was searched for is not escaped. The policy keeps it from running.
async fn search(Query(search): Query<Search>) -> Html<String> {
    Html(format!("<!doctype html><html lang=\"en\"><title>Search</title><p>Nothing found for {}</html>", search.q))
}
