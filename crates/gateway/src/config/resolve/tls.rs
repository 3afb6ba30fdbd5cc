//! Reads certificates and keys, and proves at start that they belong together.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use webpki::EndEntityCert;

use super::super::raw::{RawClientCertificates, RawTls};
use super::super::scalar::Fault;
use super::super::settings::CertificateMode;
use super::super::word::{TlsVersion, UnknownName};
use super::context::{At, Context};
use crate::listen::sni::ByName;

/// What a listener accepts TLS connections with: TLS 1.2 and 1.3 or 1.3 alone, HTTP/2 before HTTP/1.1, and tickets with
/// which a client resumes its session, under keys that change every few hours and are written down nowhere.
pub(crate) fn server(cx: &mut Context<'_>, at: &At, raw: &RawTls) -> Option<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificates = by_name(cx, at, raw, &provider);
    let verifier = match &raw.client_certificates {
        None => None,
        Some(wanted) => Some(client_verifier(cx, &at.key("client_certificates").key("ca"), wanted, &provider)?),
    };
    let certificates = certificates?;
    let versions: &[_] = match raw.min_version {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let built = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).and_then(|builder| {
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new()?;
        Ok(Arc::new(config))
    });
    built.map_err(|error| cx.fault(at, Fault::new("bad-tls", error.to_string(), "report this: it should work"))).ok()
}

/// All certificates of a listener, by the names they are for.
fn by_name(cx: &mut Context<'_>, at: &At, raw: &RawTls, provider: &CryptoProvider) -> Option<ByName> {
    let mut names = ByName::default();
    let first = certified(cx, at, &raw.cert, &raw.key, provider);
    if let Some(first) = &first {
        for name in issued_for(first) {
            names.add(&name, first);
        }
        if raw.unknown_name == UnknownName::First {
            names.show_to_others(Arc::clone(first));
        }
    }
    let mut is_complete = first.is_some();
    for (index, further) in raw.certificates.iter().enumerate() {
        let at = at.key("certificates").item(index);
        let Some(certificate) = certified(cx, &at, &further.cert, &further.key, provider) else {
            is_complete = false;
            continue;
        };
        let wanted = further.names.clone().unwrap_or_else(|| issued_for(&certificate));
        let added = wanted.iter().filter(|name| names.add(name, &certificate)).count();
        if added == 0 {
            let message =
                format!("`{}` is shown to nobody: earlier certificates have all of its names", &*further.cert);
            let help = "remove it, or say in `names` what it is for";
            cx.fault(&at.key("cert"), Fault::new("certificate-unused", message, help));
            is_complete = false;
        }
        let unfit = wanted.iter().find(|name| !is_valid_for(&certificate, name));
        if let Some(name) = unfit {
            let message = format!("`{}` was not issued for `{name}`", &*further.cert);
            let help = "clients will refuse it: have the name added to the certificate, or remove it from `names`";
            cx.fault(&at.key("names"), Fault::new("bad-certificate", message, help));
            is_complete = false;
        }
    }
    is_complete.then_some(names)
}

/// A certificate with the key that is its own.
pub(crate) fn certified(
    cx: &mut Context<'_>,
    at: &At,
    cert: &str,
    key: &str,
    provider: &CryptoProvider,
) -> Option<Arc<CertifiedKey>> {
    let (cert_at, key_at) = (at.key("cert"), at.key("key"));
    let chain = certificates(cx, &cert_at, cert);
    let private = cx.file_ref(&key_at, key).and_then(|pem| {
        let found = PrivateKeyDer::from_pem_slice(&pem);
        let help = "the file must have a `-----BEGIN PRIVATE KEY-----` block without a passphrase";
        found.map_err(|_| cx.fault(&key_at, Fault::new("bad-key", format!("`{key}` has no private key"), help))).ok()
    });
    match CertifiedKey::from_der(chain?, private?, provider) {
        Ok(certified) => Some(Arc::new(certified)),
        Err(error) => {
            cx.fault(if is_about_key(&error) { &key_at } else { &cert_at }, explain(&error, cert, key));
            None
        }
    }
}

/// The host names of a certificate.
fn issued_for(certificate: &CertifiedKey) -> Vec<String> {
    let parsed = certificate.cert.first().and_then(|first| EndEntityCert::try_from(first).ok());
    parsed.map_or_else(Vec::new, |parsed| parsed.valid_dns_names().map(str::to_owned).collect())
}

fn is_valid_for(certificate: &CertifiedKey, name: &str) -> bool {
    // What holds for the wildcard holds for any name it stands for.
    let example = name.strip_prefix('*').map(|rest| format!("a{rest}"));
    let wanted = ServerName::try_from(example.as_deref().unwrap_or(name));
    let parsed = certificate.cert.first().and_then(|first| EndEntityCert::try_from(first).ok());
    wanted.is_ok_and(|wanted| parsed.is_some_and(|parsed| parsed.verify_is_valid_for_subject_name(&wanted).is_ok()))
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

fn explain(error: &rustls::Error, cert: &str, key: &str) -> Fault {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            let message = format!("`{key}` is not the key of `{cert}`");
            Fault::new("key-mismatch", message, "take the key that the certificate was requested with")
        }
        rustls::Error::General(_) => {
            let message = format!("the key in `{key}` is of a kind that cannot be used");
            Fault::new(
                "bad-key",
                message,
                "use an ECDSA key with P-256, an Ed25519 key, or an RSA key of 2048 bits or more",
            )
        }
        _ => Fault::new("bad-certificate", format!("`{cert}` has a certificate that cannot be read"), CERTIFICATE_HELP),
    }
}

const CERTIFICATE_HELP: &str = "the file must have `-----BEGIN CERTIFICATE-----` blocks in PEM form";
