//! Service accounts and their keys in SQLite: room for a key is looked for by the statement that adds it.

use async_trait::async_trait;
use palisade_core::id::{ApiKeyId, ClientId, TenantId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, Held, KeptApiKey, LIVE_KEYS, NewApiKey, ServiceAccount, USE_SECONDS};
use palisade_core::port::{ApiKeyStore, StoreError};
use palisade_core::time::Timestamp;
use sqlx::Row as _;

use super::SqliteStore;
use crate::sql::api_key::{account, held, key, not_added, to_list};
use crate::sql::{store_error, to_column};

const REGISTER: &str = "INSERT INTO service_account (id, tenant, name, status, scopes, roles, networks, made)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
const SET_STATUS: &str = "UPDATE service_account SET status = ?2 WHERE id = ?1 AND status <> ?2";
const EXISTS: &str = "SELECT 1 FROM service_account WHERE id = ?1";
const ACCOUNTS: &str = "SELECT id, tenant, name, status, scopes, roles, networks, made
                   FROM service_account ORDER BY id";
/// ?5 is the present, ?6 how many may be live.
const ADD: &str = "INSERT INTO api_key (id, account, hash, expires, created)
                   SELECT ?1, id, ?3, ?4, ?5 FROM service_account
                   WHERE id = ?2 AND ?6 > (SELECT count(*) FROM api_key WHERE account = ?2
                     AND revoked_at IS NULL AND (expires IS NULL OR expires > ?5))
                   ON CONFLICT (id) DO NOTHING";
const WHY_NOT: &str = "SELECT (SELECT count(*) FROM service_account WHERE id = ?2),
                              (SELECT count(*) FROM api_key WHERE id = ?1)";
const FIND: &str = "SELECT k.id, k.account, k.hash, k.created, k.expires, k.last_used, k.revoked_at,
                      a.tenant, a.name, a.status, a.scopes, a.roles, a.networks, a.made
                    FROM api_key k JOIN service_account a ON a.id = k.account WHERE k.id = ?1";
const LIST: &str = "SELECT id, account, hash, created, expires, last_used, revoked_at
                   FROM api_key WHERE account = ?1 ORDER BY created, id";
const REVOKE: &str = "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
/// ?3 is the latest use that another one may follow in writing.
const NOTE_USED: &str = "UPDATE api_key SET last_used = ?2 WHERE id = ?1 AND (last_used IS NULL OR last_used <= ?3)";

#[async_trait]
impl ApiKeyStore for SqliteStore {
    async fn register(&self, new: &ServiceAccount) -> Result<bool, StoreError> {
        let register = sqlx::query(REGISTER)
            .bind(new.id.as_str())
            .bind(new.tenant.as_ref().map(TenantId::as_str))
            .bind(&*new.name)
            .bind(new.status.as_str())
            .bind(to_list(new.scopes.iter()))
            .bind(to_list(new.roles.iter()))
            .bind(to_list(&new.networks))
            .bind(to_column(new.created));
        Ok(register.execute(&self.pool).await.map_err(store_error)?.rows_affected() == 1)
    }

    async fn set_status(&self, id: &ClientId, status: AccountStatus) -> Result<StatusSet, StoreError> {
        let set = sqlx::query(SET_STATUS).bind(id.as_str()).bind(status.as_str());
        if set.execute(&self.pool).await.map_err(store_error)?.rows_affected() == 1 {
            return Ok(StatusSet::Changed);
        }
        let found = sqlx::query(EXISTS).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(store_error)?;
        Ok(found.map_or(StatusSet::Unknown, |_| StatusSet::Unchanged))
    }

    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError> {
        let rows = sqlx::query(ACCOUNTS).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.iter().map(|row| account(row, "id")).collect()
    }

    async fn add(&self, new: &NewApiKey, now: Timestamp) -> Result<Added, StoreError> {
        let mut transaction = self.begin().await.map_err(store_error)?;
        let add = sqlx::query(ADD)
            .bind(new.id.as_str())
            .bind(new.account.as_str())
            .bind(new.hash.0.to_vec())
            .bind(new.expires.map(to_column))
            .bind(to_column(now))
            .bind(LIVE_KEYS);
        if add.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() == 1 {
            transaction.commit().await.map_err(store_error)?;
            return Ok(Added::Added);
        }
        let why = sqlx::query(WHY_NOT).bind(new.id.as_str()).bind(new.account.as_str());
        let row = why.fetch_one(&mut *transaction).await.map_err(store_error)?;
        Ok(not_added(row.try_get(0).map_err(store_error)?, row.try_get(1).map_err(store_error)?))
    }

    async fn find(&self, id: &ApiKeyId) -> Result<Option<Held>, StoreError> {
        let row = sqlx::query(FIND).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(store_error)?;
        row.as_ref().map(held).transpose()
    }

    async fn list(&self, account: &ClientId) -> Result<Vec<KeptApiKey>, StoreError> {
        let rows = sqlx::query(LIST).bind(account.as_str()).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.iter().map(key).collect()
    }

    async fn revoke(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = sqlx::query(REVOKE).bind(id.as_str()).bind(to_column(now));
        Ok(revoke.execute(&self.pool).await.map_err(store_error)?.rows_affected() == 1)
    }

    async fn note_used(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.as_str().to_owned();
        let before = to_column(now).saturating_sub((USE_SECONDS * 1000).cast_signed());
        self.group
            .write(move |connection| {
                Box::pin(async move {
                    let note = sqlx::query(NOTE_USED).bind(id).bind(to_column(now)).bind(before);
                    Ok(note.execute(connection).await.map_err(store_error)?.rows_affected() == 1)
                })
            })
            .await
    }
}
