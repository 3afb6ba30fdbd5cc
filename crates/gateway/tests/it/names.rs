//! Several certificates on one listener: clients get the one for the name that they ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use palisade::facts::Malformed;
use palisade_core::diagnostic::Source;
use palisade_gateway::config::{self, Loaded};
use palisade_gateway::listen::{Bounds, Connection, Handler, Inherited, bind, serve};
use rustls::HandshakeKind;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

struct Silent;

impl Handler for Silent {
    fn handle(&self, _: Request<Body>, _: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        Box::pin(std::future::ready(Response::new(Body::empty())))
    }

    fn refuse(&self, _: Malformed, _: Request<Body>, _: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        unreachable!("nothing here is malformed")
    }
}

fn parse(tls: &str) -> Result<Loaded, Vec<String>> {
    let text = format!(
        "version = 1\n[listen.main]\naddress = \"127.0.0.1:0\"\n[listen.main.tls]\ncert = \"file:server.cert.pem\"\n\
         key = \"file:server.key.pem\"\n{tls}\n[upstream.api]\nurl = \"http://127.0.0.1:1\"\n[contract.api]\n\
         openapi = \"openapi.yaml\"\n[route.api]\npath = \"/**\"\nupstream = \"api\"\ncontract = \"api\"\n"
    );
    let parsed = config::parse(&Source::new("palisade.toml", text), FIXTURES.as_ref());
    parsed.map_err(|problems| problems.iter().map(|problem| problem.code().to_owned()).collect())
}

const SECOND: &str = "certificates = [{ cert = \"file:second.cert.pem\", key = \"file:second.key.pem\" }]";

fn pem(file: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&std::fs::read(format!("{FIXTURES}/{file}")).unwrap()).unwrap()
}

fn client(versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for file in ["server.cert.pem", "second.cert.pem"] {
        roots.add(pem(file)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Which certificate a client gets for a name, and how they shook hands.
async fn shown(
    address: SocketAddr,
    client: &Arc<rustls::ClientConfig>,
    name: &str,
) -> std::io::Result<(CertificateDer<'static>, HandshakeKind)> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = tokio_rustls::TlsConnector::from(Arc::clone(client)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    stream.read_to_end(&mut Vec::new()).await?;
    let (_, session) = stream.get_ref();
    Ok((session.peer_certificates().unwrap()[0].clone().into_owned(), session.handshake_kind().unwrap()))
}

async fn with_server<T>(tls: &str, test: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let loaded = parse(tls).unwrap();
    let listeners = bind(&loaded, Inherited::none()).await.unwrap();
    let address = listeners[0].local();
    tokio::select! {
        _ = serve(listeners, Arc::new(Silent), Bounds::default(), std::future::pending()) => unreachable!("it ended"),
        done = test(address) => done,
    }
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let client = client(rustls::ALL_VERSIONS);
    with_server(SECOND, async |address| {
        for (name, file) in [
            ("localhost", "server.cert.pem"),
            ("api.example.com", "second.cert.pem"),
            ("API.Example.COM", "second.cert.pem"),
            ("any.wild.example.com", "second.cert.pem"),
        ] {
            assert_eq!(shown(address, &client, name).await.unwrap().0, pem(file), "{name}");
        }
        // The first certificate is not for these, and the client sees that.
        for name in ["wild.example.com", "a.b.wild.example.com", "elsewhere.example"] {
            assert!(
                shown(address, &client, name).await.unwrap_err().to_string().contains("not valid for name"),
                "{name}"
            );
        }
    })
    .await;
    with_server(&format!("{SECOND}\nunknown_name = \"refuse\""), async |address| {
        let refused = shown(address, &client, "elsewhere.example").await.unwrap_err();
        assert!(refused.to_string().contains("alert"), "{refused}");
        assert_eq!(shown(address, &client, "api.example.com").await.unwrap().0, pem("second.cert.pem"));
    })
    .await;
}

#[tokio::test]
async fn old_versions_can_be_left_out_and_sessions_are_resumed() {
    let old = client(&[&rustls::version::TLS12]);
    with_server("min_version = \"1.3\"", async |address| {
        assert!(shown(address, &old, "localhost").await.is_err());
        assert!(shown(address, &client(rustls::ALL_VERSIONS), "localhost").await.is_ok());
    })
    .await;
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let client = client(versions);
        with_server("", async |address| {
            assert_eq!(shown(address, &client, "localhost").await.unwrap().1, HandshakeKind::Full);
            assert_eq!(shown(address, &client, "localhost").await.unwrap().1, HandshakeKind::Resumed);
        })
        .await;
    }
}

#[test]
fn a_certificate_that_nobody_could_be_shown_is_an_error() {
    let second = |names: &str| SECOND.replace("second.key.pem\"", &format!("second.key.pem\"{names}"));
    for (tls, codes) in [
        (second(""), &[][..]),
        (second(", names = [\"api.example.com\"]"), &[]),
        (second(", names = [\"x.wild.example.com\"]"), &[]),
        (second(", names = [\"elsewhere.example\"]"), &["bad-certificate"]),
        (second(", names = [\"localhost\"]"), &["certificate-unused", "bad-certificate"]),
        (second(", names = []"), &["certificate-unused"]),
        (SECOND.replace("second", "server"), &["certificate-unused"]),
        (SECOND.replace("second.key", "other.key"), &["key-mismatch"]),
    ] {
        assert_eq!(parse(&tls).err().unwrap_or_default(), codes, "{tls}");
    }
}
