//! Accepts connections, as many as there is room for, and finds out what they are.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use palisade::facts::Malformed;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, warn};

use super::clients::Place;
use super::socket::{About, Door};
use super::workers::Shared;
use super::{Connection, http, proxied, tls};

/// Accepts until the shutdown begins, then waits for the connections; returns how many had to be cut off.
pub(super) async fn accept(door: Door, shared: Arc<Shared>) -> usize {
    let Door { about, socket } = door;
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            error!(listener = %about.name, %error, "cannot accept connections");
            return 0;
        }
    };
    let mut connections = JoinSet::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stopped() => break,
            Some(_) = connections.join_next() => continue,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_failing = false;
                // Room for one comes when another ends, or never: then the connection ends with the gateway.
                let slot = tokio::select! {
                    slot = Arc::clone(&shared.slots).acquire_owned() => slot.ok(),
                    () = shared.stopped() => None,
                };
                if let Some(slot) = slot {
                    connections.spawn(serve(stream, peer, slot, Arc::clone(&about), Arc::clone(&shared)));
                }
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                // Out of file descriptors, as a rule: it lasts until connections end, and one line of log is enough.
                if !is_failing {
                    warn!(listener = %about.name, %error, "cannot accept connections");
                }
                is_failing = true;
                sleep(BACK_OFF).await;
            }
        }
    }
    // For their clients the connections in the queue are open: closing the socket would break them off. Then it is
    // closed at once, so that a load balancer's next attempt goes elsewhere instead of waiting.
    if let Ok(queue) = socket.into_std() {
        while let Ok((stream, peer)) = queue.accept() {
            let (stream, slot) = (unblocked(stream), Arc::clone(&shared.slots).try_acquire_owned());
            if let (Ok(stream), Ok(slot)) = (stream, slot) {
                connections.spawn(serve(stream, peer, slot, Arc::clone(&about), Arc::clone(&shared)));
            }
        }
    }
    let all_finished = async { while connections.join_next().await.is_some() {} };
    if timeout(shared.bounds.drain, all_finished).await.is_ok() {
        return 0;
    }
    let cut_off = connections.len();
    connections.shutdown().await;
    cut_off
}

fn unblocked(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Serves one connection, and gives its slot back at the end.
async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
    about: Arc<About>,
    shared: Arc<Shared>,
) {
    let _open = shared.bounds.open.enter();
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "connection lost");
        return;
    }
    let tls = about.tls();
    let mut connection = Connection {
        peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
        local: stream.local_addr().unwrap_or(about.local),
        listener: Arc::clone(&about.name),
        index: about.index,
        secure: tls.is_some(),
        certificate: None,
    };
    let mut is_crowd = is_in(about.crowds.as_deref(), connection.peer.ip());
    if is_in(Some(&about.announced_by), connection.peer.ip()) {
        let announced = tokio::select! {
            () = shared.stopped() => return,
            announced = Box::pin(proxied::accept(&mut stream, shared.bounds.handshake)) => announced,
        };
        match announced {
            Ok(Some(source)) => connection.peer = source,
            // The load balancer's own connection.
            Ok(None) => is_crowd = true,
            Err(error) => return unannounced(stream, connection, &error, &shared).await,
        }
    }
    let place = if is_crowd { None } else { shared.clients.enter(connection.peer.ip()) };
    if !is_crowd && place.is_none() {
        return debug!(peer = %connection.peer, listener = %about.name, "too many connections of one client");
    }
    drop(about);
    match tls {
        None => Box::pin(http::serve(stream, None, Arc::new(connection), &shared)).await,
        Some(config) => Box::pin(encrypted(stream, config, connection, &shared)).await,
    }
    drop::<(Option<Place>, OwnedSemaphorePermit)>((place, slot));
}

async fn encrypted(stream: TcpStream, config: Arc<ServerConfig>, connection: Connection, shared: &Shared) {
    let handshake = tokio::select! {
        () = shared.stopped() => return,
        handshake = Box::pin(tls::accept(stream, config, shared.bounds.handshake)) => handshake,
    };
    match handshake {
        Ok((stream, protocol, certificate)) => {
            let connection = Arc::new(Connection { certificate, ..connection });
            http::serve(stream, Some(protocol), connection, shared).await;
        }
        Err(error) => debug!(peer = %connection.peer, %error, "no TLS connection"),
    }
}

/// Ends a connection that has no PROXY header. One that says nothing at all is a load balancer's look whether we are
/// there.
async fn unannounced(stream: TcpStream, connection: Connection, error: &io::Error, shared: &Shared) {
    let malformed = match error.kind() {
        io::ErrorKind::TimedOut => Malformed::TooSlow,
        io::ErrorKind::InvalidData => Malformed::Invalid("proxy_header_invalid"),
        _ => return debug!(peer = %connection.peer, %error, "no PROXY header"),
    };
    let connection = Arc::new(Connection { secure: false, ..connection });
    Box::pin(http::reject(stream, malformed, connection, shared)).await;
}

/// Whether an address is of these networks; without any, it is.
fn is_in(networks: Option<&[IpNet]>, address: IpAddr) -> bool {
    networks.is_none_or(|networks| networks.iter().any(|network| network.contains(&address)))
}

/// Whether only the one connection failed, before it was accepted (accept(2)).
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

const BACK_OFF: Duration = Duration::from_millis(50);
