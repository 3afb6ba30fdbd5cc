//! Lets pages of declared origins read responses, and nobody else's.
//!
//! 1. Without a declared origin no `Access-Control-*` header ever leaves, also none of the backend's.
//! 2. A preflight is an OPTIONS request with `Origin` and `Access-Control-Request-Method`; any other OPTIONS goes on.
//! 3. A preflight for an undeclared origin, method or header is refused; nothing is reflected.
//! 4. An origin matches byte for byte. `null` and patterns cannot be expressed; `*` cannot be combined with credentials.
//! 5. Every response that could differ by origin says `Vary: Origin`, also the refused ones.
//!
//! Caveat: CORS decides who may read answers, not who may send requests; that is `csrf` and `authorize`.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderName, HeaderValue, Method};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Answer, Head, Stage, Stop, Verdict};
use crate::origin::Origin;
use crate::settings::PerRoute;

/// The headers by which a response lets other origins read it.
const ALLOWING: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The stage; lets nobody read by default.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    settings: PerRoute<CorsSettings>,
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
}

impl Cors {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<CorsSettings>) -> Self {
        Self { settings }
    }
}

impl Stage for Cors {
    fn id(&self) -> StageId {
        StageId::Cors
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let settings = self.settings.of(head);
        ALLOWING.into_iter().for_each(|name| head.plan.remove(name));
        let origin = head.parts.headers.get(ORIGIN).cloned();
        let wanted = head.parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD).cloned();
        if settings.origins != Readers::Nobody {
            head.plan.vary(ORIGIN);
        }
        let allowed = origin.as_ref().is_some_and(|origin| settings.allow(origin, head));
        match (head.parts.method == Method::OPTIONS && origin.is_some(), wanted) {
            (true, Some(method)) => {
                head.plan.vary(ACCESS_CONTROL_REQUEST_METHOD);
                head.plan.vary(ACCESS_CONTROL_REQUEST_HEADERS);
                Verdict::Now(Err(settings.preflight(allowed, &method, head)))
            }
            _ => Verdict::PASS,
        }
    }
}

impl CorsSettings {
    /// Lets the origin read, if it may.
    fn allow(&self, origin: &HeaderValue, head: &mut Head) -> bool {
        let listed = |origins: &[Origin]| origins.iter().any(|o| o.as_str().as_bytes() == origin.as_bytes());
        let value = match &self.origins {
            Readers::Anyone => HeaderValue::from_static("*"),
            Readers::Credentialed(origins) | Readers::Listed(origins) if listed(origins) => origin.clone(),
            Readers::Credentialed(_) | Readers::Listed(_) | Readers::Nobody => return false,
        };
        head.plan.set(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if matches!(self.origins, Readers::Credentialed(_)) {
            head.plan.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        set_list(head, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose);
        true
    }

    fn preflight(&self, origin_allowed: bool, method: &HeaderValue, head: &mut Head) -> Stop {
        let refuse = |reason| Denial::new(DenialCode::PreflightRefused, StageId::Cors).because("reason", reason).into();
        if !origin_allowed {
            return refuse("origin");
        }
        let simple = [Method::GET, Method::HEAD, Method::POST];
        let known = |m: &&Method| m.as_str().as_bytes() == method.as_bytes();
        if simple.iter().chain(&self.methods).find(known).is_none() {
            return refuse("method");
        }
        let asked = head.text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or("").to_owned();
        let mut names = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
        if !names.all(|name| self.headers.iter().any(|header| name.eq_ignore_ascii_case(header.as_str()))) {
            return refuse("header");
        }
        let methods: Vec<&str> = simple.iter().chain(&self.methods).map(Method::as_str).collect();
        set_list(head, ACCESS_CONTROL_ALLOW_METHODS, &methods);
        set_list(head, ACCESS_CONTROL_ALLOW_HEADERS, &self.headers);
        let age = self.max_age.unwrap_or(Duration::from_secs(600)).as_secs().min(86_400);
        head.plan.set(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age));
        Stop::Answer(Answer::Preflight)
    }
}

fn set_list(head: &mut Head, name: HeaderName, items: &[impl AsRef<str>]) {
    let list: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if let (false, Ok(value)) = (list.is_empty(), HeaderValue::from_str(&list.join(", "))) {
        head.plan.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, stop};

    fn cors(origins: Readers) -> Cors {
        let settings = CorsSettings {
            origins,
            methods: vec![Method::DELETE],
            headers: vec![http::header::AUTHORIZATION],
            ..CorsSettings::default()
        };
        Cors::new(PerRoute::same(settings))
    }

    fn app() -> Vec<Origin> {
        vec![Origin::parse("https://app.example.com").unwrap()]
    }

    /// The stop, if any, and the response headers of a request.
    fn outcome(cors: &Cors, request: &str) -> (Option<Stop>, http::HeaderMap) {
        let mut head = head(request);
        let stopped = stop(cors, &mut head);
        let mut headers = http::HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://backend.example"));
        head.plan.apply(&mut headers);
        (stopped, headers)
    }

    #[test]
    fn only_listed_origins_can_read() {
        for (readers, origin, expect) in [
            (Readers::Nobody, "https://app.example.com", None),
            (Readers::Listed(app()), "https://app.example.com", Some("https://app.example.com")),
            (Readers::Listed(app()), "https://app.example.com.evil.example", None),
            (Readers::Listed(app()), "https://evil-app.example.com", None),
            (Readers::Listed(app()), "http://app.example.com", None),
            (Readers::Credentialed(app()), "null", None),
            (Readers::Anyone, "https://evil.example", Some("*")),
        ] {
            let (stopped, headers) = outcome(&cors(readers), &format!("GET /\norigin: {origin}"));
            assert!(stopped.is_none());
            assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|v| v.to_str().unwrap()), expect, "{origin}");
        }
    }

    #[test]
    fn never_reflects_with_credentials() {
        // CVE-2026-54290: an unlisted origin was reflected together with Allow-Credentials.
        let (_, headers) = outcome(&cors(Readers::Credentialed(app())), "GET /\norigin: https://evil.example");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        let (_, headers) = outcome(&cors(Readers::Anyone), "GET /\norigin: https://evil.example");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }

    #[test]
    fn answers_preflights_and_only_those() {
        let cors = cors(Readers::Listed(app()));
        let ask = |rest: &str| outcome(&cors, &format!("OPTIONS /\norigin: https://app.example.com{rest}")).0;
        assert!(matches!(ask("\naccess-control-request-method: DELETE"), Some(Stop::Answer(Answer::Preflight))));
        assert!(ask("").is_none(), "an OPTIONS request that is no preflight goes on");
        for refused in [
            "\naccess-control-request-method: PUT",
            "\naccess-control-request-method: delete",
            "\naccess-control-request-method: GET\naccess-control-request-headers: authorization, x-admin",
        ] {
            let Some(Stop::Deny(denial)) = ask(refused) else { panic!("{refused} was not refused") };
            assert_eq!(denial.code(), DenialCode::PreflightRefused);
        }
    }

    #[test]
    fn varies_by_origin_also_when_refused() {
        let (_, headers) = outcome(&cors(Readers::Listed(app())), "GET /");
        assert_eq!(headers[http::header::VARY], "origin");
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Cors::default());
    }
}
