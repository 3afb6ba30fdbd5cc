//! Opens connections: finds the address of a name, connects, proves who is there.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::super::failure::Failure;
use super::wire::Wire;

/// Where to connect to, and how.
#[derive(Debug)]
pub(crate) struct Target {
    /// A name or an address, without brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    /// One address that is meant and no other; otherwise all that the name has are tried.
    pub(crate) pinned: Option<SocketAddr>,
    /// For how long the addresses of a name are believed.
    pub(crate) refresh: Duration,
    /// For a connection to be ready to use.
    pub(crate) timeout: Duration,
    pub(crate) tls: Option<TlsTarget>,
    pub(crate) known: Mutex<Option<Known>>,
}

/// How to prove who is there.
#[derive(Clone, Debug)]
pub(crate) struct TlsTarget {
    pub(crate) config: Arc<ClientConfig>,
    /// The same for connections that are to become something else.
    pub(crate) upgrades: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// Addresses that a name had a while ago.
#[derive(Debug)]
pub(crate) struct Known {
    addresses: Arc<[SocketAddr]>,
    since: Instant,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests and their answers.
    Requests,
    /// One request that asks for another protocol, which only HTTP/1.1 can do.
    Upgrade,
}

impl Purpose {
    pub(super) fn of<B>(request: &http::Request<B>) -> Self {
        if request.headers().contains_key(http::header::UPGRADE) { Self::Upgrade } else { Self::Requests }
    }
}

/// A connected socket and whether both ends have agreed on HTTP/2.
pub(super) struct Dialed {
    pub(super) wire: Wire,
    pub(super) is_h2: bool,
}

impl Target {
    /// A connection, within the time for it.
    pub(super) async fn dial(&self, purpose: Purpose) -> Result<Dialed, Failure> {
        match tokio::time::timeout(self.timeout, self.dial_all(purpose)).await {
            Ok(dialed) => dialed,
            Err(_) => Err(Failure::Slow(self.timeout)),
        }
    }

    /// Tries one address after the other, so that the resolver's preference is kept.
    async fn dial_all(&self, purpose: Purpose) -> Result<Dialed, Failure> {
        let addresses = self.addresses().await?;
        // The first of several may not eat up the time of the others.
        let share = self.timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.iter() {
            let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return self.secure(stream, purpose).await,
                Err(error) => last = error,
            }
        }
        // A name may have moved since it was asked for.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Err(Failure::Connect(last))
    }

    async fn secure(&self, stream: TcpStream, purpose: Purpose) -> Result<Dialed, Failure> {
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        let Some(tls) = &self.tls else { return Ok(Dialed { wire: Wire::clear(stream), is_h2: false }) };
        let config = match purpose {
            Purpose::Requests => &tls.config,
            Purpose::Upgrade => &tls.upgrades,
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(tls.name.clone(), stream).await.map_err(Failure::Tls)?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed { wire: Wire::encrypted(stream), is_h2 })
    }

    async fn addresses(&self) -> Result<Arc<[SocketAddr]>, Failure> {
        if let Some(address) = self.pinned {
            return Ok([address].into());
        }
        if let Some(known) = &*self.known.lock().unwrap_or_else(PoisonError::into_inner)
            && known.since.elapsed() < self.refresh
        {
            return Ok(Arc::clone(&known.addresses));
        }
        let addresses = resolve(&self.host, self.port).await.map_err(Failure::Resolve)?;
        let known = Known { addresses: Arc::clone(&addresses), since: Instant::now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(addresses)
    }
}

/// The addresses of a name, as the system says: it knows `/etc/hosts`, search domains and whatever else the operator has
/// set up, which a resolver of our own would have to learn again. What it does not tell is for how long they are good.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Arc<[SocketAddr]>> {
    Ok(lookup_host((host, port)).await?.collect())
}
