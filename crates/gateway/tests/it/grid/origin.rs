//! A backend that keeps the bytes of every connection and answers each with the same few.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    _server: JoinSet<()>,
}

impl Origin {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let (all, mut server) = (Arc::clone(&seen), JoinSet::new());
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&all)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, seen, _server: server }
    }

    /// The bytes of each connection since the last time.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut bytes = Vec::new();
    // The first bytes may be long in coming, because proxies connect early. Then a pause says that all have come.
    let mut patience = Duration::from_secs(20);
    while let Ok(Ok(1..)) = timeout(patience, stream.read_buf(&mut bytes)).await {
        patience = Duration::from_millis(60);
    }
    if !bytes.is_empty() {
        seen.lock().unwrap().push(bytes);
        let _ = stream.write_all(ANSWER).await;
        let _ = stream.shutdown().await;
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
