//! Gives a value to a statement beside its text, so that it cannot change the text.

// In reports:
use sqlx::SqlitePool;

async fn find(pool: &SqlitePool, name: &str) -> Result<Vec<(i64, String)>, sqlx::Error> {
    // The statement is a constant; what the caller sent is bound to `?`.
    sqlx::query_as("SELECT id, name FROM article WHERE name LIKE '%' || ? || '%'").bind(name).fetch_all(pool).await
}
