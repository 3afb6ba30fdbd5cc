//! Brings the file's schema to this version, in one transaction and only forward.

use super::SqliteStore;
use crate::OpenError;

/// The steps; the place in the list, from one, is the schema version. A step that was released is never edited.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_counters_and_once.sql"),
    include_str!("migrations/0002_tallies.sql"),
    include_str!("migrations/0003_accounts.sql"),
    include_str!("migrations/0004_sessions.sql"),
    include_str!("migrations/0005_refresh_families.sql"),
    include_str!("migrations/0006_keys.sql"),
    include_str!("migrations/0007_factors.sql"),
    include_str!("migrations/0008_api_keys.sql"),
    include_str!("migrations/0009_factor_failures.sql"),
    include_str!("migrations/0010_access_tokens.sql"),
];

/// Applies the steps that the file lacks. Of several processes that open the file at once, one applies them and the
/// others wait.
pub(super) async fn apply(store: &SqliteStore, path: &str) -> Result<(), OpenError> {
    let found =
        steps(store).await.map_err(|error| OpenError::File { path: path.to_owned(), reason: error.to_string() })?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known { Err(OpenError::Newer { path: path.to_owned(), found, known }) } else { Ok(()) }
}

/// Applies what is missing and returns the version that the file had before.
async fn steps(store: &SqliteStore) -> Result<i64, sqlx::Error> {
    let mut transaction = store.begin().await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY) STRICT")
        .execute(&mut *transaction)
        .await?;
    let found: i64 =
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM schema_version").fetch_one(&mut *transaction).await?;
    for (step, version) in STEPS.iter().zip(1_i64..) {
        if version > found {
            sqlx::raw_sql(*step).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO schema_version (version) VALUES (?1)")
                .bind(version)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(found)
}
