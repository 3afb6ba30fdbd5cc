//! Opens a WebSocket to the backend, and carries its bytes both ways until something ends it.
//!
//! 1. What the stages found to be a handshake is sent as one; `Connection` and `Upgrade` are written here.
//! 2. The backend's 101 counts only with the `Sec-WebSocket-Accept` of this very handshake (RFC 6455 section 4.1), and
//!    with no subprotocol or extension that the client did not offer. Before that no byte of the client's goes on.
//! 3. Bytes are not changed. A side that reads slowly slows the other: at most [`BUFFER`] bytes wait in each direction.
//! 4. The socket ends with either side; when both are silent for too long; at the end of its life, which is at most that of
//!    the credential; and when the gateway stops. In the last three cases the client gets a frame that says why, between
//!    two frames of the backend's, and a moment to answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use palisade::stage::Stop;
use palisade::websocket::{Handshake, Traffic};
use palisade_core::canon::header::strip_hop_by_hop;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::frames::Frames;
use crate::listen::Takeover;

/// A WebSocket that a request asks for.
pub(super) struct Upgrade {
    handshake: Handshake,
    client: OnUpgrade,
    offered: Vec<String>,
    extensions: bool,
}

impl Upgrade {
    /// What a request asks for, if the stages have found that it may.
    pub(super) fn asked(request: &mut Request<Body>) -> Option<Self> {
        let handshake = request.extensions_mut().remove::<Handshake>()?;
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let offered = list(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let extensions = headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
        Some(Self { handshake, client, offered, extensions })
    }

    /// The answer 101 with all that happens behind it.
    pub(super) fn open(self, mut response: Response<Body>) -> Result<Response<Body>, Stop> {
        if let Some(reason) = self.fault(response.headers()) {
            let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Forward);
            return Err(denial.because("status", "101").because("reason", reason).into());
        }
        let backend = hyper::upgrade::on(&mut response);
        let headers = response.headers_mut();
        strip_hop_by_hop(headers);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let traffic = Traffic::new();
        let (client, limits) = (self.client, (self.handshake.idle(), self.handshake.lifetime()));
        let counted = Arc::clone(&traffic);
        response.extensions_mut().insert(traffic);
        response.extensions_mut().insert(Takeover::new(move |stopping| {
            Box::pin(async move {
                match tokio::try_join!(client, backend) {
                    Ok((client, backend)) => {
                        let tunnel = Tunnel { traffic: &counted, idle: limits.0, lifetime: limits.1 };
                        tunnel.run(TokioIo::new(client), TokioIo::new(backend), stopping).await;
                    }
                    Err(_) => counted.end("not_opened"),
                }
            })
        }));
        Ok(response.map(|_| Body::empty()))
    }

    /// What is wrong with the backend's part of the handshake.
    fn fault(&self, headers: &HeaderMap) -> Option<&'static str> {
        let mut accepts = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        if accepts.next() != Some(self.handshake.accept()) || accepts.next().is_some() {
            return Some("accept_wrong");
        }
        if !list(headers, &UPGRADE).eq_ignoring_case(&["websocket"]) {
            return Some("protocol_wrong");
        }
        if !list(headers, &CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade")) {
            return Some("connection_wrong");
        }
        let chosen: Vec<&str> = list(headers, &SEC_WEBSOCKET_PROTOCOL).collect();
        if chosen.len() > 1 || !chosen.iter().all(|chosen| self.offered.iter().any(|offered| offered == chosen)) {
            return Some("subprotocol_not_offered");
        }
        (headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) && !self.extensions).then_some("extension_not_offered")
    }
}

/// The items of a list in a header.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).map(str::trim)
}

/// Comparison of names that have no case.
trait EqIgnoringCase {
    fn eq_ignoring_case(self, names: &[&str]) -> bool;
}

impl<'h, I: Iterator<Item = &'h str>> EqIgnoringCase for I {
    fn eq_ignoring_case(mut self, names: &[&str]) -> bool {
        names.iter().all(|name| self.next().is_some_and(|own| own.eq_ignore_ascii_case(name))) && self.next().is_none()
    }
}

/// An open socket.
struct Tunnel<'t> {
    traffic: &'t Traffic,
    idle: Duration,
    lifetime: Duration,
}

impl Tunnel<'_> {
    async fn run<C, B>(&self, client: C, backend: B, stopping: BoxFuture<'static, ()>)
    where
        C: AsyncRead + AsyncWrite + Send,
        B: AsyncRead + AsyncWrite + Send,
    {
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_backend, mut to_backend) = tokio::io::split(backend);
        let pulse = Pulse::new();
        let (leave, left) = watch::channel(None);
        let up = self.up(&mut from_client, &mut to_backend, &pulse);
        let down = self.down(&mut from_backend, &mut to_client, &pulse, left);
        let both = async {
            let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
            // One side that has closed needs no more than what is on its way from the other.
            let first = tokio::select! {
                first = up.as_mut() => first.and(timeout(LINGER, down).await.unwrap_or(Ok(()))),
                first = down.as_mut() => first.and(timeout(LINGER, up).await.unwrap_or(Ok(()))),
            };
            self.traffic.end(if first.is_err() { "broken" } else { "closed" });
        };
        let mut both = std::pin::pin!(both);
        let (reason, code) = tokio::select! {
            () = both.as_mut() => return,
            () = pulse.silent(self.idle) => ("idle", GOING_AWAY),
            () = sleep(self.lifetime) => ("lifetime", POLICY),
            () = stopping => ("stopping", GOING_AWAY),
        };
        self.traffic.end(reason);
        // There is a receiver in `down`, or nobody to be told.
        let _ = leave.send(Some(code));
        let _ = timeout(FAREWELL, both).await;
    }

    /// From the client to the backend. The client's end is passed on as such.
    async fn up<R, W>(&self, from: &mut R, to: &mut W, pulse: &Pulse) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from.read(&mut buffer).await?;
            pulse.beat();
            if read == 0 {
                return to.shutdown().await;
            }
            self.traffic.receive(read);
            to.write_all(buffer.get(..read).unwrap_or_default()).await?;
            to.flush().await?;
            pulse.beat();
        }
    }

    /// From the backend to the client, and in the end what we have to say ourselves.
    async fn down<R, W>(
        &self,
        from: &mut R,
        to: &mut W,
        pulse: &Pulse,
        mut left: watch::Receiver<Option<u16>>,
    ) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; BUFFER];
        let mut frames = Frames::default();
        let mut code = None;
        loop {
            if let Some(code) = code.filter(|_| frames.may_add()) {
                let [high, low] = u16::to_be_bytes(code);
                to.write_all(&[0x88, 2, high, low]).await?;
                return to.shutdown().await;
            }
            let read = tokio::select! {
                read = from.read(&mut buffer) => read?,
                told = left.wait_for(Option::is_some), if code.is_none() => {
                    code = told.ok().and_then(|told| *told);
                    continue;
                }
            };
            pulse.beat();
            if read == 0 {
                return to.shutdown().await;
            }
            let bytes = buffer.get(..read).unwrap_or_default();
            frames.pass(bytes);
            self.traffic.send(read);
            to.write_all(bytes).await?;
            to.flush().await?;
            pulse.beat();
        }
    }
}

/// When something moved last.
struct Pulse {
    begun: Instant,
    last: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(0) }
    }

    fn beat(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Ready when nothing has moved for so long.
    async fn silent(&self, idle: Duration) {
        loop {
            let last = self.last.load(Ordering::Relaxed);
            sleep_until(self.begun + Duration::from_millis(last) + idle).await;
            if self.last.load(Ordering::Relaxed) == last {
                return;
            }
        }
    }
}

/// The codes of RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
/// How much of one direction is held.
const BUFFER: usize = 16 << 10;
/// How long one side may still send when the other has closed.
const LINGER: Duration = Duration::from_secs(5);
/// How long a client that was told to leave has for that.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether an answer opens a socket.
pub(super) fn is_switch<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}
