//! The routes nobody took down: an old version of the users, the coupons, the metrics and the debug page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::shop::Shop;
use crate::store::{integer, text};
use crate::token::ISSUER;

/// `GET /v0/users`: every column of every user, for anybody.
pub(crate) async fn users(State(shop): State<Arc<Shop>>) -> Result<Json<Value>, Failure> {
    let mut users = Vec::new();
    for row in shop.store.rows("SELECT * FROM users ORDER BY id", &[]).await? {
        users.push(json!({
            "id": text(&row, "id")?,
            "username": text(&row, "username")?,
            "password_hash": text(&row, "password_hash")?,
            "email": text(&row, "email")?,
            "display_name": text(&row, "display_name")?,
            "role": text(&row, "role")?,
            "internal_note": text(&row, "internal_note")?,
            "balance_cents": integer(&row, "balance_cents")?,
        }));
    }
    Ok(Json(Value::Array(users)))
}

/// `GET /v1/coupons/redeem`: every coupon, for anybody.
pub(crate) async fn coupons(State(shop): State<Arc<Shop>>) -> Result<Json<Value>, Failure> {
    let rows = shop.store.rows("SELECT code, value_cents FROM coupons ORDER BY code", &[]).await?;
    let coupon = |row| Ok(json!({ "code": text(row, "code")?, "value_cents": integer(row, "value_cents")? }));
    rows.iter().map(coupon).collect::<Result<_, Failure>>().map(|coupons| Json(Value::Array(coupons)))
}

/// `GET /metrics`: how business goes, for anybody.
pub(crate) async fn metrics(State(shop): State<Arc<Shop>>) -> Result<String, Failure> {
    let row = shop.store.row("SELECT count(*) AS orders FROM orders", &[]).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(format!("# TYPE orchard_orders gauge\norchard_orders {}\n", integer(&row, "orders")?))
}

/// `GET /debug/vars`: the configuration, for anybody.
pub(crate) async fn vars(State(shop): State<Arc<Shop>>) -> Json<Value> {
    let weaknesses: Vec<&str> = shop.weaknesses.iter().map(|weakness| weakness.slug()).collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "process": std::process::id(),
        "issuer": ISSUER,
        "database": "sqlite",
        "partner": { "url": shop.partner.to_string(), "key": "orchard-partner-key-0001" },
        "weaknesses": weaknesses,
    }))
}
