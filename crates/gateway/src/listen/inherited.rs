//! Listening sockets that somebody else has opened: a service manager, or the gateway that ran before this one.
//!
//! systemd opens the sockets of a `.socket` unit before the gateway starts and keeps them open while it restarts, so
//! that ports below 1024 need no rights and no connection is refused meanwhile. A socket belongs to the listener whose
//! name (`FileDescriptorName=`) or address it has.

use std::io;
use std::net::{SocketAddr, TcpListener};

use palisade_core::diagnostic::Diagnostic;
use socket2::{SockRef, Type};

/// Sockets that are open already.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<(Box<str>, TcpListener)>,
    origin: Origin,
}

/// Who has opened them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Origin {
    /// A gateway with an earlier configuration: what it no longer says is not used.
    Predecessor,
    /// Somebody who was asked for exactly these.
    #[default]
    ServiceManager,
}

impl Inherited {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those that a service manager hands over in the way of `sd_listen_fds`. They can be had once in a process.
    pub fn from_environment() -> Result<Self, Diagnostic> {
        let unusable = |message: String| {
            let help = "hand over listening TCP sockets, as `ListenStream=` of a systemd socket unit does";
            Diagnostic::error("socket-unusable", message).help(help)
        };
        let given = sd_listen_fds::get().map_err(|error| unusable(error.to_string()))?;
        let mut sockets = Vec::new();
        for (name, descriptor) in given {
            let (name, socket) = (name.unwrap_or_default(), TcpListener::from(descriptor));
            check(&socket).map_err(|error| unusable(format!("the socket `{name}` cannot be used: {error}")))?;
            sockets.push((name.into(), socket));
        }
        Ok(Self { sockets, origin: Origin::ServiceManager })
    }

    /// Those of the gateway that ran before.
    pub(super) fn from_predecessor(sockets: Vec<(Box<str>, TcpListener)>) -> io::Result<Self> {
        sockets.iter().try_for_each(|(_, socket)| check(socket))?;
        Ok(Self { sockets, origin: Origin::Predecessor })
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Those of one listener.
    pub(super) fn take(&mut self, name: &str, address: SocketAddr) -> io::Result<Vec<TcpListener>> {
        let mut taken = Vec::new();
        let mut others = Vec::new();
        for (given, socket) in self.sockets.drain(..) {
            let local = socket.local_addr()?;
            let is_there = local == address || (address.port() == 0 && local.ip() == address.ip());
            match (&*given == name, is_there) {
                (true, true) => taken.push(socket),
                (false, true) if self.origin == Origin::ServiceManager && local == address => taken.push(socket),
                (true, false) if self.origin == Origin::ServiceManager => {
                    return Err(io::Error::other(format!(
                        "the socket handed to the gateway has the address `{local}`"
                    )));
                }
                _ => others.push((given, socket)),
            }
        }
        self.sockets = others;
        Ok(taken)
    }

    /// The names of those that nobody has taken and somebody should have.
    pub(super) fn rest(self) -> Vec<Box<str>> {
        match self.origin {
            Origin::Predecessor => Vec::new(),
            Origin::ServiceManager => self.sockets.into_iter().map(|(name, _)| name).collect(),
        }
    }
}

/// That it is a socket to accept connections on; it is made ready for that.
fn check(socket: &TcpListener) -> io::Result<()> {
    let raw = SockRef::from(socket);
    if raw.r#type()? != Type::STREAM || !is_listening(&raw)? {
        return Err(io::Error::other("it does not listen"));
    }
    raw.set_cloexec(true)?;
    socket.set_nonblocking(true)
}

#[cfg(target_os = "linux")]
fn is_listening(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

#[cfg(not(target_os = "linux"))]
fn is_listening(_: &SockRef<'_>) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn inherited(name: &str, origin: Origin) -> (Inherited, SocketAddr) {
        let socket = socket();
        let address = socket.local_addr().unwrap();
        (Inherited { sockets: vec![(name.into(), socket)], origin }, address)
    }

    #[test]
    fn a_socket_belongs_to_the_listener_of_its_name_or_address() {
        let other: SocketAddr = "127.0.0.2:1".parse().unwrap();
        for (given, origin, asked, is_same_address, expect) in [
            ("main", Origin::ServiceManager, "main", true, Ok(1)),
            ("palisade.socket", Origin::ServiceManager, "main", true, Ok(1)),
            ("palisade.socket", Origin::ServiceManager, "main", false, Ok(0)),
            ("main", Origin::ServiceManager, "main", false, Err(())),
            ("main", Origin::Predecessor, "main", true, Ok(1)),
            ("main", Origin::Predecessor, "main", false, Ok(0)),
            ("old", Origin::Predecessor, "main", true, Ok(0)),
        ] {
            let (mut inherited, address) = inherited(given, origin);
            let taken = inherited.take(asked, if is_same_address { address } else { other });
            assert_eq!(taken.map(|sockets| sockets.len()).map_err(drop), expect, "{given} {origin:?} {asked}");
        }
        let (unused, _) = inherited("main", Origin::ServiceManager);
        assert_eq!(unused.rest(), [Box::<str>::from("main")]);
        let (unused, _) = inherited("main", Origin::Predecessor);
        assert!(unused.rest().is_empty());
    }

    #[test]
    fn what_does_not_listen_is_no_listener() {
        assert!(check(&socket()).is_ok());
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(check(&TcpListener::from(std::os::fd::OwnedFd::from(datagrams))).is_err());
        let listening = socket();
        let stream = std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        assert!(check(&TcpListener::from(std::os::fd::OwnedFd::from(stream))).is_err());
    }
}
