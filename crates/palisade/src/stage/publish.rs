//! Answers for the few documents that describe the API itself, which anyone may read.
//!
//! 1. A GET or HEAD for exactly one of the configured paths is answered here: the key set that services behind check
//!    signed identities with (RFC 7517), and the metadata that tells clients who issues tokens for this API (RFC 9728).
//! 2. Every other request goes on as if there were no such documents.
//!
//! The documents are made when the chain is built and are the same for everyone, so that nobody has to be known.

use bytes::Bytes;
use http::Method;
use palisade_core::denial::Proofs;
use palisade_core::stage::StageId;
use serde_json::{Value, json};

use super::{Answer, Document, Head, Stage, Stop, Verdict};
use crate::token::dpop::Dpop;

/// The stage; publishes nothing by default.
///
/// ```
/// use palisade::stage::publish::{Publish, Resource};
///
/// let mut resource = Resource::parse("https://api.example.com/v1").unwrap();
/// resource.issuers.push("https://id.example.com".to_owned());
/// assert_eq!(resource.path(), "/.well-known/oauth-protected-resource/v1");
/// assert!(!Publish::default().with_resource(&resource).is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Publish {
    documents: Vec<(Box<str>, Document)>,
}

/// Where the public keys are with which services behind check signed identities.
pub const IDENTITY_KEYS: &str = "/.well-known/palisade-identity-keys";

impl Publish {
    /// Publishes a document at a path.
    #[must_use]
    pub fn with(mut self, path: &str, media: &'static str, text: impl Into<Bytes>) -> Self {
        self.documents.push((path.into(), Document { media, text: text.into() }));
        self
    }

    /// Publishes the key set of signed identities at [`IDENTITY_KEYS`].
    #[must_use]
    pub fn with_keys(self, jwks: &Value) -> Self {
        self.with(IDENTITY_KEYS, "application/jwk-set+json", jwks.to_string())
    }

    /// Publishes the metadata of a resource.
    #[must_use]
    pub fn with_resource(self, resource: &Resource) -> Self {
        self.with(&resource.path(), "application/json", resource.document().to_string())
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

impl Stage for Publish {
    fn id(&self) -> StageId {
        StageId::Publish
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let reads = matches!(head.parts.method, Method::GET | Method::HEAD);
        let path = head.facts.path.as_ref().map(|path| path.as_str());
        let found = self.documents.iter().find(|(place, _)| reads && path == Some(place));
        Verdict::Now(match found {
            Some((_, document)) => Err(Stop::Answer(Answer::Document(document.clone()))),
            None => Ok(()),
        })
    }
}

/// An API as its clients know it (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    origin: Box<str>,
    path: Box<str>,
    /// The issuers whose tokens it takes.
    pub issuers: Vec<String>,
    /// Whether tokens come with DPoP proofs.
    pub proofs: Proofs,
}

impl Resource {
    /// The resource with this identifier: an `https` URL without query and fragment, or `http` on this machine.
    pub fn parse(identifier: &str) -> Option<Self> {
        let uri: http::Uri = identifier.parse().ok().filter(|_| !identifier.contains(['?', '#', '@']))?;
        let authority = uri.authority()?;
        let local = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let scheme = uri.scheme_str().filter(|scheme| *scheme == "https" || (*scheme == "http" && local))?;
        let origin = format!("{scheme}://{authority}").into();
        Some(Self { origin, path: uri.path().trim_end_matches('/').into(), issuers: Vec::new(), proofs: Proofs::Off })
    }

    /// Its scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path of its metadata: that of the resource stands behind the well-known one (section 3.1).
    pub fn path(&self) -> String {
        format!("/.well-known/oauth-protected-resource{}", self.path)
    }

    /// The address of its metadata, for challenges.
    pub fn metadata(&self) -> String {
        format!("{}{}", self.origin, self.path())
    }

    /// Its metadata (section 2).
    pub fn document(&self) -> Value {
        let mut document = json!({
            "resource": format!("{}{}", self.origin, self.path),
            "authorization_servers": self.issuers,
            "bearer_methods_supported": ["header"],
            "tls_client_certificate_bound_access_tokens": true,
        });
        if let (true, Some(members)) = (self.proofs != Proofs::Off, document.as_object_mut()) {
            let algorithms: Vec<String> = Dpop::algorithms().split(' ').map(str::to_owned).collect();
            members.insert("dpop_signing_alg_values_supported".to_owned(), algorithms.into());
            let required = self.proofs == Proofs::Required;
            members.insert("dpop_bound_access_tokens_required".to_owned(), required.into());
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::canon::path::CanonicalPath;

    use super::*;
    use crate::testing::{assert_stage, head, stop};

    #[test]
    fn answers_for_its_documents_and_nothing_else() {
        let resource = Resource::parse("https://api.example.com/v1/").unwrap();
        let stage = Publish::default().with_keys(&json!({"keys": []})).with_resource(&resource);
        for (request, expect) in [
            ("GET /.well-known/palisade-identity-keys", Some("application/jwk-set+json")),
            ("HEAD /.well-known/palisade-identity-keys?x=1", Some("application/jwk-set+json")),
            ("GET /.well-known/oauth-protected-resource/v1", Some("application/json")),
            ("GET /.well-known/oauth-protected-resource", None),
            ("GET /.well-known/palisade-identity-keys/", None),
            ("POST /.well-known/palisade-identity-keys", None),
            ("GET /", None),
        ] {
            let mut head = head(request);
            head.facts.path = CanonicalPath::parse(head.parts.uri.path()).ok();
            let media = match stop(&stage, &mut head) {
                Some(Stop::Answer(Answer::Document(document))) => Some(document.media),
                None => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(media, expect, "{request}");
        }
    }

    #[test]
    fn a_resource_describes_itself() {
        let mut resource = Resource::parse("https://api.example.com:8443/v1").unwrap();
        resource.issuers = vec!["https://id.example.com".to_owned()];
        resource.proofs = Proofs::Required;
        assert_eq!(resource.metadata(), "https://api.example.com:8443/.well-known/oauth-protected-resource/v1");
        let expect = json!({
            "resource": "https://api.example.com:8443/v1",
            "authorization_servers": ["https://id.example.com"],
            "bearer_methods_supported": ["header"],
            "tls_client_certificate_bound_access_tokens": true,
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "ES384"],
            "dpop_bound_access_tokens_required": true,
        });
        assert_eq!(resource.document(), expect);
        for identifier in ["http://api.example.com", "https://a/?x", "https://a/#x", "https://u@a", "a", "ftp://a", ""]
        {
            assert_eq!(Resource::parse(identifier), None, "{identifier}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Publish::default().with_keys(&json!({})));
    }
}
