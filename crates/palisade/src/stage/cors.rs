//! Lets pages of declared origins read responses, and nobody else's.
//!
//! 1. Without a declared origin no `Access-Control-*` header ever leaves, also none of the backend's.
//! 2. A preflight is an OPTIONS request with `Origin` and `Access-Control-Request-Method`; any other OPTIONS goes on.
//! 3. A preflight for an undeclared origin, method or header is refused; nothing is reflected.
//! 4. An origin matches byte for byte, or as a name below a declared one over TLS. `null` and other patterns cannot be
//!    expressed; neither `*` nor subdomains can be combined with credentials.
//! 5. Every response that could differ by origin says `Vary: Origin`, also the refused ones.
//!
//! Caveat: CORS decides who may read answers, not who may send requests; that is `csrf` and `authorize`.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Answer, Head, Stage, Stop, Verdict};
use crate::origin::{Origin, ParentDomain};
use crate::settings::PerRoute;
use crate::token::dpop;

/// The headers by which a response lets other origins read it, or reach into a private network.
static ALLOWING: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

/// The stage; lets nobody read by default.
///
/// ```
/// use palisade::origin::Origin;
/// use palisade::settings::PerRoute;
/// use palisade::stage::cors::{Cors, CorsSettings, Readers};
/// use palisade::stage::{Answer, Stage, Stop, Verdict};
///
/// let settings = CorsSettings {
///     origins: Readers::Listed(vec![Origin::parse("https://app.example.com")?]),
///     methods: vec![http::Method::DELETE],
///     ..CorsSettings::default()
/// };
/// let stage = Cors::new(PerRoute::same(settings));
/// let asked = |origin: &str| {
///     let preflight = format!("OPTIONS /\norigin: {origin}\naccess-control-request-method: DELETE");
///     stage.check(&mut palisade::testing::head(&preflight)).into_now()
/// };
/// # trait IntoNow { fn into_now(self) -> Result<(), Stop>; }
/// # impl IntoNow for Verdict<'_> {
/// #     fn into_now(self) -> Result<(), Stop> { let Self::Now(result) = self else { panic!() }; result }
/// # }
/// assert!(matches!(asked("https://app.example.com"), Err(Stop::Answer(Answer::Preflight))));
/// assert!(matches!(asked("https://evil.example"), Err(Stop::Deny(_))));
/// # Ok::<(), palisade::origin::OriginError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cors {
    settings: PerRoute<Ready>,
}

/// Who may read what.
#[derive(Clone, Debug, Default)]
pub struct CorsSettings {
    /// The origins whose pages may read responses.
    pub origins: Readers,
    /// The methods they may use beyond GET, HEAD and POST.
    pub methods: Vec<Method>,
    /// The headers they may send beyond the safelisted ones.
    pub headers: Vec<HeaderName>,
    /// The response headers they may read beyond the safelisted ones.
    pub expose: Vec<HeaderName>,
    /// How long a browser may remember a preflight; at most a day counts.
    pub max_age: Option<Duration>,
}

impl CorsSettings {
    /// The same for a route that asks for proofs of possession (RFC 9449): pages that may read responses also read the nonce
    /// for their next proof, and the challenge that asks for it.
    #[must_use]
    pub fn with_proofs(mut self) -> Self {
        for name in [dpop::NONCE_HEADER, WWW_AUTHENTICATE] {
            if !self.expose.contains(&name) {
                self.expose.push(name);
            }
        }
        self
    }
}

/// The pages that may read responses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// Every page, without the user's credentials: for data that is public anyway.
    Anyone,
    /// Pages of these origins, with the user's credentials.
    Credentialed(Vec<Origin>),
    /// Pages of these origins, without the user's credentials.
    Listed(Vec<Origin>),
    /// No page of another origin.
    #[default]
    Nobody,
    /// Pages of hosts below these domains and of these origins, without the user's credentials: somebody may take over a
    /// forgotten subdomain.
    Subdomains(Vec<ParentDomain>, Vec<Origin>),
}

impl Readers {
    /// What `Access-Control-Allow-Origin` says to a page of this origin, if it may read.
    fn answer(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        let listed = |origins: &[Origin]| origins.iter().any(|o| o.as_str().as_bytes() == origin.as_bytes());
        let below = |parents: &[ParentDomain]| {
            origin.to_str().is_ok_and(|origin| parents.iter().any(|parent| parent.is_above(origin)))
        };
        match self {
            Self::Anyone => Some(HeaderValue::from_static("*")),
            Self::Credentialed(origins) | Self::Listed(origins) => listed(origins).then(|| origin.clone()),
            Self::Nobody => None,
            Self::Subdomains(parents, origins) => (below(parents) || listed(origins)).then(|| origin.clone()),
        }
    }
}

/// The settings of a route, with the headers that follow from them.
#[derive(Clone, Debug, Default)]
struct Ready {
    origins: Readers,
    /// The methods beyond the simple ones.
    methods: Vec<Method>,
    headers: Vec<HeaderName>,
    expose: Option<HeaderValue>,
    allow_methods: Option<HeaderValue>,
    allow_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

impl Cors {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<CorsSettings>) -> Self {
        Self { settings: settings.map(Ready::new) }
    }
}

impl Stage for Cors {
    fn id(&self) -> StageId {
        StageId::Cors
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let ready = self.settings.of(head);
        let Head { parts, plan, .. } = head;
        plan.remove(&ALLOWING);
        if ready.origins != Readers::Nobody {
            plan.vary(ORIGIN);
        }
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Verdict::PASS };
        // Which of several would the browser compare with?
        let allowed = if origins.next().is_some() { None } else { ready.origins.answer(origin) };
        let may_read = allowed.is_some();
        if let Some(value) = allowed {
            plan.set(ACCESS_CONTROL_ALLOW_ORIGIN, value);
            if matches!(ready.origins, Readers::Credentialed(_)) {
                plan.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            if let Some(expose) = &ready.expose {
                plan.set(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
            }
        }
        let Some(method) = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD) else { return Verdict::PASS };
        if parts.method != Method::OPTIONS {
            return Verdict::PASS;
        }
        plan.vary(ACCESS_CONTROL_REQUEST_METHOD);
        plan.vary(ACCESS_CONTROL_REQUEST_HEADERS);
        if let Err(reason) = ready.preflight(may_read, method, &parts.headers) {
            // Nothing of what would have let the page read stays on the refusal.
            plan.unset(&ALLOWING);
            let denial = Denial::new(DenialCode::PreflightRefused, StageId::Cors).because("reason", reason);
            return Verdict::Now(Err(denial.into()));
        }
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, &ready.allow_methods),
            (ACCESS_CONTROL_ALLOW_HEADERS, &ready.allow_headers),
            (ACCESS_CONTROL_MAX_AGE, &ready.max_age),
        ] {
            if let Some(value) = value {
                plan.set(name, value.clone());
            }
        }
        Verdict::Now(Err(Stop::Answer(Answer::Preflight)))
    }
}

impl Ready {
    fn new(settings: CorsSettings) -> Self {
        let CorsSettings { origins, methods, headers, expose, max_age } = settings;
        let age = max_age.unwrap_or(Duration::from_secs(600)).as_secs().min(86_400);
        Self {
            expose: list(&expose),
            allow_methods: list(&SIMPLE.iter().chain(&methods).map(Method::as_str).collect::<Vec<_>>()),
            allow_headers: list(&headers),
            max_age: Some(HeaderValue::from(age)),
            origins,
            methods,
            headers,
        }
    }

    /// What a preflight asks for that is not declared, if anything.
    fn preflight(&self, may_read: bool, method: &HeaderValue, asked: &HeaderMap) -> Result<(), &'static str> {
        if !may_read {
            return Err("origin");
        }
        let is_method = |known: &Method| known.as_str().as_bytes() == method.as_bytes();
        if !SIMPLE.iter().chain(&self.methods).any(is_method) {
            return Err("method");
        }
        for line in asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
            let names = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            for name in names.filter(|name| !name.is_empty()) {
                if !self.headers.iter().any(|header| name.eq_ignore_ascii_case(header.as_str().as_bytes())) {
                    return Err("header");
                }
            }
        }
        Ok(())
    }
}

/// The methods that pages may use without asking.
const SIMPLE: [Method; 3] = [Method::GET, Method::HEAD, Method::POST];

/// The items in one header; no header where there is none of them.
fn list(items: &[impl AsRef<str>]) -> Option<HeaderValue> {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    HeaderValue::try_from(items.join(", ")).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
