//! Revocations as rows, in the columns that SQLite and PostgreSQL share.

use palisade_core::port::StoreError;
use palisade_core::port::revocation::{Revoked, RevokedAt, What};
use sqlx::{Decode, Type};

use super::refresh::{Readable, damaged, moment};

/// One revocation and its place.
pub(crate) fn revoked<'r, R: Readable<'r>>(row: &'r R) -> Result<RevokedAt, StoreError>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let kind: String = row.read("kind")?;
    let name: String = row.read("name")?;
    let what = What::from_parts(&kind, &name).ok_or_else(|| damaged("kind", &kind))?;
    let (issuer, at, until) = (row.read::<String>("issuer")?.into(), moment(row, "revoked_at")?, moment(row, "until")?);
    Ok(RevokedAt { place: moment(row, "place")?.as_millis(), revoked: Revoked { issuer, what, at, until } })
}
