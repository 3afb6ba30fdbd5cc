//! Products are what is sold; the search is where the injection lives.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use crate::failure::Failure;
use crate::input::check_range;
use crate::shop::Shop;
use crate::store::{Bound, integer, text};
use crate::weakness::Weakness;
use crate::wire::RawSearch;

/// `GET /v1/products`
pub(crate) async fn search(
    State(shop): State<Arc<Shop>>,
    Query(search): Query<RawSearch>,
) -> Result<Json<Value>, Failure> {
    let limit = search.limit.unwrap_or(DEFAULT_LIMIT);
    let offset = search.offset.unwrap_or(0);
    if !shop.has(Weakness::PageUnbounded) {
        check_range(limit, 1, MAXIMUM_LIMIT)?;
        check_range(offset, 0, MAXIMUM_OFFSET)?;
    }
    let q = search.q.unwrap_or_default();
    let rows = if shop.has(Weakness::SearchInjected) {
        // This is the weakness: the caller's text becomes part of the statement.
        let statement = format!(
            "SELECT id, name, price_cents, stock, description FROM products WHERE name LIKE '%{q}%' \
             LIMIT {limit} OFFSET {offset}"
        );
        shop.store.rows(AssertSqlSafe(statement), &[]).await?
    } else {
        shop.store.rows(SEARCH, &[Bound::from(&q), limit.into(), offset.into()]).await?
    };
    let items: Vec<Value> = rows.iter().map(render).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items })))
}

/// `GET /v1/products/{product_id}`
pub(crate) async fn show(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(render(&find(&shop, &product_id).await?)?))
}

/// The product's row, or 404.
pub(crate) async fn find(shop: &Shop, product_id: &str) -> Result<SqliteRow, Failure> {
    if shop.has(Weakness::ProductInjected) {
        let statement =
            format!("SELECT id, name, price_cents, stock, description FROM products WHERE id = '{product_id}'");
        return shop.store.row(AssertSqlSafe(statement), &[]).await?.ok_or(Failure::NOT_FOUND);
    }
    shop.store.row(FIND, &[product_id.into()]).await?.ok_or(Failure::NOT_FOUND)
}

/// The product as the contract shows it.
pub(crate) fn render(row: &SqliteRow) -> Result<Value, Failure> {
    Ok(json!({
        "id": text(row, "id")?,
        "name": text(row, "name")?,
        "price_cents": integer(row, "price_cents")?,
        "stock": integer(row, "stock")?,
        "description": text(row, "description")?,
    }))
}

const SEARCH: &str = "SELECT id, name, price_cents, stock, description FROM products \
     WHERE instr(lower(name), lower(?1)) > 0 OR ?1 = '' LIMIT ?2 OFFSET ?3";
const FIND: &str = "SELECT id, name, price_cents, stock, description FROM products WHERE id = ?";
const DEFAULT_LIMIT: i64 = 20;
const MAXIMUM_LIMIT: i64 = 50;
const MAXIMUM_OFFSET: i64 = 10_000;
