//! The keys of `listen.NAME.tls`: what a listener shows clients, and what it asks of them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawClientCertificates;
use super::text::FileRef;
use crate::config::word::{TlsVersion, UnknownName};

/// A certificate with its key, and what else a TLS listener can have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTls {
    /// A PEM file with the certificate, followed by its intermediates.
    pub(crate) cert: FileRef,
    /// A PEM file with the private key of the certificate.
    pub(crate) key: FileRef,
    /// Further certificates, for clients that ask for other names.
    #[serde(default)]
    pub(crate) certificates: Vec<RawServerCertificate>,
    /// What a client gets that asks for a name no certificate is for.
    #[serde(default)]
    pub(crate) unknown_name: UnknownName,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub(crate) min_version: TlsVersion,
    /// Which certificates clients are asked for. Without it none.
    pub(crate) client_certificates: Option<RawClientCertificates>,
}

/// A certificate for some names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawServerCertificate {
    /// A PEM file with the certificate, followed by its intermediates.
    pub(crate) cert: FileRef,
    /// A PEM file with the private key of the certificate.
    pub(crate) key: FileRef,
    /// The host names it is shown for, such as `api.example.com` or `*.example.com`. By default those that it was issued
    /// for.
    pub(crate) names: Option<Vec<String>>,
}
