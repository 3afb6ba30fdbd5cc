//! Stores behind TLS: the server proves its name to us and we to it, or the gateway does not start.

use std::sync::Arc;

use palisade_core::diagnostic::Source;
use palisade_gateway::config::parse;
use palisade_gateway::run::Gateway;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::{Postgres, Valkey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::harness::{Site, shop, with_route};

/// What stands in front of a server and speaks TLS for it.
struct Seal {
    port: u16,
    _relay: JoinSet<()>,
}

/// What a server says before TLS.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// PostgreSQL is asked whether it speaks TLS, and answers with this.
    Asked(u8),
}

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// `who` has a certificate and a key in the fixtures. With `asks`, clients have to show one, too.
fn config(who: &str, asks: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = |name: &str| CertificateDer::from_pem_file(fixture(name)).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = match asks {
        false => builder.unwrap().with_no_client_auth(),
        true => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate("client.ca.pem")).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(fixture(&format!("{who}.key.pem"))).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate(&format!("{who}.cert.pem"))], key).unwrap())
}

impl Seal {
    async fn start(server: &str, before: Before, config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server: u16 = server.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
        let acceptor = TlsAcceptor::from(config);
        let mut relay = JoinSet::new();
        relay.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, server, before, acceptor.clone()));
            }
        });
        Self { port, _relay: relay }
    }
}

async fn connection(mut client: TcpStream, server: u16, before: Before, acceptor: TlsAcceptor) {
    if let Before::Asked(answer) = before {
        let mut question = [0; 8];
        client.read_exact(&mut question).await.unwrap();
        assert_eq!(question, [0, 0, 0, 8, 4, 210, 22, 47], "it is asked for TLS before anything else is said");
        client.write_all(&[answer]).await.unwrap();
        if answer != b'S' {
            // Whoever goes on in the clear all the same tells us its name, and perhaps its password.
            assert_eq!(client.read(&mut question).await.unwrap_or(0), 0, "it goes on without TLS");
            return;
        }
    }
    // What a client does not believe it leaves.
    let Ok(mut client) = acceptor.accept(client).await else { return };
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// A policy with a limit of one request that is counted in this store.
fn policy(url: &str, user: &str, password: &std::path::Path, tls: &str) -> String {
    let tls = tls.replace("file:", &format!("file:{}/", fixture("").display()));
    let store = format!(
        "[store]\nurl = \"{url}\"\n{user}password = \"file:{}\"\ntimeout = \"10s\"\n{tls}\n",
        password.display()
    );
    with_route("throttle = { requests = 1, per = \"1d\" }") + &store
}

/// Why a gateway with this policy does not start; nothing if it does.
async fn start(policy: &str) -> String {
    let policy = policy.replace("{upstream}", "http://127.0.0.1:9").replace("{key hash}", &super::tokens::key_hash());
    let dir = TempDir::new();
    let policy = policy.replace("file:events.jsonl", &format!("file:{}/events.jsonl", dir.path().display()));
    let loaded = parse(&Source::new("palisade.toml", policy), &fixture("")).unwrap();
    let prepared = Gateway::prepare(&loaded).await;
    prepared.err().unwrap_or_default().iter().map(|one| one.message().to_owned()).collect()
}

const CA: &str = "tls = { ca = \"file:server.cert.pem\" }";
const OURS: &str =
    "tls = { ca = \"file:server.cert.pem\", cert = \"file:client.cert.pem\", key = \"file:client.key.pem\" }";

/// A store of this scheme behind TLS, by what each side shows.
async fn seals(scheme: &str, server: &str, before: Before, user: &str, password: &str) {
    let dir = TempDir::new();
    let password = dir.write("store.password", password);
    for (name, who, asks, tls, refusal) in [
        ("nobody vouches for the server", "server", false, "", Some("UnknownIssuer")),
        ("somebody else vouches", "server", false, "tls = { ca = \"file:client.ca.pem\" }", Some("UnknownIssuer")),
        (
            "the server has another name",
            "second",
            false,
            "tls = { ca = \"file:second.cert.pem\" }",
            Some("not valid for name"),
        ),
        (
            "danger_cleartext does not turn checks off",
            "server",
            false,
            "danger_cleartext = true",
            Some("UnknownIssuer"),
        ),
        ("we show nothing", "server", true, CA, Some("CertificateRequired")),
        ("right", "server", false, CA, None),
        ("right on both sides", "server", true, OURS, None),
    ] {
        let seal = Seal::start(server, before, config(who, asks)).await;
        let suffix = if before == Before::Nothing { "0" } else { "postgres?sslmode=verify-full" };
        let policy = policy(&format!("{scheme}://127.0.0.1:{}/{suffix}", seal.port), user, &password, tls);
        match refusal {
            // What the other side says last may be lost when it closes.
            Some("CertificateRequired") => assert_ne!(start(&policy).await, "", "{scheme}, {name}"),
            Some(refusal) => {
                let found = start(&policy).await;
                assert!(found.contains(refusal), "{scheme}, {name}: {found:?}");
            }
            None => {
                let upstream = shop().await;
                let site = Site::start(&policy, &upstream.url()).await;
                // Both cases are counted by the same server.
                let expect = if asks { 429 } else { 200 };
                assert_eq!(site.ask("GET /items").await.status, expect, "{scheme}, {name}");
                assert_eq!(site.ask("GET /items").await.status, 429, "{scheme}, {name}");
                site.finish().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_is_reached_over_tls_and_proves_its_name() {
    let server = Valkey::start();
    seals("rediss", &server.bare_url(), Before::Nothing, "", Valkey::PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_is_reached_over_tls_and_proves_its_name() {
    let server = Postgres::start();
    let user = format!("user = \"{}\"\n", Postgres::USER);
    seals("postgres", &server.bare_url(), Before::Asked(b'S'), &user, Postgres::PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_that_speaks_no_tls_gets_no_password() {
    let server = Postgres::start();
    let (dir, user) = (TempDir::new(), format!("user = \"{}\"\n", Postgres::USER));
    let password = dir.write("store.password", Postgres::PASSWORD);
    let seal = Seal::start(&server.bare_url(), Before::Asked(b'N'), config("server", false)).await;
    for end in ["?sslmode=verify-full", ""] {
        let found = start(&policy(&format!("postgres://127.0.0.1:{}/d{end}", seal.port), &user, &password, CA)).await;
        assert!(found.contains("does not support TLS"), "{end}: {found:?}");
    }
}
