//! Sockets: one for each worker on every address, opened here or by somebody else.
//!
//! Where the system can spread connections over several sockets of one address (`SO_REUSEPORT`), each worker has one of
//! its own and no thread waits for another. Sockets that were opened elsewhere are shared out as they are.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ipnet::IpNet;
use palisade::stage::client::Trust;
use palisade_core::diagnostic::Diagnostic;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};

use super::inherited::Inherited;
use crate::config::Loaded;
use crate::config::settings::Listen;

/// A bound address of the configuration.
#[derive(Debug)]
pub struct Listener {
    about: Arc<About>,
    /// The sockets of each worker.
    sockets: Vec<Vec<TcpListener>>,
}

/// What a listener's connections have to know of it.
#[derive(Debug)]
pub(super) struct About {
    pub(super) name: Arc<str>,
    pub(super) index: usize,
    pub(super) local: SocketAddr,
    /// From whom connections begin with a PROXY header.
    pub(super) announced_by: Vec<IpNet>,
    /// Whose connections are of many clients; all of them without networks.
    pub(super) crowds: Option<Vec<IpNet>>,
    tls: Arc<ArcSwapOption<ServerConfig>>,
}

impl About {
    /// What the next connection is encrypted with.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.load_full()
    }
}

/// A socket of one worker's.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) about: Arc<About>,
    pub(super) socket: TcpListener,
}

impl Listener {
    /// The name of its section.
    pub fn name(&self) -> &Arc<str> {
        &self.about.name
    }

    /// The address, with the port that the system chose where the file says 0.
    pub fn local(&self) -> SocketAddr {
        self.about.local
    }

    /// Whether it speaks TLS only.
    pub fn is_secure(&self) -> bool {
        self.tls().is_some()
    }

    /// What the next connection is encrypted with.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.about.tls()
    }

    /// Where that can be changed for later connections.
    pub fn tls_slot(&self) -> Arc<ArcSwapOption<ServerConfig>> {
        Arc::clone(&self.about.tls)
    }

    /// Its sockets, for whoever is to go on with them.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &TcpListener> {
        self.sockets.iter().flatten()
    }

    pub(super) fn into_doors(self) -> Vec<Vec<Door>> {
        let Self { about, sockets } = self;
        let door = |socket| Door { about: Arc::clone(&about), socket };
        sockets.into_iter().map(|sockets| sockets.into_iter().map(door).collect()).collect()
    }
}

/// Binds every address of a configuration, or none: a gateway that is only half there is not started.
pub async fn bind(loaded: &Loaded, mut inherited: Inherited) -> Result<Vec<Listener>, Vec<Diagnostic>> {
    let mut listeners = Vec::new();
    let mut diagnostics = Vec::new();
    let workers = loaded.settings.server.workers.max(1);
    for (index, listen) in loaded.settings.listen.iter().enumerate() {
        let given = inherited.take(&listen.name, listen.address);
        match given.and_then(|given| share(listen.address, workers, given)) {
            Ok(sockets) => listeners.push(listener(index, listen, sockets)),
            Err(error) => {
                let diagnostic = unavailable(listen.address, &error);
                diagnostics.push(loaded.locate(diagnostic, &["listen", &listen.name, "address"]));
            }
        }
    }
    for name in inherited.rest() {
        let message = format!("a socket for `{name}` was handed to the gateway, and no listener has this name");
        let help = "give the socket the name of a `[listen.NAME]`, or close it in whoever starts the gateway";
        diagnostics.push(Diagnostic::error("socket-unused", message).help(help));
    }
    if diagnostics.is_empty() { Ok(listeners) } else { Err(diagnostics) }
}

fn listener(index: usize, listen: &Listen, sockets: Vec<Vec<TcpListener>>) -> Listener {
    let local = sockets.iter().flatten().find_map(|socket| socket.local_addr().ok()).unwrap_or(listen.address);
    let crowds = match &listen.proxies.trust {
        Trust::Networks(networks) => Some(networks.clone()),
        Trust::DangerHops(_) => None,
    };
    let about = About {
        name: Arc::clone(&listen.name),
        index,
        local,
        announced_by: listen.proxy_protocol.clone(),
        crowds,
        tls: Arc::new(ArcSwapOption::new(listen.tls.clone())),
    };
    Listener { about: Arc::new(about), sockets }
}

/// A share of the sockets for each worker. Nobody's queue may stay without a worker, nor a worker without a queue.
fn share(address: SocketAddr, workers: usize, given: Vec<TcpListener>) -> io::Result<Vec<Vec<TcpListener>>> {
    let all = if given.is_empty() { open(address, workers)? } else { given };
    let mut shares: Vec<Vec<TcpListener>> = Vec::new();
    for worker in 0..workers {
        let twin = if worker < all.len() { None } else { all.get(worker % all.len().max(1)) };
        shares.push(twin.map(TcpListener::try_clone).transpose()?.into_iter().collect());
    }
    for (index, socket) in all.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(index % workers) {
            share.push(socket);
        }
    }
    Ok(shares)
}

/// A socket for each worker, or one for all where the system does not spread connections over several.
fn open(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if workers == 1 || !CAN_SPREAD {
        return Ok(vec![listen(address, false)?]);
    }
    if address.port() != 0 {
        // Whoever has the address already would go on without noticing, and get a share of the connections. If it is
        // another gateway, it is told how to hand over.
        drop(listen(address, false)?);
    }
    let first = listen(address, true)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| listen(address, true));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listen(address: SocketAddr, spread: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of an earlier process that are not forgotten yet do not keep the address from this one.
    socket.set_reuse_address(cfg!(unix))?;
    if spread {
        set_spread(&socket)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
fn set_spread(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(target_os = "linux"))]
fn set_spread(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Elsewhere the newest socket gets all connections, or it is not allowed.
const CAN_SPREAD: bool = cfg!(target_os = "linux");

/// How many connections may wait in the system's queue of a socket.
const BACKLOG: i32 = 1024;

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
