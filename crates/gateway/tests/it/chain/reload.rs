//! A gateway whose files change while it runs: the policy is replaced whole or not at all, and nobody under way notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_core::denial::DenialCode::{CircuitOpen, OperationUndeclared, QuotaExhausted};
use palisade_testkit::upstream::Upstream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{POLICY, Site, shop, with_route};
use super::held::Held;
use super::wire;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// A change of the contract that takes `GET /items` away.
const ITEMS: [&str; 3] = ["openapi.yaml", "  /items:", "  /goods:"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_on_while_good_and_broken_files_come_and_go() {
    let upstream = shop().await;
    let site = Site::start(&with_route("throttle = { requests = 100000, per = \"1s\" }"), &upstream.url()).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (address, over, request) = (site.address, Arc::clone(&over), site.request("GET /items"));
        callers.spawn(async move {
            let mut answered = 0;
            while !over.load(Ordering::SeqCst) {
                let answer = wire::exchange(address, &request).await.expect("every request has an answer");
                assert_eq!(answer.status, 200, "{answer:?}");
                answered += 1;
            }
            answered
        });
    }
    for round in 0..6 {
        site.edit("openapi.yaml", "title: Shop", "title: Shop!");
        site.reloader.reload().await.unwrap_or_else(|problems| panic!("round {round}: {problems:?}"));
        site.edit("openapi.yaml", "openapi: 3.1.0", "openapi: 9");
        site.reloader.reload().await.unwrap_err();
        site.edit("openapi.yaml", "openapi: 9", "openapi: 3.1.0");
    }
    over.store(true, Ordering::SeqCst);
    let answered: usize = callers.join_all().await.into_iter().sum();
    assert!(answered > 12, "only {answered} requests ran beside twelve reloads");
    let log = site.finish().await;
    let requests: Vec<_> = log.0.iter().filter(|event| event["kind"] != "policy_reloaded").collect();
    assert_eq!(requests.len(), answered, "no request was refused");
    assert_eq!(log.0.len(), answered + 12, "each reload is an event");
    let policies: std::collections::BTreeSet<&str> =
        log.0.iter().map(|event| event["policy"].as_str().unwrap()).collect();
    assert_eq!(policies.len(), 1, "a title is no rule");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing_and_says_why() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let cases = [
        ("palisade.toml", "upstream = \"shop\"", "upstream = \"shopp\"", "unknown-reference"),
        ("palisade.toml", "version = 1", "version = ", "syntax"),
        ("openapi.yaml", "type: integer", "type: whole", "schema-invalid"),
        ("jwks.json", "keys", "kees", "bad-jwks"),
    ];
    for (file, from, to, code) in cases {
        site.edit(file, from, to);
        let problems = site.reloader.reload().await.unwrap_err();
        let found: Vec<&str> = problems.iter().map(|problem| problem.code()).collect();
        assert!(found.contains(&code), "{file}: {found:?}");
        assert!(problems.iter().all(|problem| problem.file().is_some()), "{file}");
        assert_eq!(site.ask("GET /items").await.status, 200, "{file}");
        assert_eq!(site.ask("GET /items/1\nauthorization: Bearer ${alice}").await.status, 200, "{file}");
        site.edit(file, to, from);
    }
    site.reloader.reload().await.unwrap();
    site.finish().await;
}

/// Asks until the answer has this status; a gateway that watches its files needs a moment.
async fn becomes(site: &Site, request: &str, status: u16) {
    let soon = async {
        while site.ask(request).await.status != status {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), soon).await;
    assert!(done.is_ok(), "{request} never has status {status}");
}

#[tokio::test]
async fn a_new_contract_takes_effect_by_itself() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let [file, from, to] = ITEMS;
    site.edit(file, from, to);
    becomes(&site, "GET /items", 404).await;
    // As an editor does it: a new file in the place of the old one.
    let text = std::fs::read_to_string(site.dir.path().join(file)).unwrap();
    let new = site.dir.write("openapi.yaml~", text.replace(to, from));
    std::fs::rename(new, site.dir.path().join(file)).unwrap();
    becomes(&site, "GET /items", 200).await;
    site.finish().await;
}

#[tokio::test]
async fn to_mend_a_file_that_was_named_in_vain_is_enough() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    site.edit("palisade.toml", "openapi = \"openapi.yaml\"", "openapi = \"new.yaml\"");
    let problems = site.reloader.reload().await.unwrap_err();
    assert_eq!(problems[0].code(), "file-unreadable", "{problems:?}");
    let [file, from, to] = ITEMS;
    let contract = std::fs::read_to_string(site.dir.path().join(file)).unwrap();
    site.dir.write("new.yaml", contract.replace(from, to));
    becomes(&site, "GET /items", 404).await;
    site.finish().await;
}

#[tokio::test]
async fn with_signals_only_nothing_is_watched() {
    let upstream = shop().await;
    let site = Site::start(&format!("{POLICY}[server]\nreload = \"signal\"\n"), &upstream.url()).await;
    let [file, from, to] = ITEMS;
    site.edit(file, from, to);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(site.ask("GET /items").await.status, 200);
    site.reloader.reload().await.unwrap();
    assert_eq!(site.ask("GET /items").await.status, 404);
    site.finish().await;
}

#[tokio::test]
async fn an_answer_that_streams_outlives_the_policy_it_began_under() {
    let first =
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
    let backend = Held::start(first, "3\r\ntwo\r\n0\r\n\r\n").await;
    let site = Site::start(POLICY, &backend.url()).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request("GET /photos/1")).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"one\r\n") {
        assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "{}", String::from_utf8_lossy(&received));
    }
    site.edit("openapi.yaml", "  /photos/{id}:", "  /pictures/{id}:");
    site.reloader.reload().await.unwrap();
    let refused = site.ask("GET /photos/1").await;
    assert_eq!(refused.status, 404, "the operation is gone");
    backend.release();
    stream.read_to_end(&mut received).await.unwrap();
    assert!(received.ends_with(b"3\r\ntwo\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&received));
    site.finish().await.assert_refused(&refused, OperationUndeclared);
}

#[tokio::test]
async fn what_cannot_change_is_named_and_the_rest_of_the_file_does_not_hold() {
    let upstream = shop().await;
    let policy = format!("{POLICY}[limits]\nmax_uri = \"8KiB\"\n[server]\ndrain_timeout = \"9s\"\n");
    let site = Site::start(&policy, &upstream.url()).await;
    let more = "[listen.more]\naddress = \"127.0.0.1:0\"\n[upstream.shop]";
    for (from, to, named) in [
        ("address = \"127.0.0.1:0\"", "address = \"127.0.0.1:1\"", "`listen.main.address`"),
        (
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"\nproxy_protocol = [\"::1\"]",
            "`listen.main.proxy_protocol`",
        ),
        ("[upstream.shop]", more, "listeners cannot be added"),
        ("max_uri = \"8KiB\"", "max_uri = \"4KiB\"", "`limits.max_uri`"),
        ("drain_timeout = \"9s\"", "drain_timeout = \"8s\"", "`server.drain_timeout`"),
        ("[events]", "[store]\nurl = \"sqlite:a.db\"\n[events]", "`store.url`"),
        ("file:events.jsonl", "file:others.jsonl", "`events.output`"),
        ("[events]", "[admin]\naddress = \"127.0.0.1:0\"\n[events]", "`admin.address`"),
    ] {
        let [file, items, goods] = ITEMS;
        site.edit("palisade.toml", from, to);
        site.edit(file, items, goods);
        let problems = site.reloader.reload().await.unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(problem.code(), "restart-needed");
        assert!(problem.message().contains(named), "{problem}");
        assert_eq!(site.ask("GET /items").await.status, 200, "{named}: not half applied");
        site.edit("palisade.toml", to, from);
        site.edit(file, goods, items);
    }
    site.reloader.reload().await.unwrap();
    assert!(!site.dir.path().join("others.jsonl").exists());
    site.finish().await;
}

#[tokio::test]
async fn what_was_counted_is_not_forgotten() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let checkout = "POST /checkout\nauthorization: Bearer ${alice}";
    for _ in 0..2 {
        assert_eq!(site.ask(checkout).await.status, 204);
    }
    site.reloader.reload().await.unwrap();
    let refused = site.ask(checkout).await;
    site.finish().await.assert_refused(&refused, QuotaExhausted);
}

#[tokio::test]
async fn a_circuit_that_is_open_stays_open() {
    let policy = POLICY.replace("failures = 100", "failures = 1\npause = \"1h\"");
    let site = Site::start(&policy, "http://127.0.0.1:1").await;
    assert_eq!(site.ask("GET /items").await.status, 502);
    site.reloader.reload().await.unwrap();
    let refused = site.ask("GET /items").await;
    site.finish().await.assert_refused(&refused, CircuitOpen);
}

/// Keys that were fetched are still known when their issuer is down at the moment of a reload.
#[tokio::test]
async fn an_issuer_that_is_down_does_not_make_a_reload_an_outage() {
    let backend = shop().await;
    let policy = |jwks: &str| POLICY.replace("file:jwks.json", jwks);
    let probe = Site::start(POLICY, &backend.url()).await;
    let keys = std::fs::read(probe.dir.path().join("jwks.json")).unwrap();
    probe.finish().await;
    let served = bytes::Bytes::from(keys);
    let issuer = Upstream::start(move |_| http::Response::new(served.clone())).await;
    let site = Site::start(&policy(&format!("{}/jwks", issuer.url())), &backend.url()).await;
    // Each site signs with keys of its own, so that the answer says only whether the issuer's keys could be had.
    let asking = "GET /items/1\nauthorization: Bearer ${alice}";
    let before = site.ask(asking).await;
    drop(issuer);
    site.reloader.reload().await.unwrap();
    let after = site.ask(asking).await;
    assert_eq!((after.status, after.json()["code"].clone()), (before.status, before.json()["code"].clone()));
    assert_ne!(after.status, 503);
    site.finish().await;
}

/// A client that takes any certificate and remembers which one it was shown.
#[derive(Debug)]
struct Curious;

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

type Tls = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(site: &Site) -> Tls {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious))
        .with_no_client_auth();
    let stream = TcpStream::connect(site.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap()
}

fn shown(stream: &Tls) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let upstream = shop().await;
    let tls = "address = \"127.0.0.1:0\"\ntls = { cert = \"file:tls.crt\", key = \"file:tls.key\" }";
    let put = |site: &std::path::Path, from: &str| {
        for (kind, to) in [("cert", "tls.crt"), ("key", "tls.key")] {
            std::fs::copy(format!("{FIXTURES}/{from}.{kind}.pem"), site.join(to)).unwrap();
        }
    };
    let certificate = |of: &str| {
        let pem = std::fs::read(format!("{FIXTURES}/{of}.cert.pem")).unwrap();
        CertificateDer::from_pem_slice(&pem).unwrap().to_vec()
    };
    let first = palisade_testkit::dir::TempDir::new();
    put(first.path(), "server");
    let policy = POLICY
        .replace("address = \"127.0.0.1:0\"", tls)
        .replace("file:tls.", &format!("file:{}/tls.", first.path().display()));
    let site = Site::start(&policy, &upstream.url()).await;
    let mut old = connect(&site).await;
    assert_eq!(shown(&old), certificate("server"));
    // The certificate without its key is half a change: nothing happens until the key is there, too.
    std::fs::copy(format!("{FIXTURES}/client.cert.pem"), first.path().join("tls.crt")).unwrap();
    assert_eq!(site.reloader.reload().await.unwrap_err()[0].code(), "key-mismatch");
    assert_eq!(shown(&connect(&site).await), certificate("server"));
    put(first.path(), "client");
    site.reloader.reload().await.unwrap();
    assert_eq!(shown(&connect(&site).await), certificate("client"));
    old.write_all(&site.request("GET /items")).await.unwrap();
    let mut answer = Vec::new();
    let _ = old.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "the old connection goes on: {}", String::from_utf8_lossy(&answer));
    site.finish().await;
}

#[tokio::test]
async fn each_reload_is_an_event_that_says_what_holds_and_why() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let before = site.ask("GET /items").await;
    assert_eq!(before.status, 200);
    site.edit("palisade.toml", "timeout = \"10s\"", "timeout = \"9s\"");
    site.reloader.reload().await.unwrap();
    site.edit("palisade.toml", "upstream = \"shop\"", "upstream = \"shopp\"");
    site.reloader.reload().await.unwrap_err();
    assert_eq!(site.ask("GET /items").await.status, 200);
    let log = site.finish().await;
    let reloads: Vec<_> = log.0.iter().filter(|event| event["kind"] == "policy_reloaded").collect();
    let policies: Vec<_> =
        log.0.iter().filter(|event| event["kind"] == "access").map(|event| &event["policy"]).collect();
    assert_eq!(reloads.len(), 2, "{:?}", log.0);
    assert_eq!((&reloads[0]["outcome"]["task"], &reloads[1]["outcome"]["task"]), (&"done".into(), &"failed".into()));
    assert_eq!(reloads[0]["evidence"], serde_json::json!({}));
    let problem = reloads[1]["evidence"]["problem"].as_str().unwrap();
    assert!(problem.starts_with("unknown-reference: "), "{problem}");
    assert!(reloads[1]["path"].as_str().unwrap().ends_with("palisade.toml"));
    // The failed one changed nothing: what was in force is named by both, and by the request behind them.
    assert_eq!((&reloads[0]["policy"], &reloads[1]["policy"]), (policies[1], policies[1]));
}
