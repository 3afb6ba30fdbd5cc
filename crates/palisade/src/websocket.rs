//! What is said between the chain and the end of it about a WebSocket: that one may be opened, and what went through it.
//!
//! The stage [`crate::stage::upgrade`] puts a [`Handshake`] into the request's extensions. Who opens the socket puts an
//! [`Arc`] of [`Traffic`] into the extensions of the answer 101, and keeps that answer's body for as long as the socket is
//! open: the places of `admit` and the last event hang on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// A handshake that is valid and allowed.
///
/// ```
/// use std::time::Duration;
/// use palisade::websocket::Handshake;
///
/// // The example of RFC 6455 section 1.3.
/// let handshake = Handshake::new("dGhlIHNhbXBsZSBub25jZQ==", Duration::from_secs(60), Duration::from_secs(3600)).unwrap();
/// assert_eq!(handshake.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Debug)]
pub struct Handshake {
    accept: HeaderValue,
    idle: Duration,
    lifetime: Duration,
}

impl Handshake {
    /// A handshake with this `Sec-WebSocket-Key`. `None` where that is not the one spelling of 16 bytes.
    pub fn new(key: &str, idle: Duration, lifetime: Duration) -> Option<Self> {
        STANDARD.decode(key).ok().filter(|nonce| nonce.len() == 16)?;
        let text = format!("{key}{GUID}");
        let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
        Some(Self { accept: HeaderValue::try_from(accept).ok()?, idle, lifetime })
    }

    /// The `Sec-WebSocket-Accept` of a backend that has understood it.
    pub fn accept(&self) -> &HeaderValue {
        &self.accept
    }

    /// After how long a silence of both sides the socket is closed.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// After how long it is closed in any case.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

/// What went through an open socket, and why it was closed.
///
/// ```
/// let traffic = palisade::websocket::Traffic::new();
/// traffic.receive(5);
/// traffic.end("idle");
/// traffic.end("closed");
/// assert_eq!((traffic.bytes(), traffic.ended()), ((5, 0), "idle"));
/// ```
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    ended: OnceLock<&'static str>,
}

impl Traffic {
    /// Nothing so far.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// So many bytes came from the client.
    pub fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes went to the client.
    pub fn send(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The bytes from the client and those to it.
    pub fn bytes(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Says why it was closed; the first reason counts.
    pub fn end(&self, reason: &'static str) {
        let _ = self.ended.set(reason);
    }

    /// Why it was closed. Who says nothing was cut off.
    pub fn ended(&self) -> &'static str {
        self.ended.get().copied().unwrap_or("cut_off")
    }
}

/// What the server adds to the key (RFC 6455 section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
