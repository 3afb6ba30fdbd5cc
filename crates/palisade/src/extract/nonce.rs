//! The nonce of the response that a handler is about to give.

use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::csp::{Nonce, NonceSlot};

impl<S: Sync> FromRequestParts<S> for Nonce {
    type Rejection = NoPages;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoPages> {
        parts.extensions.get::<Arc<NonceSlot>>().map(|slot| slot.nonce().clone()).ok_or(NoPages)
    }
}

/// No stage would put the nonce into the response's policy, so that no script could run: a mistake of the application,
/// answered as an internal error.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use axum::{Router, routing::get};
/// use palisade::csp::Nonce;
///
/// // Without a chain that serves pages a handler that asks for a nonce is a mistake.
/// let bare = Router::new().route("/", get(|nonce: Nonce| async move { format!("<script nonce={}>", nonce.as_str()) }));
/// let answer = palisade::testing::send(&bare, palisade::testing::request("GET /")).await;
/// assert_eq!(answer.status, 500);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the route is not behind a chain that serves pages")]
pub struct NoPages;

impl axum_core::response::IntoResponse for NoPages {
    fn into_response(self) -> axum_core::response::Response {
        tracing::error!("a handler asked for a nonce, but its chain serves no pages: use `Chain::browser_app`");
        http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
