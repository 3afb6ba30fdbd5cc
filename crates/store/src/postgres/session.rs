//! Sessions in PostgreSQL: a limit is kept and an id renewed under a lock, and to end one is a single statement.

use async_trait::async_trait;
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::session::{
    Ended, NewSession, Opened, Record, Renewal, Renewed, Session, SessionHash, Touched, WhenFull,
};
use palisade_core::port::{SessionStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::PostgresStore;
use crate::open::within;
use crate::session_row::{Columns, bind_columns, record_of};
use crate::sql::{store_error, to_column};

/// Locks a user's sessions, whether or not there are any, so that two sign-ins at once keep one limit.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('session:' || $1, 0))";
/// With the server's moment, so that a request costs one round trip.
const FIND: &str = "SELECT handle, id, user_id, holder, created, seen, idle, ends, over_at, former_id,
                      former_until, former,
                      (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS moment
                    FROM palisade_session WHERE id = $1 OR former_id = $1";
const FIND_LOCKED: &str = "SELECT handle, id, user_id, holder, created, seen, idle, ends, over_at, former_id,
                      former_until, former
                   FROM palisade_session WHERE id = $1 OR former_id = $1 FOR UPDATE";
/// What was ended between the reading and this is not there any more and does not come back.
const SEE: &str = "UPDATE palisade_session SET seen = greatest(seen, $2), over_at = greatest(over_at, $3)
                   WHERE handle = $1 AND over_at > $2 RETURNING 1";
const INSERT: &str = "INSERT INTO palisade_session (handle, id, user_id, holder, created, seen, idle, ends, over_at,
                      former_id, former_until, former) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const UPDATE: &str =
    "UPDATE palisade_session SET id = $2, user_id = $3, holder = $4, created = $5, seen = $6, idle = $7,
                      ends = $8, over_at = $9, former_id = $10, former_until = $11, former = $12 WHERE handle = $1";
const LIVE: &str = "SELECT handle, id, user_id, holder, created, seen, idle, ends, over_at, former_id,
                      former_until, former
                   FROM palisade_session WHERE user_id = $1 AND over_at > $2 ORDER BY created, handle";
const END: &str = "DELETE FROM palisade_session WHERE id = $1 OR former_id = $1 RETURNING handle, user_id";
const END_ONE: &str = "DELETE FROM palisade_session WHERE user_id = $1 AND handle = $2 RETURNING handle, user_id";
const END_ALL: &str = "DELETE FROM palisade_session WHERE user_id = $1 AND handle IS DISTINCT FROM $2
                       RETURNING handle, user_id";
const SWEEP: &str = "DELETE FROM palisade_session WHERE handle IN (
                       SELECT handle FROM palisade_session WHERE over_at <= $1
                       ORDER BY over_at LIMIT 2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl SessionStore for PostgresStore {
    async fn open(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError> {
        within(self.patience, self.open_session(new, now)).await?
    }

    async fn touch(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError> {
        within(self.patience, self.touch_session(id, now)).await?
    }

    async fn renew(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError> {
        within(self.patience, self.renew_session(id, renewal, now)).await?
    }

    async fn end(&self, id: &SessionHash) -> Result<Ended, StoreError> {
        let query = sqlx::query(END).bind(id.0.to_vec()).fetch_optional(&self.pool);
        ended(within(self.patience, query).await?.map_err(store_error)?.as_ref())
    }

    async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError> {
        let query = sqlx::query(END_ONE).bind(user.as_str()).bind(session.as_str()).fetch_optional(&self.pool);
        ended(within(self.patience, query).await?.map_err(store_error)?.as_ref())
    }

    async fn end_all(&self, user: &UserId, except: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        let query = sqlx::query(END_ALL).bind(user.as_str()).bind(except.map(SessionHandle::as_str));
        let rows = within(self.patience, query.fetch_all(&self.pool)).await?.map_err(store_error)?;
        rows.iter().map(|row| ended(Some(row))).filter_map(|ended| ended.map(handle_of).transpose()).collect()
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        within(self.patience, async {
            let mut connection = self.pool.acquire().await.map_err(store_error)?;
            let now = self.moment(&mut connection, now).await.map_err(store_error)?;
            live(&mut connection, user, now).await
        })
        .await?
    }
}

impl PostgresStore {
    async fn open_session(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let user = new.holder.user.as_str();
        sqlx::query(LOCK).bind(user).execute(&mut *transaction).await.map_err(store_error)?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let replaced = match &new.replaces {
            Some(id) => {
                let row = sqlx::query(END).bind(id.0.to_vec()).fetch_optional(&mut *transaction).await;
                handle_of(ended(row.map_err(store_error)?.as_ref())?)
            }
            None => None,
        };
        let live = live(&mut transaction, &new.holder.user, now).await?;
        let most = new.limit.map_or(usize::MAX, |limit| usize::try_from(limit.most.get()).unwrap_or(usize::MAX));
        let excess = (live.len() + 1).saturating_sub(most);
        if excess > 0 && new.limit.is_some_and(|limit| limit.when_full == WhenFull::Refuse) {
            // The transaction is rolled back, and with it the end of the one that was to be replaced.
            return Ok(Opened::Refused { open: u32::try_from(live.len()).unwrap_or(u32::MAX) });
        }
        let evicted: Vec<SessionHandle> = live.into_iter().take(excess).map(|session| session.handle).collect();
        for handle in &evicted {
            let query = sqlx::query(END_ONE).bind(user).bind(handle.as_str());
            query.execute(&mut *transaction).await.map_err(store_error)?;
        }
        sqlx::query(SWEEP).bind(to_column(now)).execute(&mut *transaction).await.map_err(store_error)?;
        let record = Record::opened(new, now);
        let query = bind_columns!(sqlx::query(INSERT), Columns::of(&record)?);
        query.execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Opened::Opened { session: Box::new(record.session), evicted, replaced })
    }

    async fn touch_session(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError> {
        let row = sqlx::query(FIND).bind(id.0.to_vec()).fetch_optional(&self.pool).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(Touched::Unknown) };
        let server: i64 = row.try_get("moment").map_err(store_error)?;
        let server = Timestamp::from_millis(u64::try_from(server).unwrap_or_default());
        let now = self.moment.named(now).unwrap_or(server);
        let mut record = record_of(&row)?;
        let before = record.session.seen;
        let touched = record.touch(id, now);
        if record.session.seen == before {
            return Ok(touched);
        }
        let seen: Option<i32> = sqlx::query_scalar(SEE)
            .bind(record.session.handle.as_str())
            .bind(to_column(now))
            .bind(to_column(record.session.over_at()))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(seen.map_or(Touched::Unknown, |_| touched))
    }

    async fn renew_session(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let query = sqlx::query(FIND_LOCKED).bind(id.0.to_vec()).fetch_optional(&mut *transaction);
        let Some(row) = query.await.map_err(store_error)? else { return Ok(Renewed::Unknown) };
        // After the lock: whoever waited for it must not judge by an earlier moment.
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let mut record = record_of(&row)?;
        let renewed = record.renew(id, renewal, now);
        if let Renewed::Renewed(_) = renewed {
            let query = bind_columns!(sqlx::query(UPDATE), Columns::of(&record)?);
            query.execute(&mut *transaction).await.map_err(store_error)?;
            transaction.commit().await.map_err(store_error)?;
        }
        Ok(renewed)
    }
}

/// The sessions of a user that are not over, the oldest first.
async fn live(connection: &mut PgConnection, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let query = sqlx::query(LIVE).bind(user.as_str()).bind(to_column(now));
    let rows = query.fetch_all(connection).await.map_err(store_error)?;
    rows.iter().map(|row| record_of(row).map(|record| record.session)).collect()
}

fn ended(row: Option<&PgRow>) -> Result<Ended, StoreError> {
    let Some(row) = row else { return Ok(Ended::Unknown) };
    let text = |name: &str| row.try_get::<String, _>(name).map_err(store_error);
    Ok(Ended::Ended { handle: SessionHandle::new(text("handle")?), user: UserId::new(text("user_id")?) })
}

fn handle_of(ended: Ended) -> Option<SessionHandle> {
    match ended {
        Ended::Ended { handle, .. } => Some(handle),
        Ended::Unknown => None,
    }
}
