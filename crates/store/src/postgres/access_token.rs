//! Opaque access tokens in PostgreSQL: what is taken back is deleted.

use async_trait::async_trait;
use palisade_core::port::access_token::{AccessHash, KeptAccess, Which};
use palisade_core::port::{AccessTokenStore, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::open::within;
use crate::sql::access_token::token;
use crate::sql::{store_error, to_column};

/// One statement, so that what is over goes with what comes.
const KEEP: &str = "WITH over AS (DELETE FROM palisade_access_token WHERE hash IN (
                      SELECT hash FROM palisade_access_token WHERE expires <= $6
                      ORDER BY expires LIMIT 2 FOR UPDATE SKIP LOCKED))
                    INSERT INTO palisade_access_token (hash, subject, session, claims, expires)
                    VALUES ($1, $2, $3, $4, $5)";
const FIND: &str = "SELECT hash, subject, session, claims, expires
                   FROM palisade_access_token WHERE hash = $1";
const REVOKE_SESSION: &str = "DELETE FROM palisade_access_token WHERE session = $1";
const REVOKE_SUBJECT: &str = "DELETE FROM palisade_access_token WHERE subject = $1";
const REVOKE_TOKEN: &str = "DELETE FROM palisade_access_token WHERE hash = $1";

#[async_trait]
impl AccessTokenStore for PostgresStore {
    async fn keep(&self, kept: &KeptAccess, now: Timestamp) -> Result<(), StoreError> {
        let keep = sqlx::query(KEEP)
            .bind(kept.hash.0.to_vec())
            .bind(&*kept.subject)
            .bind(kept.session.as_deref())
            .bind(&*kept.claims)
            .bind(to_column(kept.expires))
            .bind(to_column(now));
        within(self.patience, keep.execute(&self.pool)).await?.map(drop).map_err(store_error)
    }

    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError> {
        let row = sqlx::query(FIND).bind(hash.0.to_vec()).fetch_optional(&self.pool);
        within(self.patience, row).await?.map_err(store_error)?.as_ref().map(token).transpose()
    }

    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError> {
        let revoke = match which {
            Which::Session(session) => sqlx::query(REVOKE_SESSION).bind(session.to_owned()),
            Which::Subject(subject) => sqlx::query(REVOKE_SUBJECT).bind(subject.to_owned()),
            Which::Token(hash) => sqlx::query(REVOKE_TOKEN).bind(hash.0.to_vec()),
        };
        Ok(within(self.patience, revoke.execute(&self.pool)).await?.map_err(store_error)?.rows_affected())
    }
}
