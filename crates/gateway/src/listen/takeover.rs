//! What becomes of a connection behind the answer 101: somebody else's business, on the connection's own task.
//!
//! Whoever opens a WebSocket puts a [`Takeover`] into the extensions of the answer. When that answer has left and HTTP has
//! let go of the connection, the connection's task runs it: so it has an owner, keeps its place among the connections,
//! and is waited for when the gateway stops.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};

/// What runs on a connection that speaks HTTP no longer. It is told when the gateway begins to stop.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Run>>>);

type Run = Box<dyn FnOnce(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + Send>;

impl Takeover {
    /// A takeover by what `run` makes of the sign that the gateway stops.
    pub fn new(run: impl FnOnce(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(run)))))
    }

    async fn run(self, stopping: BoxFuture<'static, ()>) {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(run) = run {
            run(stopping).await;
        }
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

/// What waits for the end of HTTP on one connection, with the body of the answer: stages have hung on it what lives as
/// long as the request does.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending(Arc<Mutex<Option<(Takeover, Body)>>>);

impl Pending {
    /// Takes what `response` announces. True if there was anything.
    pub(super) fn take_from(&self, response: &mut Response<Body>) -> bool {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return false;
        }
        let Some(takeover) = response.extensions_mut().remove::<Takeover>() else { return false };
        let body = std::mem::take(response.body_mut());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((takeover, body));
        true
    }

    /// Runs it, if there is one.
    pub(super) async fn run(&self, stopping: impl Future<Output = ()> + Send + 'static) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((takeover, held)) = taken {
            takeover.run(Box::pin(stopping)).await;
            drop(held);
        }
    }
}
