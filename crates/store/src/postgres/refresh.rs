//! Families of refresh tokens in PostgreSQL: the newest token is replaced by one conditional statement.

use async_trait::async_trait;
use palisade_core::id::UserId;
use palisade_core::port::refresh::{Family, FamilyId, Kept, Outcome, Presented, Progress, Turn, Whose};
use palisade_core::port::{RefreshStore, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::open::within;
use crate::sql::refresh::{Columns, family, kept, progress};
use crate::sql::{store_error, to_column};

/// Removes up to two families that are over, but waits for nobody who does the same.
const BEGIN: &str = "WITH swept AS (
                       DELETE FROM palisade_refresh WHERE id IN (
                         SELECT id FROM palisade_refresh WHERE until <= $17
                         ORDER BY until LIMIT 2 FOR UPDATE SKIP LOCKED))
                     INSERT INTO palisade_refresh (id, salt, key, client, subject, tenant, session, binding, scopes,
                       resources, level, methods, authenticated, begun, idle, until, generation, rotated_at, used,
                       idle_until)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, 0, $18)";
const FIND: &str = "SELECT id, salt, key, client, subject, tenant, session, binding, scopes, resources, level,
                      methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until,
                      revoked_at
                   FROM palisade_refresh WHERE id = $1";
const LOCK: &str = "SELECT id, salt, key, client, subject, tenant, session, binding, scopes, resources, level,
                      methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until,
                      revoked_at
                   FROM palisade_refresh WHERE id = $1 FOR UPDATE";
/// The way of almost every call: the newest generation of a family that counts. Without a named moment it is the
/// server's.
const ROTATE: &str = "UPDATE palisade_refresh
                      SET generation = generation + 1, rotated_at = n.now, used = 0, idle_until = n.now + idle
                      FROM (SELECT coalesce($3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now) n
                      WHERE id = $1 AND generation = $2 AND generation < 4294967295
                        AND revoked_at IS NULL AND idle_until > n.now AND until > n.now";
const KEEP: &str = "UPDATE palisade_refresh SET idle_until = n.now + idle
                    FROM (SELECT coalesce($3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now) n
                    WHERE id = $1 AND generation = $2
                      AND revoked_at IS NULL AND idle_until > n.now AND until > n.now";
const SETTLE: &str = "UPDATE palisade_refresh
                      SET generation = $2, rotated_at = $3, used = $4, idle_until = $5, revoked_at = $6
                      WHERE id = $1 AND revoked_at IS NULL";
const NOTE_USED: &str = "UPDATE palisade_refresh SET used = 1 WHERE id = $1 AND generation = $2 AND used = 0";
const REVOKE_FAMILY: &str = "UPDATE palisade_refresh SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
const REVOKE_SESSION: &str = "UPDATE palisade_refresh SET revoked_at = $1 WHERE session = $2 AND revoked_at IS NULL";
const REVOKE_SUBJECT: &str = "UPDATE palisade_refresh SET revoked_at = $1 WHERE subject = $2 AND revoked_at IS NULL";
const LIST: &str = "SELECT id, salt, key, client, subject, tenant, session, binding, scopes, resources, level,
                      methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until,
                      revoked_at
                   FROM palisade_refresh
                    WHERE subject = $1 AND revoked_at IS NULL AND idle_until > $2 AND until > $2
                    ORDER BY rotated_at DESC, id";

#[async_trait]
impl RefreshStore for PostgresStore {
    async fn begin(&self, family: &Family, now: Timestamp) -> Result<(), StoreError> {
        within(self.patience, self.begin_family(family, now)).await?
    }

    async fn find(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        let find = sqlx::query(FIND).bind(id.as_bytes().as_slice()).fetch_optional(&self.pool);
        within(self.patience, find).await?.map_err(store_error)?.map(|row| family(&row)).transpose()
    }

    async fn redeem(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError> {
        within(self.patience, self.redeem_token(id, presented, now)).await?
    }

    async fn note_used(&self, id: FamilyId, generation: u32) -> Result<(), StoreError> {
        let note = sqlx::query(NOTE_USED).bind(id.as_bytes().as_slice()).bind(i64::from(generation));
        within(self.patience, note.execute(&self.pool)).await?.map(drop).map_err(store_error)
    }

    async fn revoke(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError> {
        within(self.patience, self.revoke_families(whose, now)).await?
    }

    async fn list(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        within(self.patience, self.list_families(subject, now)).await?
    }
}

impl PostgresStore {
    async fn begin_family(&self, family: &Family, now: Timestamp) -> Result<(), StoreError> {
        let columns = Columns::of(family)?;
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = self.moment(&mut connection, now).await.map_err(store_error)?;
        let (first, grant) = (Progress::begin(family.idle, family.until, now), &family.grant);
        sqlx::query(BEGIN)
            .bind(family.id.as_bytes().as_slice())
            .bind(family.salt.as_slice())
            .bind(&*family.key)
            .bind(grant.client.as_str())
            .bind(grant.subject.as_str())
            .bind(grant.tenant.as_ref().map(|tenant| tenant.as_str()))
            .bind(grant.session.as_deref())
            .bind(columns.binding)
            .bind(columns.scopes)
            .bind(columns.resources)
            .bind(grant.level.as_str())
            .bind(columns.methods)
            .bind(to_column(grant.authenticated))
            .bind(to_column(family.begun))
            .bind(columns.idle)
            .bind(to_column(family.until))
            .bind(to_column(first.rotated_at))
            .bind(to_column(first.idle_until))
            .execute(&mut *connection)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn redeem_token(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError> {
        let (sql, newest) = match (presented.turn, presented.generation.checked_add(1)) {
            (Turn::Keep, _) => (KEEP, Outcome::Kept),
            (Turn::Rotate, Some(generation)) => (ROTATE, Outcome::Rotated { generation }),
            (Turn::Rotate, None) => (ROTATE, Outcome::Expired),
        };
        let name = id.as_bytes().as_slice();
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let step = sqlx::query(sql).bind(name).bind(i64::from(presented.generation));
        let step = step.bind(self.moment.named(now).map(to_column)).execute(&mut *connection).await;
        if step.map_err(store_error)?.rows_affected() == 1 {
            return Ok(newest);
        }
        drop(connection);
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let row = sqlx::query(LOCK).bind(name).fetch_optional(&mut *transaction).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(Outcome::Unknown) };
        // After the lock: whoever waited for it must not judge by an earlier moment.
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let before = progress(&row)?;
        let mut after = before;
        let outcome = after.redeem(presented, family(&row)?.idle, now);
        if after != before {
            sqlx::query(SETTLE)
                .bind(name)
                .bind(i64::from(after.generation))
                .bind(to_column(after.rotated_at))
                .bind(i64::from(after.used))
                .bind(to_column(after.idle_until))
                .bind(after.revoked_at.map(to_column))
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(outcome)
    }

    async fn revoke_families(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = to_column(self.moment(&mut connection, now).await.map_err(store_error)?);
        let revoke = match &whose {
            Whose::Family(id) => sqlx::query(REVOKE_FAMILY).bind(now).bind(id.as_bytes().as_slice()),
            Whose::Session(session) => sqlx::query(REVOKE_SESSION).bind(now).bind(*session),
            Whose::Subject(subject) => sqlx::query(REVOKE_SUBJECT).bind(now).bind(subject.as_str()),
        };
        let done = revoke.execute(&mut *connection).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn list_families(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = self.moment(&mut connection, now).await.map_err(store_error)?;
        let list = sqlx::query(LIST).bind(subject.as_str()).bind(to_column(now));
        list.fetch_all(&mut *connection).await.map_err(store_error)?.iter().map(kept).collect()
    }
}
