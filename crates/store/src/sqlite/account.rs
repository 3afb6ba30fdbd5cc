//! Accounts in SQLite: each act is one conditional statement, or one transaction that holds the file's write lock.

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
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::sql::{damaged, from_column, hash_text, status_of, store_error, to_column};

const REGISTER: &str = "INSERT INTO account (id, tenant, name, status, password, password_alone, password_version,
                          roles, scopes, created, changed)
                        VALUES (?1, ?2, ?3, 'active', ?4, ?5, 1, ?6, ?7, ?8, ?8)
                        ON CONFLICT DO NOTHING RETURNING 1";
const FIND: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM account WHERE id = ?1";
const FIND_BY_NAME: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM account
                            WHERE coalesce('=' || tenant, '') = coalesce('=' || ?1, '') AND name = ?2";
const LIST: &str = "SELECT id, tenant, name, status, password, password_alone, password_version, roles, scopes,
                      created, changed
                   FROM account WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2";
const REPLACE: &str = "UPDATE account SET password = ?3, password_alone = ?4, password_version = password_version + 1,
                         changed = ?5
                       WHERE id = ?1 AND password_version = ?2 RETURNING password_version";
const REHASH: &str = "UPDATE account SET password = ?3
                      WHERE id = ?1 AND password_version = ?2 AND password IS NOT NULL RETURNING 1";
const SET_STATUS: &str = "UPDATE account SET status = ?2, changed = ?3 WHERE id = ?1 AND status <> ?2 RETURNING 1";
const EXISTS: &str = "SELECT 1 FROM account WHERE id = ?1";
/// ?3 is the present, ?4 the limit, ?5 the end of what begins now.
const FAIL: &str = "INSERT INTO authenticator_failure AS kept (account, authenticator, in_a_row, disabled_until)
                    SELECT id, ?2, 1, CASE WHEN ?4 <= 1 THEN ?5 END FROM account WHERE id = ?1
                    ON CONFLICT (account, authenticator) DO UPDATE SET
                      in_a_row = CASE WHEN kept.disabled_until > ?3 THEN kept.in_a_row
                                      WHEN kept.disabled_until IS NOT NULL THEN 1
                                      ELSE kept.in_a_row + 1 END,
                      disabled_until = CASE WHEN kept.disabled_until > ?3 THEN kept.disabled_until
                                            WHEN kept.disabled_until IS NOT NULL THEN CASE WHEN ?4 <= 1 THEN ?5 END
                                            WHEN kept.in_a_row + 1 >= ?4 THEN ?5 END
                    RETURNING in_a_row, disabled_until";
const FORGET: &str = "DELETE FROM authenticator_failure
                      WHERE account = ?1 AND authenticator = ?2 AND (disabled_until IS NULL OR disabled_until <= ?3)
                      RETURNING 1";
const DISABLED: &str = "SELECT disabled_until FROM authenticator_failure
                        WHERE account = ?1 AND authenticator = ?2 AND disabled_until > ?3";
const ENABLE: &str = "DELETE FROM authenticator_failure WHERE account = ?1 AND authenticator = ?2 RETURNING 1";

#[async_trait]
impl AccountStore for SqliteStore {
    async fn register(&self, new: &NewAccount, now: Timestamp) -> Result<Registered, StoreError> {
        let password = new.password.as_ref();
        let done: Option<i64> = sqlx::query_scalar(REGISTER)
            .bind(new.id.as_str())
            .bind(new.tenant.as_ref().map(TenantId::as_str))
            .bind(new.name.as_str())
            .bind(password.map(|password| hash_text(&password.hash)).transpose()?)
            .bind(password.is_some_and(|password| password.strength == Strength::Alone))
            .bind(to_list(&new.roles))
            .bind(to_list(&new.scopes))
            .bind(to_column(now))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if done.is_some() { Registered::Done } else { Registered::Taken })
    }

    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query(FIND).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(store_error)?;
        row.as_ref().map(account).transpose()
    }

    async fn find_by_name(&self, tenant: Option<&TenantId>, name: &SignInName) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query(FIND_BY_NAME)
            .bind(tenant.map(TenantId::as_str))
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(account).transpose()
    }

    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let rows = sqlx::query(LIST)
            .bind(after.map(UserId::as_str))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        rows.iter().map(account).collect()
    }

    async fn replace_password(
        &self,
        id: &UserId,
        version: u64,
        password: &NewPassword,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let version: Option<i64> = sqlx::query_scalar(REPLACE)
            .bind(id.as_str())
            .bind(i64::try_from(version).unwrap_or(i64::MAX))
            .bind(hash_text(&password.hash)?)
            .bind(password.strength == Strength::Alone)
            .bind(to_column(now))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(match version {
            Some(version) => Replaced::Done { version: version.unsigned_abs() },
            None if self.exists(id).await? => Replaced::Stale,
            None => Replaced::Unknown,
        })
    }

    async fn rehash_password(&self, id: &UserId, version: u64, hash: &Secret) -> Result<Replaced, StoreError> {
        let done: Option<i64> = sqlx::query_scalar(REHASH)
            .bind(id.as_str())
            .bind(i64::try_from(version).unwrap_or(i64::MAX))
            .bind(hash_text(hash)?)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(match done {
            Some(_) => Replaced::Done { version },
            None if self.exists(id).await? => Replaced::Stale,
            None => Replaced::Unknown,
        })
    }

    async fn set_status(&self, id: &UserId, status: AccountStatus, now: Timestamp) -> Result<StatusSet, StoreError> {
        let changed: Option<i64> = sqlx::query_scalar(SET_STATUS)
            .bind(id.as_str())
            .bind(status.as_str())
            .bind(to_column(now))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
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
        let row = sqlx::query(FAIL)
            .bind(id.as_str())
            .bind(authenticator.as_str())
            .bind(to_column(now))
            .bind(i64::from(limit.failures.get()))
            .bind(to_column(limit.until(now)))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
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
        let forgotten: Option<i64> = sqlx::query_scalar(FORGET)
            .bind(id.as_str())
            .bind(authenticator.as_str())
            .bind(to_column(now))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
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
        let until: Option<i64> = sqlx::query_scalar(DISABLED)
            .bind(id.as_str())
            .bind(authenticator.as_str())
            .bind(to_column(now))
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        until.map(from_column).transpose()
    }

    async fn enable(&self, id: &UserId, authenticator: &AuthenticatorId) -> Result<bool, StoreError> {
        let enabled: Option<i64> = sqlx::query_scalar(ENABLE)
            .bind(id.as_str())
            .bind(authenticator.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(enabled.is_some())
    }
}

impl SqliteStore {
    async fn exists(&self, id: &UserId) -> Result<bool, StoreError> {
        let found = sqlx::query(EXISTS).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(store_error)?;
        Ok(found.is_some())
    }
}

fn account(row: &SqliteRow) -> Result<Account, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(store_error);
    let optional = |column: &str| row.try_get::<Option<String>, _>(column).map_err(store_error);
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
        roles: from_list(&text("roles")?)?,
        scopes: from_list(&text("scopes")?)?,
        created: from_column(number("created")?)?,
        changed: from_column(number("changed")?)?,
    })
}

fn to_list(items: &[String]) -> String {
    serde_json::Value::from(items).to_string()
}

fn from_list(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged("a list of roles or scopes"))
}
