//! How the way to a server is protected: whom we believe, what we show, and that nobody reads along.

use std::fmt;
#[cfg(any(feature = "postgres", feature = "redis"))]
use std::net::IpAddr;

use palisade_core::secret::Secret;

/// How the way to a server is protected.
///
/// The default is right for a server whose certificate the system's authorities vouch for, and for one on this machine:
/// to any other machine the way is encrypted and the server proves its name, or the store does not open.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_store::{Place, Trust, open_at};
///
/// let trust = Trust { ca: Some(std::fs::read("/etc/palisade/ca.pem")?), ..Trust::default() };
/// let stores = open_at(&Place { trust, ..Place::new("rediss://cache.example.com:6380/0") }).await?;
/// # let _ = stores;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Trust {
    /// PEM certificates of who vouches for the server: with Redis in place of the system's authorities, with PostgreSQL
    /// besides them.
    pub ca: Option<Vec<u8>>,
    /// What we show to a server that asks: PEM certificates, ours first, and the key of the first.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// Whether a server on another machine may be talked to so that others can read along or play the server.
    pub danger_cleartext: bool,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("danger_cleartext", &self.danger_cleartext).finish_non_exhaustive()
    }
}

/// Whether a host is this machine.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Why a way that others can read along is not taken.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) const UNPROTECTED: &str = "others could read along, or play this server: its way is to be encrypted and its \
     name proven, by `rediss://` or by `sslmode=verify-full`";
