//! Input that is held to its types: everything that is wrong with a request is told at once.
//!
//! ```text
//! cargo run -p palisade --example valid_input
//! curl -i http://127.0.0.1:3000/orders -H 'Content-Type: application/json' \
//!      -d '{"article": "pears", "count": 0, "is_admin": true}'
//! ```
//!
//! The answer is 400 with three errors: the article's number has another form, none is too few, and nobody has declared
//! `is_admin`. The same refusal is an event on the standard output.

use std::net::SocketAddr;

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};
use palisade::Chain;
use palisade::extract::{Valid, prepare};
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
use schemars::JsonSchema;
use serde::Deserialize;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize, JsonSchema)]
struct NewOrder {
    #[schemars(regex(pattern = "^[A-Z]{2}[0-9]{4}$"))]
    article: String,
    #[schemars(range(min = 1, max = 100))]
    count: u8,
    /// Where we report what becomes of the order. A URL may not lead into a private network.
    #[schemars(extend("format" = "uri"))]
    webhook: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Page {
    #[schemars(range(max = 50))]
    limit: Option<u32>,
    #[serde(default)]
    sort: Sort,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Newest,
    #[default]
    Oldest,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let app = app(&world)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The application. Nobody needs a credential here, so that the example is about input alone.
pub(crate) fn app(world: &World) -> Result<Router, Failure> {
    // A type whose rules cannot be enforced ends the program here and not at its first request.
    prepare::<NewOrder>()?;
    prepare::<Page>()?;
    let routes = Router::new().route("/orders", get(list).post(order)).route("/orders/{number}", get(show));
    let chain = Chain::api().public("GET /orders").public("POST /orders").public("GET /orders/{number}");
    Ok(chain.protect(routes, world)?)
}

async fn order(Valid(Json(order)): Valid<Json<NewOrder>>) -> String {
    format!("{} of {}, reported to {}", order.count, order.article, order.webhook.as_deref().unwrap_or("nobody"))
}

async fn list(Valid(Query(page)): Valid<Query<Page>>) -> String {
    let order = if matches!(page.sort, Sort::Newest) { "newest" } else { "oldest" };
    format!("the {} {order} orders", page.limit.unwrap_or(50))
}

async fn show(Valid(Path(number)): Valid<Path<u32>>) -> String {
    format!("order {number}")
}
