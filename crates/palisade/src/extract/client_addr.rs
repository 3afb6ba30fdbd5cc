//! The address of the client behind trusted proxies, for handlers.

use std::convert::Infallible;
use std::net::IpAddr;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::Refusal;

/// The client's address as the chain has found it: never what a client says about itself.
///
/// A handler that has one as a parameter runs behind a chain, or not at all. It is absent where the address is not known:
/// without `into_make_service_with_connect_info`, or where a trusted proxy keeps it to itself. A handler that can do
/// without asks for an `Option`.
///
/// ```
/// use axum::{Router, routing::get};
/// use palisade::extract::ClientAddr;
///
/// async fn whence(ClientAddr(address): ClientAddr) -> String {
///     address.to_string()
/// }
/// let app: Router = Router::new().route("/whence", get(whence));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let found = parts.extensions.get::<Self>().copied();
        found.ok_or_else(|| {
            tracing::error!("a handler asked for its client's address, which is not known");
            let denial = Denial::new(DenialCode::Internal, StageId::Forward);
            Refusal::new(denial.because("reason", "the address of the client is not known"), &parts.headers)
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().copied())
    }
}
