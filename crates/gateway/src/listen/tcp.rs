//! Binds addresses and accepts connections, as many as there is room for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use palisade_core::diagnostic::Diagnostic;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::{Connection, Shared, http, proxied, tls};
use crate::config::Loaded;
use crate::config::settings::Listen;

/// A bound address of the configuration.
#[derive(Debug)]
pub struct Listener {
    name: Arc<str>,
    index: usize,
    local: SocketAddr,
    announced_by: Arc<[IpNet]>,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    socket: TcpListener,
}

impl Listener {
    /// The name of its section.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The address, with the port that the system chose where the file says 0.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What connections are accepted with from now on, where it speaks TLS.
    pub fn tls(&self) -> Option<&Arc<ArcSwap<ServerConfig>>> {
        self.tls.as_ref()
    }

    /// Whether it speaks TLS only.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }
}

/// Binds every address of a configuration, or none: a gateway that is only half there is not started.
pub async fn bind(loaded: &Loaded) -> Result<Vec<Listener>, Vec<Diagnostic>> {
    let mut listeners = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, listen) in loaded.settings.listen.iter().enumerate() {
        match bind_one(index, listen).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let diagnostic = unavailable(listen.address, &error);
                diagnostics.push(loaded.locate(diagnostic, &["listen", &listen.name, "address"]));
            }
        }
    }
    if diagnostics.is_empty() { Ok(listeners) } else { Err(diagnostics) }
}

async fn bind_one(index: usize, listen: &Listen) -> io::Result<Listener> {
    let socket = TcpListener::bind(listen.address).await?;
    let local = socket.local_addr()?;
    let announced_by = listen.proxy_protocol.clone().into();
    let tls = listen.tls.clone().map(|config| Arc::new(ArcSwap::new(config)));
    Ok(Listener { name: Arc::clone(&listen.name), index, local, announced_by, tls, socket })
}

fn unavailable(address: SocketAddr, error: &io::Error) -> Diagnostic {
    let port = address.port();
    let (reason, help) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            "another program has it".to_owned(),
            format!("stop it (`ss -ltnp 'sport = :{port}'` shows it), or use another port"),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "no network interface has it".to_owned(),
            "use an address of this machine, or `0.0.0.0` for all".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            "use a port from 1024 on, or grant the right to bind lower ones".to_owned(),
        ),
        _ => (error.to_string(), "use another address".to_owned()),
    };
    Diagnostic::error("listen-unavailable", format!("cannot listen on `{address}`: {reason}")).help(help)
}

/// Accepts until the shutdown begins, then waits for the connections; returns how many had to be cut off.
pub(super) async fn accept(listener: Listener, shared: Arc<Shared>) -> usize {
    let mut connections = JoinSet::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stopped() => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &shared) => accepted,
        };
        match accepted {
            Ok(Some((stream, peer, slot))) => {
                is_failing = false;
                let connection = Connection {
                    peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
                    local: stream.local_addr().unwrap_or(listener.local),
                    listener: Arc::clone(&listener.name),
                    index: listener.index,
                    secure: listener.is_secure(),
                    certificate: None,
                };
                let (tls, announced_by) =
                    (listener.tls.as_ref().map(|tls| tls.load_full()), Arc::clone(&listener.announced_by));
                let shared = Arc::clone(&shared);
                let entered = shared.bounds.open.enter();
                connections.spawn(async move {
                    serve(stream, tls, connection, &announced_by, &shared).await;
                    drop((slot, entered));
                });
            }
            Ok(None) => break,
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                // Out of file descriptors, as a rule: it lasts until connections end, and one line of log is enough.
                if !is_failing {
                    warn!(listener = %listener.name, %error, "cannot accept connections");
                }
                is_failing = true;
                sleep(BACK_OFF).await;
            }
        }
    }
    // Closed at once, so that a load balancer's next attempt goes elsewhere instead of waiting in the queue.
    drop(listener);
    let all_finished = async { while connections.join_next().await.is_some() {} };
    if timeout(shared.bounds.drain, all_finished).await.is_ok() {
        return 0;
    }
    let cut_off = connections.len();
    connections.shutdown().await;
    cut_off
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is room for it. `None` cannot happen: the semaphore is never closed.
async fn next(listener: &Listener, shared: &Shared) -> io::Result<Option<Accepted>> {
    let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else { return Ok(None) };
    let (stream, peer) = listener.socket.accept().await?;
    Ok(Some((stream, peer, slot)))
}

async fn serve(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    mut connection: Connection,
    announced_by: &[IpNet],
    shared: &Shared,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(peer = %connection.peer, %error, "connection lost");
        return;
    }
    if announced_by.iter().any(|network| network.contains(&connection.peer.ip())) {
        let announced = tokio::select! {
            () = shared.stopped() => return,
            announced = proxied::accept(&mut stream, shared.bounds.handshake) => announced,
        };
        match announced {
            Ok(source) => connection.peer = source.unwrap_or(connection.peer),
            Err(error) => {
                warn!(peer = %connection.peer, listener = %connection.listener, %error, "no PROXY header");
                return;
            }
        }
    }
    let Some(config) = tls else {
        return http::serve(stream, http::Version::Sniffed, connection, shared).await;
    };
    let handshake = tokio::select! {
        () = shared.stopped() => return,
        handshake = tls::accept(stream, config, shared.bounds.handshake) => handshake,
    };
    match handshake {
        Ok((stream, version, certificate)) => {
            http::serve(stream, version, Connection { certificate, ..connection }, shared).await;
        }
        Err(error) => debug!(peer = %connection.peer, %error, "no TLS connection"),
    }
}

/// Whether only the one connection failed, before it was accepted (accept(2)).
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const BACK_OFF: Duration = Duration::from_millis(50);
