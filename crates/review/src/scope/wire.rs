//! The wire is how a connection to the target is made: in clear or in TLS, and to the one authority only.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// Whom a TLS target must be vouched for by: the system's authorities, and those that the user names.
///
/// ```
/// use palisade_review::Trust;
///
/// assert!(Trust::default().with_pem(b"nonsense").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trust {
    anchors: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The same, and the authorities of a PEM file.
    ///
    /// # Errors
    ///
    /// When the text holds no certificate.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, TrustError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.map_err(|error| TrustError(error.to_string()))?;
        if read.is_empty() {
            return Err(TrustError("it holds no certificate".to_owned()));
        }
        self.anchors.extend(read);
        Ok(self)
    }

    fn config(&self) -> Result<ClientConfig, TrustError> {
        let failed = |error: rustls::Error| TrustError(error.to_string());
        let mut roots = RootCertStore::empty();
        // A machine without authorities may still reach a target that the user's own authority vouches for.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for anchor in &self.anchors {
            roots.add(anchor.clone()).map_err(failed)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.map_err(failed)?.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificates cannot be used: {0}")]
pub struct TrustError(String);

/// Makes connections. Without TLS settings it makes none in TLS.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: Result<TlsConnector, TrustError>,
}

impl Connector {
    /// A connector for a target of this scheme; the authorities are read only where they are needed.
    pub(crate) fn new(scheme: Option<&Scheme>, trust: &Trust) -> Self {
        let tls = match scheme == Some(&Scheme::HTTPS) {
            true => trust.config().map(|config| TlsConnector::from(Arc::new(config))),
            false => Err(TrustError("the target is not in TLS".to_owned())),
        };
        Self { tls }
    }
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = (uri.scheme() == Some(&Scheme::HTTPS)).then(|| self.tls.clone());
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let Some(tls) = tls else { return Ok(Wire::Clear(TokioIo::new(stream))) };
            let tls = tls.map_err(io::Error::other)?;
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            Ok(Wire::Encrypted(Box::new(TokioIo::new(tls.connect(name, stream).await?))))
        })
    }
}

/// A connection to the target.
pub(crate) enum Wire {
    Clear(TokioIo<TcpStream>),
    Encrypted(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
