//! Ends a session where it is kept, so that its cookie is worth nothing from then on.

use axum::response::{IntoResponse, Response};

// In reports:
use axum::http::HeaderMap;
use palisade::extract::Refusal;
use palisade::session::Sessions;

async fn sign_out(sessions: &Sessions, headers: &HeaderMap) -> Result<Response, Refusal> {
    let ended = sessions.end(headers).await?;
    Ok((sessions.settings().cookie.removal(), Sessions::noted(&ended), "bye").into_response())
}
