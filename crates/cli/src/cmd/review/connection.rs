//! How a review reaches its target: who must vouch for it, and what is spoken.

use std::path::PathBuf;

use palisade_review::{Protocol, Target};

/// How the target is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Connection {
    /// A PEM file with authorities to believe beside the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Speak HTTP/2 with the target, in clear as well. Without this, only a target in TLS that has nothing else gets it.
    #[arg(long)]
    http2: bool,
    /// Go on where the target's certificate proves nothing, and report that: whoever is on the way reads the credentials.
    #[arg(long)]
    danger_accept_certificate: bool,
}

impl Connection {
    /// The target, reached so.
    pub(super) fn apply(&self, target: Target) -> Target {
        let protocol = if self.http2 { Protocol::Http2 } else { Protocol::Http1 };
        Target { protocol, danger_accept_certificate: self.danger_accept_certificate, ..target }
    }
}
