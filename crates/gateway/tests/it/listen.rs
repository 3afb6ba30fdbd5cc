//! Listeners over real sockets: versions, TLS, deadlines, and a shutdown that loses no request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_core::body::Body;
use expect_test::expect;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use palisade::facts::Malformed;
use palisade_core::diagnostic::Source;
use palisade_gateway::config::{self, Loaded};
use palisade_gateway::listen::{Bounds, Connection, Drained, Handler, Inherited, bind, serve};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// Answers what it knows of the connection; a request for `/slow` waits until it is released.
#[derive(Default)]
struct Echo {
    entered: Notify,
    release: Notify,
}

struct Echoing(Arc<Echo>);

impl Handler for Echoing {
    fn handle(&self, request: Request<Body>, connection: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        let (echo, connection) = (Arc::clone(&self.0), Connection::clone(connection));
        Box::pin(async move {
            if request.uri().path() == "/slow" {
                echo.entered.notify_one();
                echo.release.notified().await;
            }
            let Connection { peer, listener, secure, .. } = connection;
            Response::new(Body::from(format!("{:?} {listener} {} secure={secure}", request.version(), peer.ip())))
        })
    }

    fn refuse(
        &self,
        malformed: Malformed,
        request: Request<Body>,
        _: &Arc<Connection>,
    ) -> BoxFuture<'static, Response<Body>> {
        let mut answer = Response::new(Body::from(format!("{} {}", request.method(), request.uri())));
        *answer.status_mut() = match malformed {
            Malformed::Invalid(_) => StatusCode::BAD_REQUEST,
            Malformed::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Malformed::TooSlow => StatusCode::REQUEST_TIMEOUT,
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Running {
    address: SocketAddr,
    echo: Arc<Echo>,
    stop: oneshot::Sender<()>,
    serving: JoinSet<Drained>,
}

impl Running {
    async fn stop(self) -> Drained {
        let Self { stop, mut serving, .. } = self;
        stop.send(()).unwrap();
        serving.join_next().await.unwrap().unwrap()
    }
}

fn load(address: &str, tls: &str) -> Loaded {
    let text = format!(
        "version = 1\n[listen.main]\naddress = \"{address}\"\n{tls}\n[upstream.api]\nurl = \"http://127.0.0.1:1\"\n\
         [contract.api]\nopenapi = \"openapi.yaml\"\n[route.api]\npath = \"/**\"\nupstream = \"api\"\ncontract = \"api\"\n"
    );
    config::parse(&Source::new("palisade.toml", text), FIXTURES.as_ref()).unwrap()
}

async fn start(tls: &str, bounds: Bounds) -> Running {
    let listeners = bind(&load("127.0.0.1:0", tls), Inherited::none()).await.unwrap();
    let address = listeners[0].local();
    let echo = Arc::new(Echo::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    let handler = Arc::new(Echoing(Arc::clone(&echo)));
    serving.spawn(serve(listeners, handler, bounds, async move {
        let _ = stopped.await;
    }));
    Running { address, echo, stop, serving }
}

const TLS: &str = r#"tls = { cert = "file:server.cert.pem", key = "file:server.key.pem" }"#;

/// Sends one request over a connection and returns the body of the answer.
async fn ask<S>(stream: S, version: Version, path: &str) -> String
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
    let mut driver = JoinSet::new();
    let response = if version == Version::HTTP_2 {
        let request = Request::builder().uri(format!("http://localhost{path}")).body(Body::empty()).unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, http) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        driver.spawn(async move { drop(http.await) });
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, http) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        driver.spawn(async move { drop(http.await) });
        sender.send_request(request).await.unwrap()
    };
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn connect_tls(address: SocketAddr, protocol: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    let pem = std::fs::read(format!("{FIXTURES}/server.cert.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, connect(address).await).await.unwrap()
}

#[tokio::test]
async fn speaks_both_versions_on_a_plain_socket() {
    let running = start("", Bounds::default()).await;
    let answer = ask(connect(running.address).await, Version::HTTP_11, "/").await;
    assert_eq!(answer, "HTTP/1.1 main 127.0.0.1 secure=false");
    let answer = ask(connect(running.address).await, Version::HTTP_2, "/").await;
    assert_eq!(answer, "HTTP/2.0 main 127.0.0.1 secure=false");
    assert_eq!(running.stop().await, Drained { cut_off: 0 });
}

#[tokio::test]
async fn speaks_over_tls_what_was_agreed_on() {
    let running = start(TLS, Bounds::default()).await;
    let answer = ask(connect_tls(running.address, "http/1.1").await, Version::HTTP_11, "/").await;
    assert_eq!(answer, "HTTP/1.1 main 127.0.0.1 secure=true");
    let answer = ask(connect_tls(running.address, "h2").await, Version::HTTP_2, "/").await;
    assert_eq!(answer, "HTTP/2.0 main 127.0.0.1 secure=true");
    assert_eq!(running.stop().await, Drained { cut_off: 0 });
}

#[tokio::test]
async fn finishes_what_is_under_way() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let running = start("", Bounds::default()).await;
        let (address, echo) = (running.address, Arc::clone(&running.echo));
        let idle = connect(address).await;
        let mut asking = JoinSet::new();
        asking.spawn(ask(connect(address).await, version, "/slow"));
        echo.entered.notified().await;
        let mut stopping = JoinSet::new();
        stopping.spawn(running.stop());
        // The listening socket closes at once.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        echo.release.notify_one();
        assert!(asking.join_next().await.unwrap().unwrap().starts_with(&format!("{version:?}")));
        assert_eq!(stopping.join_next().await.unwrap().unwrap(), Drained { cut_off: 0 });
        drop(idle);
    }
}

#[tokio::test]
async fn cuts_off_what_does_not_finish() {
    let running = start("", Bounds { drain: Duration::from_millis(20), ..Bounds::default() }).await;
    let mut asking = JoinSet::new();
    let mut stream = connect(running.address).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    asking.spawn(async move { stream.read_to_end(&mut Vec::new()).await });
    running.echo.entered.notified().await;
    assert_eq!(running.stop().await, Drained { cut_off: 1 });
    asking.join_next().await;
}

#[tokio::test]
async fn hangs_up_on_clients_that_dawdle() {
    let bounds = Bounds {
        head: Duration::from_millis(50),
        handshake: Duration::from_millis(50),
        idle: Duration::from_millis(50),
        ..Bounds::default()
    };
    let silent: [&[u8]; 6] = [
        b"",
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for (tls, first) in silent.iter().map(|&first| ("", first)).chain([(TLS, &b""[..]), (TLS, &b"\x16\x03"[..])]) {
        let running = start(tls, bounds.clone()).await;
        let mut stream = connect(running.address).await;
        stream.write_all(first).await.unwrap();
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{:?} is kept", String::from_utf8_lossy(first));
        assert_eq!(running.stop().await, Drained { cut_off: 0 });
    }
}

#[tokio::test]
async fn refuses_heads_beyond_bounds() {
    let running = start("", Bounds { max_head: 8192, ..Bounds::default() }).await;
    for head in [
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(9000)),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(100)),
    ] {
        let mut stream = connect(running.address).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    }
    running.stop().await;
}

#[tokio::test]
async fn further_connections_wait_for_room() {
    let running = start("", Bounds { connections: 1, ..Bounds::default() }).await;
    let first = connect(running.address).await;
    let mut asking = JoinSet::new();
    asking.spawn(ask(first, Version::HTTP_11, "/slow"));
    running.echo.entered.notified().await;
    let mut second = JoinSet::new();
    second.spawn(ask(connect(running.address).await, Version::HTTP_11, "/"));
    assert!(timeout(Duration::from_millis(50), second.join_next()).await.is_err());
    running.echo.release.notify_one();
    asking.join_next().await.unwrap().unwrap();
    assert!(second.join_next().await.unwrap().unwrap().starts_with("HTTP/1.1"));
    running.stop().await;
}

#[tokio::test]
async fn says_which_address_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let diagnostics = bind(&load(&format!("127.0.0.1:{port}"), ""), Inherited::none()).await.err().unwrap();
    let text: Vec<String> = diagnostics.iter().map(|one| one.to_string().replace(&port.to_string(), "PORT")).collect();
    expect![[r#"
        error[listen-unavailable]: cannot listen on `127.0.0.1:PORT`: another program has it
          --> palisade.toml:3:11
          |
        3 | address = "127.0.0.1:PORT"
          |           ^^^^^^^^^^^^^^^^^
          help: stop it (`ss -ltnp 'sport = :PORT'` shows it), or use another port"#]]
    .assert_eq(&text.join("\n"));
}
