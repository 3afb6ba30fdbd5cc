//! Signing keys as rows, in the columns that SQLite and PostgreSQL share.

use palisade_core::port::StoreError;
use palisade_core::port::key::KeyRecord;
use palisade_core::time::Timestamp;
use sqlx::{Decode, Type};

use super::refresh::{Readable, damaged, moment};

/// One key.
pub(crate) fn record<'r, R: Readable<'r>>(row: &'r R) -> Result<KeyRecord, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number: i64 = row.read("number")?;
    Ok(KeyRecord {
        purpose: row.read::<String>("purpose")?.into(),
        number: number.try_into().map_err(|_| damaged("number", &number))?,
        algorithm: row.read::<String>("algorithm")?.into(),
        public: row.read::<String>("public")?.into(),
        sealed: row.read("sealed")?,
        created: moment(row, "created")?,
        active_from: moment(row, "active_from")?,
        revoked_at: row.read::<Option<i64>>("revoked_at")?.map(|at| Timestamp::from_millis(at.unsigned_abs())),
    })
}
