//! Second factors as rows: what both databases read.

use palisade_core::id::FactorId;
use palisade_core::port::StoreError;
use palisade_core::port::factor::{Factor, FactorKind, Failed};
use palisade_core::time::Timestamp;
use sqlx::{ColumnIndex, Decode, Row, Type, ValueRef as _};

use crate::sql::store_error;

/// The factor of a row.
pub(crate) fn factor_of<'r, R>(row: &'r R) -> Result<Factor, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &'static str| row.try_get::<i64, _>(name).map_err(store_error).and_then(unsigned);
    let text = |name: &'static str| row.try_get::<String, _>(name).map_err(store_error);
    let kind = text("kind")?;
    let kind = FactorKind::parse(&kind).ok_or_else(|| damaged(format!("`{kind}` is no kind of factor")))?;
    let moment = |name: &'static str| match row.try_get_raw(name).map_err(store_error)?.is_null() {
        true => Ok(None),
        false => number(name).map(|moment| Some(Timestamp::from_millis(moment))),
    };
    Ok(Factor {
        id: FactorId::new(text("id")?),
        kind,
        label: text("label")?.into(),
        data: row.try_get("data").map_err(store_error)?,
        counter: number("counter")?,
        created: Timestamp::from_millis(number("created")?),
        used: moment("used")?,
        disabled: moment("disabled")?,
    })
}

/// A counter as a column holds it.
pub(crate) fn counter_to_column(counter: u64) -> Result<i64, StoreError> {
    i64::try_from(counter).map_err(|_| damaged(format!("the counter {counter} is too large")))
}

/// What a failure has done to the factors that it counts for: whether each is disabled now.
pub(crate) fn failed(is_disabled: &[bool]) -> Failed {
    match is_disabled {
        [] => Failed::Unknown,
        all if all.contains(&true) => Failed::Disabled,
        _ => Failed::Counted,
    }
}

/// A number of rows.
pub(crate) fn count(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or_default()
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged(format!("{number} is below zero")))
}

fn damaged(reason: String) -> StoreError {
    StoreError::Damaged { reason }
}
