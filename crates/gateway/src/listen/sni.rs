//! Chooses the certificate of a listener by the name that the client asks for (RFC 6066 section 3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a listener.
#[derive(Debug, Default)]
pub(crate) struct ByName {
    /// By host name in lower case, or by `*.` and the name without its first label.
    names: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// What everybody else gets.
    other: Option<Arc<CertifiedKey>>,
}

impl ByName {
    /// Shows this certificate to clients that ask for a name no certificate is for, or for none.
    pub(crate) fn show_to_others(&mut self, certificate: Arc<CertifiedKey>) {
        self.other = Some(certificate);
    }

    /// Shows a certificate for a name; false when there is one for it already.
    pub(crate) fn add(&mut self, name: &str, certificate: &Arc<CertifiedKey>) -> bool {
        let name = name.to_ascii_lowercase().into_boxed_str();
        let is_new = !self.names.contains_key(&name);
        self.names.entry(name).or_insert_with(|| Arc::clone(certificate));
        is_new
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.names.get(&*name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.names.get(&*format!("*.{rest}"))
        })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| self.find(name));
        found.or(self.other.as_ref()).cloned()
    }
}
