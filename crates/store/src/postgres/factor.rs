//! Second factors in PostgreSQL: what is used once is used up by one conditional statement.

use std::num::NonZeroU32;

use async_trait::async_trait;
use palisade_core::id::{FactorId, UserId};
use palisade_core::port::factor::{
    Advanced, Ceremony, CodeHash, Confirmed, Consumed, Enrolled, Factor, FactorKind, Factors, Failed, LastFactor,
    NewFactor, Removed, Replaced,
};
use palisade_core::port::{FactorStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::{PgConnection, Postgres, Transaction};

use super::PostgresStore;
use crate::factor_row::{count, counter_to_column, factor_of, failed};
use crate::open::within;
use crate::sql::{store_error, to_column};

/// Locks a user's factors and codes, whether or not there are any: which one is the last is judged by one at a time.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('factor:' || $1, 0))";
const CLEAR: &str = "DELETE FROM palisade_factor WHERE pending_until IS NOT NULL
                     AND (user_id = $1 AND kind = $2 OR id = $4 AND pending_until <= $3)";
const ENROLL: &str = "INSERT INTO palisade_factor (id, user_id, kind, label, data, counter, created, pending_until)
                      VALUES ($1, $2, $3, $4, $5, 0, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING 1";
const PENDING: &str = "SELECT id, user_id, kind, label, data, counter, created, used, pending_until, failures,
                      disabled
                   FROM palisade_factor WHERE user_id = $1 AND id = $2 AND pending_until > $3";
const CONFIRM: &str = "UPDATE palisade_factor SET pending_until = NULL, counter = $3, used = $4
                       WHERE user_id = $1 AND id = $2 AND pending_until > $4 RETURNING 1";
/// A passkey that does not count stays at zero.
const ADVANCE: &str = "UPDATE palisade_factor SET counter = $3, used = $4, data = coalesce($5, data)
                       WHERE user_id = $1 AND id = $2 AND pending_until IS NULL AND disabled IS NULL
                       AND (counter < $3 OR kind = 'passkey' AND counter = 0 AND $3 = 0) RETURNING kind";
const FORGET: &str = "UPDATE palisade_factor SET failures = 0
                      WHERE user_id = $1 AND kind = $2 AND disabled IS NULL AND failures > 0";
/// Whether it is disabled now, for each of the factors that it counts for.
const FAIL: &str = "UPDATE palisade_factor
                    SET failures = failures + 1, disabled = CASE WHEN failures + 1 >= $3 THEN $4 END
                    WHERE user_id = $1 AND kind = $2 AND pending_until IS NULL AND disabled IS NULL
                    RETURNING disabled IS NOT NULL";
const IS_DISABLED: &str =
    "SELECT disabled IS NOT NULL FROM palisade_factor WHERE user_id = $1 AND id = $2 AND pending_until IS NULL";
const COUNT: &str = "SELECT count(*) FROM palisade_factor WHERE user_id = $1 AND pending_until IS NULL";
const REMOVE: &str = "DELETE FROM palisade_factor WHERE user_id = $1 AND id = $2 AND pending_until IS NULL";
const LIST: &str = "SELECT id, user_id, kind, label, data, counter, created, used, pending_until, failures,
                      disabled
                   FROM palisade_factor WHERE user_id = $1 AND pending_until IS NULL ORDER BY created, id";
const CODES: &str = "SELECT count(*) FROM palisade_recovery_code WHERE user_id = $1";
const ADD_CODE: &str = "INSERT INTO palisade_recovery_code (user_id, code) VALUES ($1, $2)";
const CONSUME: &str = "DELETE FROM palisade_recovery_code WHERE user_id = $1 AND code = $2 RETURNING 1";
const DROP_CODES: &str = "DELETE FROM palisade_recovery_code WHERE user_id = $1";
const SWEEP: &str =
    "DELETE FROM palisade_ceremony WHERE id IN (SELECT id FROM palisade_ceremony WHERE taken_until <= $1 LIMIT 2
                     FOR UPDATE SKIP LOCKED)";
const BEGIN: &str = "INSERT INTO palisade_ceremony (id, state, taken_until) VALUES ($1, $2, $3)";
const TAKE: &str = "DELETE FROM palisade_ceremony WHERE id = $1 RETURNING CASE WHEN taken_until > $2 THEN state END";

#[async_trait]
impl FactorStore for PostgresStore {
    async fn enroll(&self, new: &NewFactor, now: Timestamp) -> Result<Enrolled, StoreError> {
        within(self.patience, self.enroll_factor(new, now)).await?
    }

    async fn pending(&self, user: &UserId, id: &FactorId, now: Timestamp) -> Result<Option<Factor>, StoreError> {
        within(self.patience, self.pending_factor(user, id, now)).await?
    }

    async fn confirm(
        &self,
        user: &UserId,
        id: &FactorId,
        counter: u64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<Confirmed, StoreError> {
        within(self.patience, self.confirm_factor(user, id, counter, codes, now)).await?
    }

    async fn advance(
        &self,
        user: &UserId,
        id: &FactorId,
        to: u64,
        data: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        within(self.patience, self.advance_factor(user, id, to, data, now)).await?
    }

    async fn fail(
        &self,
        user: &UserId,
        kind: FactorKind,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        within(self.patience, self.fail_factors(user, kind, most, now)).await?
    }

    async fn consume(&self, user: &UserId, code: &CodeHash) -> Result<Consumed, StoreError> {
        within(self.patience, self.consume_code(user, code)).await?
    }

    async fn replace_codes(&self, user: &UserId, codes: &[CodeHash]) -> Result<Replaced, StoreError> {
        within(self.patience, self.replace_codes_of(user, codes)).await?
    }

    async fn remove(&self, user: &UserId, id: &FactorId, last: LastFactor) -> Result<Removed, StoreError> {
        within(self.patience, self.remove_factor(user, id, last)).await?
    }

    async fn list(&self, user: &UserId) -> Result<Factors, StoreError> {
        within(self.patience, self.list_factors(user)).await?
    }

    async fn begin(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError> {
        within(self.patience, self.begin_ceremony(ceremony, now)).await?
    }

    async fn take(&self, id: &CodeHash, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        within(self.patience, self.take_ceremony(id, now)).await?
    }
}

impl PostgresStore {
    /// A transaction that is alone with a user's factors.
    async fn begin_for(&self, user: &UserId) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        sqlx::query(LOCK).bind(user.as_str()).execute(&mut *transaction).await.map_err(store_error)?;
        Ok(transaction)
    }

    async fn enroll_factor(&self, new: &NewFactor, now: Timestamp) -> Result<Enrolled, StoreError> {
        let mut transaction = self.begin_for(&new.user).await?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let (user, kind) = (new.user.as_str(), new.kind.as_str());
        let clear = sqlx::query(CLEAR).bind(user).bind(kind).bind(to_column(now)).bind(new.id.as_str());
        clear.execute(&mut *transaction).await.map_err(store_error)?;
        let enrolled: Option<i32> = sqlx::query_scalar(ENROLL)
            .bind(new.id.as_str())
            .bind(user)
            .bind(kind)
            .bind(&*new.label)
            .bind(new.data.as_slice())
            .bind(to_column(now))
            .bind(to_column(now.plus(new.lasts)))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(enrolled.map_or(Enrolled::Taken, |_| Enrolled::Pending))
    }

    async fn pending_factor(&self, user: &UserId, id: &FactorId, now: Timestamp) -> Result<Option<Factor>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = self.moment(&mut connection, now).await.map_err(store_error)?;
        let query = sqlx::query(PENDING).bind(user.as_str()).bind(id.as_str()).bind(to_column(now));
        query.fetch_optional(&mut *connection).await.map_err(store_error)?.as_ref().map(factor_of).transpose()
    }

    async fn confirm_factor(
        &self,
        user: &UserId,
        id: &FactorId,
        counter: u64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<Confirmed, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let confirmed: Option<i32> = sqlx::query_scalar(CONFIRM)
            .bind(user.as_str())
            .bind(id.as_str())
            .bind(counter_to_column(counter)?)
            .bind(to_column(now))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(store_error)?;
        if confirmed.is_none() {
            return Ok(Confirmed::Unknown);
        }
        let issued = number(CODES, user, &mut transaction).await? == 0;
        if issued {
            add_codes(user, codes, &mut transaction).await?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(Confirmed::Confirmed { issued })
    }

    async fn advance_factor(
        &self,
        user: &UserId,
        id: &FactorId,
        to: u64,
        data: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let advanced: Option<String> = sqlx::query_scalar(ADVANCE)
            .bind(user.as_str())
            .bind(id.as_str())
            .bind(counter_to_column(to)?)
            .bind(to_column(now))
            .bind(data)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(store_error)?;
        if let Some(kind) = advanced {
            let query = sqlx::query(FORGET).bind(user.as_str()).bind(kind);
            query.execute(&mut *transaction).await.map_err(store_error)?;
            transaction.commit().await.map_err(store_error)?;
            return Ok(Advanced::Advanced);
        }
        let query = sqlx::query_scalar::<_, bool>(IS_DISABLED).bind(user.as_str()).bind(id.as_str());
        Ok(match query.fetch_optional(&mut *transaction).await.map_err(store_error)? {
            None => Advanced::Unknown,
            Some(false) => Advanced::Replayed,
            Some(true) => Advanced::Disabled,
        })
    }

    async fn fail_factors(
        &self,
        user: &UserId,
        kind: FactorKind,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        let query = sqlx::query_scalar::<_, bool>(FAIL).bind(user.as_str()).bind(kind.as_str());
        let query = query.bind(i64::from(most.get())).bind(to_column(now));
        let is_disabled = query.fetch_all(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(failed(&is_disabled))
    }

    async fn consume_code(&self, user: &UserId, code: &CodeHash) -> Result<Consumed, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        let query = sqlx::query_scalar::<_, i32>(CONSUME).bind(user.as_str()).bind(code.0.to_vec());
        if query.fetch_optional(&mut *transaction).await.map_err(store_error)?.is_none() {
            return Ok(Consumed::Unknown);
        }
        let left = number(CODES, user, &mut transaction).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Consumed::Consumed { left })
    }

    async fn replace_codes_of(&self, user: &UserId, codes: &[CodeHash]) -> Result<Replaced, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        if number(COUNT, user, &mut transaction).await? == 0 {
            return Ok(Replaced::NoFactor);
        }
        sqlx::query(DROP_CODES).bind(user.as_str()).execute(&mut *transaction).await.map_err(store_error)?;
        add_codes(user, codes, &mut transaction).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Replaced::Replaced)
    }

    async fn remove_factor(&self, user: &UserId, id: &FactorId, last: LastFactor) -> Result<Removed, StoreError> {
        let mut transaction = self.begin_for(user).await?;
        let query = sqlx::query(REMOVE).bind(user.as_str()).bind(id.as_str());
        if query.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() == 0 {
            return Ok(Removed::Unknown);
        }
        let left = number(COUNT, user, &mut transaction).await?;
        match (left, last) {
            // The transaction is rolled back.
            (0, LastFactor::Keep) => return Ok(Removed::IsLast),
            (0, LastFactor::Remove) => {
                let query = sqlx::query(DROP_CODES).bind(user.as_str());
                query.execute(&mut *transaction).await.map_err(store_error)?;
            }
            _ => {}
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(Removed::Removed { left })
    }

    async fn list_factors(&self, user: &UserId) -> Result<Factors, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let rows = sqlx::query(LIST).bind(user.as_str()).fetch_all(&mut *connection).await.map_err(store_error)?;
        let factors = rows.iter().map(factor_of).collect::<Result<_, _>>()?;
        Ok(Factors { factors, codes: number(CODES, user, &mut connection).await? })
    }

    async fn begin_ceremony(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(store_error)?;
        let now = self.moment(&mut transaction, now).await.map_err(store_error)?;
        sqlx::query(SWEEP).bind(to_column(now)).execute(&mut *transaction).await.map_err(store_error)?;
        let query = sqlx::query(BEGIN).bind(ceremony.id.0.to_vec()).bind(ceremony.state.as_slice());
        let query = query.bind(to_column(now.plus(ceremony.lasts)));
        query.execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn take_ceremony(&self, id: &CodeHash, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let now = self.moment(&mut connection, now).await.map_err(store_error)?;
        let query = sqlx::query_scalar::<_, Option<Vec<u8>>>(TAKE).bind(id.0.to_vec()).bind(to_column(now));
        query.fetch_optional(&mut *connection).await.map_err(store_error).map(Option::flatten)
    }
}

/// The number that a query about a user counts.
async fn number(query: &'static str, user: &UserId, connection: &mut PgConnection) -> Result<u32, StoreError> {
    sqlx::query_scalar(query).bind(user.as_str()).fetch_one(connection).await.map(count).map_err(store_error)
}

async fn add_codes(user: &UserId, codes: &[CodeHash], connection: &mut PgConnection) -> Result<(), StoreError> {
    for code in codes {
        let query = sqlx::query(ADD_CODE).bind(user.as_str()).bind(code.0.to_vec());
        query.execute(&mut *connection).await.map_err(store_error)?;
    }
    Ok(())
}
