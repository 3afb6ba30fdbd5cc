//! The process and its connections.

use std::path::PathBuf;
use std::time::Duration;

use super::super::word::Reload;
use crate::listen::Http2Bounds;

/// The process and its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// How many threads serve connections.
    pub workers: usize,
    /// How many connections may be open at once.
    pub max_connections: u32,
    /// How many of them one client may have.
    pub max_connections_per_client: u32,
    /// How long a TLS handshake or a PROXY header may take.
    pub handshake_timeout: Duration,
    /// How long a connection without a request is kept.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
    /// When the configuration is read again.
    pub reload: Reload,
    /// How long requests are still taken after the order to stop.
    pub drain_delay: Duration,
    /// How long requests under way may take to finish after that.
    pub drain_timeout: Duration,
    /// Where a successor asks for the sockets.
    pub handover: Option<PathBuf>,
    /// What one HTTP/2 connection may ask for.
    pub http2: Http2Bounds,
}
