//! What `[server]` and `[admin]` mean.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::word::Reload;
use super::HiddenSecret;

/// How a running gateway changes and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// When the configuration is read again.
    pub reload: Reload,
    /// How long requests are still taken after the order to stop.
    pub drain_delay: Duration,
    /// How long requests under way may take to finish after that.
    pub drain_timeout: Duration,
}

/// Where operators look at the gateway.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where it listens.
    pub address: AdminAddress,
    /// What callers have to know.
    pub token: Option<HiddenSecret>,
}

/// Where operators connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a socket, which only the user of the gateway may open.
    Unix(PathBuf),
}
