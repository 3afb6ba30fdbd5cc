//! Records a use under a unique key, so that the second one fails in the same statement.

// In reports:
use sqlx::SqlitePool;

/// Whether the code was redeemed now. The table has `PRIMARY KEY (code, user)`.
async fn redeem(pool: &SqlitePool, code: &str, user: &str) -> Result<bool, sqlx::Error> {
    let used = sqlx::query("INSERT INTO redeemed (code, user) VALUES (?, ?) ON CONFLICT DO NOTHING");
    Ok(used.bind(code).bind(user).execute(pool).await?.rows_affected() == 1)
}
