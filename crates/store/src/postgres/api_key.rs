//! Service accounts and their keys in PostgreSQL: whoever adds a key has its account alone.

use async_trait::async_trait;
use palisade_core::id::{ApiKeyId, ClientId, TenantId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, Held, KeptApiKey, LIVE_KEYS, NewApiKey, ServiceAccount, USE_SECONDS};
use palisade_core::port::{ApiKeyStore, StoreError};
use palisade_core::time::Timestamp;

use super::PostgresStore;
use crate::open::within;
use crate::sql::api_key::{account, held, key, not_added, to_list};
use crate::sql::{store_error, to_column};

const REGISTER: &str = "INSERT INTO palisade_service_account (id, tenant, name, status, scopes, roles, networks, made)
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
const SET_STATUS: &str = "UPDATE palisade_service_account SET status = $2 WHERE id = $1 AND status <> $2";
const EXISTS: &str = "SELECT 1 FROM palisade_service_account WHERE id = $1";
const ACCOUNTS: &str = "SELECT id, tenant, name, status, scopes, roles, networks, made
                   FROM palisade_service_account ORDER BY id COLLATE \"C\"";
/// A statement sees what was committed before it began. The next one is therefore another statement, and this one waits
/// for everybody else who adds to the account.
const LOCK: &str = "SELECT 1::bigint FROM palisade_service_account WHERE id = $1 FOR UPDATE";
/// $5 is the present, $6 how many may be live.
const ADD: &str = "INSERT INTO palisade_api_key (id, account, hash, expires, created)
                   SELECT $1, $2, $3, $4, $5
                   WHERE $6 > (SELECT count(*) FROM palisade_api_key WHERE account = $2
                     AND revoked_at IS NULL AND (expires IS NULL OR expires > $5))
                   ON CONFLICT (id) DO NOTHING";
const TAKEN: &str = "SELECT count(*) FROM palisade_api_key WHERE id = $1";
const FIND: &str = "SELECT k.id, k.account, k.hash, k.created, k.expires, k.last_used, k.revoked_at,
                      a.tenant, a.name, a.status, a.scopes, a.roles, a.networks, a.made
                    FROM palisade_api_key k JOIN palisade_service_account a ON a.id = k.account WHERE k.id = $1";
const LIST: &str = "SELECT id, account, hash, created, expires, last_used, revoked_at
                   FROM palisade_api_key WHERE account = $1 ORDER BY created, id COLLATE \"C\"";
const REVOKE: &str = "UPDATE palisade_api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
/// $3 is the latest use that another one may follow in writing.
const NOTE_USED: &str =
    "UPDATE palisade_api_key SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used <= $3)";

#[async_trait]
impl ApiKeyStore for PostgresStore {
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
        Ok(within(self.patience, register.execute(&self.pool)).await?.map_err(store_error)?.rows_affected() == 1)
    }

    async fn set_status(&self, id: &ClientId, status: AccountStatus) -> Result<StatusSet, StoreError> {
        let set = sqlx::query(SET_STATUS).bind(id.as_str()).bind(status.as_str());
        if within(self.patience, set.execute(&self.pool)).await?.map_err(store_error)?.rows_affected() == 1 {
            return Ok(StatusSet::Changed);
        }
        let exists = sqlx::query(EXISTS).bind(id.as_str()).fetch_optional(&self.pool);
        let found = within(self.patience, exists).await?.map_err(store_error)?;
        Ok(found.map_or(StatusSet::Unknown, |_| StatusSet::Unchanged))
    }

    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError> {
        let rows = sqlx::query(ACCOUNTS).fetch_all(&self.pool);
        let rows = within(self.patience, rows).await?.map_err(store_error)?;
        rows.iter().map(|row| account(row, "id")).collect()
    }

    async fn add(&self, key: &NewApiKey, now: Timestamp) -> Result<Added, StoreError> {
        within(self.patience, self.add_key(key, now)).await?.map_err(store_error)
    }

    async fn find(&self, id: &ApiKeyId) -> Result<Option<Held>, StoreError> {
        let row = sqlx::query(FIND).bind(id.as_str()).fetch_optional(&self.pool);
        within(self.patience, row).await?.map_err(store_error)?.as_ref().map(held).transpose()
    }

    async fn list(&self, account: &ClientId) -> Result<Vec<KeptApiKey>, StoreError> {
        let rows = sqlx::query(LIST).bind(account.as_str()).fetch_all(&self.pool);
        within(self.patience, rows).await?.map_err(store_error)?.iter().map(key).collect()
    }

    async fn revoke(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let revoke = sqlx::query(REVOKE).bind(id.as_str()).bind(to_column(now));
        Ok(within(self.patience, revoke.execute(&self.pool)).await?.map_err(store_error)?.rows_affected() == 1)
    }

    async fn note_used(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let before = to_column(now).saturating_sub((USE_SECONDS * 1000).cast_signed());
        let note = sqlx::query(NOTE_USED).bind(id.as_str()).bind(to_column(now)).bind(before);
        Ok(within(self.patience, note.execute(&self.pool)).await?.map_err(store_error)?.rows_affected() == 1)
    }
}

impl PostgresStore {
    async fn add_key(&self, new: &NewApiKey, now: Timestamp) -> Result<Added, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let lock = sqlx::query(LOCK).bind(new.account.as_str());
        if lock.fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(Added::Unknown);
        }
        let add = sqlx::query(ADD)
            .bind(new.id.as_str())
            .bind(new.account.as_str())
            .bind(new.hash.0.to_vec())
            .bind(new.expires.map(to_column))
            .bind(to_column(now))
            .bind(i64::from(LIVE_KEYS));
        if add.execute(&mut *transaction).await?.rows_affected() == 1 {
            transaction.commit().await?;
            return Ok(Added::Added);
        }
        let taken: i64 = sqlx::query_scalar(TAKEN).bind(new.id.as_str()).fetch_one(&mut *transaction).await?;
        Ok(not_added(1, taken))
    }
}
