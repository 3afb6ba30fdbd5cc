//! Who asks, beyond a bearer token: proofs of possession, client certificates, and what the backend is told and can check.

use std::sync::Arc;

use palisade::credential::certificate::ClientCertificate;
use palisade::token::identity;
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::jwt::Verifier;
use palisade_core::denial::DenialCode;
use palisade_store::clock::SystemClock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{POLICY, Site, shop, with_sections};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// The policy with proofs of possession.
pub(super) fn with_proofs(mode: &str) -> String {
    let more = format!("audience = \"shop\"\nresource = \"https://api.example.com\"\ndpop = \"{mode}\"\n");
    POLICY.replace("audience = \"shop\"\n", &more)
}

#[tokio::test]
async fn a_bound_token_passes_with_its_proof_once_and_its_proof_ends_here() {
    let upstream = shop().await;
    let site = Site::start(&with_proofs("optional"), &upstream.url()).await;
    let (token, proof) = site.tokens.bound("GET", "https://api.example.com/items/1");
    let request = format!("GET /items/1\nauthorization: DPoP {token}\ndpop: {proof}");
    let first = site.ask(&request).await;
    assert_eq!(first.status, 200, "{first:?}");
    let received = upstream.received();
    let headers = received.last().unwrap().headers();
    assert!(!headers.contains_key("authorization") && !headers.contains_key("dpop"), "{headers:?}");
    assert_eq!(headers["palisade-subject"], "alice");
    let again = site.ask(&request).await;
    let stolen = site.ask(&format!("GET /items/1\nauthorization: Bearer {token}")).await;
    let missing = site.ask("GET /items/1").await;
    assert_eq!(upstream.received().len(), 1);
    let metadata = site.ask("GET /.well-known/oauth-protected-resource").await;
    let log = site.finish().await;
    log.assert_refused(&again, DenialCode::ProofInvalid);
    log.assert_refused(&stolen, DenialCode::CredentialInvalid);
    log.assert_refused(&missing, DenialCode::CredentialMissing);
    let place = "resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
    for (answer, expect) in [
        (&again, format!("DPoP error=\"invalid_dpop_proof\", {place}, algs=\"ES256 EdDSA ES384\"")),
        (&stolen, format!("Bearer error=\"invalid_token\", {place}, DPoP algs=\"ES256 EdDSA ES384\"")),
        (&missing, format!("Bearer {place}, DPoP algs=\"ES256 EdDSA ES384\"")),
    ] {
        assert_eq!(answer.header("www-authenticate"), expect);
    }
    let metadata = metadata.json();
    assert_eq!(metadata["resource"], "https://api.example.com");
    assert_eq!(metadata["authorization_servers"], json!(["https://id.example.com"]));
    assert_eq!(metadata["dpop_bound_access_tokens_required"], false);
}

#[tokio::test]
async fn pages_of_other_origins_can_read_what_a_proof_needs() {
    let cors = "cors = { origins = [\"https://app.example.com\"], credentials = true, expose = [\"etag\"] }";
    for (mode, expect) in [("optional", "etag, dpop-nonce, www-authenticate"), ("off", "etag")] {
        let policy = with_proofs(mode).replace("timeout = \"10s\"\n", &format!("timeout = \"10s\"\n{cors}\n"));
        let upstream = shop().await;
        let site = Site::start(&policy, &upstream.url()).await;
        let request = "GET /items/1\norigin: https://app.example.com";
        let (missing, served) =
            (site.ask(request).await, site.ask(&format!("{request}\nauthorization: Bearer ${{alice}}")).await);
        assert_eq!((missing.status.as_u16(), served.status.as_u16()), (401, 200), "{mode}");
        for answer in [missing, served] {
            assert_eq!(answer.header("access-control-expose-headers"), expect, "{mode}");
        }
        let foreign = site.ask("GET /items\norigin: https://evil.example").await;
        assert_eq!(foreign.header("access-control-expose-headers"), "");
        site.finish().await;
    }
}

#[tokio::test]
async fn the_backend_can_check_who_asks() {
    let upstream = shop().await;
    let sections = format!("[present]\nsign_key = \"file:{FIXTURES}/identity.key.pem\"\nplain_headers = false");
    let site = Site::start(&with_sections(&sections), &upstream.url()).await;
    for request in [
        "GET /items/1\nauthorization: Bearer ${tenant}\npalisade-identity: forged",
        "GET /items\npalisade-identity: forged",
    ] {
        assert_eq!(site.ask(request).await.status, 200, "{request}");
    }
    let free = site.tokens.fill("${alice}");
    for _ in 0..2 {
        site.ask(&format!("GET /items/1\nauthorization: Bearer {free}")).await;
    }
    let keys = site.ask("GET /.well-known/palisade-identity-keys").await.body;
    site.finish().await;
    let received = upstream.received();
    let identity = |index: usize| received[index].headers().get("palisade-identity").cloned();
    assert_eq!(identity(1), None, "nobody in particular has no identity");
    assert_eq!(identity(2), identity(3), "signed once for requests that follow each other");
    assert!(received.iter().all(|request| !request.headers().contains_key("palisade-subject")));
    let value = identity(0).unwrap();
    let verifier = |audience: &str| {
        let rules = identity::rules("palisade", audience).unwrap();
        Verifier::new(rules, Arc::new(StaticKeys::new(KeySet::parse(&keys).unwrap())), Arc::new(SystemClock))
    };
    let claims = verifier("shop").verify(value.to_str().unwrap()).await.unwrap();
    assert_eq!((claims.subject(), claims.get("tenant")), ("alice", Some(&json!("acme"))));
    assert_eq!(
        (claims.get("roles"), claims.scopes().to_string()),
        (Some(&json!(["admin", "clerk"])), "reports:read".into())
    );
    assert!(verifier("bank").verify(value.to_str().unwrap()).await.is_err(), "it is for one backend");
}

/// Sends a request over TLS, with a client certificate or without one.
async fn over_tls(site: &Site, certificate: bool, request: &str) -> String {
    let read = |name: &str| std::fs::read(format!("{FIXTURES}/{name}")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read("server.cert.pem")).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = if certificate {
        let chain = vec![CertificateDer::from_pem_slice(&read("client.cert.pem")).unwrap()];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&read("client.key.pem")).unwrap()).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let stream = TcpStream::connect(site.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut answer = Vec::new();
    // A client that may not connect hears of it only when it reads.
    let sent = stream.write_all(&site.request(request)).await;
    let _ = (sent, stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_certificate_says_who_a_program_is_and_whose_token_it_is() {
    let upstream = shop().await;
    let policy = |mode: &str| {
        let tls = format!(
            "address = \"127.0.0.1:0\"\ntls = {{ cert = \"file:{FIXTURES}/server.cert.pem\", key = \"file:{FIXTURES}/server.key.pem\", client_certificates = {{ ca = \"file:{FIXTURES}/client.ca.pem\", mode = \"{mode}\" }} }}"
        );
        let table = "[certificates.programs]\n[[certificates.programs.certificate]]\nuri = \"spiffe://example.org/billing\"\nclient = \"billing\"\nscopes = [\"reports:read\"]\n";
        let policy = POLICY.replace("address = \"127.0.0.1:0\"", &tls) + table;
        policy.replace("\"keys.partners\"]", "\"keys.partners\", \"certificates.programs\"]")
    };
    let site = Site::start(&policy("optional"), &upstream.url()).await;
    let der = std::fs::read(format!("{FIXTURES}/client.cert.pem")).unwrap();
    let certificate = ClientCertificate::from_der(&CertificateDer::from_pem_slice(&der).unwrap()).unwrap();
    let bound = site.tokens.bound_to_certificate(certificate.thumbprint().as_str());
    let foreign = site.tokens.bound_to_certificate("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2");
    for (with, request, expect, subject) in [
        (true, "GET /reports".to_owned(), "204", Some("billing")),
        (false, "GET /reports".to_owned(), "401", None),
        (true, format!("GET /items/1\nauthorization: Bearer {bound}"), "200", Some("alice")),
        (false, format!("GET /items/1\nauthorization: Bearer {bound}"), "401", None),
        (true, format!("GET /items/1\nauthorization: Bearer {foreign}"), "401", None),
        (false, "GET /items".to_owned(), "200", None),
        // What a client writes itself is no certificate.
        (false, "GET /reports\nclient-cert: :AAAA:".to_owned(), "401", None),
        // A page of another site makes a browser show its certificate as it makes it send cookies.
        (true, "POST /checkout\nsec-fetch-site: cross-site".to_owned(), "403", None),
    ] {
        let before = upstream.received().len();
        let answer = over_tls(&site, with, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect} ")), "{request}: {answer}");
        let received = upstream.received();
        let told = received.get(before).and_then(|request| request.headers().get("palisade-subject"));
        assert_eq!(told.map(|value| value.to_str().unwrap()), subject, "{request}");
    }
    site.finish().await;
    let site = Site::start(&policy("required"), &upstream.url()).await;
    assert!(over_tls(&site, true, "GET /items").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(over_tls(&site, false, "GET /items").await, "", "without a certificate there is no connection");
    site.finish().await;
}
