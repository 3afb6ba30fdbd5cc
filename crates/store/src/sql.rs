//! What the stores that speak SQL have in common.

pub(crate) mod access_token;
pub(crate) mod api_key;
pub(crate) mod key;
pub(crate) mod refresh;
pub(crate) mod revocation;

use palisade_core::port::StoreError;
use palisade_core::port::account::AccountStatus;
use palisade_core::secret::Secret;
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

/// A moment out of a column.
pub(crate) fn from_column(at: i64) -> Result<Timestamp, StoreError> {
    u64::try_from(at).map(Timestamp::from_millis).map_err(|_| damaged("a moment"))
}

/// What was found where it cannot be.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { reason: format!("{what} is not one") }
}

/// A status as a column spells it.
pub(crate) fn status_of(text: &str) -> Result<AccountStatus, StoreError> {
    let known = [AccountStatus::Active, AccountStatus::Disabled];
    known.into_iter().find(|status| status.as_str() == text).ok_or_else(|| damaged("a status"))
}

/// The hash of a password as text, which every hash is that this program has made.
pub(crate) fn hash_text(hash: &Secret) -> Result<&str, StoreError> {
    std::str::from_utf8(hash.expose()).map_err(|_| damaged("the hash of a password"))
}
