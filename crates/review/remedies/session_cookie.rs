//! Makes a session's cookie that scripts, plain text and other sites do not get.

// In reports:
use axum::response::IntoResponse;
use palisade::cookie::{CookieError, SetCookie};

/// `__Host-sid`, with `HttpOnly`, `Secure` and `SameSite`.
fn signed_in(id: &str) -> Result<impl IntoResponse + use<>, CookieError> {
    Ok((SetCookie::session("sid", id)?, "welcome"))
}
