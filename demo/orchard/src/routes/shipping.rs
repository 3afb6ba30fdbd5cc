//! The shipping quote comes from a partner, who may be careless or hostile.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::routes::products;
use crate::shop::Shop;
use crate::store::text;
use crate::weakness::Weakness;
use crate::wire::RawQuote;

/// `GET /v1/products/{product_id}/shipping`
pub(crate) async fn quote(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
    _: Caller,
) -> Result<Response, Failure> {
    let product = products::find(&shop, &product_id).await?;
    let body = shop.fetcher.get(question(&shop.partner, &text(&product, "id")?)?).await.ok_or(BAD_GATEWAY)?;
    if shop.has(Weakness::UnsafeConsumption) {
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let quote: RawQuote = serde_json::from_slice(&body).map_err(|_| BAD_GATEWAY)?;
    if !is_plausible(&quote) {
        return Err(BAD_GATEWAY);
    }
    let answer = json!({ "carrier": quote.carrier, "cost_cents": quote.cost_cents, "days": quote.days });
    Ok(Json(answer).into_response())
}

// The id is one of the catalogue's own, so it needs no encoding.
fn question(partner: &Uri, product_id: &str) -> Result<Uri, Failure> {
    let base = partner.to_string();
    let base = base.trim_end_matches('/');
    format!("{base}/quote?product={product_id}")
        .parse()
        .map_err(|error: http::uri::InvalidUri| Failure::internal(&error))
}

fn is_plausible(quote: &RawQuote) -> bool {
    let named = (1..=40).contains(&quote.carrier.len())
        && quote.carrier.chars().all(|character| character.is_ascii_alphanumeric() || character == ' ');
    named && (0..=100_000).contains(&quote.cost_cents) && (0..=60).contains(&quote.days)
}

const BAD_GATEWAY: Failure = Failure::Refusal(StatusCode::BAD_GATEWAY);
