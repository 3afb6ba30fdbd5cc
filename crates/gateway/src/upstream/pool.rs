//! Connections to one backend, kept open and used again.

use std::sync::Arc;
use std::time::Duration;

use axum_core::body::Body;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;

/// The connections to one backend. Clones share them.
#[derive(Clone, Debug)]
pub struct Pool {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    scheme: Scheme,
    authority: Authority,
}

/// Why there can be no connections to a backend.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A certificate to be trusted cannot be.
    #[error("a trust anchor is not usable: {0}")]
    Anchor(rustls::Error),
    /// The system's certificates cannot be read.
    #[error("the system's trust anchors cannot be read: {0}")]
    SystemAnchors(std::io::Error),
    /// The address is not `http` or `https` with a host.
    #[error("the address needs a scheme and a host")]
    Address,
}

impl Pool {
    /// A pool for `scheme://authority`. `anchors` are trusted besides the system's, for `https`.
    pub fn new(url: &Uri, connect_timeout: Duration, anchors: &[CertificateDer<'static>]) -> Result<Self, PoolError> {
        let (Some(scheme), Some(authority)) = (url.scheme().cloned(), url.authority().cloned()) else {
            return Err(PoolError::Address);
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        let tls = trust(&scheme, anchors)?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(256)
            // A header of the backend's that no caller could read is not worth reading either.
            .http1_max_headers(100)
            .build(https.wrap_connector(connector));
        Ok(Self { client, scheme, authority })
    }

    /// Sends a request to the backend. Its URI needs no more than path and query; `Host` is the backend's own.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        // A URI with scheme, authority and the path of a valid URI is valid; were it not, the empty one fails to send.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        self.client.request(request).await
    }
}

/// What proves that the backend is the right one. Plain HTTP needs nothing, and reading the system's certificates
/// takes a while.
fn trust(scheme: &Scheme, anchors: &[CertificateDer<'static>]) -> Result<rustls::ClientConfig, PoolError> {
    let mut roots = rustls::RootCertStore::empty();
    if *scheme == Scheme::HTTPS {
        let system = rustls_native_certs::load_native_certs();
        if let (true, Some(error)) = (system.certs.is_empty() && anchors.is_empty(), system.errors.into_iter().next()) {
            return Err(PoolError::SystemAnchors(std::io::Error::other(error.to_string())));
        }
        roots.add_parsable_certificates(system.certs);
    }
    for anchor in anchors {
        roots.add(anchor.clone()).map_err(PoolError::Anchor)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(PoolError::Anchor)?.with_root_certificates(roots).with_no_client_auth())
}
