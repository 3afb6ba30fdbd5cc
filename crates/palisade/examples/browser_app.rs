//! An application that browsers use: a page, a form that other sites cannot send, data that one partner site may read.
//!
//! ```text
//! REPORTS_KEY=$(openssl rand -hex 20) cargo run -p palisade --example browser_app
//! curl -i http://127.0.0.1:3000/ -H 'Accept: text/html'
//! curl -i http://127.0.0.1:3000/feedback -d text=hello -H 'Cookie: a=1' -H 'Sec-Fetch-Site: cross-site'
//! ```
//!
//! The second request is what a browser sends when another site posts the form on a user's behalf: it is refused,
//! because it carries a cookie that the browser added by itself.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Form;
use axum::response::Html;
use axum::routing::{get, post};
use palisade::Chain;
use palisade::core::id::ClientId;
use palisade::credential::api_key::{ApiKeyHash, ApiKeyRecord, ApiKeys};
use palisade::extract::Principal;
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let key = std::env::var("REPORTS_KEY")?;
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let app = app(&key, &world)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The application. People need no credential here; the program that fetches the reports has a key.
pub(crate) fn app(reports_key: &str, world: &World) -> Result<Router, Failure> {
    let routes = Router::new()
        .route("/", get(page))
        .route("/feedback", post(feedback))
        .route("/prices", get(prices))
        .route("/reports", get(reports));

    // What secures it. Only the hash of the key would be kept in a configuration.
    let reports = ApiKeyRecord::new(ApiKeyHash::of(reports_key), ClientId::new("reports"));
    let secured = Chain::browser_app()
        .api_keys(ApiKeys::new([reports])?)
        .trusting("https://app.example.com")?
        .readable_by(["https://partner.example.com"])?
        .public("GET /")
        .public("POST /feedback")
        .public("GET /prices")
        .protect(routes, world)?;
    Ok(secured)
}

/// The chain adds a Content-Security-Policy under which no script of this page runs, injected ones included.
async fn page() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=\"en\"><title>Feedback</title>\
         <form action=\"/feedback\" method=\"post\"><input name=\"text\"><button>Send</button></form></html>",
    )
}

async fn feedback(Form(fields): Form<Vec<(String, String)>>) -> String {
    format!("thank you for {} words", fields.iter().flat_map(|(_, text)| text.split_whitespace()).count())
}

/// Pages of the partner may read this with a script; pages of others are not shown it by the browser.
async fn prices() -> &'static str {
    "[1, 2, 3]"
}

async fn reports(who: Principal) -> String {
    format!("for {}", who.subject())
}
