//! Asks the backend whether an answer that is kept is still right, and for the whole answer where it speaks of another.

use axum_core::body::Body;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use palisade::stage::cache::Confirming;

use super::Upstream;
use super::backend::Call;
use super::failure::Failure;

/// A request of the cache's, and the same without its preconditions.
pub(super) struct Confirm {
    confirming: Confirming,
    whole: Parts,
}

impl Confirm {
    /// What is needed to ask again; `None` where the cache asks for no confirmation.
    pub(super) fn of(request: &Request<Body>) -> Option<Box<Self>> {
        let confirming = request.extensions().get::<Confirming>()?.clone();
        let mut whole = Request::new(()).into_parts().0;
        whole.method = request.method().clone();
        whole.uri = request.uri().clone();
        whole.version = request.version();
        whole.headers = request.headers().clone();
        Confirming::withdraw(&mut whole.headers);
        Some(Box::new(Self { confirming, whole }))
    }

    /// Sends the request. If it confirms another answer than ours, none of ours is selected (RFC 9111 section 4.3.4), and
    /// the backend is asked for all of it. Such requests have no body.
    pub(super) async fn send(
        self: Box<Self>,
        upstream: &Upstream,
        request: Request<Body>,
        call: &Call,
    ) -> Result<Response<Body>, Failure> {
        let response = upstream.send(request, call).await?;
        if response.status() != StatusCode::NOT_MODIFIED || self.confirming.is_met_by(response.headers()) {
            return Ok(response);
        }
        drop(response);
        upstream.send(Request::from_parts(self.whole, Body::empty()), call).await
    }
}
