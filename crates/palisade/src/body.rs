//! Bodies under watch: their length, their pace, their coding, and what must live as long as they do.

mod endless;
pub mod inflate;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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
pub(crate) use endless::{LongestWhole, is_endless};
use inflate::Inflate;

/// Why a watched body ended before its end.
///
/// ```
/// use palisade::body::{BodyFault, fault_of};
///
/// /// What a service that reads bodies can tell its log.
/// fn why(error: &axum::Error) -> &'static str {
///     match fault_of(error) {
///         Some(BodyFault::TooLarge { .. } | BodyFault::Inflated { .. }) => "too large",
///         Some(BodyFault::Stalled | BodyFault::Slow) => "too slow",
///         Some(BodyFault::Malformed { .. }) => "not what it says it is",
///         Some(BodyFault::Severed) | None => "broken off",
///     }
/// }
/// assert_eq!(why(&axum::Error::new(BodyFault::Stalled)), "too slow");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is compressed, and becomes far more than it was.
    #[error("the body is more than {ratio} times its compressed form")]
    Inflated {
        /// The most allowed.
        ratio: u32,
    },
    /// It is not compressed as it says.
    #[error("the compressed body is damaged: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// The sender's connection or its framing broke.
    #[error("the body broke off")]
    Severed,
    /// The sender sends, but too little.
    #[error("the sender of the body is too slow")]
    Slow,
    /// The sender paused for too long.
    #[error("the sender of the body paused for too long")]
    Stalled,
    /// It is longer than it may be.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The longest allowed, in bytes.
        limit: usize,
    },
}

impl BodyFault {
    /// The refusal that it is: always the sender's fault.
    pub const fn code(self) -> DenialCode {
        match self {
            Self::Inflated { .. } => DenialCode::CodingExcessive,
            Self::Malformed { .. } => DenialCode::CodingInvalid,
            Self::Severed => DenialCode::PayloadInvalid,
            Self::Slow | Self::Stalled => DenialCode::RequestTimeout,
            Self::TooLarge { .. } => DenialCode::BodyTooLarge,
        }
    }
}

/// How fast a body has to come. Only the time counts in which the sender is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The longest pause.
    pub(crate) pause: Duration,
    /// How long the sender has before `floor` counts.
    pub(crate) grace: Duration,
    /// The least number of bytes in a second, on average; zero asks for nothing.
    pub(crate) floor: u32,
    /// Whether the body may go on for ever: then what was sent fast long ago excuses nobody for being slow now.
    pub(crate) endless: bool,
}

impl Pace {
    /// How long the sender of so many bytes may have been waited for in all.
    fn most(&self, bytes: u64) -> Duration {
        match bytes.saturating_mul(1000).checked_div(self.floor.into()) {
            None => Duration::MAX,
            Some(millis) => self.grace.saturating_add(Duration::from_millis(millis)),
        }
    }

    /// How much of that is still excused behind so many more bytes.
    fn excuse(&self, waited: Duration, bytes: u64) -> Duration {
        let micros = bytes.saturating_mul(1_000_000).checked_div(self.floor.into());
        micros.map_or(Duration::ZERO, |micros| waited.saturating_sub(Duration::from_micros(micros)))
    }
}

/// A request body that ends with [`BodyFault::TooLarge`] behind `limit` bytes.
pub(crate) fn limited(body: Body, limit: usize) -> (Body, Broken) {
    if body.is_end_stream() {
        return (body, Broken::default());
    }
    let broken = Broken::watching();
    (Body::new(Limited { body, left: limit, limit, broken: broken.clone() }), broken)
}

/// A request body that ends with [`BodyFault::Stalled`] or [`BodyFault::Slow`] when its sender does not keep the pace.
pub(crate) fn watched(body: Body, pace: Pace) -> (Body, Broken) {
    if body.is_end_stream() {
        return (body, Broken::default());
    }
    let broken = Broken::watching();
    let watched =
        Watched { body, pace, timer: None, since: None, waited: Duration::ZERO, bytes: 0, broken: broken.clone() };
    (Body::new(watched), broken)
}

/// The same body, decoded. `broken` is marked when it cannot be.
pub(crate) fn decoded(body: Body, inflate: Inflate, broken: Broken) -> Body {
    Body::new(Decoded { body, inflate, input: Bytes::new(), ended: false, broken })
}

/// Whether a watched body has ended in its fault. Whoever reads the body may make any answer of that error; the stage
/// that set the limit makes it the refusal that it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Option<Arc<BrokenState>>);

#[derive(Debug, Default)]
struct BrokenState {
    fault: OnceLock<BodyFault>,
    waiting: AtomicBool,
    /// When something of the body came last, where that is asked for.
    moved: Mutex<Option<Instant>>,
}

impl Broken {
    fn watching() -> Self {
        Self(Some(Arc::default()))
    }

    /// Remembers the first fault, and makes it the error that the reader gets.
    fn mark(&self, fault: BodyFault) -> axum_core::Error {
        if let Some(state) = &self.0 {
            // A second fault changes nothing.
            let _ = state.fault.set(fault);
        }
        axum_core::Error::new(fault)
    }

    fn set_waiting(&self, waiting: bool) {
        if let Some(state) = &self.0 {
            state.waiting.store(waiting, Ordering::Relaxed);
        }
    }

    fn set_moved(&self) {
        if let Some(state) = &self.0 {
            *state.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// When something of an endless body came last.
    pub(crate) fn moved(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|state| *state.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A sender who is being waited for.
    #[cfg(test)]
    pub(crate) fn waiting() -> Self {
        let broken = Self::watching();
        broken.set_waiting(true);
        broken
    }

    /// Whether it is the sender who is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.waiting.load(Ordering::Relaxed))
    }

    /// The answer, unless it was given to a broken body: then the refusal.
    pub(crate) fn refuse(&self, outcome: Outcome, stage: StageId) -> Outcome {
        match (&outcome, self.0.as_ref().and_then(|state| state.fault.get())) {
            (Ok(_), Some(fault)) => Err(Denial::new(fault.code(), stage).because("error", fault.to_string()).into()),
            _ => outcome,
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
pub(crate) fn fault_denial(error: &(dyn std::error::Error + 'static), stage: StageId) -> Denial {
    let code = fault_of(error).map_or(DenialCode::PayloadInvalid, BodyFault::code);
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
                    let fault = BodyFault::TooLarge { limit: self.limit };
                    return Poll::Ready(Some(Err(self.broken.mark(fault))));
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
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the sender is waited for.
    since: Option<Instant>,
    /// How long it has been waited for before.
    waited: Duration,
    bytes: u64,
    broken: Broken,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(since) = this.since.take() {
                this.waited += since.elapsed();
                this.timer = None;
                this.broken.set_waiting(false);
            }
            let is_last = !matches!(&frame, Some(Ok(frame)) if frame.is_data());
            if let Some(Ok(frame)) = &frame {
                this.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            if this.pace.endless {
                // An empty piece is none.
                if is_last || this.bytes > 0 {
                    this.broken.set_moved();
                }
                this.waited = this.pace.excuse(this.waited, std::mem::take(&mut this.bytes));
            }
            // Named, so that nobody takes the sender's failure for one of the backend it was to be sent to.
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| axum_core::Error::new(BodyFault::Severed))));
        }
        // The clock runs only while we wait for the sender, not while the backend is slow to take the bytes.
        let left = this.pace.most(this.bytes).saturating_sub(this.waited);
        let pause = this.pace.pause;
        let timer = this.timer.get_or_insert_with(|| {
            let now = Instant::now();
            this.since = Some(now);
            this.broken.set_waiting(true);
            Box::pin(sleep_until(now + pause.min(left)))
        });
        ready!(timer.as_mut().poll(cx));
        let fault = if left < pause { BodyFault::Slow } else { BodyFault::Stalled };
        Poll::Ready(Some(Err(this.broken.mark(fault))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Decoded {
    body: Body,
    inflate: Inflate,
    input: Bytes,
    ended: bool,
    broken: Broken,
}

impl HttpBody for Decoded {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        while !this.ended {
            match this.inflate.step(&mut this.input) {
                Ok(None) => {}
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(fault) => return this.fail(fault),
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => Err(Frame::data(Bytes::new())),
            };
            match frame {
                Ok(data) => this.input = data,
                // The end, or trailers, which stand behind it.
                Err(last) => {
                    if let Err(fault) = this.inflate.finish() {
                        return this.fail(fault);
                    }
                    this.ended = true;
                    return Poll::Ready(last.is_trailers().then_some(Ok(last)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl Decoded {
    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Frame<Bytes>, axum_core::Error>>> {
        self.ended = true;
        Poll::Ready(Some(Err(self.broken.mark(fault))))
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
