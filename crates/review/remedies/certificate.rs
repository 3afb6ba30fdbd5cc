//! Serves a certificate chain with its key, and does not start where the two do not belong together.

// In reports:
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The chain as the authority gave it: the server's certificate first, then those between it and the authority's own.
fn server(chain: &[u8], key: &[u8]) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    // Have it renewed by a program, long before its end, and load the new one with this function.
    Ok(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?)
}
