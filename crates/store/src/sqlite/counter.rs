//! Rate limits in SQLite: read, take pure steps, write, under the file's write lock.

use async_trait::async_trait;
use palisade_core::port::counter::{Algorithm, Ask, Step, Tally};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use crate::sql::{store_error, to_column};

const READ: &str = "SELECT at, previous, current FROM tally WHERE key = ?1";
const WRITE: &str = "INSERT INTO tally (key, at, previous, current, over_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (key) DO UPDATE SET at = excluded.at, previous = excluded.previous,
                     current = excluded.current, over_at = excluded.over_at";
const SWEEP: &str = "DELETE FROM tally WHERE key IN (SELECT key FROM tally WHERE over_at <= ?1 LIMIT 2)";

/// How long what is over is kept, in milliseconds: so far the clock can be set back and nothing is granted twice.
const MARGIN: u64 = 60_000;

/// One ask on its way: the text of its key, what is kept for it, and what the step says.
struct Asked {
    key: String,
    kept: Option<Tally>,
    step: Step,
}

#[async_trait]
impl CounterStore for SqliteStore {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let mut asked = Vec::with_capacity(asks.len());
        for ask in asks.iter() {
            // What is kept for a key depends on how it is counted: a rule that is changed starts anew.
            let key = match ask.algorithm {
                Algorithm::Gcra => format!("g{}", ask.key),
                Algorithm::SlidingWindow => format!("w{}", ask.key),
            };
            let kept = read(&mut transaction, &key).await?;
            asked.push(Asked { key, kept, step: ask.step(kept, now) });
        }
        let is_granted = asked.iter().all(|asked| asked.step.outcome.is_granted());
        for (ask, Asked { key, kept, step }) in asks.iter_mut().zip(asked) {
            ask.outcome = step.outcome;
            let next = match (is_granted, step.outcome.is_granted(), kept) {
                (true, ..) => step.after,
                // A clock that was set back is corrected, once.
                (false, false, Some(_)) => step.before,
                (false, ..) => continue,
            };
            // A refusal leaves the state as it is, so a flood of refused requests writes nothing.
            if kept != Some(next) {
                if kept.is_none() {
                    sweep(&mut transaction, now).await.map_err(store_error)?;
                }
                let over_at = ask.algorithm.over_at(next, ask.rate);
                write(&mut transaction, &key, next, over_at).await.map_err(store_error)?;
            }
        }
        transaction.commit().await.map_err(store_error)
    }
}

async fn read(transaction: &mut Transaction<'static, Sqlite>, key: &str) -> Result<Option<Tally>, StoreError> {
    let row: Option<(i64, i64, i64)> =
        sqlx::query_as(READ).bind(key).fetch_optional(&mut **transaction).await.map_err(store_error)?;
    let tally = |(at, previous, current): (i64, i64, i64)| {
        Some(Tally { at: at.try_into().ok()?, previous: previous.try_into().ok()?, current: current.try_into().ok()? })
    };
    row.map(|row| tally(row).ok_or_else(|| StoreError::Damaged { reason: format!("{row:?} is not a tally") }))
        .transpose()
}

async fn sweep(transaction: &mut Transaction<'static, Sqlite>, now: Timestamp) -> Result<(), sqlx::Error> {
    let over_at = Timestamp::from_millis(now.as_millis().saturating_sub(MARGIN));
    sqlx::query(SWEEP).bind(to_column(over_at)).execute(&mut **transaction).await.map(drop)
}

async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    key: &str,
    tally: Tally,
    over_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(WRITE)
        .bind(key)
        .bind(i64::try_from(tally.at).unwrap_or(i64::MAX))
        .bind(i64::from(tally.previous))
        .bind(i64::from(tally.current))
        .bind(to_column(over_at))
        .execute(&mut **transaction)
        .await
        .map(drop)
}
