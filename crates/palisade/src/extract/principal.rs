//! Who calls, with the proof that the policy let the call through.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::permit::RequestPermit;
use palisade_core::stage::StageId;

use super::Refusal;

/// Who calls. A handler that has one as a parameter runs behind a chain, or not at all; `Option<Principal>` is `None`
/// where there is no chain.
///
/// It is the [`core`](palisade_core::principal::Principal) principal with the proof that the policy was asked.
///
/// ```
/// use axum::{Router, routing::get};
/// use palisade::extract::Principal;
///
/// async fn whoami(who: Principal) -> String {
///     format!("{} with the roles {}", who.subject(), who.roles())
/// }
/// let app: Router = Router::new().route("/whoami", get(whoami));
/// ```
#[derive(Clone, Debug)]
pub struct Principal(Arc<RequestPermit>);

impl Principal {
    pub(crate) fn new(permit: RequestPermit) -> Self {
        Self(Arc::new(permit))
    }

    /// The proof that the policy was asked.
    pub fn permit(&self) -> &RequestPermit {
        &self.0
    }
}

impl Deref for Principal {
    type Target = palisade_core::principal::Principal;

    fn deref(&self) -> &Self::Target {
        self.0.principal()
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Refusal;

    /// A route that is not behind a chain is a mistake of the application.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| {
            tracing::error!("a handler asked who calls, but its route is not behind a chain");
            let denial = Denial::new(DenialCode::Unpermitted, StageId::Forward);
            Refusal::new(denial.because("reason", "the route is not behind a chain"), &parts.headers)
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
