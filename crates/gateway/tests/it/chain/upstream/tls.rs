//! Who the backend is, and who it takes us for.

use std::sync::Arc;

use palisade_core::denial::DenialCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

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
