//! Rate limits in SQLite: read, one pure step, write, under the file's write lock.

use async_trait::async_trait;
use palisade_core::port::counter::{Acquired, LimitKey, Rate, gcra};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::{SqliteStore, from_column, store_error, to_column};

const READ: &str = "SELECT full_at FROM counter WHERE key = ?1";
const WRITE: &str = "INSERT INTO counter (key, full_at) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET full_at = excluded.full_at";
const SWEEP: &str = "DELETE FROM counter WHERE key IN (SELECT key FROM counter WHERE full_at <= ?1 LIMIT 2)";

#[async_trait]
impl CounterStore for SqliteStore {
    async fn try_acquire(&self, key: &LimitKey, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let held: Option<i64> =
            sqlx::query_scalar(READ).bind(key.as_str()).fetch_optional(&mut *transaction).await.map_err(store_error)?;
        let state = held.map(from_column).transpose()?;
        let (outcome, next) = gcra(state, rate, now);
        // A refusal leaves the state as it is, so a flood of refused requests writes nothing.
        if state != Some(next) {
            keep(&mut transaction, key, held.is_none(), next, now).await.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(outcome)
    }
}

async fn keep(
    transaction: &mut Transaction<'static, Sqlite>,
    key: &LimitKey,
    is_new: bool,
    full_at: Timestamp,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    if is_new {
        sqlx::query(SWEEP).bind(to_column(now)).execute(&mut **transaction).await?;
    }
    sqlx::query(WRITE).bind(key.as_str()).bind(to_column(full_at)).execute(&mut **transaction).await?;
    Ok(())
}
