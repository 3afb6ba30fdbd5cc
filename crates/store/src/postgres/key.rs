//! Signing keys in PostgreSQL: the next number is given once.

use async_trait::async_trait;
use palisade_core::port::key::{Added, KeyRecord};
use palisade_core::port::{KeyStore, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::open::within;
use crate::sql::key::record;
use crate::sql::{store_error, to_column};

const LIST: &str = "SELECT purpose, number, algorithm, public, sealed, created, active_from, revoked_at
                   FROM palisade_signing_key WHERE purpose = $1 ORDER BY number";
const ADD: &str = "INSERT INTO palisade_signing_key (purpose, number, algorithm, public, sealed, created, active_from)
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (purpose, number) DO NOTHING";
const REVOKE: &str = "UPDATE palisade_signing_key SET revoked_at = $3, sealed = NULL
                      WHERE purpose = $1 AND number = $2 AND revoked_at IS NULL";
const DESTROY: &str =
    "UPDATE palisade_signing_key SET sealed = NULL WHERE purpose = $1 AND number = $2 AND sealed IS NOT NULL";

#[async_trait]
impl KeyStore for PostgresStore {
    async fn list(&self, purpose: &str) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query(LIST).bind(purpose).fetch_all(&self.pool);
        within(self.patience, rows).await?.map_err(store_error)?.iter().map(record).collect()
    }

    async fn add(&self, record: &KeyRecord) -> Result<Added, StoreError> {
        let add = sqlx::query(ADD)
            .bind(&*record.purpose)
            .bind(i64::from(record.number))
            .bind(&*record.algorithm)
            .bind(&*record.public)
            .bind(record.sealed.as_deref())
            .bind(to_column(record.created))
            .bind(to_column(record.active_from));
        let done = within(self.patience, add.execute(&self.pool)).await?.map_err(store_error)?;
        Ok(if done.rows_affected() == 1 { Added::Ours } else { Added::Theirs })
    }

    async fn revoke(&self, purpose: &str, number: u32, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = sqlx::query(REVOKE).bind(purpose).bind(i64::from(number)).bind(to_column(now));
        let done = within(self.patience, revoke.execute(&self.pool)).await?.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn destroy(&self, purpose: &str, number: u32) -> Result<bool, StoreError> {
        let destroy = sqlx::query(DESTROY).bind(purpose).bind(i64::from(number));
        let done = within(self.patience, destroy.execute(&self.pool)).await?.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}
