//! Listeners: sockets bound before anything is served, TLS, HTTP/1.1 and HTTP/2, and a shutdown that loses no request.
//!
//! 1. [`bind`] takes every address of the configuration, or says which one it cannot have. Sockets that somebody else
//!    has opened are used where there are any ([`Inherited`]).
//! 2. [`serve`] accepts on all of them until its `shutdown` is ready: one thread for each worker, and every connection
//!    stays where it was accepted.
//! 3. Then what is in the system's queue is still accepted, idle connections close, requests under way finish, and what
//!    has not finished by [`Bounds::drain`] is cut off.
//!
//! Every wait for a client has an end: see [`Bounds`]. What is done with a request is a [`Handler`]'s business.

mod activity;
mod answer;
mod bounds;
mod clients;
pub mod handover;
mod http;
mod inherited;
mod open;
mod proxied;
pub mod proxy;
pub(crate) mod sni;
mod socket;
mod strict;
mod takeover;
mod tcp;
mod tls;
mod unread;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{Request, Response};
use axum_core::body::Body;
use futures_util::future::BoxFuture;
use palisade::credential::certificate::ClientCertificate;
use palisade::facts::Malformed;

pub use bounds::{Bounds, Http2Bounds};
pub use inherited::Inherited;
pub use open::Open;
pub use socket::{Listener, bind};
pub use strict::wire;
pub use takeover::Takeover;
pub use workers::{Drained, serve};

use workers::Shared;

/// What answers requests.
///
/// ```
/// use std::sync::Arc;
///
/// use axum_core::body::Body;
/// use futures_util::future::{BoxFuture, ready};
/// use http::{Request, Response, StatusCode};
/// use palisade::facts::Malformed;
/// use palisade_gateway::listen::{Connection, Handler};
///
/// struct Greeting;
///
/// impl Handler for Greeting {
///     fn handle(&self, _: Request<Body>, connection: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
///         Box::pin(ready(Response::new(Body::from(format!("hello, {}", connection.peer.ip())))))
///     }
///
///     fn refuse(&self, _: Malformed, _: Request<Body>, _: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
///         let mut answer = Response::new(Body::empty());
///         *answer.status_mut() = StatusCode::BAD_REQUEST;
///         Box::pin(ready(answer))
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. The future is dropped when the client goes away.
    fn handle(&self, request: Request<Body>, connection: &Arc<Connection>) -> BoxFuture<'static, Response<Body>>;

    /// Answers bytes that are no request. `request` stands in their place and has their request line where that was
    /// valid, and nothing else of them.
    fn refuse(
        &self,
        malformed: Malformed,
        request: Request<Body>,
        connection: &Arc<Connection>,
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
