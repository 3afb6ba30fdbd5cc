//! Reads an amount into a type that has no senseless values.

// In reports:
use axum::Json;
use palisade::extract::Valid;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
struct Transfer {
    #[schemars(range(min = 1, max = 1_000_000))]
    cents: u32,
}

async fn transfer(Valid(Json(transfer)): Valid<Json<Transfer>>) -> String {
    format!("{} cents are sent", transfer.cents)
}
