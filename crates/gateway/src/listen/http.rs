//! Speaks HTTP/1.1 and HTTP/2 on one connection, strictly and within bounds.
//!
//! The versions a client may use: HTTP/1.1, HTTP/2 by ALPN, and HTTP/2 with prior knowledge on plain connections
//! (RFC 9113 section 3.3); HTTP/1.0 is answered. What the handler answers with 101 and a [`super::Takeover`] leaves HTTP;
//! nothing else is ever upgraded. Against HTTP/2 rapid reset
//! (CVE-2023-44487) the number of streams that may be reset before they were answered is small. What HTTP/1 leaves to
//! the reader's taste is decided before its parser sees it, in [`super::strict`].

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use axum_core::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::debug;

use super::activity::Activity;
use super::strict::Strict;
use super::strict::wire::{MAX_FIELDS, Wire};
use super::takeover::Pending;
use super::{Bounds, Connection, Shared};

/// Which version a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.1, by agreement.
    Http1,
    /// HTTP/2, by agreement.
    Http2,
    /// Whichever the first bytes say.
    Sniffed,
}

/// Serves one connection to its end.
pub(super) async fn serve<S>(stream: S, version: Version, connection: Connection, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Activity::new();
    let peer = connection.peer;
    let max_head = max_head(&shared.bounds);
    let wire = match version {
        Version::Http1 => Wire::http1(max_head),
        Version::Http2 => Wire::opaque(),
        Version::Sniffed => Wire::sniffed(max_head),
    };
    let stream = Strict::new(stream, wire, shared.bounds.head, activity.clone());
    let verdict = stream.verdict();
    let pending = Pending::default();
    let service = service_fn(|request: Request<Incoming>| {
        let begun = activity.begin();
        let answer = match verdict.of_next() {
            None => shared.handler.handle(request, connection.clone()),
            Some(malformed) => shared.handler.refuse(malformed, request, connection.clone()),
        };
        let (pending, verdict) = (pending.clone(), Arc::clone(&verdict));
        async move {
            let mut response: Response<Body> = answer.await;
            if pending.take_from(&mut response) {
                verdict.leave_http();
            }
            drop(begun);
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(version, &shared.bounds);
    let http = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    speak(http, &activity, peer, shared).await;
    // Who sends what is no HTTP before the answer is there has not read that there will be another protocol.
    if !verdict.has_refused() {
        pending.run(shared.stopped()).await;
    }
}

/// Speaks HTTP until the client or the gateway ends it, or until it is left.
async fn speak<C>(mut http: Pin<&mut C>, activity: &Activity, peer: SocketAddr, shared: &Shared)
where
    C: GracefulConnection<Error = Box<dyn Error + Send + Sync>>,
{
    let mut stopped = pin!(shared.stopped());
    let mut expired = pin!(activity.expired(shared.bounds.head, shared.bounds.idle));
    tokio::select! {
        result = http.as_mut() => return log(peer, result),
        () = stopped.as_mut() => {}
        () = expired.as_mut() => {}
    }
    // From here on no further request is taken; the connection ends with the last answer under way.
    http.as_mut().graceful_shutdown();
    if activity.has_begun() {
        return log(peer, http.await);
    }
    // An HTTP/2 client that does not even finish the handshake of the protocol would never be asked to leave.
    if let Ok(result) = timeout(shared.bounds.head, http).await {
        log(peer, result);
    }
}

fn max_head(bounds: &Bounds) -> usize {
    usize::try_from(bounds.max_head).unwrap_or(MIN_BUFFER).max(MIN_BUFFER)
}

fn log(peer: SocketAddr, result: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = result {
        debug!(%peer, %error, "connection ended");
    }
}

fn builder(version: Version, bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // How long a head may take is measured in front of the parser, where its end can be answered.
        .header_read_timeout(None)
        .max_headers(MAX_FIELDS)
        .max_buf_size(max_head(bounds))
        .half_close(false)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(bounds.max_head)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_only(),
        Version::Sniffed => builder,
    }
}

const MAX_STREAMS: u32 = 200;
const MAX_PENDING_RESETS: usize = 20;
const PING: Duration = Duration::from_secs(20);
/// The least that hyper accepts.
const MIN_BUFFER: usize = 8192;
