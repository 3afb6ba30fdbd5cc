//! Restarts without losing a connection: the gateway that runs hands its listening sockets to the one that starts.
//!
//! 1. The new gateway connects to a Unix socket whose path both know and is given the listening sockets themselves, not
//!    copies of their addresses: there is one queue, and no moment at which nobody accepts from it.
//! 2. When it serves, it says so. Only then the old one stops accepting, finishes what is under way and ends. A new one
//!    that cannot start just goes away, and nothing has happened.
//! 3. From then on the new one waits at that path for its own successor.
//!
//! Whoever has these sockets gets the clients' requests. So each side asks the system who the other is, and speaks to
//! its own user only.

use std::fs::Permissions;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use palisade_core::diagnostic::Diagnostic;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::geteuid;
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream as Connection};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use super::inherited::Inherited;
use super::socket::Listener;
use crate::config::Loaded;

/// The gateway that has given us its sockets and still serves.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

impl Predecessor {
    /// Asks whoever waits at `path` for its sockets. `None` when nobody does.
    pub async fn ask(path: &Path) -> io::Result<Option<(Inherited, Self)>> {
        let stream = match Connection::connect(path).await {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        check_peer(&stream)?;
        let mut stream = stream.into_std()?;
        let asked = spawn_blocking(move || {
            stream.set_nonblocking(false)?;
            let sockets = receive(&mut stream)?;
            Ok(Some((Inherited::from_predecessor(sockets)?, Self(stream))))
        });
        asked.await?
    }

    /// Says that we serve now, so that it can go.
    pub fn dismiss(mut self) {
        if let Err(error) = self.0.write_all(&[READY]) {
            warn!(%error, "the gateway before this one has gone already");
        }
    }
}

/// What a successor is given: each socket with the name of its listener.
type Sockets = Arc<[(Box<str>, TcpListener)]>;

/// Waits at a path for a successor.
#[derive(Debug)]
pub struct Offer {
    path: PathBuf,
    sockets: Sockets,
}

impl Offer {
    /// The sockets of these listeners, for whoever comes to `path`.
    pub fn new(path: &Path, listeners: &[Listener]) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for listener in listeners {
            for socket in listener.sockets() {
                sockets.push((listener.name().as_ref().into(), socket.try_clone()?));
            }
        }
        Ok(Self { path: path.to_owned(), sockets: sockets.into() })
    }

    /// Ready when a successor serves; never, when there is none or the path cannot be used.
    pub async fn accepted(self) {
        match listen(&self.path) {
            Ok(listener) => {
                let mut place = Place(Some(&self.path));
                while let Err(error) = hand_over(&listener, &self.sockets).await {
                    warn!(%error, "a successor did not take over");
                    // Whoever comes again and again and takes nothing need not be listened to all the time.
                    sleep(PAUSE).await;
                }
                // The path is the successor's now.
                place.0 = None;
            }
            Err(error) => {
                warn!(path = %self.path.display(), %error, "no successor will be able to take over");
                std::future::pending().await
            }
        }
    }
}

/// Waits for a successor, gives it the sockets, and waits until it serves.
async fn hand_over(listener: &UnixListener, sockets: &Sockets) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    check_peer(&stream)?;
    let stream = stream.into_std()?;
    let sockets = Arc::clone(sockets);
    let stream = spawn_blocking(move || send(stream, &sockets)).await??;
    let mut answer = [0];
    Connection::from_std(stream)?.read_exact(&mut answer).await?;
    if answer == [READY] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Binds the path, also when it is the predecessor's: nobody can miss both of us.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut new = path.to_owned().into_os_string();
    new.push(format!(".{}", std::process::id()));
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

/// The path, until there is nobody at it any more.
struct Place<'a>(Option<&'a Path>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            // It has gone, or nobody answers at it: both are what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// That the other side is the same user: nobody else may have our sockets, or give us theirs.
fn check_peer(stream: &Connection) -> io::Result<()> {
    let (theirs, ours) = (stream.peer_cred()?.uid(), geteuid().as_raw());
    if theirs == ours { Ok(()) } else { Err(io::Error::other(format!("it belongs to another user, {theirs}"))) }
}

/// Each socket goes with the length of its listener's name, and the name follows. A length of zero is the end.
fn send(mut stream: UnixStream, sockets: &[(Box<str>, TcpListener)]) -> io::Result<UnixStream> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    for (name, socket) in sockets {
        let length = u8::try_from(name.len()).map_err(io::Error::other)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [socket.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&stream, &[IoSlice::new(&[length])], &mut control, SendFlags::empty())?;
        stream.write_all(name.as_bytes())?;
    }
    stream.write_all(&[0])?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn receive(stream: &mut UnixStream) -> io::Result<Vec<(Box<str>, TcpListener)>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut sockets = Vec::new();
    loop {
        let (mut length, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&*stream, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        match (received.bytes, length, descriptor) {
            (1, [0], None) => return Ok(sockets),
            (1, [length], Some(descriptor)) => {
                let mut name = vec![0; usize::from(length)];
                stream.read_exact(&mut name)?;
                let name = String::from_utf8(name).map_err(io::Error::other)?;
                sockets.push((name.into(), descriptor.into()));
            }
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The sockets that a configuration's gateway begins with: those of the gateway that runs, if one does, or those that a
/// service manager has opened.
pub(crate) async fn take_over(
    loaded: &Loaded,
    inherited: Inherited,
) -> Result<(Inherited, Option<Predecessor>), Vec<Diagnostic>> {
    let Some(path) = loaded.settings.server.handover.as_deref().filter(|_| inherited.is_empty()) else {
        return Ok((inherited, None));
    };
    match Predecessor::ask(path).await {
        Ok(Some((sockets, predecessor))) => Ok((sockets, Some(predecessor))),
        Ok(None) => Ok((inherited, None)),
        Err(error) => Err(vec![refused(loaded, &error)]),
    }
}

/// What the gateway's successor will be given.
pub(crate) fn offer(loaded: &Loaded, listeners: &[Listener]) -> Result<Option<Offer>, Vec<Diagnostic>> {
    let path = loaded.settings.server.handover.as_deref();
    path.map(|path| Offer::new(path, listeners)).transpose().map_err(|error| vec![refused(loaded, &error)])
}

/// Ready when a successor serves.
pub(crate) async fn succeeded(offer: Option<Offer>) {
    match offer {
        Some(offer) => offer.accepted().await,
        None => std::future::pending().await,
    }
}

fn refused(loaded: &Loaded, error: &io::Error) -> Diagnostic {
    let message = format!("there can be no handing over: {error}");
    let help = "use a path in a folder of the gateway's own user, and run all gateways as that user";
    loaded.locate(Diagnostic::error("handover-failed", message).help(help), &["server", "handover"])
}

/// What a successor says when it serves.
const READY: u8 = b'R';
/// How long one side may take to send or to read the sockets.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
