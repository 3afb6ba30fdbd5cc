//! Counts a use and refuses the next in one statement, so that nothing happens in between.

// In reports:
use sqlx::SqlitePool;

/// Whether one more is allowed. Two requests at the same moment cannot both take the last one.
async fn take(pool: &SqlitePool, user: &str, most: i64) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query("UPDATE quota SET used = used + 1 WHERE user = ? AND used < ?");
    Ok(taken.bind(user).bind(most).execute(pool).await?.rows_affected() == 1)
}
