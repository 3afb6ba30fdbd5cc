//! A backend that a test writes byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The backend. It stops when it is dropped.
pub(super) struct Scripted {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

/// One of its connections, behind the head of the first request.
pub(super) struct Scene {
    pub(super) stream: TcpStream,
    /// The head of the request, or nothing if none came.
    pub(super) head: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Plays `script` on each connection once it has the head of a request.
    pub(super) async fn start<F>(script: impl Fn(Scene) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (script, kept, counted) = (Arc::new(script), Arc::clone(&heads), Arc::clone(&connections));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut playing = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (script, heads) = (Arc::clone(&script), Arc::clone(&kept));
                playing.spawn(async move {
                    let mut scene = Scene { stream, head: String::new(), heads };
                    if scene.next().await {
                        script(scene).await;
                    }
                });
            }
        });
        Self { address, heads, connections, _server: server }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads that have come.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Scene {
    /// Reads the next head. False at the end of the connection.
    pub(super) async fn next(&mut self) -> bool {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return false,
            }
        }
        self.head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        self.heads.lock().unwrap().push(self.head.clone());
        true
    }

    /// Writes; that nobody reads any longer is no failure.
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Remembers a word among the heads.
    pub(super) fn note(&self, word: &str) {
        self.heads.lock().unwrap().push(word.to_owned());
    }

    /// Reads until the other side closes.
    pub(super) async fn drain(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }
}
