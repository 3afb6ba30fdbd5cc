//! A backend with moods: it serves, fails, hangs, resets, closes, dies and comes back at the same address.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What it does with a request that it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Answers and closes, without having said so.
    CloseBehind,
    /// Says nothing.
    Hang,
    /// Says nothing until it has another mood, and then does what that says.
    Hold,
    /// Closes without an answer.
    Reset,
    Serve,
    /// Serves after a while.
    Slow(Duration),
    /// This status, and more headers.
    Status(u16, &'static str),
}

pub(super) struct Backend {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinSet<()>,
}

struct State {
    mood: watch::Sender<Mood>,
    /// The mood for `/health`.
    health: Mutex<Mood>,
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    tls: Option<TlsAcceptor>,
}

impl Backend {
    pub(super) async fn start() -> Self {
        Self::start_with(Mood::Serve, None).await
    }

    pub(super) async fn start_in(mood: Mood) -> Self {
        Self::start_with(mood, None).await
    }

    pub(super) async fn start_tls(config: ServerConfig) -> Self {
        Self::start_with(Mood::Serve, Some(config)).await
    }

    async fn start_with(mood: Mood, tls: Option<ServerConfig>) -> Self {
        let state = State {
            mood: watch::Sender::new(mood),
            health: Mutex::new(Mood::Serve),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut backend = Self { address, state: Arc::new(state), server: JoinSet::new() };
        backend.listen(listener);
        backend
    }

    fn listen(&mut self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        self.server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                state.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(accept(stream, Arc::clone(&state)));
            }
        });
    }

    /// Closes its socket and all connections.
    pub(super) async fn die(&mut self) {
        self.server.shutdown().await;
    }

    /// Listens again where it did.
    pub(super) async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listen(listener);
    }

    pub(super) fn set(&self, mood: Mood) {
        self.state.mood.send_replace(mood);
    }

    pub(super) fn set_health(&self, mood: Mood) {
        *self.state.health.lock().unwrap() = mood;
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}", if self.state.tls.is_some() { "https" } else { "http" }, self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Method and path of each request but those for its health.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.requests().len()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn accept(stream: TcpStream, state: Arc<State>) {
    match &state.tls {
        None => serve(stream, &state).await,
        // A client that does not believe the certificate goes away.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, &state).await;
            }
        }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    let mut bytes = Vec::new();
    while let Some((line, body)) = read(&mut stream, &mut bytes).await {
        let is_health = line.contains("/health");
        let mood = if is_health {
            *state.health.lock().unwrap()
        } else {
            state.requests.lock().unwrap().push(line.clone());
            *state.mood.subscribe().wait_for(|mood| *mood != Mood::Hold).await.unwrap()
        };
        let (status, headers) = match mood {
            Mood::Hang | Mood::Hold => std::future::pending().await,
            Mood::Reset => return,
            Mood::Slow(time) => {
                tokio::time::sleep(time).await;
                (200, "")
            }
            Mood::Status(status, headers) => (status, headers),
            Mood::CloseBehind | Mood::Serve => (200, ""),
        };
        let (status, body) = match line.split(' ').next() {
            Some("POST") if status == 200 => (201, body),
            _ if status == 200 => (200, b"[ ]".to_vec()),
            _ => (status, b"{}".to_vec()),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() || mood == Mood::CloseBehind {
            return;
        }
    }
}

/// The request line and the body of the next request. What was read beyond it stays in `bytes`.
async fn read(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let all = end + 4 + length.unwrap_or(0);
            if bytes.len() >= all {
                let body = bytes[end + 4..all].to_vec();
                bytes.drain(..all);
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                return Some((line.to_owned(), body));
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}
