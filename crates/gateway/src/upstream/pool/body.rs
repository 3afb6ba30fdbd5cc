//! Bodies of answers, which keep their connection until they have ended.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum_core::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::super::hold::Hold;
use super::lease::Lease;
use super::{h1, h2};

/// The body of an answer over HTTP/1. Reading it moves the connection's bytes; at its end the connection goes back.
pub(super) fn leased(incoming: Incoming, lease: Lease) -> Body {
    if incoming.is_end_stream() {
        lease.give_back();
        return Body::empty();
    }
    Body::new(Leased { incoming, lease: Some(lease) })
}

/// The same over a connection that nobody wants back.
pub(super) fn alone(incoming: Incoming, connection: h1::Connection) -> Body {
    Body::new(Alone { incoming, connection })
}

/// The body of an answer over HTTP/2, which keeps its place until it has ended.
pub(super) fn shared(incoming: Incoming, stream: h2::Stream, held: Option<(Hold, OwnedSemaphorePermit)>) -> Body {
    Body::new(Shared { incoming, held: Some((stream, held)) })
}

struct Leased {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl HttpBody for Leased {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let connection = this.lease.as_mut().and_then(|lease| lease.connection.as_mut());
        let frame = match connection {
            None => Pin::new(&mut this.incoming).poll_frame(cx),
            Some(connection) => poll_driving(&mut this.incoming, connection, cx),
        };
        match &frame {
            Poll::Ready(None) => this.lease.take().into_iter().for_each(Lease::give_back),
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => {
                this.lease.take().into_iter().for_each(Lease::give_back);
            }
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

struct Alone {
    incoming: Incoming,
    connection: h1::Connection,
}

impl HttpBody for Alone {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        poll_driving(&mut this.incoming, &mut this.connection, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

struct Shared {
    incoming: Incoming,
    held: Option<(h2::Stream, Option<(Hold, OwnedSemaphorePermit)>)>,
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.held = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The next part of a body, for which the connection may have to read first. Only the connection sets what the body
/// waits for, so that the body needs no waker of its own.
fn poll_driving(
    incoming: &mut Incoming,
    connection: &mut h1::Connection,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let mut quiet = Context::from_waker(Waker::noop());
    if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(&mut quiet) {
        return Poll::Ready(frame);
    }
    match connection.drive(cx) {
        // What the connection left behind is there now, and waits for nothing.
        Poll::Ready(()) => Pin::new(incoming).poll_frame(cx),
        Poll::Pending => Pin::new(incoming).poll_frame(&mut quiet),
    }
}
