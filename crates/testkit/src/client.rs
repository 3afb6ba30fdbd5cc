//! A small client for tests: one connection for each request, nothing added, nothing followed, nothing retried.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long [`raw`] waits for the other side to close.
const RAW_PATIENCE: Duration = Duration::from_secs(2);

/// Sends requests to one address and panics if no answer comes within ten seconds.
///
/// A request without `Host` gets the address as its host. See [`crate::upstream::Upstream`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    address: SocketAddr,
    version: Version,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
}

impl Client {
    /// Speaks HTTP/1.1.
    pub fn http1(address: SocketAddr) -> Self {
        Self { address, version: Version::Http1 }
    }

    /// Speaks HTTP/2 without TLS, with prior knowledge (RFC 9113 section 3.3).
    pub fn http2(address: SocketAddr) -> Self {
        Self { address, version: Version::Http2 }
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.try_send(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer from {}: {error}", self.address),
        }
    }

    /// Sends one request; for tests that expect the connection to break.
    pub async fn try_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure("it took too long".to_owned())),
        }
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let stream = TokioIo::new(TcpStream::connect(self.address).await?);
        // The connection is driven by a task that ends with this call.
        let mut driver = JoinSet::new();
        let answer = match self.version {
            Version::Http1 => {
                let (mut sender, connection) = http1::handshake(stream).await?;
                driver.spawn(async move { connection.await.is_ok() });
                sender.send_request(self.for_http1(request)).await?
            }
            Version::Http2 => {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                driver.spawn(async move { connection.await.is_ok() });
                sender.send_request(self.for_http2(request)?).await?
            }
        };
        let (parts, body) = answer.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }

    fn for_http1(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let mut request = request.map(Full::new);
        if !request.headers().contains_key(HOST) {
            let host = HeaderValue::try_from(self.address.to_string()).expect("an address is a header value");
            request.headers_mut().insert(HOST, host);
        }
        request
    }

    /// In HTTP/2 the host is part of the URI (RFC 9113 section 8.3.1).
    fn for_http2(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = request.map(Full::new);
        let host = request.headers_mut().remove(HOST);
        if request.uri().authority().is_none() {
            let host = match &host {
                Some(host) => host.to_str().map_err(|error| Failure(error.to_string()))?.to_owned(),
                None => self.address.to_string(),
            };
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let uri: Uri = format!("http://{host}{path}").parse().map_err(|error| Failure(format!("{error}")))?;
            *request.uri_mut() = uri;
        }
        Ok(request)
    }
}

/// Why no answer came.
#[derive(Debug)]
pub struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        Self(error.to_string())
    }
}

/// Sends bytes as they are and returns what comes back until the other side closes or two seconds have passed. Ask for
/// `Connection: close`, or the test takes the two seconds.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_testkit::{client, upstream::Upstream};
///
/// let upstream = Upstream::start(|_| http::Response::new("hi".into())).await;
/// let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
/// let answer = client::raw(upstream.address(), request).await;
/// assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"hi"));
/// # });
/// ```
pub async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(bytes.as_ref()).await?;
        while stream.read_buf(&mut answer).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // A reset or a timeout ends the exchange; what was read until then is the answer.
    let _ = timeout(RAW_PATIENCE, exchange).await;
    answer
}
