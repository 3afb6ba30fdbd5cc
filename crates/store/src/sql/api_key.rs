//! Service accounts and their keys as rows, in the columns that SQLite and PostgreSQL share.

use palisade_core::id::{ApiKeyId, ClientId, TenantId};
use palisade_core::port::StoreError;
use palisade_core::port::api_key::{Added, Held, KeptApiKey, SecretHash, ServiceAccount};
use palisade_core::time::Timestamp;
use sqlx::{Decode, Type};

use super::refresh::{Readable, moment};
use super::{damaged, from_column, status_of};

/// One account.
pub(crate) fn account<'r, R: Readable<'r>>(row: &'r R, id: &'static str) -> Result<ServiceAccount, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let list = |name| from_list(&row.read::<String>(name)?);
    let networks = list("networks")?;
    // INVARIANT: a network that cannot be read is never left out, or a list of one would come to mean everywhere.
    let networks = networks.iter().map(|network| network.parse().map_err(|_| damaged("a network")));
    Ok(ServiceAccount {
        id: ClientId::new(row.read::<String>(id)?),
        tenant: row.read::<Option<String>>("tenant")?.map(TenantId::new),
        name: row.read::<String>("name")?.into(),
        status: status_of(&row.read::<String>("status")?)?,
        scopes: list("scopes")?.into_iter().collect(),
        roles: list("roles")?.into_iter().collect(),
        networks: networks.collect::<Result<_, _>>()?,
        created: moment(row, "made")?,
    })
}

/// One key.
pub(crate) fn key<'r, R: Readable<'r>>(row: &'r R) -> Result<KeptApiKey, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let maybe =
        |name| -> Result<Option<Timestamp>, StoreError> { row.read::<Option<i64>>(name)?.map(from_column).transpose() };
    let hash = <[u8; 32]>::try_from(row.read::<Vec<u8>>("hash")?).map_err(|_| damaged("a hash"))?;
    Ok(KeptApiKey {
        id: ApiKeyId::new(row.read::<String>("id")?),
        account: ClientId::new(row.read::<String>("account")?),
        hash: SecretHash(hash),
        created: moment(row, "created")?,
        expires: maybe("expires")?,
        last_used: maybe("last_used")?,
        revoked_at: maybe("revoked_at")?,
    })
}

/// A key joined with its account.
pub(crate) fn held<'r, R: Readable<'r>>(row: &'r R) -> Result<Held, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Held { key: key(row)?, account: account(row, "account")? })
}

/// Why nothing was added: by the number of accounts and of keys with the ids.
pub(crate) fn not_added(accounts: i64, keys: i64) -> Added {
    match (accounts, keys) {
        (0, _) => Added::Unknown,
        (_, 0) => Added::Full,
        _ => Added::Taken,
    }
}

pub(crate) fn to_list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    serde_json::Value::from_iter(items.into_iter().map(|item| item.to_string())).to_string()
}

fn from_list(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged("a list of texts"))
}
