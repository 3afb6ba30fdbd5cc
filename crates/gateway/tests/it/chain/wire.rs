//! Requests as short texts and answers as they came over the wire.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The bytes of a request that is written as its request line, its headers and, behind an empty line, its body.
///
/// What a request cannot do without is added where the text does not have it: the version, `Host`, `Connection: close`
/// and the length of the body.
pub(super) fn request(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
    let has = |name: &str| fields.lines().any(|field| field.to_ascii_lowercase().starts_with(&format!("{name}:")));
    let mut bytes = format!("{line} HTTP/1.1\r\n");
    for (name, value) in [("host", "shop.example"), ("connection", "close")] {
        if !has(name) {
            bytes += &format!("{name}: {value}\r\n");
        }
    }
    if !body.is_empty() && !has("content-length") && !has("transfer-encoding") {
        bytes += &format!("content-length: {}\r\n", body.len());
    }
    for field in fields.lines() {
        bytes += &format!("{field}\r\n");
    }
    (bytes + "\r\n" + body).into_bytes()
}

/// An answer as it was received.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Reads one answer and all that follows its head. `None` where the other side closed without one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.map(|line| line.split_once(": ").unwrap());
        let headers = fields
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    /// A header as text, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Sends bytes and reads one answer.
pub(super) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    Answer::parse(&raw(address, bytes).await)
}

/// Sends bytes and reads all that comes back until the other side closes, which it must.
pub(super) async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let (mut read, mut write) = stream.split();
        // Whoever refuses a request need not read all of it: that writing fails is no failure of the exchange.
        let _ = tokio::join!(write.write_all(bytes.as_ref()), async {
            while read.read_buf(&mut answer).await? > 0 {}
            Ok::<(), std::io::Error>(())
        });
        Ok::<(), std::io::Error>(())
    };
    match timeout(Duration::from_secs(20), exchange).await {
        Ok(_) => answer,
        Err(_) => panic!("still open after {:?}", String::from_utf8_lossy(&answer)),
    }
}
