//! The body of a backend's answer on its way to the client.
//!
//! 1. It is passed on as it comes. Whoever takes it slowly slows the backend: nothing is read ahead.
//! 2. A backend that pauses for too long is given up. Only the time counts in which it is the backend that is waited for.
//! 3. Of trailers, those pass that are expected: what stands behind a body has been judged by nobody, and some programs
//!    take it for headers.
//! 4. An answer that breaks off breaks off for the client, too; it is never made to look complete.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// What holds for the answers of a route.
#[derive(Clone, Debug)]
pub struct AnswerSettings {
    /// How long the backend may pause.
    pub pause: Duration,
    /// The trailers that pass, besides those of gRPC in answers of gRPC.
    pub trailers: Arc<[HeaderName]>,
    /// The trailers of requests that pass.
    pub request_trailers: Arc<[HeaderName]>,
}

/// A body under these rules.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    settings: AnswerSettings,
    is_grpc: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A backend that began an answer and does not go on.
#[derive(Debug, thiserror::Error)]
#[error("the backend paused for too long")]
struct Stalled;

impl<B> Answer<B> {
    /// Puts the body of `response` under these rules. `announced` is what it says of its trailers.
    pub(super) fn of(response: Response<B>, settings: AnswerSettings) -> Response<Self> {
        let is_grpc = is_grpc(response.headers());
        response.map(|body| Self { body, settings, is_grpc, timer: None })
    }

    /// The trailers that may pass.
    fn allowed(&self) -> impl Iterator<Item = &HeaderName> {
        let grpc = if self.is_grpc { &GRPC[..] } else { &[] };
        self.settings.trailers.iter().chain(grpc)
    }

    /// The `Trailer` header for what is announced and may pass. Without it HTTP/1.1 has no trailers.
    pub(super) fn announce(&self, announced: &[HeaderName], headers: &mut HeaderMap) {
        let passing = self.allowed().filter(|name| announced.contains(name));
        let names: Vec<&str> = passing.map(HeaderName::as_str).collect();
        if let (false, Ok(value)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
            headers.insert(TRAILER, value);
        }
    }
}

/// The names in `Trailer`.
pub(super) fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(TRAILER).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Whether a message is one of gRPC (its `application/grpc`, perhaps with a suffix).
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    media.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

impl<B> HttpBody for Answer<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer = None;
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))) };
            let frame = match frame.into_trailers() {
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
                Ok(mut trailers) => {
                    let all = std::mem::take(&mut trailers);
                    for (name, value) in this.allowed().filter_map(|name| Some((name, all.get(name)?))) {
                        trailers.insert(name.clone(), value.clone());
                    }
                    trailers
                }
            };
            return Poll::Ready((!frame.is_empty()).then(|| Ok(Frame::trailers(frame))));
        }
        let pause = this.settings.pause;
        ready!(this.timer.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(cx));
        Poll::Ready(Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What gRPC says behind its messages.
static GRPC: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];
