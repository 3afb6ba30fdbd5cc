//! How long and how much: the ends of every wait for a client, and what one client may take.

use std::time::Duration;

use palisade_core::port::counter::Ipv6Prefix;

use super::Open;
use crate::config::settings::Settings;

/// How long and how much.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long a TLS handshake or a PROXY header may take.
    pub handshake: Duration,
    /// How long the head of a request may take to arrive, the first from the moment the connection is ready.
    pub head: Duration,
    /// How long a connection without a request under way is kept.
    pub idle: Duration,
    /// How long a client may take none of an answer that is there for it.
    pub write: Duration,
    /// How long requests under way may take to finish after the shutdown began.
    pub drain: Duration,
    /// The largest head of a request, in bytes; at least 8 KiB.
    pub max_head: u32,
    /// How many connections may be open at once, over all listeners; further ones wait in the system's queue.
    pub connections: usize,
    /// How many of them one client may have; further ones are closed.
    pub per_client: usize,
    /// How much of an IPv6 address is one client.
    pub ipv6_prefix: Ipv6Prefix,
    /// What HTTP/2 adds.
    pub http2: Http2Bounds,
    /// Counts the connections that are open.
    pub open: Open,
}

impl Bounds {
    /// Those of a configuration.
    pub fn of(settings: &Settings) -> Self {
        let (server, limits) = (&settings.server, &settings.limits);
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            handshake: server.handshake_timeout,
            head: limits.head_timeout,
            idle: server.idle_timeout,
            write: server.write_timeout,
            drain: server.drain_timeout,
            max_head: limits.max_headers.saturating_add(limits.max_uri),
            connections: count(server.max_connections),
            per_client: count(server.max_connections_per_client),
            ipv6_prefix: limits.ipv6_prefix,
            http2: server.http2.clone(),
            open: Open::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            max_head: 40 << 10,
            connections: 10_000,
            per_client: 1_000,
            ipv6_prefix: Ipv6Prefix::default(),
            http2: Http2Bounds::default(),
            open: Open::default(),
        }
    }
}

/// What one HTTP/2 connection may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http2Bounds {
    /// How many requests may be under way on it.
    pub streams: u32,
    /// How many of them the client may have taken back before they were looked at (CVE-2023-44487).
    pub resets: u32,
    /// How many bytes of one request's body may be waiting for their reader.
    pub stream_window: u32,
    /// How many bytes of all bodies may be.
    pub connection_window: u32,
    /// How many frames that ask for work and bring nothing may come at once: pings, settings, resets, empty data.
    pub control_burst: u32,
    /// How many of them may come in a second, on the average.
    pub control_rate: u32,
}

impl Default for Http2Bounds {
    fn default() -> Self {
        Self {
            streams: 100,
            resets: 20,
            stream_window: 256 << 10,
            connection_window: 1 << 20,
            control_burst: 1_000,
            control_rate: 100,
        }
    }
}
