//! Accounts in PostgreSQL: each act is one conditional statement.

use async_trait::async_trait;
use palisade_core::id::{AuthenticatorId, TenantId, UserId};
use palisade_core::port::account::{
    Account, AccountStatus, Failed, FailureLimit, NewAccount, NewPassword, Registered, Replaced, SignInName, StatusSet,
    Strength, Succeeded,
};
use palisade_core::port::{AccountStore, StoreError};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use crate::open::within;
use crate::sql::{damaged, from_column, hash_text, status_of, store_error, to_column};

const REGISTER: &str =
    "INSERT INTO palisade_account (id, tenant, name, status, password, password_alone, password_version,
                          roles, scopes, created, changed)
                        VALUES ($1, $2, $3, 'active', $4, $5, 1::bigint, $6, $7, $8, $8)
                        ON CONFLICT DO NOTHING RETURNING 1::bigint";
const FIND: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM palisade_account WHERE id = $1";
const FIND_BY_NAME: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM palisade_account
                   WHERE coalesce('=' || tenant, '') = coalesce('=' || $1::text, '') AND name = $2";
const LIST: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM palisade_account WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2";
const REPLACE: &str =
    "UPDATE palisade_account SET password = $3, password_alone = $4, password_version = password_version + 1,
                         changed = $5
                       WHERE id = $1 AND password_version = $2 RETURNING password_version";
const REHASH: &str = "UPDATE palisade_account SET password = $3
                      WHERE id = $1 AND password_version = $2 AND password IS NOT NULL RETURNING 1::bigint";
const SET_STATUS: &str =
    "UPDATE palisade_account SET status = $2, changed = $3 WHERE id = $1 AND status <> $2 RETURNING 1::bigint";
const EXISTS: &str = "SELECT 1::bigint FROM palisade_account WHERE id = $1";
/// $3 is the present, $4 the limit, $5 the end of what begins now.
const FAIL: &str = "INSERT INTO palisade_authenticator_failure AS kept (account, authenticator, in_a_row, disabled_until)
                    SELECT id, $2::text, 1, CASE WHEN $4::bigint <= 1 THEN $5::bigint END FROM palisade_account WHERE id = $1
                    ON CONFLICT (account, authenticator) DO UPDATE SET
                      in_a_row = CASE WHEN kept.disabled_until > $3 THEN kept.in_a_row
                                      WHEN kept.disabled_until IS NOT NULL THEN 1
                                      ELSE kept.in_a_row + 1 END,
                      disabled_until = CASE WHEN kept.disabled_until > $3 THEN kept.disabled_until
                                            WHEN kept.disabled_until IS NOT NULL THEN CASE WHEN $4 <= 1 THEN $5 END
                                            WHEN kept.in_a_row + 1 >= $4 THEN $5 END
                    RETURNING in_a_row, disabled_until";
const FORGET: &str = "DELETE FROM palisade_authenticator_failure
                      WHERE account = $1 AND authenticator = $2 AND (disabled_until IS NULL OR disabled_until <= $3)
                      RETURNING 1::bigint";
const DISABLED: &str = "SELECT disabled_until FROM palisade_authenticator_failure
                        WHERE account = $1 AND authenticator = $2 AND disabled_until > $3";
const ENABLE: &str =
    "DELETE FROM palisade_authenticator_failure WHERE account = $1 AND authenticator = $2 RETURNING 1::bigint";

#[async_trait]
impl AccountStore for PostgresStore {
    async fn register(&self, new: &NewAccount, now: Timestamp) -> Result<Registered, StoreError> {
        let password = new.password.as_ref();
        let done: Option<i64> = self
            .patiently(
                sqlx::query_scalar(REGISTER)
                    .bind(new.id.as_str())
                    .bind(new.tenant.as_ref().map(TenantId::as_str))
                    .bind(new.name.as_str())
                    .bind(password.map(|password| hash_text(&password.hash)).transpose()?)
                    .bind(password.is_some_and(|password| password.strength == Strength::Alone))
                    .bind(&new.roles)
                    .bind(&new.scopes)
                    .bind(to_column(now))
                    .fetch_optional(&self.pool),
            )
            .await?;
        Ok(if done.is_some() { Registered::Done } else { Registered::Taken })
    }

    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        let row = self.patiently(sqlx::query(FIND).bind(id.as_str()).fetch_optional(&self.pool)).await?;
        row.as_ref().map(account).transpose()
    }

    async fn find_by_name(&self, tenant: Option<&TenantId>, name: &SignInName) -> Result<Option<Account>, StoreError> {
        let row = self
            .patiently(
                sqlx::query(FIND_BY_NAME)
                    .bind(tenant.map(TenantId::as_str))
                    .bind(name.as_str())
                    .fetch_optional(&self.pool),
            )
            .await?;
        row.as_ref().map(account).transpose()
    }

    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = self
            .patiently(sqlx::query(LIST).bind(after.map(UserId::as_str)).bind(i64::from(limit)).fetch_all(&self.pool))
            .await?;
        rows.iter().map(account).collect()
    }

    async fn replace_password(
        &self,
        id: &UserId,
        version: u64,
        password: &NewPassword,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let version: Option<i64> = self
            .patiently(
                sqlx::query_scalar(REPLACE)
                    .bind(id.as_str())
                    .bind(i64::try_from(version).unwrap_or(i64::MAX))
                    .bind(hash_text(&password.hash)?)
                    .bind(password.strength == Strength::Alone)
                    .bind(to_column(now))
                    .fetch_optional(&self.pool),
            )
            .await?;
        Ok(match version {
            Some(version) => Replaced::Done { version: version.unsigned_abs() },
            None if self.exists(id).await? => Replaced::Stale,
            None => Replaced::Unknown,
        })
    }

    async fn rehash_password(&self, id: &UserId, version: u64, hash: &Secret) -> Result<Replaced, StoreError> {
        let done: Option<i64> = self
            .patiently(
                sqlx::query_scalar(REHASH)
                    .bind(id.as_str())
                    .bind(i64::try_from(version).unwrap_or(i64::MAX))
                    .bind(hash_text(hash)?)
                    .fetch_optional(&self.pool),
            )
            .await?;
        Ok(match done {
            Some(_) => Replaced::Done { version },
            None if self.exists(id).await? => Replaced::Stale,
            None => Replaced::Unknown,
        })
    }

    async fn set_status(&self, id: &UserId, status: AccountStatus, now: Timestamp) -> Result<StatusSet, StoreError> {
        let changed: Option<i64> = self
            .patiently(
                sqlx::query_scalar(SET_STATUS)
                    .bind(id.as_str())
                    .bind(status.as_str())
                    .bind(to_column(now))
                    .fetch_optional(&self.pool),
            )
            .await?;
        Ok(match changed {
            Some(_) => StatusSet::Changed,
            None if self.exists(id).await? => StatusSet::Unchanged,
            None => StatusSet::Unknown,
        })
    }

    async fn record_failure(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        limit: FailureLimit,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        let row = self
            .patiently(
                sqlx::query(FAIL)
                    .bind(id.as_str())
                    .bind(authenticator.as_str())
                    .bind(to_column(now))
                    .bind(i64::from(limit.failures.get()))
                    .bind(to_column(limit.until(now)))
                    .fetch_optional(&self.pool),
            )
            .await?;
        let Some(row) = row else { return Ok(Failed::Unknown) };
        Ok(match row.try_get::<Option<i64>, _>("disabled_until").map_err(store_error)? {
            Some(until) => Failed::Disabled { until: from_column(until)? },
            None => {
                let in_a_row: i64 = row.try_get("in_a_row").map_err(store_error)?;
                Failed::Counted { in_a_row: u32::try_from(in_a_row).unwrap_or(u32::MAX) }
            }
        })
    }

    async fn record_success(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Succeeded, StoreError> {
        let forgotten: Option<i64> = self
            .patiently(
                sqlx::query_scalar(FORGET)
                    .bind(id.as_str())
                    .bind(authenticator.as_str())
                    .bind(to_column(now))
                    .fetch_optional(&self.pool),
            )
            .await?;
        if forgotten.is_some() {
            return Ok(Succeeded::Done);
        }
        // What was not deleted is not there, or is disabled and stays so.
        let until = self.disabled_until(id, authenticator, now).await?;
        Ok(until.map_or(Succeeded::Done, |until| Succeeded::Disabled { until }))
    }

    async fn disabled_until(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let until: Option<i64> = self
            .patiently(
                sqlx::query_scalar(DISABLED)
                    .bind(id.as_str())
                    .bind(authenticator.as_str())
                    .bind(to_column(now))
                    .fetch_optional(&self.pool),
            )
            .await?;
        until.map(from_column).transpose()
    }

    async fn enable(&self, id: &UserId, authenticator: &AuthenticatorId) -> Result<bool, StoreError> {
        let enabled: Option<i64> = self
            .patiently(
                sqlx::query_scalar(ENABLE).bind(id.as_str()).bind(authenticator.as_str()).fetch_optional(&self.pool),
            )
            .await?;
        Ok(enabled.is_some())
    }
}

impl PostgresStore {
    /// The answer of the server, if it comes in time.
    async fn patiently<T>(&self, call: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, StoreError> {
        within(self.patience, call).await?.map_err(store_error)
    }

    async fn exists(&self, id: &UserId) -> Result<bool, StoreError> {
        let found = self.patiently(sqlx::query(EXISTS).bind(id.as_str()).fetch_optional(&self.pool)).await?;
        Ok(found.is_some())
    }
}

fn account(row: &PgRow) -> Result<Account, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(store_error);
    let optional = |column: &str| row.try_get::<Option<String>, _>(column).map_err(store_error);
    let list = |column: &str| row.try_get::<Vec<String>, _>(column).map_err(store_error);
    let number = |column: &str| row.try_get::<i64, _>(column).map_err(store_error);
    let alone: bool = row.try_get("password_alone").map_err(store_error)?;
    let strength = if alone { Strength::Alone } else { Strength::WithSecondFactor };
    let name = text("name")?;
    Ok(Account {
        id: UserId::new(text("id")?),
        tenant: optional("tenant")?.map(TenantId::new),
        name: SignInName::parse(&name).ok_or_else(|| damaged("a sign-in name"))?,
        status: status_of(&text("status")?)?,
        password: optional("password")?.map(|hash| NewPassword { hash: Secret::new(hash), strength }),
        password_version: number("password_version")?.try_into().map_err(|_| damaged("a version"))?,
        roles: list("roles")?,
        scopes: list("scopes")?,
        created: from_column(number("created")?)?,
        changed: from_column(number("changed")?)?,
    })
}
