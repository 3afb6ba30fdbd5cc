//! One HTTP/2 connection, shared by requests, with a task that moves its frames.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum_core::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::JoinSet;

use super::super::failure::{Failure, Unanswered};
use super::sent;
use super::wire::Wire;

/// A connection. Clones are the same one; its task ends with the last of them.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    streams: Arc<AtomicUsize>,
    /// How many streams the backend grants, as far as it has said.
    granted: Arc<AtomicUsize>,
    _driver: Arc<JoinSet<()>>,
}

impl Connection {
    /// Over a new socket.
    pub(super) async fn open(wire: Wire) -> Result<Self, Failure> {
        let made = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_header_list_size(MAX_HEADER_LIST)
            .handshake(wire)
            .await;
        let (sender, mut connection) = made.map_err(Failure::Handshake)?;
        let mut driver = JoinSet::new();
        let granted = Arc::new(AtomicUsize::new(usize::MAX));
        let told = Arc::clone(&granted);
        driver.spawn(std::future::poll_fn(move |cx| {
            // Its errors are told to the requests that wait.
            let end = Pin::new(&mut connection).poll(cx).map(drop);
            told.store(connection.current_max_send_streams(), Ordering::Relaxed);
            end
        }));
        Ok(Self { sender, streams: Arc::default(), granted, _driver: Arc::new(driver) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.sender.is_ready()
    }

    /// A place for one more request, of `most` and of those that the backend grants.
    pub(super) fn stream(&self, most: usize) -> Option<Stream> {
        let most = most.min(self.granted.load(Ordering::Relaxed));
        let taken = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < most).then_some(n + 1));
        taken.is_ok().then(|| Stream { connection: self.clone() })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }
}

/// A request's place in a connection; given back when it is dropped.
pub(super) struct Stream {
    connection: Connection,
}

impl Stream {
    /// Sends a request and waits for the head of the answer. A request that was not sent comes back.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        let (request, fault) = sent::noting_faults(request);
        self.connection.sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message().map(Box::new);
            // The stream is reset when the body breaks off, and that error does not say why.
            let failure = match fault.get() {
                Some(fault) => Failure::Sender(axum_core::Error::new(*fault)),
                None => Failure::Broken(error.into_error()),
            };
            Unanswered { failure, unsent }
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose other end is gone is noticed within twice this.
const PING: Duration = Duration::from_secs(10);

const MAX_HEADER_LIST: u32 = 64 * 1024;
