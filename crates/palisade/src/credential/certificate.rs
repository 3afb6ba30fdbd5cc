//! Client certificates: who a program is, proven in the TLS handshake (RFC 5280, RFC 8705, RFC 9440).
//!
//! Whether a certificate is genuine is decided where TLS ends: by the listener, or by a trusted proxy. Here it is only
//! read, and compared with a table that says which certificate is whose. A name must be in the certificate exactly as
//! the table writes it; a certificate that fits two programs is nobody's.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_core::id::{ClientId, KeyThumbprint};
use palisade_core::principal::{RoleSet, ScopeSet};

use super::api_key::ApiKeyHash;
use crate::token::base64url;
use crate::token::pem::element;

/// A certificate whose holder has proven to have its key.
///
/// ```
/// use palisade::credential::certificate::ClientCertificate;
///
/// // What a trusted proxy writes into `Client-Cert`; this is no certificate.
/// assert_eq!(ClientCertificate::from_header(":aGVsbG8=:"), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Box<[u8]>,
    thumbprint: KeyThumbprint,
    names: Vec<CertificateName>,
}

/// A name by which a certificate is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// The common name of its subject, if it has exactly one.
    CommonName(Box<str>),
    /// A DNS name among its alternative names.
    Dns(Box<str>),
    /// A mail address among its alternative names.
    Email(Box<str>),
    /// The SHA-256 of the whole certificate in base64url.
    Thumbprint(Box<str>),
    /// A URI among its alternative names, such as a SPIFFE id.
    Uri(Box<str>),
}

impl CertificateName {
    /// The name of the certificate with this SHA-256.
    pub fn sha256(hash: ApiKeyHash) -> Self {
        Self::Thumbprint(base64url::encode(hash.as_bytes()).into())
    }
}

impl ClientCertificate {
    /// Reads a certificate in DER; `None` for anything else.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let thumbprint = KeyThumbprint::new(base64url::encode(digest(&SHA256, der).as_ref()));
        let mut names = names(der)?;
        names.push(CertificateName::Thumbprint(thumbprint.as_str().into()));
        Some(Self { der: der.into(), thumbprint, names })
    }

    /// Reads the header `Client-Cert` of a proxy (RFC 9440 section 2.2): a byte sequence between colons.
    pub fn from_header(value: &str) -> Option<Self> {
        let base64 = value.trim().strip_prefix(':')?.strip_suffix(':')?;
        Self::from_der(&STANDARD.decode(base64).ok()?)
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SHA-256, as `x5t#S256` writes it (RFC 8705 section 3.1).
    pub fn thumbprint(&self) -> &KeyThumbprint {
        &self.thumbprint
    }

    /// The names by which it is known.
    pub fn names(&self) -> &[CertificateName] {
        &self.names
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate").field(&self.names).finish()
    }
}

/// Whose certificate it is and what it may be used for.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateRecord {
    /// The name that the certificate must have.
    pub name: CertificateName,
    /// The program that has it.
    pub client: ClientId,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// The roles of its owner.
    pub roles: RoleSet,
}

/// The certificates that are known. A client may have several.
///
/// ```
/// use palisade::core::id::ClientId;
/// use palisade::core::principal::{RoleSet, ScopeSet};
/// use palisade::credential::certificate::{
///     CertificateError, CertificateName, CertificateRecord, Certificates, ClientCertificate,
/// };
///
/// /// Whoever holds a certificate with this name is the program `billing`.
/// fn known() -> Certificates {
///     let name = CertificateName::Uri("spiffe://example.com/billing".into());
///     let (client, scopes, roles) = (ClientId::new("billing"), ScopeSet::default(), RoleSet::default());
///     Certificates::new([CertificateRecord { name, client, scopes, roles }])
/// }
///
/// fn who(presented: &ClientCertificate) -> String {
///     match known().find(presented) {
///         Ok(record) => record.client.to_string(),
///         Err(CertificateError::Ambiguous) => "two programs claim it".to_owned(),
///         Err(_) => "nobody we know".to_owned(),
///     }
/// }
/// # let _ = who;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    records: Vec<CertificateRecord>,
}

impl Certificates {
    /// Keeps `records`.
    pub fn new(records: impl IntoIterator<Item = CertificateRecord>) -> Self {
        Self { records: records.into_iter().collect() }
    }

    /// Whose certificate it is.
    pub fn find(&self, certificate: &ClientCertificate) -> Result<&CertificateRecord, CertificateError> {
        let mut found = self.records.iter().filter(|record| certificate.names.contains(&record.name));
        let first = found.next().ok_or(CertificateError::Unknown)?;
        if found.any(|other| other.client != first.client) {
            return Err(CertificateError::Ambiguous);
        }
        Ok(first)
    }
}

/// Why a certificate was not accepted; for events, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// It fits two clients.
    #[error("the certificate is that of two clients")]
    Ambiguous,
    /// It is nobody's.
    #[error("the certificate is unknown")]
    Unknown,
}

impl CertificateError {
    /// The reason as one word for events.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ambiguous => "certificate_ambiguous",
            Self::Unknown => "certificate_unknown",
        }
    }
}

/// The names in a certificate (RFC 5280 section 4.1).
fn names(der: &[u8]) -> Option<Vec<CertificateName>> {
    let (certificate, rest) = element(SEQUENCE, der)?;
    let (body, _) = element(SEQUENCE, certificate)?;
    let body = element(VERSION, body).map_or(body, |(_, behind)| behind);
    let (_, body) = element(INTEGER, body)?;
    let (_, body) = element(SEQUENCE, body)?;
    let (_, body) = element(SEQUENCE, body)?;
    let (_, body) = element(SEQUENCE, body)?;
    let (subject, body) = element(SEQUENCE, body)?;
    let (_, mut body) = element(SEQUENCE, body)?;
    let mut found: Vec<CertificateName> = common_name(subject)?.into_iter().collect();
    for unique in [ISSUER_ID, SUBJECT_ID] {
        body = element(unique, body).map_or(body, |(_, behind)| behind);
    }
    if let Some((extensions, _)) = element(EXTENSIONS, body) {
        found.extend(alternative_names(element(SEQUENCE, extensions)?.0)?);
    }
    rest.is_empty().then_some(found)
}

/// The common name of a subject; none where it has several, because nobody could say which counts.
fn common_name(mut subject: &[u8]) -> Option<Option<CertificateName>> {
    let mut names = Vec::new();
    while !subject.is_empty() {
        let (mut set, behind) = element(SET, subject)?;
        while !set.is_empty() {
            let (attribute, next) = element(SEQUENCE, set)?;
            let (kind, value) = element(OID, attribute)?;
            if kind == COMMON_NAME {
                let text = [UTF8, PRINTABLE, IA5].into_iter().find_map(|tag| element(tag, value));
                names.push(text.and_then(|(text, _)| readable(text)));
            }
            set = next;
        }
        subject = behind;
    }
    match names.as_slice() {
        [Some(name)] => Some(Some(CertificateName::CommonName(name.clone()))),
        _ => Some(None),
    }
}

fn alternative_names(mut extensions: &[u8]) -> Option<Vec<CertificateName>> {
    let mut found = Vec::new();
    while !extensions.is_empty() {
        let (extension, behind) = element(SEQUENCE, extensions)?;
        let (kind, value) = element(OID, extension)?;
        let value = element(BOOLEAN, value).map_or(value, |(_, behind)| behind);
        if kind == SUBJECT_ALTERNATIVE_NAME {
            let (mut names, _) = element(SEQUENCE, element(OCTETS, value)?.0)?;
            while let Some(tag) = names.first() {
                let (name, next) = element(*tag, names)?;
                let name = readable(name);
                found.extend(match *tag {
                    RFC822_NAME => name.map(CertificateName::Email),
                    DNS_NAME => name.map(CertificateName::Dns),
                    URI_NAME => name.map(CertificateName::Uri),
                    _ => None,
                });
                names = next;
            }
        }
        extensions = behind;
    }
    Some(found)
}

/// A name that can be compared and logged: no control characters, above all no zero byte that ends it for others.
fn readable(bytes: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.into())
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI_NAME: u8 = 0x86;
const COMMON_NAME: &[u8] = b"\x55\x04\x03";
const SUBJECT_ALTERNATIVE_NAME: &[u8] = b"\x55\x1d\x11";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A certificate with two alternative names, made with OpenSSL.
    const DER: &[u8] = include_bytes!("../../../../fuzz/seeds/dpop/certificate.der");

    #[test]
    fn names_are_read_exactly_and_belong_to_one_client() {
        let certificate = ClientCertificate::from_der(DER).unwrap();
        let record = |name: CertificateName, client: &'static str| CertificateRecord {
            name,
            client: ClientId::new(client),
            scopes: ScopeSet::default(),
            roles: RoleSet::default(),
        };
        let (common, dns) =
            (CertificateName::CommonName("billing".into()), CertificateName::Dns("billing.internal".into()));
        let uri = |text: &str| CertificateName::Uri(text.into());
        for (records, expect) in [
            (vec![record(common.clone(), "a")], Ok("a")),
            (vec![record(dns.clone(), "a"), record(common.clone(), "a")], Ok("a")),
            (vec![record(uri("spiffe://example.org/billing"), "a")], Ok("a")),
            (vec![record(uri("spiffe://example.org/billing/"), "a")], Err(CertificateError::Unknown)),
            (vec![record(CertificateName::Dns("billing".into()), "a")], Err(CertificateError::Unknown)),
            (vec![record(dns, "a"), record(common, "b")], Err(CertificateError::Ambiguous)),
            (vec![], Err(CertificateError::Unknown)),
        ] {
            let certificates = Certificates::new(records);
            assert_eq!(certificates.find(&certificate).map(|record| record.client.as_str()), expect);
        }
        assert_eq!(ClientCertificate::from_header(&format!(":{}:", STANDARD.encode(DER))), Some(certificate));
        for header in [String::new(), "::".to_owned(), STANDARD.encode(DER), ":AAAA:".to_owned()] {
            assert_eq!(ClientCertificate::from_header(&header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, at in 0..DER.len(), byte: u8) {
            let _ = ClientCertificate::from_der(&bytes);
            let mut bent = DER.to_vec();
            bent[at] = byte;
            let _ = ClientCertificate::from_der(&bent);
            let _ = ClientCertificate::from_der(&DER[..at]);
        }
    }
}
