//! How a handler or an extractor says no: the same refusal as a stage's, with the same problem and the same event.

use axum_core::response::IntoResponse;
use http::HeaderMap;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::id::RequestId;
use palisade_core::port::StoreError;
use palisade_core::problem::{self, Dialect};
use palisade_core::stage::StageId;

use super::Noted;
use crate::body::Body;
use crate::stage::{Head, Outcome, Stop};
use crate::token::revocation_feed::FeedError;

/// A refusal as an answer of a handler.
///
/// Behind a chain it is the refusal of a stage in every respect: one renderer, one event, the request's own id. Without
/// one it is rendered in the same way, with `-` for the id, and nothing is written down.
///
/// ```
/// use palisade::core::denial::{Denial, DenialCode};
/// use palisade::core::stage::StageId;
/// use palisade::extract::Refusal;
///
/// async fn cancel() -> Result<&'static str, Refusal> {
///     // `Decision::into_permit` and whatever else says no with a `Denial` ends the handler by `?`.
///     Err(Denial::new(DenialCode::ObjectForbidden, StageId::Forward).because("order", "7"))?
/// }
/// let app: axum::Router = axum::Router::new().route("/cancel", axum::routing::post(cancel));
/// ```
#[derive(Clone, Debug)]
pub struct Refusal {
    denial: Denial,
    dialect: Dialect,
}

impl Refusal {
    /// A refusal for a caller who reads answers as these headers of its request say.
    pub(crate) fn new(denial: Denial, headers: &HeaderMap) -> Self {
        Self { denial, dialect: Dialect::of(headers) }
    }

    /// The refusal itself.
    pub fn denial(&self) -> &Denial {
        &self.denial
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self { denial, dialect: Dialect::default() }
    }
}

impl From<StoreError> for Refusal {
    /// What a handler needed to decide is not to be had: `unavailable`.
    fn from(error: StoreError) -> Self {
        Denial::new(DenialCode::Unavailable, StageId::Forward).because("error", error.to_string()).into()
    }
}

impl From<FeedError> for Refusal {
    /// Not everybody has heard of a revocation: `unavailable`.
    fn from(error: FeedError) -> Self {
        Denial::new(DenialCode::Unavailable, StageId::Forward).because("error", error.to_string()).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> axum_core::response::Response {
        let mut response = problem::render(&self.denial, self.dialect, &RequestId::new("-")).map(Body::from);
        // The end of a chain finds the refusal here, through whatever layers the application has within, and renders it
        // anew with the id of the request.
        response.extensions_mut().insert(self);
        response
    }
}

/// What came back from an application, where a refusal is one again and its events are the request's.
pub(crate) fn settle(head: &mut Head, mut response: http::Response<Body>) -> Outcome {
    head.facts.notes.append(&mut Noted::take(&mut response));
    match response.extensions_mut().remove::<Refusal>() {
        None => Ok(response),
        Some(refusal) => Err(Stop::Deny(refusal.denial)),
    }
}
