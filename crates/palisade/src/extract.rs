//! What handlers of an application can ask for: who calls, with the proof that the policy let the call through, and from
//! where.

mod client_addr;

mod nonce;

use std::convert::Infallible;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
pub use nonce::NoPages;
use palisade_core::permit::RequestPermit;
use palisade_core::principal::Principal;

pub use client_addr::ClientAddr;

/// Who calls. A handler that has one as a parameter runs behind a chain, or not at all.
///
/// ```
/// use axum::{Router, routing::get};
/// use palisade::extract::Caller;
///
/// async fn whoami(caller: Caller) -> String {
///     caller.principal().subject().to_string()
/// }
/// let app: Router = Router::new().route("/whoami", get(whoami));
/// ```
#[derive(Clone, Debug)]
pub struct Caller(Arc<RequestPermit>);

impl Caller {
    pub(crate) fn new(permit: RequestPermit) -> Self {
        Self(Arc::new(permit))
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        self.0.principal()
    }

    /// The proof that the policy was asked.
    pub fn permit(&self) -> &RequestPermit {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Unprotected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Unprotected> {
        parts.extensions.get::<Self>().cloned().ok_or(Unprotected)
    }
}

/// The route is not behind a chain: a mistake of the application, answered as an internal error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the route is not behind a chain")]
pub struct Unprotected;

impl axum_core::response::IntoResponse for Unprotected {
    fn into_response(self) -> axum_core::response::Response {
        tracing::error!("a handler asked for its caller, but its route is not behind a chain");
        http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// Never fails to be asked for: `Option<Caller>` is `None` where there is no chain.
impl<S: Sync> axum_core::extract::OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
