//! Refuses state-changing requests that another site makes a browser send with the user's own credential.
//!
//! The rule, in this order (the algorithm of Go 1.25's `CrossOriginProtection`, made to fail closed):
//!
//! 1. A request without an ambient credential passes: nothing was added by the browser. Cookies, Basic and Digest
//!    credentials and client certificates are ambient; a bearer token or an API key is not.
//! 2. GET, HEAD and OPTIONS pass, except to open a WebSocket.
//! 3. An `Origin` among the trusted ones passes, compared byte for byte.
//! 4. `Sec-Fetch-Site: same-origin` or `none` passes; `same-site`, `cross-site` and anything else is refused.
//! 5. Without that header an `Origin` is refused, since it is not trusted; our own is to be listed. It is never compared
//!    with `Host`, which proxies rewrite.
//! 6. With neither header the request is refused: a browser of the last years sends at least one.
//!
//! Caveat: this does not help against a script on the same site; see the Content-Security-Policy of `finish`.
//!
//! ```
//! use axum::{Router, routing::post};
//! use palisade::stage::{StageLayer, csrf::Csrf};
//!
//! let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
//! let app: Router = Router::new().route("/transfer", post(|| async { "done" })).layer(StageLayer::new(csrf));
//! ```

use http::{HeaderName, Method, header};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::origin::{Origin, OriginError};
use crate::settings::PerRoute;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The stage; trusts no origin by default.
#[derive(Clone, Debug, Default)]
pub struct Csrf {
    settings: PerRoute<CsrfSettings>,
}

/// Which other origins may send requests on a user's behalf.
#[derive(Clone, Debug, Default)]
pub struct CsrfSettings {
    /// The trusted origins, the application's own among them where browsers without `Sec-Fetch-Site` matter.
    pub trusted: Vec<Origin>,
}

impl Csrf {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<CsrfSettings>) -> Self {
        Self { settings }
    }

    /// The same stage on every route, trusting one more origin: `https://app.example.com`.
    pub fn trusting(self, origin: &str) -> Result<Self, OriginError> {
        let mut trusted = vec![Origin::parse(origin)?];
        trusted.extend(self.settings.into_base().trusted);
        Ok(Self { settings: PerRoute::same(CsrfSettings { trusted }) })
    }
}

impl Stage for Csrf {
    fn id(&self) -> StageId {
        StageId::Csrf
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        head.plan.vary(SEC_FETCH_SITE);
        let refusal = verify(head, &self.settings.of(head).trusted).map(|reason| {
            let denial = Denial::new(DenialCode::CrossSiteRequest, StageId::Csrf).because("reason", reason);
            denial.because("origin", head.text(header::ORIGIN).unwrap_or("-"))
        });
        Verdict::from(refusal.map_or(Ok(()), Err))
    }
}

/// The rule that the request breaks, if any.
fn verify(head: &Head, trusted: &[Origin]) -> Option<&'static str> {
    let websocket = head.text(header::UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    let safe = matches!(head.parts.method, Method::GET | Method::HEAD | Method::OPTIONS) && !websocket;
    if safe || !carries_ambient_credential(head) {
        return None;
    }
    let origin = head.parts.headers.get(header::ORIGIN).map(http::HeaderValue::as_bytes);
    if origin.is_some_and(|origin| trusted.iter().any(|trusted| trusted.as_str().as_bytes() == origin)) {
        return None;
    }
    match head.parts.headers.get(SEC_FETCH_SITE).map(http::HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => None,
        Some(b"same-site") => Some("same_site_not_trusted"),
        Some(_) => Some("cross_site"),
        None if origin.is_some() => Some("origin_not_trusted"),
        None => Some("no_origin_information"),
    }
}

/// Whether the browser may have added the credential by itself.
fn carries_ambient_credential(head: &Head) -> bool {
    let scheme = head.text(header::AUTHORIZATION).and_then(|value| value.split(' ').next());
    let by_browser = scheme.is_some_and(|scheme| {
        ["basic", "digest", "negotiate", "ntlm"].iter().any(|ambient| scheme.eq_ignore_ascii_case(ambient))
    });
    // A certificate comes from a browser or from a program; only a browser says from where it was sent.
    let headers = &head.parts.headers;
    let by_page = headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    by_browser || headers.contains_key(header::COOKIE) || (head.facts.certificate.is_some() && by_page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal};

    #[test]
    fn follows_the_table() {
        let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
        let check = |request: &str, expect: Option<DenialCode>| {
            assert_eq!(refusal(&csrf, &mut head(request)), expect, "{request}");
        };
        let refused = Some(DenialCode::CrossSiteRequest);
        check("POST /transfer", None);
        check("POST /transfer\nauthorization: Bearer x\nsec-fetch-site: cross-site", None);
        check("GET /transfer\ncookie: s=1\nsec-fetch-site: cross-site", None);
        check("GET /socket\ncookie: s=1\nupgrade: websocket\nsec-fetch-site: cross-site", refused);
        check("POST /transfer\ncookie: s=1\nsec-fetch-site: same-origin", None);
        check("POST /transfer\ncookie: s=1\nsec-fetch-site: none", None);
        check("POST /transfer\ncookie: s=1\nsec-fetch-site: same-site", refused);
        check("POST /transfer\ncookie: s=1\nsec-fetch-site: cross-site", refused);
        check("POST /transfer\ncookie: s=1\nsec-fetch-site: whatever", refused);
        check("POST /transfer\nauthorization: basic eDp5\nsec-fetch-site: cross-site", refused);
        check("POST /transfer\ncookie: s=1\norigin: https://app.example.com\nsec-fetch-site: cross-site", None);
        check("POST /transfer\ncookie: s=1\norigin: https://app.example.com", None);
        check("POST /transfer\ncookie: s=1\norigin: https://app.example.com.evil.example", refused);
        check("POST /transfer\ncookie: s=1\norigin: http://app.example.com", refused);
        check("POST /transfer\ncookie: s=1\norigin: null", refused);
        check("POST /transfer\ncookie: s=1", refused);
        check("DELETE /transfer\ncookie: s=1\nhost: a\norigin: http://a", refused);
    }

    #[test]
    fn trusts_whole_origins_only() {
        for origin in ["null", "*", "https://app.example.com/", "app.example.com", "https://*.example.com", "file://"] {
            assert!(Csrf::default().trusting(origin).is_err(), "{origin}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Csrf::default());
    }
}
