//! Used-up keys in SQLite: one statement decides who was first.

use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{OnceStore, StoreError};
use palisade_core::time::Timestamp;

use super::SqliteStore;
use crate::sql::{store_error, to_column};

/// Returns a row if, and only if, the key was unused or its time is over.
const TAKE: &str = "INSERT INTO once (key, until) VALUES (?1, ?2)
                    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE once.until <= ?3
                    RETURNING 1";
const SWEEP: &str = "DELETE FROM once WHERE key IN (SELECT key FROM once WHERE until <= ?1 LIMIT 2)";

#[async_trait]
impl OnceStore for SqliteStore {
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let first: Option<i64> = sqlx::query_scalar(TAKE)
            .bind(key.as_str())
            .bind(to_column(now.plus(ttl)))
            .bind(to_column(now))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(store_error)?;
        if first.is_none() {
            return Ok(Taken::Again);
        }
        sqlx::query(SWEEP).bind(to_column(now)).execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Taken::First)
    }
}
