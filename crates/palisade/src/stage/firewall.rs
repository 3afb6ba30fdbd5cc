//! Refuses requests that two programs could read differently, and makes the rest canonical.
//!
//! 1. CONNECT, TRACE and methods that are no plain token are refused.
//! 2. There is exactly one host: `Host`, or the authority of an absolute or HTTP/2 request; where both are present they
//!    must be equal.
//! 3. The path is made canonical ([`palisade_core::canon::path`]); the query must be well-formed.
//! 4. Headers that intermediaries read differently, or that override the request line, are refused
//!    ([`palisade_core::canon::header`]).
//! 5. The canonical path is what routes, rules and the backend see: the request's URI is rewritten.
//!
//! Message framing (`Content-Length` with `Transfer-Encoding`, bare line feeds, folded lines) is the HTTP parser's: what
//! reaches this stage has one framing, and the backend gets a new one.

use http::{Method, Uri, Version, header};
use palisade_core::canon::{self, host::CanonicalHost, path::CanonicalPath, query};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};

/// The stage. It has no settings: there is nothing about ambiguity that one deployment needs and another does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Firewall;

impl Stage for Firewall {
    fn id(&self) -> StageId {
        StageId::Firewall
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        Verdict::from(canonicalize(head))
    }
}

fn canonicalize(head: &mut Head) -> Result<(), Denial> {
    let deny = |code| Denial::new(code, StageId::Firewall);
    if matches!(head.parts.method, Method::CONNECT | Method::TRACE) {
        return Err(deny(DenialCode::MethodUndeclared).because("method", head.parts.method.as_str()));
    }
    canon::header::join_cookies(&mut head.parts.headers);
    canon::header::check(&head.parts.headers).map_err(|(ambiguous, name)| {
        deny(DenialCode::HeaderForbidden).because("reason", ambiguous.reason).because("header", name.as_str())
    })?;
    head.facts.host = host(head).map_err(|reason| deny(DenialCode::HostInvalid).because("reason", reason))?;
    let ambiguous = |reason: canon::Ambiguous| deny(DenialCode::PathAmbiguous).because("reason", reason.reason);
    let path = CanonicalPath::parse(head.parts.uri.path()).map_err(ambiguous)?;
    let query = head.parts.uri.query();
    query.map_or(Ok(()), query::check).map_err(ambiguous)?;
    if path.as_str() != head.parts.uri.path() || head.parts.uri.authority().is_some() {
        let rewritten = match query {
            None => path.as_str().to_owned(),
            Some(query) => format!("{path}?{query}"),
        };
        let parsed = rewritten.parse::<Uri>();
        head.parts.uri = parsed.map_err(|_| deny(DenialCode::PathAmbiguous).because("reason", "uri_invalid"))?;
    }
    head.facts.path = Some(path);
    Ok(())
}

/// The one host. HTTP/1.0 may have none.
fn host(head: &Head) -> Result<Option<CanonicalHost>, &'static str> {
    let parse = |text: &str| CanonicalHost::parse(text).map_err(|ambiguous| ambiguous.reason);
    let authority = head.parts.uri.authority().map(|authority| parse(authority.as_str())).transpose()?;
    let field = match head.parts.headers.get(header::HOST) {
        None => None,
        Some(value) => Some(parse(value.to_str().map_err(|_| "host_malformed")?)?),
    };
    match (authority, field) {
        (Some(authority), Some(field)) if authority != field => Err("host_differs_from_authority"),
        (Some(host), _) | (None, Some(host)) => Ok(Some(host)),
        (None, None) if head.parts.version == Version::HTTP_10 => Ok(None),
        (None, None) => Err("host_missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal};

    #[test]
    fn follows_the_table() {
        use DenialCode::*;
        for (request, expect) in [
            ("GET /a?b=1\nhost: x", None),
            ("GET /a", Some(HostInvalid)),
            ("GET http://x/a\nhost: x", None),
            ("GET http://x/a", None),
            ("GET http://x/a\nhost: y", Some(HostInvalid)),
            ("GET /a\nhost: x\nhost: x", Some(HeaderForbidden)),
            ("GET /a\nhost: u@x", Some(HostInvalid)),
            ("CONNECT x:80\nhost: x:80", Some(MethodUndeclared)),
            ("TRACE /\nhost: x", Some(MethodUndeclared)),
            ("OPTIONS *\nhost: x", Some(PathAmbiguous)),
            ("GET /a/..%2fb\nhost: x", Some(PathAmbiguous)),
            ("GET /a/%2e%2e/b\nhost: x", Some(PathAmbiguous)),
            ("GET //b\nhost: x", Some(PathAmbiguous)),
            ("GET /a;v=1/b\nhost: x", Some(PathAmbiguous)),
            ("GET /a%252e\nhost: x", Some(PathAmbiguous)),
            ("GET /a?q=%00\nhost: x", Some(PathAmbiguous)),
            ("GET /a?q=%c0%ae\nhost: x", Some(PathAmbiguous)),
            ("POST /a\nhost: x\nx-http-method-override: DELETE", Some(HeaderForbidden)),
            ("GET /a\nhost: x\nx-original-url: /admin", Some(HeaderForbidden)),
            ("GET /a\nhost: x\nx_forwarded_for: 1.1.1.1", Some(HeaderForbidden)),
            ("POST /a\nhost: x\ncontent-type: a/b\ncontent-type: c/d", Some(HeaderForbidden)),
            ("GET /a\nhost: x\ncookie: a=1\ncookie: b=2", None),
        ] {
            assert_eq!(refusal(&Firewall, &mut head(request)), expect, "{request}");
        }
    }

    #[test]
    fn everyone_sees_the_canonical_form() {
        let mut head = head("GET http://X.example:8080/%7Ea/caf%c3%a9?q=%41\nhost: x.example:8080");
        assert_eq!(refusal(&Firewall, &mut head), None);
        assert_eq!(head.parts.uri, "/~a/caf%C3%A9?q=%41");
        assert_eq!(head.facts.host.map(|host| host.to_string()).as_deref(), Some("x.example:8080"));
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Firewall);
    }
}
