//! What only the administrator may do: list the users and restock the shelves.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::caller::{Admin, Caller};
use crate::failure::Failure;
use crate::input::{Input, check_range};
use crate::routes::{products, users};
use crate::shop::Shop;
use crate::store::Bound;
use crate::weakness::Weakness;
use crate::wire::RawRestock;

/// `GET /v1/admin/users`
pub(crate) async fn users(State(shop): State<Arc<Shop>>, mut parts: Parts) -> Result<Json<Value>, Failure> {
    Admin::of(&mut parts, &shop, Weakness::UsersListed).await?;
    every_user(&shop).await
}

/// `GET /v1/admin/users/`, which somebody added and forgot to close.
pub(crate) async fn users_of_anybody(State(shop): State<Arc<Shop>>, _: Caller) -> Result<Json<Value>, Failure> {
    every_user(&shop).await
}

async fn every_user(shop: &Shop) -> Result<Json<Value>, Failure> {
    let rows = shop.store.rows(LIST, &[]).await?;
    let items: Vec<Value> = rows.iter().map(|row| users::render(shop, row)).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items })))
}

/// `POST /v1/admin/products/{product_id}/restock`
pub(crate) async fn restock(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
    mut parts: Parts,
    Input(restock): Input<RawRestock>,
) -> Result<Json<Value>, Failure> {
    Admin::of(&mut parts, &shop, Weakness::RestockOpen).await?;
    check_range(restock.quantity, 1, MAXIMUM_QUANTITY)?;
    let row = shop.store.row(RESTOCK, &[restock.quantity.into(), Bound::from(&product_id)]).await?;
    Ok(Json(products::render(&row.ok_or(Failure::NOT_FOUND)?)?))
}

const LIST: &str = "SELECT * FROM users ORDER BY id LIMIT 1000";
const RESTOCK: &str = "UPDATE products SET stock = stock + ? WHERE id = ? \
     RETURNING id, name, price_cents, stock, description";
const MAXIMUM_QUANTITY: i64 = 1_000;
