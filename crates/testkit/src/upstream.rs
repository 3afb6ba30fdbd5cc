//! A backend for tests: answers as a closure says and remembers what it was asked.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An HTTP/1.1 and HTTP/2 (with prior knowledge) server on a free port of 127.0.0.1. It stops when it is dropped.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use palisade_testkit::{client::Client, upstream::Upstream};
///
/// let upstream = Upstream::start(|request| Response::new(request.into_body())).await;
/// let request = Request::post("/echo").body(Bytes::from("hello")).unwrap();
/// let answer = Client::http1(upstream.address()).send(request).await;
/// assert_eq!(answer.body(), "hello");
/// assert_eq!(upstream.received()[0].uri(), "/echo");
/// # });
/// ```
pub struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Request<Bytes>>>>,
    // Dropping the set aborts the task that accepts, which in turn owns the set of connections.
    _server: JoinSet<()>,
}

type Handler = dyn Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync;

impl Upstream {
    /// Starts a backend that answers each request with what `handler` makes of it. A request whose body breaks off is
    /// neither recorded nor answered.
    pub async fn start(handler: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        let (listener, address) = listen().await;
        let received = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { handler: Box::new(handler), received: Arc::clone(&received) });
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, received, _server: server }
    }

    /// Starts a backend that sends `answer` to whoever connects, whatever was asked, and closes: for answers that no
    /// correct server gives.
    pub async fn raw(answer: impl Into<Bytes>) -> Self {
        let (answer, (listener, address)) = (answer.into(), listen().await);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer_raw(stream, answer.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, received: Arc::default(), _server: server }
    }

    /// Starts a backend that takes connections and never answers.
    pub async fn silent() -> Self {
        let (listener, address) = listen().await;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Self { address, received: Arc::default(), _server: server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests until now, in the order in which their bodies were complete.
    pub fn received(&self) -> Vec<Request<Bytes>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("address", &self.address).finish_non_exhaustive()
    }
}

/// An address on 127.0.0.1 at which nobody listens.
pub async fn closed_address() -> SocketAddr {
    listen().await.1
}

struct Shared {
    handler: Box<Handler>,
    received: Arc<Mutex<Vec<Request<Bytes>>>>,
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on 127.0.0.1");
    let address = listener.local_addr().expect("the address of a bound listener");
    (listener, address)
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| answer(request, Arc::clone(&shared)));
    // Clients under test break connections on purpose.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let request = Request::from_parts(parts, body);
    shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    Ok((shared.handler)(request).map(Full::new))
}

async fn answer_raw(mut stream: TcpStream, answer: Bytes) {
    let mut request = [0; 16 * 1024];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}
