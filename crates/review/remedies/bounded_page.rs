//! Clamps what a caller asks for to what one answer may hold.

// In reports:
use axum::extract::Query;
use serde::Deserialize;

#[derive(Deserialize)]
struct Page {
    limit: Option<u32>,
}

async fn list(Query(page): Query<Page>) -> String {
    let limit = page.limit.unwrap_or(20).clamp(1, 100);
    format!("the first {limit}")
}
