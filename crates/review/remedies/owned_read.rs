//! Asks for the object and its owner in one query, so that somebody else's is not found.

// In reports:
use palisade::extract::Principal;
use sqlx::SqlitePool;

async fn order(pool: &SqlitePool, who: &Principal, id: i64) -> Result<Option<(i64, String)>, sqlx::Error> {
    let order = sqlx::query_as("SELECT id, article FROM purchase WHERE id = ? AND owner = ?");
    order.bind(id).bind(who.subject().to_string()).fetch_optional(pool).await
}
