//! Bodies under watch: their length, their pauses, and what must live as long as they do.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub use axum_core::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::stage::Outcome;

/// Why a watched body ended before its end.
///
/// ```
/// use palisade::body::{BodyFault, fault_of};
///
/// /// What a service that reads bodies can tell its log.
/// fn why(error: &axum::Error) -> &'static str {
///     match fault_of(error) {
///         Some(BodyFault::TooLarge { .. }) => "too large",
///         Some(BodyFault::Stalled) => "stalled",
///         Some(BodyFault::Severed) | None => "broken off",
///     }
/// }
/// assert_eq!(why(&axum::Error::new(BodyFault::Stalled)), "stalled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is longer than it may be.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// The sender's connection or its framing broke.
    #[error("the body broke off")]
    Severed,
    /// The sender paused for too long.
    #[error("the sender of the body paused for too long")]
    Stalled,
}

/// A request body that ends with [`BodyFault::TooLarge`] behind `limit` bytes.
pub(crate) fn limited(body: Body, limit: usize) -> (Body, Broken) {
    let broken = Broken::default();
    (Body::new(Limited { body, left: limit, limit, broken: broken.clone() }), broken)
}

/// A request body that ends with [`BodyFault::Stalled`] when the sender pauses longer than `pause`.
pub(crate) fn watched(body: Body, pause: Duration) -> (Body, Broken) {
    let broken = Broken::default();
    (Body::new(Watched { body, pause, timer: None, broken: broken.clone() }), broken)
}

/// Whether a watched body has ended in its fault. Whoever reads the body may make any answer of that error; the stage
/// that set the limit makes it the refusal that it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The answer, unless it was given to a broken body: then the refusal.
    pub(crate) fn refuse(&self, outcome: Outcome, code: DenialCode, stage: StageId) -> Outcome {
        match outcome {
            Ok(_) if self.0.load(Ordering::Relaxed) => Err(Denial::new(code, stage).into()),
            outcome => outcome,
        }
    }
}

/// A body that keeps `guard` until it has been sent or dropped.
pub(crate) fn holding<G: Send + Unpin + 'static>(body: Body, guard: G) -> Body {
    Body::new(Holding { body, _guard: guard })
}

/// Reads a whole body. The denial names the rule that ended it; any other failure is the sender's broken connection.
pub async fn read(body: Body, stage: StageId) -> Result<Bytes, Denial> {
    let mut body = body;
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| fault_denial(&error, stage))?;
        let Ok(data) = frame.into_data() else { continue };
        match first.take() {
            None if whole.is_empty() => first = Some(data),
            None => whole.extend_from_slice(&data),
            Some(earlier) => {
                whole.extend_from_slice(&earlier);
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// The denial for a request body that could not be read.
fn fault_denial(error: &(dyn std::error::Error + 'static), stage: StageId) -> Denial {
    let code = match fault_of(error) {
        Some(BodyFault::TooLarge { .. }) => DenialCode::BodyTooLarge,
        Some(BodyFault::Stalled) => DenialCode::RequestTimeout,
        Some(BodyFault::Severed) | None => DenialCode::PayloadInvalid,
    };
    Denial::new(code, stage).because("error", error.to_string())
}

/// The fault of a watched body somewhere in the chain of causes of `error`.
pub fn fault_of(error: &(dyn std::error::Error + 'static)) -> Option<BodyFault> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(fault) = error.downcast_ref::<BodyFault>() {
            return Some(*fault);
        }
        current = error.source();
    }
    None
}

struct Limited {
    body: Body,
    left: usize,
    limit: usize,
    broken: Broken,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => {
                    self.left = 0;
                    self.broken.mark();
                    let fault = BodyFault::TooLarge { limit: self.limit };
                    return Poll::Ready(Some(Err(axum_core::Error::new(fault))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Watched {
    body: Body,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    broken: Broken,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer = None;
            // Named, so that nobody takes the sender's failure for one of the backend it was to be sent to.
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| axum_core::Error::new(BodyFault::Severed))));
        }
        // The clock runs only while we wait for the sender, not while the backend is slow to take the bytes.
        let pause = this.pause;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
        ready!(timer.as_mut().poll(cx));
        this.broken.mark();
        Poll::Ready(Some(Err(axum_core::Error::new(BodyFault::Stalled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Holding<G> {
    body: Body,
    _guard: G,
}

impl<G: Send + Unpin + 'static> HttpBody for Holding<G> {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<G> fmt::Debug for Holding<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").finish_non_exhaustive()
    }
}
