//! One answer for a known and an unknown name: the same status, the same text, the same work.

// In reports:
use axum::http::StatusCode;
use palisade::core::secret::Secret;
use palisade::credential::password::{Hasher, Password, Verified};

const WRONG: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "the name or the password is wrong");

/// Where no account is, `kept` is `None`: a hash that no password has is checked instead, which takes as long.
async fn check(hasher: &Hasher, kept: Option<&Secret>, password: &Password) -> Result<(), (StatusCode, &'static str)> {
    match hasher.verify(password, kept).await {
        Ok(Verified::Yes { .. }) => Ok(()),
        _ => Err(WRONG),
    }
}
