//! Reviews are free text by customers, and the product page is where it meets a browser.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Html;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::input::{Input, check_length};
use crate::routes::products;
use crate::shop::Shop;
use crate::store::{Bound, integer, text};
use crate::weakness::Weakness;
use crate::wire::RawReview;

/// `GET /v1/products/{product_id}/reviews`
pub(crate) async fn list(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
) -> Result<Json<Value>, Failure> {
    products::find(&shop, &product_id).await?;
    let rows = shop.store.rows(LIST, &[Bound::from(&product_id)]).await?;
    let items: Vec<Value> = rows.iter().map(render).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items })))
}

/// `POST /v1/products/{product_id}/reviews`
pub(crate) async fn write(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
    mut parts: Parts,
    Input(review): Input<RawReview>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let caller = Caller::or_guest(&mut parts, &shop, Weakness::ReviewOpen).await?;
    let author = match &review.author {
        Some(author) if shop.has(Weakness::ReviewAuthorAssignable) => author.as_str(),
        Some(_) => return Err(Failure::BAD_REQUEST),
        None => caller.id(),
    };
    check_length(&review.text, MAXIMUM_TEXT)?;
    products::find(&shop, &product_id).await?;
    let values = [Bound::from(&product_id), author.into(), Bound::from(&review.text)];
    let row = shop.store.row(INSERT, &values).await?.ok_or(Failure::NOT_FOUND)?;
    Ok((StatusCode::CREATED, Json(render(&row)?)))
}

/// `GET /v1/products/{product_id}/page`
pub(crate) async fn page(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
) -> Result<Html<String>, Failure> {
    let product = products::find(&shop, &product_id).await?;
    let rows = shop.store.rows(LIST, &[Bound::from(&product_id)]).await?;
    let name = escape(&text(&product, "name")?);
    let description = escape(&text(&product, "description")?);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{name}</title></head>\n<body>\n\
         <h1>{name}</h1>\n<p>{description}</p>\n<ul>\n"
    );
    for row in &rows {
        let review = text(row, "text")?;
        let review = if shop.has(Weakness::ReviewScript) { review } else { escape(&review) };
        html.push_str(&format!("<li>{}: {review}</li>\n", escape(&text(row, "author")?)));
    }
    html.push_str("</ul>\n</body>\n</html>\n");
    Ok(Html(html))
}

fn render(row: &SqliteRow) -> Result<Value, Failure> {
    Ok(json!({
        "id": format!("r-{}", integer(row, "number")?),
        "author": text(row, "author")?,
        "text": text(row, "text")?,
    }))
}

/// Makes text safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const LIST: &str = "SELECT number, author, text FROM reviews WHERE product_id = ? ORDER BY number LIMIT 200";
const INSERT: &str = "INSERT INTO reviews (product_id, author, text) VALUES (?, ?, ?) RETURNING number, author, text";
const MAXIMUM_TEXT: usize = 500;
