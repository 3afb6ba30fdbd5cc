//! The wire is how a connection to the target is made: in clear or in TLS, and to the one authority only.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::Target;
use super::certificate::{Believing, Worth, look};

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

    /// What makes connections, and what checks certificates for them.
    fn config(&self) -> Result<(ClientConfig, Arc<WebPkiServerVerifier>), TrustError> {
        let failed = |error: rustls::Error| TrustError(error.to_string());
        let mut roots = RootCertStore::empty();
        // A machine without authorities may still reach a target that the user's own authority vouches for.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for anchor in &self.anchors {
            roots.add(anchor.clone()).map_err(failed)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let strict = strict.map_err(|error| TrustError(error.to_string()))?;
        let config = builder.map_err(failed)?.with_webpki_verifier(Arc::clone(&strict)).with_no_client_auth();
        Ok((config, strict))
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificates cannot be used: {0}")]
pub struct TrustError(String);

/// How the target is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 wherever it is to be had, HTTP/2 where a target in TLS has nothing else.
    #[default]
    Http1,
    /// HTTP/2, in clear as well (RFC 9113 section 3.3).
    Http2,
}

/// Makes connections. Without TLS settings it makes none in TLS.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: Result<Arc<Tls>, TrustError>,
    protocol: Protocol,
}

/// What connections in TLS are made with.
struct Tls {
    config: ClientConfig,
    strict: Arc<WebPkiServerVerifier>,
    http1: TlsConnector,
    http2: TlsConnector,
    /// Whether the server has refused everything but HTTP/2.
    is_http2: AtomicBool,
}

impl Connector {
    /// A connector for an address of this scheme; the authorities are read only where they are needed.
    pub(crate) fn new(scheme: Option<&Scheme>, trust: &Trust) -> Self {
        Self::with(scheme, trust, Certificates::Checked, Protocol::default())
    }

    /// A connector for a target.
    pub(super) fn to(target: &Target) -> Self {
        let certificates =
            if target.danger_accept_certificate { Certificates::Believed } else { Certificates::Checked };
        Self::with(target.base.scheme(), &target.trust, certificates, target.protocol)
    }

    fn with(scheme: Option<&Scheme>, trust: &Trust, certificates: Certificates, protocol: Protocol) -> Self {
        let tls = match scheme == Some(&Scheme::HTTPS) {
            true => trust.config().map(|(config, strict)| Arc::new(Tls::new(config, strict, certificates))),
            false => Err(TrustError("the target is not in TLS".to_owned())),
        };
        Self { tls, protocol }
    }

    /// Looks at the certificate that is shown for a name.
    pub(super) async fn certificate(&self, host: &str, stream: TcpStream) -> io::Result<Worth> {
        let tls = self.tls.clone().map_err(io::Error::other)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        look(stream, name, tls.config.clone(), Arc::clone(&tls.strict)).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Certificates {
    Believed,
    Checked,
}

impl Tls {
    fn new(mut config: ClientConfig, strict: Arc<WebPkiServerVerifier>, certificates: Certificates) -> Self {
        if certificates == Certificates::Believed {
            config.dangerous().set_certificate_verifier(Arc::new(Believing::new(Arc::clone(&strict))));
        }
        let offering = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        let (http1, http2) = (offering(b"http/1.1"), offering(b"h2"));
        Self { config, strict, http1, http2, is_http2: AtomicBool::new(false) }
    }

    /// Offers HTTP/1.1 first, because a server that has both takes which it likes, and probes are about the older one.
    async fn connect(&self, host: &str, port: u16, protocol: Protocol) -> io::Result<Encrypted> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        if protocol == Protocol::Http1 && !self.is_http2.load(Ordering::Relaxed) {
            match self.http1.connect(name.clone(), dial(host, port).await?).await {
                Err(error) if is_for_another_protocol(&error) => self.is_http2.store(true, Ordering::Relaxed),
                other => return Ok(Encrypted { stream: other?, is_http2: false }),
            }
        }
        let stream = self.http2.connect(name, dial(host, port).await?).await?;
        Ok(Encrypted { stream, is_http2: true })
    }
}

/// Whether a server says that it has none of the protocols that were offered (RFC 7301 section 3.2).
fn is_for_another_protocol(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
}

/// A connection to a host, before anything is said.
pub(super) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
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
        let protocol = self.protocol;
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            let Some(tls) = tls else { return Ok(Wire::Clear(TokioIo::new(dial(&host, port).await?))) };
            let Encrypted { stream, is_http2 } = tls.map_err(io::Error::other)?.connect(&host, port, protocol).await?;
            Ok(Wire::Encrypted(Box::new(TokioIo::new(stream)), is_http2))
        })
    }
}

/// A connection in TLS, and what is spoken in it.
struct Encrypted {
    stream: TlsStream<TcpStream>,
    is_http2: bool,
}

/// A connection to the target.
pub(crate) enum Wire {
    Clear(TokioIo<TcpStream>),
    /// And whether HTTP/2 is spoken in it.
    Encrypted(Box<TokioIo<TlsStream<TcpStream>>>, bool),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Self::Encrypted(_, true) => Connected::new().negotiated_h2(),
            Self::Clear(_) | Self::Encrypted(..) => Connected::new(),
        }
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream, _) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream, _) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream, _) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream, _) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
