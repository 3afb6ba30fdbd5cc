//! Hands a permitted request to its backend, and gives back what the backend answers.
//!
//! 1. It takes [`Permitted`] requests and nothing else.
//! 2. Framing is ours: the length and transfer coding that the client declared are dropped, and the connection to the
//!    backend gets a framing of its own, so that the two cannot be read differently (RFC 9112 section 11.2).
//! 3. Bodies stream in both directions. When the client's body breaks off or breaks its limits on the way, the caller
//!    hears of that and not of a broken backend.
//! 4. Trailers of a request go no further, but for those that the route names: nobody has judged them, and some programs
//!    take them for headers. Those of an answer pass if they are expected ([`super::answer`]).
//! 5. Hop-by-hop headers of the answer go; an informational or upgrade answer is no answer, except to the handshake of a
//!    WebSocket ([`super::upgrade`]).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum_core::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use palisade::chain::Permitted;
use palisade::stage::Stop;
use palisade_core::canon::header::strip_hop_by_hop;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tower_service::Service;

use super::answer::{Answer, AnswerSettings, announced, is_grpc};
use super::backend::Call;
use super::confirm::Confirm;
use super::upgrade::{Upgrade, is_switch};
use super::{Upstream, UpstreamStatus};
use palisade::facts::RouteMatch;

/// The end of the gateway's chain.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The upstream of each route and what holds for its answers, by the route's index.
    routes: Arc<[(Upstream, AnswerSettings)]>,
    /// Each upstream once, with its name.
    upstreams: Arc<[(Arc<str>, Upstream)]>,
}

impl Forward {
    /// Forwards the requests of each route to the upstream at its index. `upstreams` has each of them once.
    pub fn new(routes: Vec<(Upstream, AnswerSettings)>, upstreams: Vec<(Arc<str>, Upstream)>) -> Self {
        Self { routes: routes.into(), upstreams: upstreams.into() }
    }

    /// How the upstreams are, by name.
    pub fn status(&self) -> Vec<(Arc<str>, UpstreamStatus)> {
        self.upstreams.iter().map(|(name, upstream)| (Arc::clone(name), upstream.status())).collect()
    }

    /// Looks after the upstreams for as long as it is polled: it is never ready.
    pub fn upkeep(&self) -> impl Future<Output = ()> + Send + use<> {
        let all = self.upstreams.iter().map(|(_, upstream)| upstream.clone().upkeep());
        let all = futures_util::future::join_all(all);
        async move {
            all.await;
            std::future::pending().await
        }
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
        let Permitted { permit, mut request, until } = permitted;
        let route = request.extensions_mut().remove::<RouteMatch>();
        let found = route.and_then(|route| self.routes.get(route.index).cloned());
        Box::pin(async move {
            let Some((upstream, answers)) = found else {
                return Err(Denial::new(DenialCode::RouteUnknown, StageId::Forward).into());
            };
            let key = super::key::of(upstream.balance(), permit.principal(), &request);
            reframe(request.headers_mut());
            if is_grpc(request.headers()) {
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
            let mut request = request.map(|body| with_trailers(body, &answers.request_trailers));
            let upgrade = Upgrade::asked(&mut request);
            let call = Call { until, key };
            let response = match Confirm::of(&request) {
                None => upstream.send(request, &call).await,
                Some(confirm) => confirm.send(&upstream, request, &call).await,
            };
            let response = response.map_err(|failure| Stop::Deny(failure.denial()))?;
            match upgrade {
                Some(upgrade) if is_switch(&response) => upgrade.open(response),
                _ => accept(response, answers),
            }
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

/// A body behind which nothing stands but these.
fn with_trailers(body: Body, allowed: &Arc<[HeaderName]>) -> Body {
    if body.is_end_stream() { body } else { Body::new(Trailing { body, allowed: Arc::clone(allowed) }) }
}

struct Trailing {
    body: Body,
    allowed: Arc<[HeaderName]>,
}

impl HttpBody for Trailing {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            ended => return Poll::Ready(ended),
        };
        Poll::Ready(match frame.into_trailers() {
            Err(frame) => Some(Ok(frame)),
            Ok(trailers) => {
                let passing = self.allowed.iter().filter_map(|name| Some((name.clone(), trailers.get(name)?.clone())));
                let passing: HeaderMap = passing.collect();
                (!passing.is_empty()).then(|| Ok(Frame::trailers(passing)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn accept<B>(response: Response<B>, settings: AnswerSettings) -> Result<Response<Body>, Stop>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if response.status().is_informational() || response.status() == StatusCode::UPGRADE_REQUIRED {
        let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Forward);
        return Err(denial.because("status", response.status().as_str()).into());
    }
    if parts_disagree(response.headers()) {
        let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Forward);
        return Err(denial.because("reason", "length_and_coding").into());
    }
    let (mut parts, body) = Answer::of(response, settings).into_parts();
    let announced = announced(&parts.headers);
    strip_hop_by_hop(&mut parts.headers);
    body.announce(&announced, &mut parts.headers);
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// Whether an answer says twice where it ends (RFC 9112 section 6.3): somebody has put two answers into one.
fn parts_disagree(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    #[tokio::test]
    async fn only_the_trailers_of_the_list_go_further() {
        for (allowed, expect) in [(&[][..], None), (&[HeaderName::from_static("x-sum")], Some(1))] {
            let mut trailers = HeaderMap::new();
            trailers.insert("palisade-subject", HeaderValue::from_static("root"));
            trailers.insert("x-sum", HeaderValue::from_static("9"));
            let frames = [Frame::data(Bytes::from("a")), Frame::data(Bytes::from("b")), Frame::trailers(trailers)];
            let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, std::io::Error>));
            let body = with_trailers(Body::new(StreamBody::new(frames)), &Arc::from(allowed));
            let collected = body.collect().await.unwrap();
            let passed = collected.trailers().map(HeaderMap::len);
            assert_eq!(passed, expect);
            assert!(collected.trailers().is_none_or(|trailers| !trailers.contains_key("palisade-subject")));
            assert_eq!(collected.to_bytes(), "ab");
        }
    }
}
