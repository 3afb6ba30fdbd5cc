//! A backend that holds its answers back until a test lets them go.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Answers each request with a beginning at once and with the rest when it is released.
pub(super) struct Held {
    address: SocketAddr,
    gate: Arc<Gate>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Gate {
    entered: Notify,
    released: Notify,
}

impl Held {
    pub(super) async fn start(first: &'static str, rest: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate::default());
        let mut server = JoinSet::new();
        let shared = Arc::clone(&gate);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared), first, rest));
            }
        });
        Self { address, gate, _server: server }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ready when a request has arrived.
    pub(super) async fn entered(&self) {
        self.gate.entered.notified().await;
    }

    /// Lets one answer go on.
    pub(super) fn release(&self) {
        self.gate.released.notify_one();
    }
}

async fn serve(mut stream: TcpStream, gate: Arc<Gate>, first: &'static str, rest: &'static str) {
    let mut received = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut received).await {
        if !received.ends_with(b"\r\n\r\n") {
            continue;
        }
        received.clear();
        gate.entered.notify_one();
        for part in [first, rest] {
            if stream.write_all(part.as_bytes()).await.is_err() {
                return;
            }
            if part == first {
                gate.released.notified().await;
            }
        }
    }
}
