//! What a request's body still holds when its answer is there.
//!
//! HTTP/1.1 has one order of bytes: behind an answer comes the rest of the request's body, and only behind that the next
//! request. Where the body was not read the connection has to close, and a client that was not told sends its next request
//! into a closed connection. So a short rest is read away, and else the answer says that it is the last.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::body::Body;
use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

/// The body of a request of HTTP/1, as the connection sees it.
pub(super) struct Unread {
    slot: Arc<Mutex<Slot>>,
    /// Whether the client waits for a word before it sends the body. Reading would be that word.
    is_held: bool,
    time: Option<Pin<Box<Sleep>>>,
    /// How much was read away.
    read: u64,
}

enum Slot {
    /// It was read to its end.
    Ended,
    /// Somebody has it.
    Lent,
    /// Whoever had it has let it go.
    Left(Incoming),
}

/// Whether the connection can take another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Another,
    Close,
}

impl Unread {
    /// Lends the body of a request.
    pub(super) fn lend(request: Request<Incoming>) -> (Request<Body>, Option<Self>) {
        if request.body().is_end_stream() {
            return (request.map(Body::new), None);
        }
        let slot = Arc::new(Mutex::new(Slot::Lent));
        let is_held = request.headers().contains_key(EXPECT);
        let lent = Arc::clone(&slot);
        let request = request.map(|body| Body::new(Lent { body: Some(body), slot: lent }));
        (request, Some(Self { slot, is_held, time: None, read: 0 }))
    }

    /// Reads away what is left, as far as it is short and comes soon.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<After> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let body = match &mut *slot {
            Slot::Ended => return Poll::Ready(After::Another),
            Slot::Lent => return Poll::Ready(After::Close),
            Slot::Left(body) => body,
        };
        while !body.is_end_stream() {
            if self.is_held || self.read.saturating_add(body.size_hint().upper().unwrap_or_default()) > MOST {
                return Poll::Ready(After::Close);
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.read += frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(After::Close),
                Poll::Ready(None) => break,
                Poll::Pending => {
                    let time = self.time.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
                    return time.as_mut().poll(cx).map(|()| After::Close);
                }
            }
        }
        *slot = Slot::Ended;
        Poll::Ready(After::Another)
    }
}

/// A body that comes back when it is let go.
struct Lent {
    body: Option<Incoming>,
    slot: Arc<Mutex<Slot>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.is_end_stream() {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Ended;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Slot::Lent, Some(body)) = (&*slot, self.body.take()) {
            *slot = Slot::Left(body);
        }
    }
}

/// The longest rest that is read away, in bytes.
const MOST: u64 = 64 << 10;
/// How long an answer waits for it.
const PATIENCE: Duration = Duration::from_millis(200);
