//! Used-up keys in PostgreSQL: one statement decides who was first.

use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{OnceStore, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::digest;
use crate::open::within;
use crate::sql::{store_error, to_column};

/// Returns a row if, and only if, the key was unused or its time is over; removes up to two others that are over, but
/// waits for nobody who does the same.
const TAKE: &str = "WITH swept AS (
                      DELETE FROM palisade_once WHERE key IN (
                        SELECT key FROM palisade_once WHERE used_until <= $3 AND key <> $1
                        ORDER BY used_until LIMIT 2 FOR UPDATE SKIP LOCKED))
                    INSERT INTO palisade_once (key, used_until) VALUES ($1, $2)
                    ON CONFLICT (key) DO UPDATE SET used_until = excluded.used_until
                    WHERE palisade_once.used_until <= $3
                    RETURNING 1";

#[async_trait]
impl OnceStore for PostgresStore {
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        within(self.patience, self.take_once(key, ttl, now)).await?
    }
}

impl PostgresStore {
    async fn take_once(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = self.moment(&mut connection, now).await.map_err(store_error)?;
        let first: Option<i32> = sqlx::query_scalar(TAKE)
            .bind(digest::of_once(key))
            .bind(to_column(now.plus(ttl)))
            .bind(to_column(now))
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        Ok(if first.is_some() { Taken::First } else { Taken::Again })
    }
}
