//! What `[certificates.NAME]` and `[present]` mean.

use std::sync::Arc;

use palisade::credential::certificate::CertificateRecord;
use palisade::token::sign::Signer;

/// A table that says which client certificate is whose.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The section's name.
    pub name: Arc<str>,
    /// The certificates; at least one.
    pub records: Vec<CertificateRecord>,
}

/// How backends are told who asks.
#[derive(Clone, Debug)]
pub struct Present {
    /// What it is signed with.
    pub signer: Option<Arc<Signer>>,
    /// Who signs.
    pub issuer: String,
    /// Whether it is told without a signature too.
    pub plain_headers: bool,
}
