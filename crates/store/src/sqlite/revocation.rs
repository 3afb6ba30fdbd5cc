//! Revocations in SQLite, where the file's write lock gives them their order.

use async_trait::async_trait;
use palisade_core::port::revocation::{MOST, Revoked, RevokedAt};
use palisade_core::port::{RevocationLog, StoreError};
use palisade_core::time::Timestamp;

use super::SqliteStore;
use crate::sql::revocation::revoked as read;
use crate::sql::{store_error, to_column};

const APPEND: &str = "INSERT INTO revocation (issuer, kind, name, revoked_at, until) VALUES (?1, ?2, ?3, ?4, ?5)
                      RETURNING place";
const SWEEP: &str = "DELETE FROM revocation WHERE place IN (SELECT place FROM revocation WHERE until <= ?1 LIMIT 2)";
const AFTER: &str = "SELECT place, issuer, kind, name, revoked_at, until
                   FROM revocation WHERE place > ?1 AND until > ?2 ORDER BY place LIMIT ?3";

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn append(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError> {
        let revoked = revoked.clone();
        self.group
            .write(move |connection| {
                Box::pin(async move {
                    let sweep = sqlx::query(SWEEP).bind(to_column(now));
                    sweep.execute(&mut *connection).await.map_err(store_error)?;
                    let (kind, name) = revoked.what.parts();
                    let place: i64 = sqlx::query_scalar(APPEND)
                        .bind(&*revoked.issuer)
                        .bind(kind)
                        .bind(name)
                        .bind(to_column(revoked.at))
                        .bind(to_column(revoked.until))
                        .fetch_one(connection)
                        .await
                        .map_err(store_error)?;
                    Ok(place.unsigned_abs())
                })
            })
            .await
    }

    async fn after(&self, place: u64, now: Timestamp) -> Result<Vec<RevokedAt>, StoreError> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let after = sqlx::query(AFTER).bind(place).bind(to_column(now)).bind(i64::from(MOST));
        after.fetch_all(&self.pool).await.map_err(store_error)?.iter().map(read).collect()
    }
}
