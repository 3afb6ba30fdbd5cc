//! Revocations in PostgreSQL, one after another: whoever adds one waits for the one before to be there for all.

use async_trait::async_trait;
use palisade_core::port::revocation::{MOST, Revoked, RevokedAt};
use palisade_core::port::{RevocationLog, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::open::within;
use crate::sql::revocation::revoked as read;
use crate::sql::{store_error, to_column};

/// Numbers are given before a transaction ends, and transactions end in another order: a reader would step over one that
/// is not there yet. The lock ends with the transaction.
const LOCK: &str = "SELECT pg_advisory_xact_lock(5790138526620418)";
const APPEND: &str = "INSERT INTO palisade_revocation (issuer, kind, name, revoked_at, until)
                      VALUES ($1, $2, $3, $4, $5) RETURNING place";
const SWEEP: &str = "DELETE FROM palisade_revocation WHERE place IN (
                       SELECT place FROM palisade_revocation WHERE until <= $1
                       ORDER BY until LIMIT 2 FOR UPDATE SKIP LOCKED)";
const AFTER: &str = "SELECT place, issuer, kind, name, revoked_at, until
                   FROM palisade_revocation WHERE place > $1 AND until > $2 ORDER BY place LIMIT $3";

#[async_trait]
impl RevocationLog for PostgresStore {
    async fn append(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError> {
        within(self.patience, self.append_revocation(revoked, now)).await?
    }

    async fn after(&self, place: u64, now: Timestamp) -> Result<Vec<RevokedAt>, StoreError> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let after = sqlx::query(AFTER).bind(place).bind(to_column(now)).bind(i64::from(MOST)).fetch_all(&self.pool);
        within(self.patience, after).await?.map_err(store_error)?.iter().map(read).collect()
    }
}

impl PostgresStore {
    async fn append_revocation(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        sqlx::raw_sql(LOCK).execute(&mut *transaction).await.map_err(store_error)?;
        sqlx::query(SWEEP).bind(to_column(now)).execute(&mut *transaction).await.map_err(store_error)?;
        let (kind, name) = revoked.what.parts();
        let place: i64 = sqlx::query_scalar(APPEND)
            .bind(&*revoked.issuer)
            .bind(kind)
            .bind(name)
            .bind(to_column(revoked.at))
            .bind(to_column(revoked.until))
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(place.unsigned_abs())
    }
}
