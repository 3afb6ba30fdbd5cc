//! What the stores that speak SQL have in common.

pub(crate) mod key;
pub(crate) mod refresh;
pub(crate) mod revocation;

use palisade_core::port::StoreError;
use palisade_core::time::Timestamp;

/// The driver's error as the ports spell it.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { source, .. } | sqlx::Error::Decode(source) => {
            StoreError::Damaged { reason: source.to_string() }
        }
        other => StoreError::Unreachable { reason: other.to_string() },
    }
}

/// A moment as a column holds it. The year 292 million is late enough.
pub(crate) fn to_column(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
