//! Sessions as rows: what both databases write and read.

use std::time::Duration;

use palisade_core::id::SessionHandle;
use palisade_core::port::StoreError;
use palisade_core::port::session::{Former, Record, Session, SessionHash};
use palisade_core::time::Timestamp;
use sqlx::{ColumnIndex, Decode, Row, Type, ValueRef as _};

use crate::holder::{holder_of, holder_to_text, rights_of, rights_to_text};
use crate::sql::{store_error, to_column};

/// The columns of a record, as they are bound: `$1` to `$12`.
pub(crate) struct Columns {
    pub(crate) handle: String,
    pub(crate) id: Vec<u8>,
    pub(crate) user: String,
    pub(crate) holder: String,
    pub(crate) created: i64,
    pub(crate) seen: i64,
    pub(crate) idle: i64,
    pub(crate) ends: i64,
    pub(crate) over_at: i64,
    pub(crate) former_id: Option<Vec<u8>>,
    pub(crate) former_until: Option<i64>,
    pub(crate) former: Option<String>,
}

impl Columns {
    pub(crate) fn of(record: &Record) -> Result<Self, StoreError> {
        let Record { id, session, former } = record;
        let rights = former.as_ref().map(|former| rights_to_text(&former.rights)).transpose()?;
        Ok(Self {
            handle: session.handle.to_string(),
            id: id.0.to_vec(),
            user: session.holder.user.to_string(),
            holder: holder_to_text(&session.holder)?,
            created: to_column(session.created),
            seen: to_column(session.seen),
            idle: i64::try_from(session.idle.as_millis()).unwrap_or(i64::MAX),
            ends: to_column(session.ends),
            over_at: to_column(session.over_at()),
            former_id: former.as_ref().map(|former| former.id.0.to_vec()),
            former_until: former.as_ref().map(|former| to_column(former.until)),
            former: rights,
        })
    }
}

/// Binds all columns of a record to a query, in their order.
macro_rules! bind_columns {
    ($query:expr, $columns:expr) => {{
        let columns = $columns;
        $query
            .bind(columns.handle)
            .bind(columns.id)
            .bind(columns.user)
            .bind(columns.holder)
            .bind(columns.created)
            .bind(columns.seen)
            .bind(columns.idle)
            .bind(columns.ends)
            .bind(columns.over_at)
            .bind(columns.former_id)
            .bind(columns.former_until)
            .bind(columns.former)
    }};
}
pub(crate) use bind_columns;

/// The record of a row.
pub(crate) fn record_of<'r, R>(row: &'r R) -> Result<Record, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &'static str| row.try_get::<i64, _>(name).map_err(store_error).and_then(unsigned);
    let moment = |name| number(name).map(Timestamp::from_millis);
    let text = |name: &'static str| row.try_get::<String, _>(name).map_err(store_error);
    let bytes = |name: &'static str| row.try_get::<Vec<u8>, _>(name).map_err(store_error).and_then(hash);
    let has_former = !row.try_get_raw("former_id").map_err(store_error)?.is_null();
    let former = if has_former {
        let (id, until) = (bytes("former_id")?, moment("former_until")?);
        Some(Former { id, until, rights: rights_of(&text("former")?)? })
    } else {
        None
    };
    let session = Session {
        handle: SessionHandle::new(text("handle")?),
        holder: holder_of(text("user_id")?, &text("holder")?)?,
        created: moment("created")?,
        seen: moment("seen")?,
        idle: number("idle").map(Duration::from_millis)?,
        ends: moment("ends")?,
    };
    Ok(Record { id: bytes("id")?, session, former })
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged { reason: format!("{number} is no moment") })
}

fn hash(bytes: Vec<u8>) -> Result<SessionHash, StoreError> {
    let length = bytes.len();
    let hash = <[u8; 32]>::try_from(bytes);
    hash.map(SessionHash).map_err(|_| StoreError::Damaged { reason: format!("a hash of {length} bytes") })
}
