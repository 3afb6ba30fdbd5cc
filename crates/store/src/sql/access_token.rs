//! Opaque access tokens as rows, in the columns that SQLite and PostgreSQL share.

use palisade_core::port::StoreError;
use palisade_core::port::access_token::{AccessHash, KeptAccess};
use sqlx::{Decode, Type};

use super::damaged;
use super::refresh::{Readable, moment};

/// One token.
pub(crate) fn token<'r, R: Readable<'r>>(row: &'r R) -> Result<KeptAccess, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let hash = <[u8; 32]>::try_from(row.read::<Vec<u8>>("hash")?).map_err(|_| damaged("a hash"))?;
    Ok(KeptAccess {
        hash: AccessHash(hash),
        subject: row.read::<String>("subject")?.into(),
        session: row.read::<Option<String>>("session")?.map(Into::into),
        claims: row.read::<String>("claims")?.into(),
        expires: moment(row, "expires")?,
    })
}
