//! The shipping quote comes from a partner, who may be careless or hostile.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
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
    mut parts: Parts,
) -> Result<Response, Failure> {
    Caller::or_guest(&mut parts, &shop, Weakness::ShippingOpen).await?;
    let product = products::find(&shop, &product_id).await?;
    let body = shop.fetcher.get(question(&shop.partner, &text(&product, "id")?)?).await.ok_or(BAD_GATEWAY)?;
    let everything = [Weakness::PartnerMarkup, Weakness::PartnerNumber, Weakness::PartnerProperty];
    if everything.iter().all(|weakness| shop.has(*weakness)) {
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let mut quote: RawQuote = serde_json::from_slice(&body).map_err(|_| BAD_GATEWAY)?;
    tidy(&shop, &mut quote)?;
    let mut answer = json!({ "carrier": quote.carrier, "cost_cents": quote.cost_cents, "days": quote.days });
    if shop.has(Weakness::PartnerProperty)
        && let (Some(answer), Ok(serde_json::Value::Object(more))) =
            (answer.as_object_mut(), serde_json::from_slice(&body))
    {
        for (name, value) in more {
            answer.entry(name).or_insert(value);
        }
    }
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

/// Refuses what no honest partner says; with one weakness, only what the weakness is not about is put right.
fn tidy(shop: &Shop, quote: &mut RawQuote) -> Result<(), Failure> {
    let is_named = (1..=40).contains(&quote.carrier.len())
        && quote.carrier.chars().all(|character| character.is_ascii_alphanumeric() || character == ' ');
    let is_counted = (0..=100_000).contains(&quote.cost_cents) && (0..=60).contains(&quote.days);
    let has = |weakness: Weakness| shop.has(weakness);
    let is_careless = has(Weakness::PartnerMarkup) || has(Weakness::PartnerNumber) || has(Weakness::PartnerProperty);
    if !(is_careless || is_named && is_counted) {
        return Err(BAD_GATEWAY);
    }
    if !is_named && !has(Weakness::PartnerMarkup) {
        "unknown".clone_into(&mut quote.carrier);
    }
    if !is_counted && !has(Weakness::PartnerNumber) {
        quote.cost_cents = quote.cost_cents.clamp(0, 100_000);
        quote.days = quote.days.clamp(0, 60);
    }
    Ok(())
}

const BAD_GATEWAY: Failure = Failure::Refusal(StatusCode::BAD_GATEWAY);
