//! What TLS towards a backend rests on: whom we believe, what we show, and the name that must be in the certificate.

use std::fmt;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::pool::{Protocol, TlsTarget};
use super::settings::TrustSettings;

/// A certificate with its key, to show to backends that ask.
#[derive(Clone)]
pub struct ClientIdentity {
    resolver: Arc<dyn ResolvesClientCert>,
    /// The certificate, by which two identities can be told apart.
    certificate: Option<CertificateDer<'static>>,
}

impl ClientIdentity {
    /// Checks that the key is the certificate's.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        let certificate = chain.first().cloned();
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::aws_lc_rs::default_provider())?;
        Ok(Self { resolver: Arc::new(SingleCertAndKey::from(key)), certificate })
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Why an upstream cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// A certificate to be trusted cannot be.
    #[error("a trust anchor is not usable: {0}")]
    Anchor(rustls::Error),
    /// The host is no name that a certificate can have.
    #[error("`{0}` is not a name that a certificate can have")]
    Name(Box<str>),
    /// The system's certificates cannot be read.
    #[error("the system's trust anchors cannot be read: {0}")]
    SystemAnchors(std::io::Error),
}

/// The configuration for all endpoints of an upstream.
pub(crate) fn config(settings: &TrustSettings, protocol: Protocol) -> Result<Arc<ClientConfig>, UpstreamError> {
    let mut roots = RootCertStore::empty();
    if !settings.only_anchors {
        let system = rustls_native_certs::load_native_certs();
        let none = system.certs.is_empty() && settings.anchors.is_empty();
        if let (true, Some(error)) = (none, system.errors.into_iter().next()) {
            return Err(UpstreamError::SystemAnchors(std::io::Error::other(error.to_string())));
        }
        roots.add_parsable_certificates(system.certs);
    }
    for anchor in &settings.anchors {
        roots.add(anchor.clone()).map_err(UpstreamError::Anchor)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(UpstreamError::Anchor)?.with_root_certificates(roots);
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(Arc::clone(&identity.resolver)),
    };
    let offered: &[&[u8]] = match protocol {
        Protocol::Auto => &[b"h2", b"http/1.1"],
        Protocol::H1 => &[b"http/1.1"],
        Protocol::H2 => &[b"h2"],
    };
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The same with the name that one endpoint must prove.
pub(crate) fn target(
    config: &Arc<ClientConfig>,
    settings: &TrustSettings,
    host: &str,
) -> Result<TlsTarget, UpstreamError> {
    let name = settings.server_name.as_deref().unwrap_or(host);
    let parsed = ServerName::try_from(name.to_owned()).map_err(|_| UpstreamError::Name(name.into()))?;
    // HTTP/2 has no upgrades: for a WebSocket nothing else is offered.
    let mut upgrades = ClientConfig::clone(config);
    upgrades.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsTarget { config: Arc::clone(config), upgrades: Arc::new(upgrades), name: parsed })
}
