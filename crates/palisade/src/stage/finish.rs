//! Puts security headers on every response, refusals included, and removes those that tell attackers what runs here.
//!
//! 1. An answer to a program gets a Content-Security-Policy under which nothing runs, `nosniff`, no framing, no referrer,
//!    and isolation from other origins. HTML gets a policy in which only scripts with this response's nonce run, where
//!    the application renders the nonce; behind a gateway nobody does, and no script runs.
//! 2. `Strict-Transport-Security` is sent over TLS only.
//! 3. Answers to a known principal are not stored by caches, unless the backend has said something stricter.
//! 4. `Server`, `X-Powered-By` and their like are removed.
//! 5. The request's id is in `X-Request-Id`.
//! 6. What other stages have planned for the response is applied last.
//!
//! A backend may tighten: a header that it sets itself is kept for the two policies, and replaced for the rest.

use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::facts::Transport;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Headers that tell what software answers.
const LEAKING: [HeaderName; 10] = [
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-aspnet-version"),
    HeaderName::from_static("x-aspnetmvc-version"),
    HeaderName::from_static("x-runtime"),
    HeaderName::from_static("x-version"),
    HeaderName::from_static("x-generator"),
    HeaderName::from_static("x-backend-server"),
    HeaderName::from_static("x-debug-token"),
    HeaderName::from_static("x-debug-token-link"),
    HeaderName::from_static("via"),
];

const API_CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML_CSP: &str = "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; \
                        base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// The stage. Its defaults score A+ where headers are scored; there is nothing to switch on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finish;

impl Stage for Finish {
    fn id(&self) -> StageId {
        StageId::Finish
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut response = next.run(head, body).await?;
            dress(response.headers_mut(), head);
            std::mem::take(&mut head.plan).apply(response.headers_mut());
            Ok(response)
        })
    }
}

fn dress(headers: &mut HeaderMap, head: &Head) {
    headers.remove(SERVER);
    for name in &LEAKING {
        headers.remove(name);
    }
    let html = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    keep_or_set(headers, CONTENT_SECURITY_POLICY, if html { HTML_CSP } else { API_CSP });
    keep_or_set(headers, PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if head.facts.transport == Transport::Encrypted {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, two_years);
    } else {
        headers.remove(STRICT_TRANSPORT_SECURITY);
    }
    let private = headers.get(CACHE_CONTROL).is_some_and(|value| {
        let text = value.to_str().unwrap_or("");
        text.split(',').any(|item| matches!(item.trim(), "no-store" | "private"))
    });
    if !private && (!head.facts.principal.is_anonymous() || !headers.contains_key(CACHE_CONTROL)) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(head.facts.request_id.as_str()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

fn keep_or_set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, user};

    fn dressed(backend: &[(&'static str, &'static str)], change: impl FnOnce(&mut Head)) -> HeaderMap {
        let mut head = head("GET /");
        change(&mut head);
        let mut headers = HeaderMap::new();
        for (name, value) in backend {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        dress(&mut headers, &head);
        headers
    }

    #[test]
    fn removes_what_tells_the_software() {
        let headers = dressed(&[("server", "Apache/2.4"), ("x-powered-by", "PHP/8"), ("x-kept", "1")], |_| ());
        assert!(!headers.contains_key(SERVER) && !headers.contains_key("x-powered-by"));
        assert_eq!(headers["x-kept"], "1");
    }

    #[test]
    fn programs_and_pages_have_their_policies() {
        let json = dressed(&[("content-type", "application/json")], |_| ());
        assert_eq!(json[CONTENT_SECURITY_POLICY], API_CSP);
        let html = dressed(&[("content-type", "text/html; charset=utf-8")], |_| ());
        assert_eq!(html[CONTENT_SECURITY_POLICY], HTML_CSP);
        assert!(!HTML_CSP.contains("unsafe"), "no script that was injected may run");
        let own = dressed(&[("content-security-policy", "default-src 'self'")], |_| ());
        assert_eq!(own[CONTENT_SECURITY_POLICY], "default-src 'self'");
    }

    #[test]
    fn hsts_is_for_tls_and_secrets_are_not_stored() {
        let clear = dressed(&[("strict-transport-security", "max-age=1")], |_| ());
        assert!(!clear.contains_key(STRICT_TRANSPORT_SECURITY));
        let tls = dressed(&[], |head| head.facts.transport = Transport::Encrypted);
        assert_eq!(tls[STRICT_TRANSPORT_SECURITY], "max-age=63072000; includeSubDomains");
        let public = dressed(&[("cache-control", "public, max-age=60")], |_| ());
        assert_eq!(public[CACHE_CONTROL], "public, max-age=60");
        let own = dressed(&[("cache-control", "public, max-age=60")], |head| head.facts.principal = user("u-1"));
        assert_eq!(own[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Finish);
    }
}
