//! The connections to one endpoint: kept open, used again, never more than allowed.
//!
//! 1. Each worker keeps the connections that it has opened, the newest on top: the next request finds a connection whose
//!    memory is warm, and those that too many were opened for once grow old and are closed.
//! 2. A request waits for a place only when `max_connections` are in use, in a queue of bounded length and time.
//! 3. A connection that the backend has closed is found out before it is used. Where both happen at once, the request
//!    comes back from hyper with not a byte sent, and goes over another connection, whatever its method.
//! 4. A connection goes back only when both bodies have ended; in all other cases it is closed.

mod body;
mod connect;
mod h1;
mod h2;
mod lease;
mod sent;
mod wire;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum_core::body::Body;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::{Failure, Unanswered};
use super::hold::Hold;
use crate::worker;
use connect::Purpose;
pub(crate) use connect::{Target, TlsTarget, resolve};
use lease::{Lease, Waiting};

/// Which HTTP is spoken to the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What TLS agrees on; HTTP/1.1 without TLS.
    #[default]
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2; without TLS with prior knowledge.
    H2,
}

/// How many connections there are and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How many there may be.
    pub max_connections: usize,
    /// How many of them may be idle, for each worker.
    pub max_idle: usize,
    /// For how long a connection may be idle.
    pub idle_timeout: Duration,
    /// How many requests may wait for a connection.
    pub max_waiting: usize,
    /// How many requests an HTTP/2 connection carries before another is opened.
    pub max_streams: usize,
}

impl Default for PoolSettings {
    /// 1024 connections, of which 256 may be idle for 30 seconds; 1024 requests may wait; 100 streams.
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_idle: 256,
            idle_timeout: Duration::from_secs(30),
            max_waiting: 1024,
            max_streams: 100,
        }
    }
}

/// The connections.
pub(crate) struct Pool {
    pub(super) target: Target,
    protocol: Protocol,
    settings: PoolSettings,
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    shards: Box<[Shard]>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    open: AtomicUsize,
    /// What TLS agreed on the last time.
    learned: AtomicU8,
}

#[derive(Default)]
struct Shard {
    idle: Mutex<Vec<h1::Connection>>,
    shared: Mutex<Vec<h2::Connection>>,
    /// Held while an HTTP/2 connection is opened, so that a burst of requests opens one and not one each.
    opening: tokio::sync::Mutex<()>,
}

impl Pool {
    /// A pool without connections. `authority` is what the backend is called, wherever it is.
    pub(crate) fn new(
        target: Target,
        scheme: Scheme,
        authority: Authority,
        protocol: Protocol,
        settings: PoolSettings,
    ) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let streams = if protocol == Protocol::H2 { settings.max_streams.max(1) } else { 1 };
        let places = settings.max_connections.saturating_mul(streams).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            // An authority has no character that a header value may not have.
            host: HeaderValue::from_str(authority.as_str()).unwrap_or_else(|_| HeaderValue::from_static("")),
            target,
            protocol,
            settings,
            scheme,
            authority,
            shards: (0..workers).map(|_| Shard::default()).collect(),
            places: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            learned: AtomicU8::new(0),
        }
    }

    /// Sends a request over some connection. Its URI needs no more than path and query; `Host` is the backend's own. What
    /// is held is let go of when the answer's body has ended.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Request<Body>,
        hold: Hold,
    ) -> Result<Response<Body>, Unanswered> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => match self.wait().await {
                Ok(place) => place,
                Err(failure) => return Err(Unanswered::unsent(failure, request)),
            },
        };
        let learned = match Purpose::of(&request) {
            Purpose::Requests => self.learned.load(Ordering::Relaxed),
            Purpose::Upgrade => LEARNED_H1,
        };
        match (self.protocol, learned) {
            (Protocol::H1, _) => self.send_h1(request, hold, place).await,
            (Protocol::H2, _) => self.send_h2(request, hold, place).await,
            (Protocol::Auto, LEARNED_H2) => self.send_h2(request, hold, place).await,
            (Protocol::Auto, _) => self.send_h1(request, hold, place).await,
        }
    }

    /// A new connection and the answer to one request, for whoever wants to know whether connections are taken.
    pub(crate) async fn send_afresh(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Unanswered> {
        let dialed = match self.target.dial(Purpose::Requests).await {
            Ok(dialed) => dialed,
            Err(failure) => return Err(Unanswered::unsent(failure, request)),
        };
        if self.speaks_h2(dialed.is_h2) {
            let connection = h2::Connection::open(dialed.wire).await;
            let stream = connection.map(|connection| connection.stream(1));
            return match stream {
                Ok(Some(mut stream)) => {
                    let response = stream.send(self.dress_h2(request)).await?;
                    Ok(response.map(|body| body::shared(body, stream, None)))
                }
                Ok(None) => Err(Unanswered::unsent(Failure::Busy, request)),
                Err(failure) => Err(Unanswered::unsent(failure, request)),
            };
        }
        let mut connection = match h1::Connection::open(dialed.wire).await {
            Ok(connection) => connection,
            Err(failure) => return Err(Unanswered::unsent(failure, request)),
        };
        let response = connection.send(self.dress_h1(request)).await?;
        Ok(response.map(|body| body::alone(body, connection)))
    }

    async fn send_h1(
        self: &Arc<Self>,
        request: Request<Body>,
        hold: Hold,
        place: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Unanswered> {
        let mut request = self.dress_h1(request);
        let purpose = Purpose::of(&request);
        let shard = worker::current() % self.shards.len().max(1);
        let mut lease = Lease { connection: None, pool: Arc::clone(self), shard, held: Some((hold, place)) };
        loop {
            let connection = match self.idle(shard) {
                Some(connection) => connection,
                None => match self.open_h1(purpose).await {
                    Ok(Opened::H1(connection)) => connection,
                    Ok(Opened::H2(connection)) => {
                        self.remember(shard, connection);
                        let Some((hold, place)) = lease.held.take() else {
                            return Err(Unanswered::unsent(Failure::Busy, request));
                        };
                        return self.send_h2(request, hold, place).await;
                    }
                    Err(failure) => return Err(Unanswered::unsent(failure, request)),
                },
            };
            let was_used = connection.used;
            let connection = lease.connection.insert(connection);
            match connection.send(request).await {
                Ok(response) => return Ok(response.map(|body| body::leased(body, lease))),
                Err(Unanswered { unsent: Some(unsent), .. }) if was_used => {
                    lease.close();
                    request = *unsent;
                }
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    async fn send_h2(
        self: &Arc<Self>,
        request: Request<Body>,
        hold: Hold,
        place: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Unanswered> {
        let mut request = self.dress_h2(request);
        let shard = worker::current() % self.shards.len().max(1);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut stream = match self.stream(shard).await {
                Ok(stream) => stream,
                Err(failure) => return Err(Unanswered::unsent(failure, request)),
            };
            match stream.send(request).await {
                Ok(response) => return Ok(response.map(|body| body::shared(body, stream, Some((hold, place))))),
                // The backend is closing this connection; what was not sent may go over another.
                Err(Unanswered { unsent: Some(unsent), .. }) if tries < 3 => request = *unsent,
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    /// A place in an HTTP/2 connection, which is opened if there is none.
    async fn stream(self: &Arc<Self>, shard: usize) -> Result<h2::Stream, Failure> {
        if let Some(stream) = self.shared_stream(shard) {
            return Ok(stream);
        }
        let Some(own) = self.shards.get(shard) else { return Err(Failure::Busy) };
        let opening = tokio::time::timeout(self.target.timeout, own.opening.lock()).await;
        let _opening = opening.map_err(|_| Failure::Slow(self.target.timeout))?;
        if let Some(stream) = self.shared_stream(shard) {
            return Ok(stream);
        }
        if lock(&own.shared).len() >= self.settings.max_connections {
            return Err(Failure::Busy);
        }
        let connection = h2::Connection::open(self.target.dial(Purpose::Requests).await?.wire).await?;
        let stream = connection.stream(self.settings.max_streams).ok_or(Failure::Busy);
        self.remember(shard, connection);
        stream
    }

    fn shared_stream(&self, shard: usize) -> Option<h2::Stream> {
        let mut connections = lock(&self.shards.get(shard)?.shared);
        connections.retain(h2::Connection::is_open);
        connections.iter().find_map(|connection| connection.stream(self.settings.max_streams))
    }

    fn remember(&self, shard: usize, connection: h2::Connection) {
        if let Some(shard) = self.shards.get(shard) {
            lock(&shard.shared).push(connection);
        }
    }

    /// The newest idle connection that is still good.
    fn idle(&self, shard: usize) -> Option<h1::Connection> {
        let shard = self.shards.get(shard)?;
        loop {
            let mut connection = lock(&shard.idle).pop()?;
            if connection.idle.elapsed() < self.settings.idle_timeout && connection.is_ready() {
                return Some(connection);
            }
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn open_h1(&self, purpose: Purpose) -> Result<Opened, Failure> {
        // Whoever holds a place may have a connection; another worker may keep an idle one in its stead.
        if self.open.load(Ordering::Relaxed) >= self.settings.max_connections {
            let oldest = |shard: &Shard| {
                let mut idle = lock(&shard.idle);
                (!idle.is_empty()).then(|| idle.remove(0))
            };
            if self.shards.iter().find_map(oldest).is_some() {
                self.open.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let dialed = self.target.dial(purpose).await?;
        // What a WebSocket has agreed on says nothing about what requests will.
        if purpose == Purpose::Requests && self.speaks_h2(dialed.is_h2) {
            return Ok(Opened::H2(h2::Connection::open(dialed.wire).await?));
        }
        let connection = h1::Connection::open(dialed.wire).await?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Opened::H1(connection))
    }

    fn speaks_h2(&self, agreed: bool) -> bool {
        if self.protocol == Protocol::Auto {
            self.learned.store(if agreed { LEARNED_H2 } else { LEARNED_H1 }, Ordering::Relaxed);
        }
        match self.protocol {
            Protocol::Auto => agreed,
            Protocol::H1 => false,
            Protocol::H2 => true,
        }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let _waiting = Waiting::enter(&self.waiting, self.settings.max_waiting)?;
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.target.timeout, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Failure::Busy),
        }
    }

    fn dress_h1(&self, mut request: Request<Body>) -> Request<Body> {
        *request.version_mut() = Version::HTTP_11;
        if request.uri().authority().is_some() {
            *request.uri_mut() = Uri::from(path_of(&request));
        }
        request.headers_mut().insert(HOST, self.host.clone());
        request
    }

    fn dress_h2(&self, mut request: Request<Body>) -> Request<Body> {
        *request.version_mut() = Version::HTTP_2;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_of(&request));
        // A URI of three valid parts is valid; were it not, the empty one fails to be sent.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        request.headers_mut().remove(HOST);
        request
    }

    /// Closes what has been idle for too long.
    pub(crate) fn sweep(&self) {
        for shard in &self.shards {
            let mut idle = lock(&shard.idle);
            let before = idle.len();
            idle.retain_mut(|connection| {
                connection.idle.elapsed() < self.settings.idle_timeout && connection.is_ready()
            });
            self.open.fetch_sub(before - idle.len(), Ordering::Relaxed);
            lock(&shard.shared).retain(h2::Connection::is_open);
        }
    }

    /// How many connections there are, and how many of them are idle.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let idle: usize = self.shards.iter().map(|shard| lock(&shard.idle).len()).sum();
        let shared = self.shards.iter().map(|shard| {
            let shared = lock(&shard.shared);
            (shared.len(), shared.iter().filter(|connection| connection.is_idle()).count())
        });
        let (shared, shared_idle) = shared.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        (self.open.load(Ordering::Relaxed) + shared, idle + shared_idle)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("target", &self.target).field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

enum Opened {
    H1(h1::Connection),
    H2(h2::Connection),
}

fn path_of(request: &Request<Body>) -> PathAndQuery {
    request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LEARNED_H1: u8 = 1;
const LEARNED_H2: u8 = 2;
