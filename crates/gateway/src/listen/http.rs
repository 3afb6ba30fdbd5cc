//! Speaks HTTP/1.1 and HTTP/2 on one connection, strictly and within bounds.
//!
//! The versions a client may use: HTTP/1.1, HTTP/2 by ALPN, and HTTP/2 with prior knowledge on plain connections
//! (RFC 9113 section 3.3); HTTP/1.0 is answered. What the handler answers with 101 and a [`super::Takeover`] leaves HTTP;
//! nothing else is ever upgraded. What HTTP/1 leaves to the reader's taste is decided before its parser sees it, in
//! [`super::strict`].
//!
//! A connection costs memory while it is used: the parser and its buffers are made when bytes come, and an HTTP/1
//! connection that has rested for a moment gives them back. What is left waits for the next byte.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use palisade::facts::Malformed;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::activity::Activity;
use super::answer::Answers;
use super::strict::Strict;
use super::strict::wire::{Protocol, Wire};
use super::takeover::Pending;
use super::{Bounds, Connection, Shared};

/// Serves one connection to its end. Without a protocol the first bytes say which it is.
pub(super) async fn serve<S>(stream: S, protocol: Option<Protocol>, connection: Arc<Connection>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let max_head = max_head(&shared.bounds);
    let wire = match protocol {
        Some(Protocol::Http1) => Wire::http1(max_head),
        Some(Protocol::Http2) => Wire::opaque(),
        None => Wire::sniffed(max_head),
    };
    let activity = Arc::<Activity>::default();
    let mut stream = Strict::new(stream, wire, shared.bounds.head, Arc::clone(&activity));
    let answers = answers(&stream, connection, &activity, shared);
    match begin(&mut stream, shared.bounds.head, &activity, shared).await {
        None => close(stream).await,
        Some(Protocol::Http1) => http1(stream, &answers, shared).await,
        Some(Protocol::Http2) => http2(stream, answers, shared).await,
    }
}

/// Answers a connection that began with something else than HTTP, and ends it.
pub(super) async fn reject<S>(stream: S, malformed: Malformed, connection: Arc<Connection>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::<Activity>::default();
    let wire = Wire::http1(max_head(&shared.bounds));
    let mut stream = Strict::new(stream, wire, shared.bounds.head, Arc::clone(&activity));
    let answers = answers(&stream, connection, &activity, shared);
    stream.reject(malformed);
    http1(stream, &answers, shared).await;
}

fn answers<S>(stream: &Strict<S>, connection: Arc<Connection>, activity: &Arc<Activity>, shared: &Shared) -> Answers {
    let (handler, verdict) = (Arc::clone(&shared.handler), stream.verdict());
    Answers { handler, connection, activity: Arc::clone(activity), verdict, pending: Pending::default() }
}

/// Waits for the first bytes of a request, and says in which protocol. `None` when there will be none.
async fn begin<S>(stream: &mut Strict<S>, patience: Duration, activity: &Activity, shared: &Shared) -> Option<Protocol>
where
    S: AsyncRead + Unpin,
{
    let begun = tokio::select! {
        begun = timeout(patience, stream.first_bytes()) => begun,
        () = shared.stopped() => {
            activity.make_last();
            timeout(LINGER, stream.first_bytes()).await
        }
    };
    match begun {
        Ok(Ok(protocol)) => protocol,
        Ok(Err(_)) => None,
        Err(_) if stream.has_bytes() => {
            stream.reject(Malformed::TooSlow);
            Some(Protocol::Http1)
        }
        Err(_) => None,
    }
}

/// HTTP/1: rests between requests that are far apart.
async fn http1<S>(mut stream: Strict<S>, answers: &Answers, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = &answers.activity;
    loop {
        let http = http1_builder(&shared.bounds).serve_connection(TokioIo::new(stream), answers.clone());
        let mut http = Box::new(http.with_upgrades());
        match drive(&mut *http, http1::UpgradeableConnection::graceful_shutdown, true, activity, shared).await {
            End::Closed(result) => {
                log(&answers.connection, result);
                // Who sends what is no HTTP before the answer is there has not read that there will be another protocol.
                if !answers.verdict.has_refused() {
                    answers.pending.run(shared.stopped()).await;
                }
                return;
            }
            End::Cut(reason) => return debug!(peer = %answers.connection.peer, reason, "connection cut off"),
            End::Rests => {}
        }
        let Some(parts) = http.into_parts() else { return };
        stream = parts.io.into_inner();
        // A resting connection has nothing in its buffers; if it had, they could not be given back.
        if !parts.read_buf.is_empty() {
            return;
        }
        let patience = shared.bounds.idle.saturating_sub(tick(&shared.bounds));
        if begin(&mut stream, patience, activity, shared).await.is_none() {
            return close(stream).await;
        }
    }
}

/// HTTP/2.
async fn http2<S>(mut stream: Strict<S>, answers: Answers, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (activity, connection) = (Arc::clone(&answers.activity), Arc::clone(&answers.connection));
    stream.count_frames(&shared.bounds.http2);
    let mut http = Box::new(http2_builder(&shared.bounds).serve_connection(TokioIo::new(stream), answers));
    match drive(&mut *http, http2::Connection::graceful_shutdown, false, &activity, shared).await {
        End::Closed(result) => log(&connection, result),
        End::Cut(reason) => debug!(peer = %connection.peer, reason, "connection cut off"),
        End::Rests => {}
    }
}

/// What became of a connection.
enum End {
    /// It has been closed.
    Closed(hyper::Result<()>),
    /// It is to be dropped, for this reason.
    Cut(&'static str),
    /// It does nothing.
    Rests,
}

/// Drives a connection to its end or, where it may, to its rest.
async fn drive<C>(http: &mut C, finish: fn(Pin<&mut C>), may_rest: bool, activity: &Activity, shared: &Shared) -> End
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let (bounds, tick) = (&shared.bounds, tick(&shared.bounds));
    let mut stopped = std::pin::pin!(shared.stopped());
    let (mut is_stopping, mut is_finishing) = (activity.is_last(), false);
    let (mut seen, mut idle, mut stuck, mut stuck_for) = (activity.begun(), Duration::ZERO, None, Duration::ZERO);
    let first = (seen == 0).then_some(bounds.head);
    let mut pause = tick.min(QUICK);
    loop {
        tokio::select! {
            biased;
            result = &mut *http => return End::Closed(result),
            () = stopped.as_mut(), if !is_stopping => {
                is_stopping = true;
                activity.make_last();
                // What has a request under way ends with its answer. One that has none may be sent one right now, by a
                // client that has not heard yet: it gets an answer, which says that it is the last.
                if activity.is_busy() || !may_rest {
                    is_finishing = true;
                    finish(Pin::new(&mut *http));
                }
                (idle, pause) = (Duration::ZERO, tick.min(QUICK));
                continue;
            }
            () = sleep(pause) => {}
        }
        stuck_for = match activity.stuck() {
            Some(written) if stuck == Some(written) => stuck_for + pause,
            _ => Duration::ZERO,
        };
        stuck = activity.stuck();
        if stuck_for >= bounds.write || activity.is_starved(bounds.write) {
            return End::Cut("the client takes no answer");
        }
        let has_begun = activity.begun() != seen;
        let is_quiet = !activity.is_busy() && !has_begun;
        seen = activity.begun();
        idle = if is_quiet { idle + pause } else { Duration::ZERO };
        if is_finishing && idle >= bounds.head {
            // Nobody answers any more, not even our good-bye.
            return End::Cut("the client does not leave");
        }
        let limit = match first {
            _ if is_stopping => LINGER,
            Some(first) if seen == 0 => first,
            _ => bounds.idle,
        };
        if is_quiet && !is_finishing && idle >= limit {
            is_finishing = true;
            idle = Duration::ZERO;
            finish(Pin::new(&mut *http));
        } else if is_quiet && may_rest && !is_stopping && activity.is_at_rest() {
            return End::Rests;
        }
        // What is used is soon quiet or goes on for long.
        pause = if has_begun { tick.min(QUICK) } else { tick.min(pause * 2) };
    }
}

/// How often a connection is looked at.
fn tick(bounds: &Bounds) -> Duration {
    TICK.min(bounds.idle).min(bounds.head).min(bounds.write).max(Duration::from_millis(1))
}

/// Says good-bye, which over TLS is more than closing the socket.
async fn close<S: AsyncWrite + AsyncRead + Unpin>(mut stream: Strict<S>) {
    // The client may be gone already.
    let _ = timeout(LINGER, stream.shutdown()).await;
}

fn log(connection: &Connection, result: hyper::Result<()>) {
    if let Err(error) = result {
        debug!(peer = %connection.peer, %error, reason = error.source(), "connection ended");
    }
}

fn max_head(bounds: &Bounds) -> usize {
    usize::try_from(bounds.max_head).unwrap_or(MIN_BUFFER).max(MIN_BUFFER)
}

fn http1_builder(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // More than a hundred headers are refused in front of the parser, and by it unless it is told a number, with which
        // it writes a list of that length for each request.
        //
        // How long a head may take is measured in front of the parser, where its end can be answered.
        .header_read_timeout(None)
        .max_buf_size(max_head(bounds))
        .half_close(false)
        .keep_alive(true);
    builder
}

fn http2_builder(bounds: &Bounds) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.http2.streams)
        // What is too much for the chain but not for the parser is refused by the chain, with an event.
        .max_header_list_size(bounds.max_head.saturating_mul(2))
        .max_pending_accept_reset_streams(usize::try_from(bounds.http2.resets).ok())
        .initial_stream_window_size(bounds.http2.stream_window)
        .initial_connection_window_size(bounds.http2.connection_window)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// How long a connection that a shutdown finds without a request is kept for one that is on its way.
const LINGER: Duration = Duration::from_millis(500);
/// How long an HTTP/1 connection is quiet before it rests.
const QUICK: Duration = Duration::from_millis(100);
/// How often one that does not rest is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How much of one answer is kept for a client that has no room.
const SEND_BUFFER: usize = 64 << 10;
const PING: Duration = Duration::from_secs(20);
/// The least that hyper accepts.
const MIN_BUFFER: usize = 8192;
