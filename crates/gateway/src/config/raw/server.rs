//! The keys of `[server]`: the process and its connections, whatever comes over them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::Reload;
use super::text::{Size, Span};

/// The process and its connections.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawServer {
    /// How many threads serve connections; by default one for each processor.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) workers: Option<u32>,
    /// How many connections may be open at once; further ones wait in the system's queue.
    #[schemars(range(min = 1))]
    pub(crate) max_connections: u32,
    /// How many of them one client address may have, or one IPv6 network of `limits.ipv6_prefix` bits; further ones are
    /// closed. Trusted proxies have as many as they like.
    #[schemars(range(min = 1))]
    pub(crate) max_connections_per_client: u32,
    /// How long a TLS handshake or a PROXY header may take.
    pub(crate) handshake_timeout: Span,
    /// How long a connection without a request is kept.
    pub(crate) idle_timeout: Span,
    /// How long a client may take nothing of its answer before it is cut off.
    pub(crate) write_timeout: Span,
    /// When this file is read again. A file that cannot be used changes nothing.
    pub(crate) reload: Reload,
    /// How long requests are still taken after the order to stop, while `/ready` of the admin listener says no: as long
    /// as load balancers need to notice. By default not at all.
    pub(crate) drain_delay: Option<Span>,
    /// How long requests under way may take to finish after that. Then they are cut off.
    pub(crate) drain_timeout: Span,
    /// The path of a Unix socket, relative to this file, over which a gateway that is started hands over with the one
    /// that runs: no connection is lost. Its folder must belong to the gateway's user.
    pub(crate) handover: Option<String>,
    /// What one HTTP/2 connection may ask for.
    pub(crate) http2: RawHttp2,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            workers: None,
            max_connections: 10_000,
            max_connections_per_client: 1_000,
            handshake_timeout: Span::from("10s"),
            idle_timeout: Span::from("60s"),
            write_timeout: Span::from("30s"),
            reload: Reload::default(),
            drain_delay: None,
            drain_timeout: Span::from("30s"),
            handover: None,
            http2: RawHttp2::default(),
        }
    }
}

/// What one HTTP/2 connection may ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawHttp2 {
    /// How many requests may be under way on it.
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) max_streams: u32,
    /// How many requests the client may take back before anybody has looked at them; one more ends the connection.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_pending_resets: u32,
    /// How much of one request's body may wait for its reader.
    pub(crate) stream_window: Size,
    /// How much of all bodies may.
    pub(crate) connection_window: Size,
    /// How many frames may come at once that ask for work and bring nothing: pings, settings, priorities, resets, empty
    /// frames. One more ends the connection.
    #[schemars(range(min = 10))]
    pub(crate) control_burst: u32,
    /// How many of them may come in a second, on the average.
    #[schemars(range(min = 1))]
    pub(crate) control_rate: u32,
}

impl Default for RawHttp2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            max_pending_resets: 20,
            stream_window: Size::from("256KiB"),
            connection_window: Size::from("1MiB"),
            control_burst: 1_000,
            control_rate: 100,
        }
    }
}
