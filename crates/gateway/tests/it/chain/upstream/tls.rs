//! Who the backend is, and who it takes us for.

use std::sync::Arc;

use palisade_core::denial::DenialCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::super::harness::Site;
use super::backend::Backend;
use super::with_upstream;

const SERVER: &[u8] = include_bytes!("../../../fixtures/server.cert.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../fixtures/server.key.pem");
const CLIENT_CA: &[u8] = include_bytes!("../../../fixtures/client.ca.pem");

fn server(asks_clients: bool) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = if asks_clients {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(CLIENT_CA).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    builder.with_single_cert(vec![CertificateDer::from_pem_slice(SERVER).unwrap()], key).unwrap()
}

/// A gateway with these keys for an upstream over TLS.
async fn site(keys: &str) -> Site {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let keys = keys.replace("file:", &format!("file:{}/", dir.display()));
    Site::start(&with_upstream(&keys), "").await
}

#[tokio::test]
async fn the_certificate_must_be_the_backends() {
    let backend = Backend::start_tls(server(false)).await;
    let (url, port) = (backend.url(), backend.port());
    let ca = "ca = \"file:server.cert.pem\"\nonly_ca = true";
    for (keys, reason) in [
        (format!("url = \"{url}\"\n{ca}"), None),
        (format!("url = \"https://localhost:{port}\"\n{ca}"), None),
        (format!("url = \"{url}\"\n{ca}\nserver_name = \"localhost\""), None),
        (format!("url = \"{url}\"\n{ca}\nserver_name = \"orders.internal\""), Some("certificate not valid for name")),
        (format!("url = \"{url}\"\nca = \"file:client.ca.pem\"\nonly_ca = true"), Some("UnknownIssuer")),
    ] {
        let site = site(&keys).await;
        let answer = site.ask("GET /items").await;
        match reason {
            None => {
                assert_eq!(answer.status, 200, "{keys}: {answer:?}");
                site.finish().await;
            }
            Some(reason) => {
                let log = site.finish().await;
                let evidence = log.assert_refused(&answer, DenialCode::UpstreamUnreachable);
                assert!(evidence["error"].as_str().unwrap().contains(reason), "{keys}: {evidence}");
            }
        }
    }
}

#[tokio::test]
async fn a_backend_that_asks_who_we_are_is_told() {
    let backend = Backend::start_tls(server(true)).await;
    let keys = format!("url = \"{}\"\nca = \"file:server.cert.pem\"", backend.url());
    let known = site(&format!("{keys}\ncert = \"file:client.cert.pem\"\nkey = \"file:client.key.pem\"")).await;
    assert_eq!(known.ask("GET /items").await.status, 200);
    assert_eq!(known.ask("GET /items").await.status, 200);
    assert_eq!(backend.connections(), 1);
    known.finish().await;
    let stranger = site(&keys).await;
    let answer = stranger.ask("GET /items").await;
    let log = stranger.finish().await;
    log.assert_refused(&answer, DenialCode::UpstreamUnreachable);
    assert_eq!(backend.count(), 2);
}

#[tokio::test]
async fn http1_is_spoken_where_the_backend_can_no_more() {
    let mut config = server(false);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let backend = Backend::start_tls(config).await;
    let keys = format!("url = \"{}\"\nca = \"file:server.cert.pem\"", backend.url());
    let site = site(&keys).await;
    assert_eq!(site.ask("GET /items").await.status, 200, "HTTP/1.1 where that is all the backend can");
    site.finish().await;
}

const SOCKET: &str = "openapi: 3.1.0\ninfo: { title: Socket, version: '1' }\npaths: { /: { get: { security: [], \
                      responses: { 101: { description: Both ways. }, 204: { description: None. } } } } }\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Speaks HTTP/2 with whoever offers it, and opens a WebSocket for whoever does not.
async fn prefers_http2(listener: TcpListener, config: ServerConfig) {
    let (acceptor, mut connections) = (TlsAcceptor::from(Arc::new(config)), JoinSet::new());
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    assert_eq!(request.version(), http::Version::HTTP_2);
                    let answer = http::Response::builder().status(204).body(String::new()).unwrap();
                    Ok::<_, std::convert::Infallible>(answer)
                });
                let stream = hyper_util::rt::TokioIo::new(stream);
                let served = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = served.serve_connection(stream, service).await;
                return;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(SWITCH).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
        });
    }
}

#[tokio::test]
async fn a_websocket_is_opened_over_http1_where_requests_use_http2() {
    let mut config = server(false);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let mut backend = JoinSet::new();
    backend.spawn(prefers_http2(listener, config));
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/server.cert.pem");
    let policy = with_upstream(&format!("url = \"{url}\"\nca = \"file:{ca}\""));
    let site = Site::start_with(&policy, "", Some(SOCKET)).await;
    // Before the gateway has learned what the backend speaks, and after.
    for _ in 0..2 {
        let ask = "GET /\nconnection: Upgrade\nupgrade: websocket\nsec-websocket-version: 13\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(&site.request(ask)).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
        assert_eq!(site.ask("GET /").await.status, 204, "what a socket agreed on says nothing about requests");
    }
    site.finish().await;
}
