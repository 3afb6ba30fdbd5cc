//! Listeners: sockets bound before anything is served, TLS, HTTP/1.1 and HTTP/2, and a shutdown that loses no request.
//!
//! 1. [`bind`] takes every address of the configuration, or says which one it cannot have.
//! 2. [`serve`] accepts on all of them until its `shutdown` is ready.
//! 3. Then nothing more is accepted, idle connections close, requests under way finish, and what has not finished by
//!    [`Bounds::drain`] is cut off.
//!
//! Every wait for a client has an end: see [`Bounds`]. What is done with a request is a [`Handler`]'s business.

mod activity;
mod http;
mod open;
mod proxied;
pub mod proxy;
mod strict;
mod tcp;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use axum_core::body::Body;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use palisade::credential::certificate::ClientCertificate;
use palisade::facts::Malformed;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use open::Open;
pub use strict::wire;
pub use tcp::{Listener, bind};

/// What answers requests.
///
/// ```
/// use axum_core::body::Body;
/// use futures_util::future::{BoxFuture, ready};
/// use http::{Request, Response, StatusCode};
/// use palisade::facts::Malformed;
/// use palisade_gateway::listen::{Connection, Handler};
///
/// struct Greeting;
///
/// impl Handler for Greeting {
///     fn handle(&self, _: Request<hyper::body::Incoming>, connection: Connection) -> BoxFuture<'static, Response<Body>> {
///         Box::pin(ready(Response::new(Body::from(format!("hello, {}", connection.peer.ip())))))
///     }
///
///     fn refuse(&self, _: Malformed, _: Request<hyper::body::Incoming>, _: Connection) -> BoxFuture<'static, Response<Body>> {
///         let mut answer = Response::new(Body::empty());
///         *answer.status_mut() = StatusCode::BAD_REQUEST;
///         Box::pin(ready(answer))
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. The future is dropped when the client goes away.
    fn handle(&self, request: Request<Incoming>, connection: Connection) -> BoxFuture<'static, Response<Body>>;

    /// Answers bytes that are no request. `request` stands in their place and has their request line where that was
    /// valid, and nothing else of them.
    fn refuse(
        &self,
        malformed: Malformed,
        request: Request<Incoming>,
        connection: Connection,
    ) -> BoxFuture<'static, Response<Body>>;
}

/// The connection that a request came in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other end, or what a load balancer says of it by PROXY protocol; an IPv4 address as such even on a socket for
    /// both families.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// The name of the `[listen.NAME]` section.
    pub listener: Arc<str>,
    /// The place of that section in the configuration.
    pub index: usize,
    /// Whether it is encrypted.
    pub secure: bool,
    /// The certificate that the client has proven to hold.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// How long and how much: the ends of every wait for a client.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take to arrive, the first from the moment the connection is ready.
    pub head: Duration,
    /// How long a connection without a request under way is kept.
    pub idle: Duration,
    /// How long requests under way may take to finish after the shutdown began.
    pub drain: Duration,
    /// The largest head of a request, in bytes; at least 8 KiB.
    pub max_head: u32,
    /// How many connections may be open at once, over all listeners; further ones wait in the system's queue.
    pub connections: usize,
    /// Counts those that are open.
    pub open: Open,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            max_head: 40 << 10,
            connections: 10_000,
            open: Open::default(),
        }
    }
}

/// What became of the connections that were open when the shutdown began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many were cut off because a request had not finished in time.
    pub cut_off: usize,
}

/// Serves until `shutdown` is ready and the connections have drained. Dropping the future cuts everything off at once.
pub async fn serve(
    listeners: Vec<Listener>,
    handler: Arc<dyn Handler>,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let (stop, stopped) = watch::channel(false);
    let shared = Arc::new(Shared { handler, slots: Arc::new(Semaphore::new(bounds.connections)), bounds, stopped });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        info!(listener = %listener.name(), address = %listener.local(), secure = listener.is_secure(), "listening");
        accepting.spawn(tcp::accept(listener, Arc::clone(&shared)));
    }
    shutdown.await;
    // There is a receiver in `shared`, so that this cannot fail.
    let _ = stop.send(true);
    let mut drained = Drained::default();
    while let Some(finished) = accepting.join_next().await {
        drained.cut_off += finished.unwrap_or_default();
    }
    if drained.cut_off > 0 {
        warn!(connections = drained.cut_off, "cut off requests that did not finish in time");
    }
    drained
}

/// What all connections have in common.
struct Shared {
    handler: Arc<dyn Handler>,
    slots: Arc<Semaphore>,
    bounds: Bounds,
    stopped: watch::Receiver<bool>,
}

impl Shared {
    /// Ready once the shutdown has begun; also if `serve` was dropped.
    async fn stopped(&self) {
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }
}
