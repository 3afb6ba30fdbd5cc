//! What `[admin]` means.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::HiddenSecret;

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
