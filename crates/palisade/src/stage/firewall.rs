//! Refuses requests that two programs could read differently, and makes the rest canonical.
//!
//! 1. CONNECT, TRACE and methods that are no plain token are refused.
//! 2. There is exactly one host: `Host`, or the authority of an absolute or HTTP/2 request; where both are present they
//!    must be equal.
//! 3. The path is made canonical ([`palisade_core::canon::path`]); the query must be well-formed.
//! 4. Headers that intermediaries read differently, or that override the request line, are refused
//!    ([`palisade_core::canon::header`]).
//! 5. Headers that `Connection` names are gone before anybody decides by them: the backend will not see them either.
//! 6. An expectation other than `100-continue` is refused: nobody behind us would know that it was not met.
//! 7. The canonical path is what routes, rules and the backend see: the request's URI is rewritten.
//!
//! Message framing (`Content-Length` with `Transfer-Encoding`, bare line feeds, folded lines) is gone before a stage can
//! see it. The gateway's listener finds it in the bytes and says so here; in an application the HTTP server has to, and
//! hyper repairs some of it silently.

use http::{Method, Uri, header};
use palisade_core::canon::{self, host::CanonicalHost, path::CanonicalPath, query};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::facts::Malformed;

/// The stage. It has no settings: there is nothing about ambiguity that one deployment needs and another does not.
///
/// ```
/// use palisade::stage::{Stage, Stop, Verdict, firewall::Firewall};
///
/// let mut hidden = palisade::testing::head("GET /public/%2e%2e/admin\nhost: a");
/// let Verdict::Now(Err(Stop::Deny(denial))) = Firewall.check(&mut hidden) else { panic!() };
/// assert_eq!(denial.code().slug(), "path-ambiguous");
/// ```
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
    match head.facts.malformed {
        None => {}
        Some(Malformed::Invalid(reason)) => return Err(deny(DenialCode::RequestMalformed).because("reason", reason)),
        Some(Malformed::TooLarge) => return Err(deny(DenialCode::HeadersTooLarge)),
        Some(Malformed::TooSlow) => return Err(deny(DenialCode::RequestTimeout).because("reason", "head_too_slow")),
    }
    if matches!(head.parts.method, Method::CONNECT | Method::TRACE) {
        return Err(deny(DenialCode::MethodUndeclared).because("method", head.parts.method.as_str()));
    }
    if head
        .parts
        .headers
        .get(header::EXPECT)
        .is_some_and(|expect| !expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(deny(DenialCode::ExpectationUnsupported));
    }
    canon::header::join_cookies(&mut head.parts.headers);
    let headers = &mut head.parts.headers;
    canon::header::check(headers).and_then(|()| canon::header::strip_named(headers)).map_err(|(ambiguous, name)| {
        deny(DenialCode::HeaderForbidden).because("reason", ambiguous.reason).because("header", name.as_str())
    })?;
    let own = host(head).map_err(|reason| deny(DenialCode::HostInvalid).because("reason", reason))?;
    head.facts.host = Some(head.facts.forwarded_host.clone().unwrap_or(own));
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

/// The one host. HTTP/1.0 could do without, but what is asked of whom would then be a matter of taste.
fn host(head: &Head) -> Result<CanonicalHost, &'static str> {
    let parse = |text: &str| CanonicalHost::parse(text).map_err(|ambiguous| ambiguous.reason);
    let authority = head.parts.uri.authority().map(|authority| parse(authority.as_str())).transpose()?;
    let field = match head.parts.headers.get(header::HOST) {
        None => None,
        Some(value) => Some(parse(value.to_str().map_err(|_| "host_malformed")?)?),
    };
    match (authority, field) {
        (Some(authority), Some(field)) if authority != field => Err("host_differs_from_authority"),
        (Some(host), _) | (None, Some(host)) => Ok(host),
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
            ("GET /a\nhost: x\nconnection: host", Some(HeaderForbidden)),
            ("PUT /a\nhost: x\nexpect: 100-Continue", None),
            ("PUT /a\nhost: x\nexpect: 200-ok", Some(ExpectationUnsupported)),
            ("GET /a\nhost: x\nx-middleware-subrequest: a", Some(HeaderForbidden)),
        ] {
            assert_eq!(refusal(&Firewall, &mut head(request)), expect, "{request}");
        }
    }

    #[test]
    fn refuses_what_the_listener_found_malformed() {
        for (malformed, code) in [
            (Malformed::Invalid("length_repeated"), DenialCode::RequestMalformed),
            (Malformed::TooLarge, DenialCode::HeadersTooLarge),
            (Malformed::TooSlow, DenialCode::RequestTimeout),
        ] {
            let mut head = head("GET /\nhost: x");
            head.facts.malformed = Some(malformed);
            assert_eq!(refusal(&Firewall, &mut head), Some(code));
        }
    }

    #[test]
    fn what_connection_names_is_gone_before_anybody_decides_by_it() {
        let mut head = head("GET /\nhost: x\nconnection: close, x-auth\nx-auth: 1\nupgrade: h2c");
        assert_eq!(refusal(&Firewall, &mut head), None);
        assert!(!head.parts.headers.contains_key("x-auth") && head.parts.headers.contains_key("upgrade"));
    }

    #[test]
    fn the_host_is_the_one_that_a_trusted_proxy_was_asked_for() {
        let mut head = head("GET /\nhost: inside:8080");
        head.facts.forwarded_host = CanonicalHost::parse("api.example").ok();
        assert_eq!(refusal(&Firewall, &mut head), None);
        assert_eq!(head.facts.host.map(|host| host.to_string()).as_deref(), Some("api.example"));
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
