//! Changes the object and checks its owner in one statement.

// In reports:
use palisade::extract::Principal;
use sqlx::SqlitePool;

/// Whether there was such an order of theirs.
async fn cancel(pool: &SqlitePool, who: &Principal, id: i64) -> Result<bool, sqlx::Error> {
    let cancelled = sqlx::query("UPDATE purchase SET is_cancelled = TRUE WHERE id = ? AND owner = ?");
    Ok(cancelled.bind(id).bind(who.subject().to_string()).execute(pool).await?.rows_affected() == 1)
}
