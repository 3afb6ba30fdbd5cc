//! Rate limits in PostgreSQL: lock, read, take pure steps, write.

use std::collections::HashMap;

use async_trait::async_trait;
use palisade_core::port::counter::{Ask, Tally};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::PostgresStore;
use crate::digest;
use crate::open::within;
use crate::sql::{store_error, to_column};

/// Locks the keys, whether or not they have rows, in one order for everybody. The locks end with the transaction.
const LOCK: &str = "SELECT pg_advisory_xact_lock(lock) FROM unnest($1::bigint[]) AS locks (lock)";
const READ: &str = "SELECT key, at, previous, current FROM palisade_tally WHERE key = ANY ($1)";
const WRITE: &str = "INSERT INTO palisade_tally (key, at, previous, current, over_at) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (key) DO UPDATE SET at = excluded.at, previous = excluded.previous,
                     current = excluded.current, over_at = excluded.over_at";
const SWEEP: &str = "DELETE FROM palisade_tally WHERE key IN (
                       SELECT key FROM palisade_tally WHERE over_at <= $1
                       ORDER BY over_at LIMIT 2 FOR UPDATE SKIP LOCKED)";

/// How long what is over is kept, in milliseconds: so far the clock can be set back and nothing is granted twice.
const MARGIN: u64 = 60_000;

#[async_trait]
impl CounterStore for PostgresStore {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        within(self.patience, self.take(asks, now)).await?
    }
}

impl PostgresStore {
    async fn take(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let keys: Vec<String> = asks.iter().map(digest::of_ask).collect();
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await.map_err(store_error)?;
        sqlx::query(LOCK).bind(locks(&keys)).execute(&mut *transaction).await.map_err(store_error)?;
        // After the locks: whoever waited for them must not count by an earlier moment.
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let kept = read(&mut transaction, &keys).await?;
        let steps: Vec<_> = asks.iter().zip(&keys).map(|(ask, key)| ask.step(kept.get(key).copied(), now)).collect();
        let is_granted = steps.iter().all(|step| step.outcome.is_granted());
        for ((ask, key), step) in asks.iter_mut().zip(&keys).zip(steps) {
            ask.outcome = step.outcome;
            let kept = kept.get(key);
            let next = match (is_granted, step.outcome.is_granted(), kept) {
                (true, ..) => step.after,
                // A clock that was set back is corrected, once.
                (false, false, Some(_)) => step.before,
                (false, ..) => continue,
            };
            // A refusal leaves the state as it is, so a flood of refused requests writes nothing.
            if kept != Some(&next) {
                if kept.is_none() {
                    sweep(&mut transaction, now).await.map_err(store_error)?;
                }
                let over_at = ask.algorithm.over_at(next, ask.rate);
                write(&mut transaction, key, next, over_at).await.map_err(store_error)?;
            }
        }
        transaction.commit().await.map_err(store_error)
    }
}

/// The numbers by which keys are locked, each once and in order. Two keys of one number wait for each other, no more.
fn locks(keys: &[String]) -> Vec<i64> {
    let number = |key: &String| key.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let mut locks: Vec<i64> = keys.iter().filter_map(number).map(u64::cast_signed).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

async fn read(connection: &mut PgConnection, keys: &[String]) -> Result<HashMap<String, Tally>, StoreError> {
    let rows = sqlx::query(READ).bind(keys).fetch_all(connection).await.map_err(store_error)?;
    let mut kept = HashMap::with_capacity(rows.len());
    for row in rows {
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(store_error);
        let (at, previous, current) = (number("at")?, number("previous")?, number("current")?);
        let damaged = || StoreError::Damaged { reason: format!("{at}, {previous}, {current} is not a tally") };
        let tally = Tally {
            at: at.try_into().map_err(|_| damaged())?,
            previous: previous.try_into().map_err(|_| damaged())?,
            current: current.try_into().map_err(|_| damaged())?,
        };
        kept.insert(row.try_get("key").map_err(store_error)?, tally);
    }
    Ok(kept)
}

async fn sweep(connection: &mut PgConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    let over_at = Timestamp::from_millis(now.as_millis().saturating_sub(MARGIN));
    sqlx::query(SWEEP).bind(to_column(over_at)).execute(connection).await.map(drop)
}

async fn write(connection: &mut PgConnection, key: &str, tally: Tally, over_at: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query(WRITE)
        .bind(key)
        .bind(i64::try_from(tally.at).unwrap_or(i64::MAX))
        .bind(i64::from(tally.previous))
        .bind(i64::from(tally.current))
        .bind(to_column(over_at))
        .execute(connection)
        .await
        .map(drop)
}
