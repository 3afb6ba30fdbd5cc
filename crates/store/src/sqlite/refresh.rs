//! Families of refresh tokens in SQLite: the newest token is replaced by one conditional statement.

use async_trait::async_trait;
use palisade_core::id::UserId;
use palisade_core::port::refresh::{Family, FamilyId, Kept, Outcome, Presented, Progress, Turn, Whose};
use palisade_core::port::{RefreshStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::sql::refresh::{Columns, family, kept, progress};
use crate::sql::{store_error, to_column};

const BEGIN: &str = "INSERT INTO refresh (id, salt, key, client, subject, tenant, session, binding, scopes, resources,
                       level, methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, ?17, 0, ?18)";
const FIND: &str = "SELECT id, salt, key, client, subject, tenant, session, binding, scopes, resources, level,
                      methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until,
                      revoked_at
                   FROM refresh WHERE id = ?1";
/// The way of almost every call: the newest generation of a family that counts.
const ROTATE: &str = "UPDATE refresh SET generation = generation + 1, rotated_at = ?3, used = 0, idle_until = ?3 + idle
                      WHERE id = ?1 AND generation = ?2 AND generation < 4294967295
                        AND revoked_at IS NULL AND idle_until > ?3 AND until > ?3";
const KEEP: &str = "UPDATE refresh SET idle_until = ?3 + idle
                    WHERE id = ?1 AND generation = ?2 AND revoked_at IS NULL AND idle_until > ?3 AND until > ?3";
const SETTLE: &str = "UPDATE refresh SET generation = ?2, rotated_at = ?3, used = ?4, idle_until = ?5, revoked_at = ?6
                      WHERE id = ?1 AND revoked_at IS NULL";
const NOTE_USED: &str = "UPDATE refresh SET used = 1 WHERE id = ?1 AND generation = ?2 AND used = 0";
const LIST: &str = "SELECT id, salt, key, client, subject, tenant, session, binding, scopes, resources, level,
                      methods, authenticated, begun, idle, until, generation, rotated_at, used, idle_until,
                      revoked_at
                   FROM refresh WHERE subject = ?1 AND revoked_at IS NULL AND idle_until > ?2 AND until > ?2
                    ORDER BY rotated_at DESC, id";
const SWEEP: &str = "DELETE FROM refresh WHERE id IN (SELECT id FROM refresh WHERE until <= ?1 LIMIT 2)";

#[async_trait]
impl RefreshStore for SqliteStore {
    async fn begin(&self, family: &Family, now: Timestamp) -> Result<(), StoreError> {
        let (family, columns) = (family.clone(), Columns::of(family)?);
        self.group.write(move |connection| Box::pin(begin(connection, family, columns, now))).await
    }

    async fn find(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        let row = sqlx::query(FIND).bind(id.as_bytes().as_slice()).fetch_optional(&self.pool).await;
        row.map_err(store_error)?.map(|row| family(&row)).transpose()
    }

    async fn redeem(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError> {
        self.group.write(move |connection| Box::pin(redeem(connection, id, presented, now))).await
    }

    async fn note_used(&self, id: FamilyId, generation: u32) -> Result<(), StoreError> {
        self.group
            .write(move |connection| {
                Box::pin(async move {
                    let note = sqlx::query(NOTE_USED).bind(id.as_bytes().to_vec()).bind(i64::from(generation));
                    note.execute(connection).await.map(drop).map_err(store_error)
                })
            })
            .await
    }

    async fn revoke(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let (sql, id, name) = match whose {
            Whose::Family(id) => (REVOKE_FAMILY, Some(id.as_bytes().to_vec()), None),
            Whose::Session(session) => (REVOKE_SESSION, None, Some(session.to_owned())),
            Whose::Subject(subject) => (REVOKE_SUBJECT, None, Some(subject.as_str().to_owned())),
        };
        self.group
            .write(move |connection| {
                Box::pin(async move {
                    let revoke = sqlx::query(sql).bind(to_column(now));
                    let revoke = if let Some(id) = id { revoke.bind(id) } else { revoke.bind(name) };
                    let done = revoke.execute(connection).await.map_err(store_error)?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }

    async fn list(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        let rows = sqlx::query(LIST).bind(subject.as_str()).bind(to_column(now)).fetch_all(&self.pool).await;
        rows.map_err(store_error)?.iter().map(kept).collect()
    }
}

const REVOKE_FAMILY: &str = "UPDATE refresh SET revoked_at = ?1 WHERE id = ?2 AND revoked_at IS NULL";
const REVOKE_SESSION: &str = "UPDATE refresh SET revoked_at = ?1 WHERE session = ?2 AND revoked_at IS NULL";
const REVOKE_SUBJECT: &str = "UPDATE refresh SET revoked_at = ?1 WHERE subject = ?2 AND revoked_at IS NULL";

async fn begin(
    connection: &mut SqliteConnection,
    family: Family,
    columns: Columns,
    now: Timestamp,
) -> Result<(), StoreError> {
    let first = Progress::begin(family.idle, family.until, now);
    let grant = &family.grant;
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
        .map_err(store_error)?;
    sqlx::query(SWEEP).bind(to_column(now)).execute(connection).await.map(drop).map_err(store_error)
}

async fn redeem(
    connection: &mut SqliteConnection,
    id: FamilyId,
    presented: Presented,
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    let (sql, newest) = match (presented.turn, presented.generation.checked_add(1)) {
        (Turn::Keep, _) => (KEEP, Outcome::Kept),
        (Turn::Rotate, Some(generation)) => (ROTATE, Outcome::Rotated { generation }),
        (Turn::Rotate, None) => (ROTATE, Outcome::Expired),
    };
    let name = id.as_bytes().as_slice();
    let step = sqlx::query(sql).bind(name).bind(i64::from(presented.generation)).bind(to_column(now));
    if step.execute(&mut *connection).await.map_err(store_error)?.rows_affected() == 1 {
        return Ok(newest);
    }
    // Under the file's write lock: what is read here cannot change before it is written.
    let row = sqlx::query(FIND).bind(name).fetch_optional(&mut *connection).await.map_err(store_error)?;
    let Some(row) = row else { return Ok(Outcome::Unknown) };
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
            .execute(connection)
            .await
            .map_err(store_error)?;
    }
    Ok(outcome)
}
