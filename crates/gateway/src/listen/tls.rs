//! Makes an encrypted connection of a plain one, within a deadline.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use palisade::credential::certificate::ClientCertificate;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::strict::wire::Protocol;

/// Shakes hands, and says which version of HTTP was agreed on (RFC 7301) and which certificate the client has shown. It
/// was found genuine in the handshake; one that cannot be read all the same ends the connection.
pub(super) async fn accept(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    deadline: Duration,
) -> io::Result<(TlsStream<TcpStream>, Protocol, Option<Arc<ClientCertificate>>)> {
    let stream = timeout(deadline, TlsAcceptor::from(config).accept(stream)).await??;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let certificate = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
        None => None,
        Some(der) => Some(Arc::new(ClientCertificate::from_der(der).ok_or(io::ErrorKind::InvalidData)?)),
    };
    Ok((stream, protocol, certificate))
}
