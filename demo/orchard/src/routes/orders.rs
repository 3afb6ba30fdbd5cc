//! Orders belong to the customer who placed them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::input::{Input, check_length, check_range};
use crate::routes::products;
use crate::shop::Shop;
use crate::store::{Bound, integer, text};
use crate::weakness::Weakness;
use crate::wire::RawOrder;

/// `GET /v1/orders`
pub(crate) async fn list(State(shop): State<Arc<Shop>>, caller: Caller) -> Result<Json<Value>, Failure> {
    let rows = shop.store.rows(LIST, &[caller.id().into()]).await?;
    let items: Vec<Value> = rows.iter().map(render).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items })))
}

/// `GET /v1/orders/{order_id}`
pub(crate) async fn show(
    State(shop): State<Arc<Shop>>,
    Path(order_id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, Failure> {
    let row = shop.store.row(FIND, &[Bound::from(&order_id)]).await?.ok_or(Failure::NOT_FOUND)?;
    // Somebody else's order does not exist, so that ids cannot be counted.
    if !caller.may_touch(&shop, &text(&row, "owner")?, Weakness::OrderReadable) {
        return Err(Failure::NOT_FOUND);
    }
    Ok(Json(render(&row)?))
}

/// `POST /v1/orders`
pub(crate) async fn place(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    Input(order): Input<RawOrder>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let least = if shop.has(Weakness::QuantityNegative) { -MAXIMUM_QUANTITY } else { 1 };
    check_range(order.quantity, least, MAXIMUM_QUANTITY)?;
    // With one of the two weaknesses the other property is not looked at, as a careless type would do it.
    let takes_status = shop.has(Weakness::OrderStatusAssignable);
    let takes_total = shop.has(Weakness::OrderTotalAssignable);
    if !takes_status && !takes_total && (order.status.is_some() || order.total_cents.is_some()) {
        return Err(Failure::BAD_REQUEST);
    }
    check_length(&order.address, MAXIMUM_ADDRESS)?;
    products::find(&shop, &order.product_id).await?;
    let taken = shop.store.row(TAKE, &[order.quantity.into(), Bound::from(&order.product_id)]).await?;
    let price = integer(&taken.ok_or(Failure::Refusal(StatusCode::CONFLICT))?, "price_cents")?;
    let values = [
        caller.id().into(),
        Bound::from(&order.product_id),
        order.quantity.into(),
        order.total_cents.filter(|_| takes_total).unwrap_or(price.saturating_mul(order.quantity)).into(),
        Bound::from(&order.address),
        order.status.as_deref().filter(|_| takes_status).unwrap_or("placed").into(),
    ];
    let row = shop.store.row(INSERT, &values).await?.ok_or(Failure::NOT_FOUND)?;
    Ok((StatusCode::CREATED, Json(render(&row)?)))
}

/// `DELETE /v1/users/{user_id}/orders/{order_id}`
pub(crate) async fn cancel(
    State(shop): State<Arc<Shop>>,
    Path((user_id, order_id)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Failure> {
    if !caller.may_touch(&shop, &user_id, Weakness::OrderCancellable) {
        return Err(Failure::FORBIDDEN);
    }
    // With the weakness nobody has asked whether the caller is the user of the path.
    let cancelled = shop.store.row(CANCEL, &[Bound::from(&order_id), Bound::from(&user_id)]).await?;
    cancelled.map(|_| StatusCode::NO_CONTENT).ok_or(Failure::NOT_FOUND)
}

fn render(row: &SqliteRow) -> Result<Value, Failure> {
    Ok(json!({
        "id": text(row, "id")?,
        "owner": text(row, "owner")?,
        "product_id": text(row, "product_id")?,
        "quantity": integer(row, "quantity")?,
        "total_cents": integer(row, "total_cents")?,
        "address": text(row, "address")?,
        "status": text(row, "status")?,
    }))
}

const LIST: &str = "SELECT * FROM orders WHERE owner = ? ORDER BY rowid LIMIT 200";
const FIND: &str = "SELECT * FROM orders WHERE id = ?";
const TAKE: &str = "UPDATE products SET stock = stock - ?1 WHERE id = ?2 AND stock >= ?1 RETURNING price_cents";
const INSERT: &str = "INSERT INTO orders (id, owner, product_id, quantity, total_cents, address, status) \
     SELECT 'o-' || (max(CAST(substr(id, 3) AS INTEGER)) + 1), ?, ?, ?, ?, ?, ? FROM orders RETURNING *";
const CANCEL: &str = "UPDATE orders SET status = 'cancelled' WHERE id = ? AND owner = ? RETURNING id";
const MAXIMUM_QUANTITY: i64 = 100;
const MAXIMUM_ADDRESS: usize = 200;
