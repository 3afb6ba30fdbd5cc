//! Resolves `[certificates.NAME]` and `[present]`.

use std::sync::Arc;

use palisade::credential::api_key::ApiKeyHash;
use palisade::credential::certificate::{CertificateName, CertificateRecord};
use palisade::token::sign::Signer;
use palisade_core::id::ClientId;

use super::super::raw::{RawCertificate, RawCertificates, RawPresent};
use super::super::scalar::Fault;
use super::super::settings::{Certificates, Present};
use super::context::{At, Context};

pub(crate) fn certificates(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawCertificates) -> Option<Certificates> {
    let list_at = at.key("certificate");
    let records = raw.certificate.iter().enumerate().map(|(index, raw)| certificate(cx, &list_at.item(index), raw));
    let records: Vec<Option<CertificateRecord>> = records.collect();
    Some(Certificates { name: name.into(), records: records.into_iter().collect::<Option<_>>()? })
}

fn certificate(cx: &mut Context<'_>, at: &At, raw: &RawCertificate) -> Option<CertificateRecord> {
    let sha256 = match &raw.sha256 {
        None => None,
        Some(text) => Some(cx.value(&at.key("sha256"), text, thumbprint)?),
    };
    let named = |name: &Option<String>, kind: fn(Box<str>) -> CertificateName| {
        name.as_deref().filter(|name| !name.is_empty()).map(|name| kind(name.into()))
    };
    let mut names = [
        named(&raw.common_name, CertificateName::CommonName),
        named(&raw.dns, CertificateName::Dns),
        named(&raw.email, CertificateName::Email),
        named(&raw.uri, CertificateName::Uri),
        sha256,
    ]
    .into_iter()
    .flatten();
    let (Some(name), None) = (names.next(), names.next()) else {
        let help = "write exactly one of `common_name`, `dns`, `email`, `uri` and `sha256`";
        cx.fault(at, Fault::new("bad-certificate-name", "it is not said which certificate is meant", help));
        return None;
    };
    Some(CertificateRecord {
        name,
        client: ClientId::new(cx.text(&at.key("client"), &raw.client)?),
        scopes: raw.scopes.iter().map(String::as_str).collect(),
        roles: raw.roles.iter().map(String::as_str).collect(),
    })
}

/// `sha256:` and 64 hexadecimal digits, as certificates are named in tokens.
fn thumbprint(text: &str) -> Result<CertificateName, Fault> {
    let hash = text.strip_prefix("sha256:").and_then(ApiKeyHash::parse);
    hash.map(CertificateName::sha256).ok_or_else(|| {
        let help = "write `sha256:` and 64 hexadecimal digits: `openssl x509 -in cert.pem -outform der | sha256sum`";
        Fault::new("bad-hash", "this is not a SHA-256 digest", help)
    })
}

pub(crate) fn present(cx: &mut Context<'_>, raw: &RawPresent) -> Option<Present> {
    let at = At::root("present");
    let issuer = cx.text(&at.key("issuer"), &raw.issuer);
    let signer = match &raw.sign_key {
        None => Some(None),
        Some(file) => signer(cx, &at.key("sign_key"), file).map(|signer| Some(Arc::new(signer))),
    };
    Some(Present { signer: signer?, issuer: issuer?, plain_headers: raw.plain_headers })
}

fn signer(cx: &mut Context<'_>, at: &At, file: &str) -> Option<Signer> {
    let pem = cx.file_ref(at, file)?;
    let signer = std::str::from_utf8(&pem).ok().and_then(|pem| Signer::from_pem(pem).ok());
    if signer.is_none() {
        let help = "make one with `openssl genpkey -algorithm ed25519 -out identity.key.pem`";
        let message = format!("`{file}` has no private key that can sign");
        cx.fault(at, Fault::new("bad-key", message, help));
    }
    signer
}
