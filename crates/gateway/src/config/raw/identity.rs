//! `[certificates.NAME]`, `[present]` and what a listener asks of client certificates: who a program is, without a token.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::CertificateMode;
use super::text::{Digest, FileRef};

/// A table that says which client certificate is whose.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCertificates {
    /// The certificates.
    #[schemars(length(min = 1))]
    pub(crate) certificate: Vec<RawCertificate>,
}

/// A certificate and whose it is. Exactly one of `common_name`, `dns`, `email`, `uri` and `sha256` is needed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCertificate {
    /// The common name of its subject.
    pub(crate) common_name: Option<String>,
    /// A DNS name among its alternative names.
    pub(crate) dns: Option<String>,
    /// A mail address among its alternative names.
    pub(crate) email: Option<String>,
    /// A URI among its alternative names, such as `spiffe://example.org/billing`.
    pub(crate) uri: Option<String>,
    /// `sha256:` and the SHA-256 of the certificate in DER, in 64 hexadecimal digits.
    pub(crate) sha256: Option<Digest>,
    /// Whose certificate it is: the name in events and for limits.
    pub(crate) client: String,
    /// What it may be used for.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// The roles of its owner.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// Which client certificates a listener asks for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawClientCertificates {
    /// A PEM file with the authorities whose certificates are genuine.
    pub(crate) ca: FileRef,
    /// Whether a client may connect without one.
    #[serde(default)]
    pub(crate) mode: CertificateMode,
}

/// How backends are told who asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPresent {
    /// A PEM file with a private key, P-256 or Ed25519. With it backends get `Palisade-Identity`: who asks, signed for
    /// them alone and for a minute; the public key is served at `/.well-known/palisade-identity-keys`.
    pub(crate) sign_key: Option<FileRef>,
    /// The `iss` of what is signed; the `aud` is the name of the `[upstream.NAME]`.
    pub(crate) issuer: String,
    /// Whether backends are told who asks in headers without a signature too: `Palisade-Subject` and so on.
    pub(crate) plain_headers: bool,
}

impl Default for RawPresent {
    fn default() -> Self {
        Self { sign_key: None, issuer: "palisade".to_owned(), plain_headers: true }
    }
}
