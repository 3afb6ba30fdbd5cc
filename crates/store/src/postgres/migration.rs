//! Brings the schema to this version, in one transaction and only forward.

use super::PostgresStore;
use crate::OpenError;

/// The steps; the place in the list, from one, is the schema version. A step that was released is never edited.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_tallies_and_once.sql"),
    include_str!("migrations/0002_accounts.sql"),
    include_str!("migrations/0003_sessions.sql"),
    include_str!("migrations/0004_refresh_families.sql"),
    include_str!("migrations/0005_keys.sql"),
    include_str!("migrations/0006_factors.sql"),
    include_str!("migrations/0007_api_keys.sql"),
    include_str!("migrations/0008_factor_failures.sql"),
    include_str!("migrations/0009_access_tokens.sql"),
];

/// The lock under which the schema is changed: of several gateways that start at once, one changes it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(5790138526620417)";

/// Applies the steps that the database lacks.
pub(super) async fn apply(store: &PostgresStore, url: &str) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| OpenError::Server { url: url.to_owned(), reason: error.to_string() };
    let found = steps(store).await.map_err(failed)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known { Err(OpenError::Newer { path: url.to_owned(), found, known }) } else { Ok(()) }
}

/// Applies what is missing and returns the version that the database had before.
async fn steps(store: &PostgresStore) -> Result<i64, sqlx::Error> {
    let mut transaction = store.pool.begin().await?;
    sqlx::raw_sql(LOCK).execute(&mut *transaction).await?;
    // A user who may only read and write rows can use a schema that somebody else has made.
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('palisade_schema_version') IS NOT NULL")
        .fetch_one(&mut *transaction)
        .await?;
    if !exists {
        sqlx::raw_sql("CREATE TABLE palisade_schema_version (version bigint PRIMARY KEY)")
            .execute(&mut *transaction)
            .await?;
    }
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM palisade_schema_version")
        .fetch_one(&mut *transaction)
        .await?;
    for (step, version) in STEPS.iter().zip(1_i64..) {
        if version > found {
            sqlx::raw_sql(*step).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO palisade_schema_version (version) VALUES ($1)")
                .bind(version)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(found)
}
