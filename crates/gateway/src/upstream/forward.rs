//! Hands a permitted request to its backend, and gives back what the backend answers.
//!
//! 1. It takes [`Permitted`] requests and nothing else.
//! 2. Framing is ours: the length and transfer coding that the client declared are dropped, and the connection to the
//!    backend gets a framing of its own, so that the two cannot be read differently (RFC 9112 section 11.2).
//! 3. Bodies stream in both directions. When the client's body breaks off or breaks its limits on the way, the caller
//!    hears of that and not of a broken backend.
//! 4. Trailers of a request go no further: nobody has judged them, and some programs take them for headers.
//! 5. Hop-by-hop headers of the answer go; an informational or upgrade answer is no answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum_core::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper_util::client::legacy::Error;
use palisade::body::{BodyFault, fault_of};
use palisade::chain::Permitted;
use palisade::stage::Stop;
use palisade_core::canon::header::strip_hop_by_hop;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tower_service::Service;

use super::Pool;
use palisade::facts::RouteMatch;

/// The end of the gateway's chain.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The pool of each route, by the route's index.
    pools: Arc<[Pool]>,
}

impl Forward {
    /// Forwards the requests of each route to the pool at its index.
    pub fn new(pools: Vec<Pool>) -> Self {
        Self { pools: pools.into() }
    }
}

impl Service<Permitted<Request<Body>>> for Forward {
    type Response = Response<Body>;
    type Error = Stop;
    type Future = BoxFuture<'static, Result<Response<Body>, Stop>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted<Request<Body>>) -> Self::Future {
        let mut request = permitted.request;
        let route = request.extensions_mut().remove::<RouteMatch>();
        let pool = route.and_then(|route| self.pools.get(route.index).cloned());
        Box::pin(async move {
            let Some(pool) = pool else {
                return Err(Denial::new(DenialCode::RouteUnknown, StageId::Forward).into());
            };
            reframe(request.headers_mut());
            let mut request = request.map(without_trailers);
            *request.version_mut() = Version::HTTP_11;
            let response = pool.send(request).await.map_err(|error| Stop::Deny(failure(&error)))?;
            accept(response.map(Body::new))
        })
    }
}

/// Drops what concerns the client's connection. `Content-Length` goes too: hyper writes it from the body it sends.
pub(crate) fn reframe(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, HOST] {
        headers.remove(name);
    }
}

/// A body whose end is the end of its data.
fn without_trailers(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::new(WithoutTrailers(body)) }
}

struct WithoutTrailers(Body);

impl HttpBody for WithoutTrailers {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.filter(|frame| !frame.as_ref().is_ok_and(Frame::is_trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

fn accept(mut response: Response<Body>) -> Result<Response<Body>, Stop> {
    if response.status().is_informational() || response.status() == StatusCode::UPGRADE_REQUIRED {
        let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Forward);
        return Err(denial.because("status", response.status().as_str()).into());
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// Whose fault it is that there is no answer.
fn failure(error: &Error) -> Denial {
    let code = fault_of(error).map_or(DenialCode::UpstreamUnreachable, BodyFault::code);
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    Denial::new(code, StageId::Forward).because("error", reason)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    #[tokio::test]
    async fn trailers_go_no_further() {
        let mut trailers = HeaderMap::new();
        trailers.insert("palisade-subject", http::HeaderValue::from_static("root"));
        let frames = [Frame::data(Bytes::from("a")), Frame::data(Bytes::from("b")), Frame::trailers(trailers)];
        let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, std::io::Error>));
        let collected = without_trailers(Body::new(StreamBody::new(frames))).collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "ab");
    }
}
