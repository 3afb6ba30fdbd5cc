//! Reads certificates and keys, and proves at start that they belong together.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::super::raw::{RawClientCertificates, RawTls};
use super::super::scalar::Fault;
use super::super::settings::CertificateMode;
use super::context::{At, Context};

/// What a listener accepts TLS connections with: TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1.
pub(crate) fn server(cx: &mut Context<'_>, at: &At, raw: &RawTls) -> Option<Arc<ServerConfig>> {
    let (cert_at, key_at) = (at.key("cert"), at.key("key"));
    let chain = certificates(cx, &cert_at, &raw.cert);
    let key = cx.file_ref(&key_at, &raw.key).and_then(|pem| {
        let key = PrivateKeyDer::from_pem_slice(&pem);
        let help = "the file must have a `-----BEGIN PRIVATE KEY-----` block without a passphrase";
        key.map_err(|_| cx.fault(&key_at, Fault::new("bad-key", format!("`{}` has no private key", &*raw.key), help)))
            .ok()
    });
    let (chain, key) = (chain?, key?);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = match &raw.client_certificates {
        None => None,
        Some(wanted) => Some(client_verifier(cx, &at.key("client_certificates").key("ca"), wanted, &provider)?),
    };
    let built =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().and_then(|builder| {
            let builder = match verifier {
                Some(verifier) => builder.with_client_cert_verifier(verifier),
                None => builder.with_no_client_auth(),
            };
            builder.with_single_cert(chain, key)
        });
    match built {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Some(Arc::new(config))
        }
        Err(error) => {
            cx.fault(if is_about_key(&error) { &key_at } else { &cert_at }, explain(&error, raw));
            None
        }
    }
}

/// What proves that a client's certificate is genuine.
fn client_verifier(
    cx: &mut Context<'_>,
    at: &At,
    wanted: &RawClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in anchors(cx, at, &wanted.ca)? {
        // `anchors` has found out that each can be added.
        roots.add(certificate).ok()?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match wanted.mode {
        CertificateMode::Optional => builder.allow_unauthenticated(),
        CertificateMode::Required => builder,
    };
    let refuse = |_| cx.fault(at, Fault::new("bad-certificate", "no client could prove itself", CERTIFICATE_HELP));
    builder.build().map_err(refuse).ok()
}

/// The certificates of a file to trust.
pub(crate) fn anchors(cx: &mut Context<'_>, at: &At, text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let found = certificates(cx, at, text)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        if roots.add(certificate.clone()).is_err() {
            let message = format!("`{text}` has a certificate that cannot be read");
            cx.fault(at, Fault::new("bad-certificate", message, CERTIFICATE_HELP));
            return None;
        }
    }
    Some(found)
}

pub(crate) fn certificates(cx: &mut Context<'_>, at: &At, text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let pem = cx.file_ref(at, text)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(chain) if !chain.is_empty() => Some(chain),
        _ => {
            cx.fault(at, Fault::new("bad-certificate", format!("`{text}` has no certificate"), CERTIFICATE_HELP));
            None
        }
    }
}

fn is_about_key(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InconsistentKeys(_) | rustls::Error::General(_))
}

fn explain(error: &rustls::Error, raw: &RawTls) -> Fault {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            let message = format!("`{}` is not the key of `{}`", &*raw.key, &*raw.cert);
            Fault::new("key-mismatch", message, "take the key that the certificate was requested with")
        }
        rustls::Error::General(_) => {
            let message = format!("the key in `{}` is of a kind that cannot be used", &*raw.key);
            Fault::new(
                "bad-key",
                message,
                "use an ECDSA key with P-256, an Ed25519 key, or an RSA key of 2048 bits or more",
            )
        }
        _ => Fault::new(
            "bad-certificate",
            format!("`{}` has a certificate that cannot be read", &*raw.cert),
            CERTIFICATE_HELP,
        ),
    }
}

const CERTIFICATE_HELP: &str = "the file must have `-----BEGIN CERTIFICATE-----` blocks in PEM form";
