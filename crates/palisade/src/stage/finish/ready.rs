//! The headers of a route as they will be sent, made once when the chain is built.

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::settings::{
    ApplicationPolicy, Cache, DnsPrefetch, Embedder, FinishSettings, Opener, Referrer, Resource, Tls,
};
use crate::cookie::CookieSettings;
use crate::csp::{self, NonceTemplate, Policy};

/// The headers of a route, and how its responses' own ones are treated.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) api: Headers,
    pub(super) page: Headers,
    pub(super) page_with_nonce: NonceTemplate,
    pub(super) hsts: HeaderValue,
    pub(super) tls: Tls,
    pub(super) application_policy: ApplicationPolicy,
    pub(super) cache: Cache,
    pub(super) cookies: CookieSettings,
    pub(super) dangers: Vec<String>,
}

/// The headers of one kind of response.
#[derive(Clone, Debug)]
pub(super) struct Headers {
    /// All of them, in place of any that the application sends.
    pub(super) headers: HeaderMap,
    /// Those of which the application may choose a stricter value.
    pub(super) ladders: Vec<Ladder>,
}

impl Headers {
    fn new(policy: HeaderValue, fixed: Vec<(HeaderName, HeaderValue)>, mut ladders: Vec<Ladder>) -> Self {
        // Room for what the application, the listener and other stages add.
        let mut headers = HeaderMap::with_capacity(40);
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        let of_ladders = ladders.iter().map(|ladder| (ladder.name.clone(), ladder.value.clone()));
        for (name, value) in fixed.into_iter().chain(of_ladders) {
            headers.insert(name, value);
        }
        ladders.retain(|ladder| !ladder.stricter.is_empty());
        Self { headers, ladders }
    }

    /// The Content-Security-Policy.
    pub(super) fn policy(&self) -> HeaderValue {
        self.headers.get(CONTENT_SECURITY_POLICY).cloned().unwrap_or(HeaderValue::from_static(csp::API))
    }
}

/// A header whose values are known, the strictest first.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    name: HeaderName,
    value: HeaderValue,
    /// What the application may say instead.
    stricter: &'static [&'static str],
}

impl Ladder {
    fn new(name: HeaderName, values: &'static [&'static str], place: usize) -> Self {
        let (stricter, rest) = values.split_at_checked(place).unwrap_or((values, &[]));
        let value = HeaderValue::from_static(rest.first().copied().unwrap_or_default());
        Self { name, value, stricter }
    }

    /// Takes the application's value if that is stricter, and said once.
    pub(super) fn apply(&self, own: &HeaderMap, headers: &mut HeaderMap) {
        let mut said = own.get_all(&self.name).iter();
        let (Some(value), None) = (said.next(), said.next()) else { return };
        let text = value.to_str().unwrap_or_default().trim();
        if self.stricter.iter().any(|value| text.eq_ignore_ascii_case(value)) {
            headers.insert(self.name.clone(), value.clone());
        }
    }
}

impl Ready {
    pub(super) fn new(settings: FinishSettings) -> Self {
        let dangers = settings.dangers();
        let page_policy = settings.page.clone().reporting_to(settings.reports.as_deref());
        Self {
            api: api(&settings),
            page: page(&settings, &page_policy),
            page_with_nonce: page_policy.template(),
            hsts: value(settings.hsts.text()),
            tls: settings.tls,
            application_policy: settings.application_policy,
            cache: settings.cache,
            cookies: settings.cookies,
            dangers,
        }
    }
}

/// For answers to programs. A browser that is led to one as if it were a page finds that it may do nothing.
fn api(settings: &FinishSettings) -> Headers {
    let mut fixed = common();
    fixed.push((named("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")));
    fixed.push((named("permissions-policy"), HeaderValue::from_static(API_PERMISSIONS)));
    let ladders = vec![
        Ladder::new(X_FRAME_OPTIONS, FRAMES, 0),
        Ladder::new(REFERRER_POLICY, REFERRERS, 0),
        Ladder::new(named("cross-origin-opener-policy"), OPENERS, 0),
        resource(settings),
    ];
    Headers::new(HeaderValue::from_static(csp::API), fixed, ladders)
}

fn page(settings: &FinishSettings, policy: &Policy) -> Headers {
    let mut fixed = common();
    fixed.push((named("permissions-policy"), value(settings.permissions.text())));
    let embedder = match settings.embedder {
        Embedder::WhereSafe if policy.is_own() => Some("require-corp"),
        Embedder::RequireCorp => Some("require-corp"),
        Embedder::Credentialless => Some("credentialless"),
        Embedder::Unsaid | Embedder::WhereSafe => None,
    };
    fixed.extend(embedder.map(|text| (named("cross-origin-embedder-policy"), HeaderValue::from_static(text))));
    if settings.dns_prefetch == DnsPrefetch::On {
        fixed.push((named("x-dns-prefetch-control"), HeaderValue::from_static("on")));
    }
    if let Some(policy) = &settings.page_report_only {
        let policy = policy.clone().reporting_to(settings.reports.as_deref());
        fixed.push((CONTENT_SECURITY_POLICY_REPORT_ONLY, value(policy.text())));
    }
    if let Some(path) = &settings.reports {
        fixed.push((named("reporting-endpoints"), value(format!("{}=\"{path}\"", csp::GROUP))));
    }
    let mut ladders = vec![
        Ladder::new(
            REFERRER_POLICY,
            REFERRERS,
            match settings.referrer {
                Referrer::NoReferrer => 0,
                Referrer::SameOrigin => 1,
                Referrer::StrictOrigin => 2,
                Referrer::StrictOriginWhenCrossOrigin => 3,
            },
        ),
        Ladder::new(
            named("cross-origin-opener-policy"),
            OPENERS,
            match settings.opener {
                Opener::SameOrigin => 0,
                Opener::SameOriginAllowPopups => 1,
                Opener::DangerAny => 2,
            },
        ),
        resource(settings),
    ];
    let framed_by: Vec<&str> = policy.framed_by().collect();
    match framed_by[..] {
        [] => ladders.push(Ladder::new(X_FRAME_OPTIONS, FRAMES, 0)),
        ["'self'"] => ladders.push(Ladder::new(X_FRAME_OPTIONS, FRAMES, 1)),
        // It cannot name an origin, and browsers that know `frame-ancestors` do not look at it.
        _ => {}
    }
    Headers::new(value(policy.text()), fixed, ladders)
}

fn resource(settings: &FinishSettings) -> Ladder {
    let place = match settings.resource {
        Resource::SameOrigin => 0,
        Resource::SameSite => 1,
        Resource::CrossOrigin => 2,
    };
    Ladder::new(named("cross-origin-resource-policy"), RESOURCES, place)
}

/// What every response says. The filter of old browsers is switched off because it could be used against the page.
fn common() -> Vec<(HeaderName, HeaderValue)> {
    [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (named("origin-agent-cluster"), "?1"),
        (named("x-dns-prefetch-control"), "off"),
        (named("x-download-options"), "noopen"),
        (named("x-permitted-cross-domain-policies"), "none"),
        (named("x-xss-protection"), "0"),
    ]
    .into_iter()
    .map(|(name, text)| (name, HeaderValue::from_static(text)))
    .collect()
}

fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

/// What the settings make of checked parts. If a part held what a header cannot after all, the policy under which
/// nothing loads would be the value: no browser understands that as a permission.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(csp::API))
}

const API_PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
const FRAMES: &[&str] = &["DENY", "SAMEORIGIN"];
const OPENERS: &[&str] = &["same-origin", "same-origin-allow-popups", "unsafe-none"];
const REFERRERS: &[&str] = &["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
const RESOURCES: &[&str] = &["same-origin", "same-site", "cross-origin"];
