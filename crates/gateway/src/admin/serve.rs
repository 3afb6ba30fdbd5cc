//! Opens the door for operators, and answers whoever comes through it.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use palisade_core::diagnostic::Diagnostic;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Office;
use crate::config::Loaded;
use crate::config::settings::AdminAddress;

/// A bound address for operators.
pub(crate) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a socket, which goes with it.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds the admin address, where there is one.
pub(crate) async fn open(loaded: &Loaded) -> Result<Option<Door>, Vec<Diagnostic>> {
    let Some(admin) = &loaded.settings.admin else { return Ok(None) };
    let opened = match &admin.address {
        AdminAddress::Tcp(address) => TcpListener::bind(address).await.map(Door::Tcp),
        AdminAddress::Unix(path) => open_file(path).await,
    };
    opened.map(Some).map_err(|error| {
        let diagnostic = Diagnostic::error("listen-unavailable", format!("operators cannot connect here: {error}"));
        let diagnostic = diagnostic.help("use another address, or stop the program that has it");
        vec![loaded.locate(diagnostic, &["admin", "address"])]
    })
}

/// Makes the file of a socket. One that a gateway has left behind is replaced; one that somebody answers on is not.
async fn open_file(path: &Path) -> io::Result<Door> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| {
        use std::os::unix::fs::FileTypeExt as _;
        metadata.file_type().is_socket()
    });
    if is_socket && tokio::net::UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(Door::Unix(listener, file))
}

impl Door {
    /// Where it is, as people write it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(_, file) => format!("unix:{}", file.0.display()),
        }
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, office: Arc<Office>) -> Infallible {
        let mut callers = JoinSet::new();
        loop {
            while callers.len() >= MOST_CALLERS {
                callers.join_next().await;
            }
            while callers.try_join_next().is_some() {}
            let office = Arc::clone(&office);
            let accepted = match &self {
                Self::Tcp(listener) => {
                    listener.accept().await.map(|(stream, _)| drop(callers.spawn(talk(stream, office))))
                }
                Self::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| drop(callers.spawn(talk(stream, office))))
                }
            };
            if accepted.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers one caller, within bounds.
async fn talk(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, office: Arc<Office>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let office = Arc::clone(&office);
        async move {
            let (head, _) = request.into_parts();
            Ok::<_, Infallible>(office.answer(&head).await)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_buf_size(16 << 10);
    // A caller who breaks off or dawdles is no news.
    let _ = timeout(Duration::from_secs(60), http.serve_connection(TokioIo::new(stream), service)).await;
}

const MOST_CALLERS: usize = 64;
