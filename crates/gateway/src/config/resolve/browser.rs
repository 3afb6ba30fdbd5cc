//! Resolves what concerns browsers: `headers`, `csrf` and `cors` of a route, `[hsts]` and `[reports]`.
//!
//! What would be unsafe is an error whose message names the attack; what is weaker than the default is a warning.

use std::collections::BTreeMap;
use std::time::Duration;

use palisade::cookie::CookieSettings;
use palisade::csp::Policy;
use palisade::csrf::TokenKey;
use palisade::origin::ParentDomain;
use palisade::stage::csrf::Demand;
use palisade::stage::finish::{
    ApplicationPolicy, Cache, DnsPrefetch, Embedder, FinishSettings, Hsts, HstsError, Opener, Permissions, Reach,
    Referrer, Resource,
};
use palisade::stage::report::ReportPath;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::secret::Secret;

use super::super::address;
use super::super::raw::{
    RawCors, RawCsrf, RawCsrfTokens, RawDemand, RawEmbedder, RawHeaders, RawHsts, RawOpener, RawReferrer, RawReports,
    RawResource,
};
use super::super::scalar::Fault;
use super::super::settings::{CorsOrigins, Csrf, CsrfTokens};
use super::context::{At, Context};

pub(crate) fn headers(cx: &mut Context<'_>, at: &At, raw: &RawHeaders) -> Option<FinishSettings> {
    let page = policy(cx, &at.key("csp"), &raw.csp);
    let page_report_only = match &raw.csp_report_only {
        None => Some(None),
        Some(lists) => policy(cx, &at.key("csp_report_only"), lists).map(Some),
    };
    let permissions = permissions(cx, &at.key("permissions"), &raw.permissions);
    let readable = cx.list(&at.key("readable_cookies"), &raw.readable_cookies, cookie);
    let cross_site = cx.list(&at.key("cross_site_cookies"), &raw.cross_site_cookies, cookie);
    let mut page = page?;
    if raw.danger_inline_styles {
        page = page.danger_inline_styles();
    }
    if raw.danger_text_in_sinks {
        page = page.danger_text_in_sinks();
    }
    let settings = FinishSettings {
        page,
        page_report_only: page_report_only?,
        application_policy: match raw.danger_backend_csp {
            true => ApplicationPolicy::DangerReplaces,
            false => ApplicationPolicy::Both,
        },
        referrer: match raw.referrer {
            RawReferrer::NoReferrer => Referrer::NoReferrer,
            RawReferrer::SameOrigin => Referrer::SameOrigin,
            RawReferrer::StrictOrigin => Referrer::StrictOrigin,
            RawReferrer::StrictOriginWhenCrossOrigin => Referrer::StrictOriginWhenCrossOrigin,
        },
        resource: match raw.resource {
            RawResource::CrossOrigin => Resource::CrossOrigin,
            RawResource::SameOrigin => Resource::SameOrigin,
            RawResource::SameSite => Resource::SameSite,
        },
        opener: match raw.opener {
            _ if raw.danger_any_opener => Opener::DangerAny,
            RawOpener::SameOrigin => Opener::SameOrigin,
            RawOpener::SameOriginAllowPopups => Opener::SameOriginAllowPopups,
        },
        embedder: match raw.embedder {
            RawEmbedder::Credentialless => Embedder::Credentialless,
            RawEmbedder::RequireCorp => Embedder::RequireCorp,
            RawEmbedder::Unsaid => Embedder::Unsaid,
            RawEmbedder::WhereSafe => Embedder::WhereSafe,
        },
        permissions: permissions?,
        dns_prefetch: if raw.dns_prefetch { DnsPrefetch::On } else { DnsPrefetch::Off },
        cache: if raw.private_cache { Cache::Private } else { Cache::NoStore },
        cookies: CookieSettings {
            readable: readable?,
            cross_site: cross_site?,
            danger_insecure: raw.danger_insecure_cookies,
        },
        ..FinishSettings::default()
    };
    for danger in settings.dangers() {
        let help = "every page and caller of the route is concerned: keep it to a route of its own, or remove it";
        cx.report(at, Diagnostic::warning("danger", danger).help(help));
    }
    Some(settings)
}

fn policy(cx: &mut Context<'_>, at: &At, lists: &BTreeMap<String, Vec<String>>) -> Option<Policy> {
    let mut policy = Some(Policy::page());
    for (directive, sources) in lists {
        let at = at.key(directive);
        if directive == "sandbox" {
            let flags: Vec<&str> = sources.iter().map(String::as_str).collect();
            let sandboxed = policy.take().map(|policy| policy.sandboxed(&flags));
            policy = sandboxed.and_then(|result| result.map_err(|error| unsafe_policy(cx, &at, &error)).ok());
            continue;
        }
        for (index, source) in sources.iter().enumerate() {
            // Every source is tried, so that each problem is told.
            let start = policy.clone().unwrap_or_default();
            let added = match directive.as_str() {
                "trusted-types" => start.trusted_type(source),
                _ => start.allow(directive, source),
            };
            match added {
                Ok(added) => policy = policy.map(|_| added),
                Err(error) => {
                    unsafe_policy(cx, &at.item(index), &error);
                    policy = None;
                }
            }
        }
    }
    policy
}

fn unsafe_policy(cx: &mut Context<'_>, at: &At, error: &palisade::csp::CspError) {
    let help = "name what pages need, one source at a time: `self`, `https://cdn.example.com`, or a hash of a script";
    cx.fault(at, Fault::new("csp-unsafe", error.to_string(), help));
}

fn permissions(cx: &mut Context<'_>, at: &At, lists: &BTreeMap<String, Vec<String>>) -> Option<Permissions> {
    let mut permissions = Some(Permissions::default());
    for (feature, receivers) in lists {
        for (index, to) in receivers.iter().enumerate() {
            match permissions.clone().unwrap_or_default().allow(feature, to) {
                Ok(added) => permissions = permissions.map(|_| added),
                Err(error) => {
                    let help = "write `self`, or the origin of a frame such as `https://meet.example.com`";
                    cx.fault(&at.key(feature).item(index), Fault::new("bad-permission", error.to_string(), help));
                    permissions = None;
                }
            }
        }
    }
    permissions
}

pub(crate) fn hsts(cx: &mut Context<'_>, raw: &RawHsts) -> Option<Hsts> {
    let at = At::root("hsts");
    if raw.preload && raw.danger_host_only {
        let message = "hosts are only put into the preload list together with their subdomains";
        cx.fault(&at.key("preload"), Fault::new("hsts-unsafe", message, "remove `preload` or `danger_host_only`"));
        return None;
    }
    let days = raw.max_age.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()).filter(|days| *days <= 3650);
    let Some(days) = days else {
        let help = "write a number of days, such as `730d`";
        cx.fault(&at.key("max_age"), Fault::new("bad-duration", format!("`{}` is not a time", raw.max_age), help));
        return None;
    };
    let reach = match (raw.preload, raw.danger_host_only) {
        (true, _) => Reach::SubdomainsAndPreload,
        (false, true) => Reach::DangerHostOnly,
        (false, false) => Reach::Subdomains,
    };
    if reach == Reach::DangerHostOnly {
        let message = "on the network anybody can pretend to be a subdomain and plant cookies";
        let diagnostic = Diagnostic::warning("danger", message).help("let every subdomain speak TLS, and remove it");
        cx.report(&at.key("danger_host_only"), diagnostic);
    }
    let made = Hsts::new(Duration::from_secs(days * 86_400), reach);
    made.map_err(|error| {
        let help = match error {
            HstsError::Short => "write `730d`, or leave it out",
            HstsError::ShortForPreload => "write `730d`, or remove `preload`",
        };
        cx.fault(&at.key("max_age"), Fault::new("hsts-unsafe", error.to_string(), help));
    })
    .ok()
}

pub(crate) fn reports(cx: &mut Context<'_>, raw: &RawReports) -> Option<Option<ReportPath>> {
    let Some(path) = &raw.path else { return Some(None) };
    cx.value(&At::root("reports").key("path"), path, |text| {
        ReportPath::parse(text).map_err(|error| {
            Fault::new("bad-path", error.to_string(), "reports to other origins would show them what your users see")
        })
    })
    .map(Some)
}

pub(crate) fn csrf(cx: &mut Context<'_>, at: &At, raw: &RawCsrf) -> Option<Csrf> {
    let trusted_origins = cx.list(&at.key("trusted_origins"), &raw.trusted_origins, address::origin);
    let login_paths = cx.list(&at.key("login_paths"), &raw.login_paths, login_path);
    let tokens = match &raw.tokens {
        None => Some(None),
        Some(raw) => tokens(cx, &at.key("tokens"), raw).map(Some),
    };
    for (key, is_set, message) in [
        (
            "danger_trust_siblings",
            raw.danger_trust_siblings,
            "whoever takes over a forgotten subdomain acts for your users",
        ),
        ("danger_embedding", raw.danger_embedding, "other sites can measure what a user's credential opens"),
    ] {
        if is_set {
            let help = "name the origins that you mean in `trusted_origins`, or remove it";
            cx.report(&at.key(key), Diagnostic::warning("danger", message).help(help));
        }
    }
    Some(Csrf {
        trusted_origins: trusted_origins?,
        login_paths: login_paths?,
        tokens: tokens?,
        danger_trust_siblings: raw.danger_trust_siblings,
        danger_embedding: raw.danger_embedding,
    })
}

fn tokens(cx: &mut Context<'_>, at: &At, raw: &RawCsrfTokens) -> Option<CsrfTokens> {
    let key = token_key(cx, &at.key("key"), &raw.key);
    let former = match &raw.former_key {
        None => Some(None),
        Some(file) => token_key(cx, &at.key("former_key"), file).map(Some),
    };
    let session = cx.value(&at.key("session_cookie"), &raw.session_cookie, cookie);
    let demand = match raw.demand {
        RawDemand::Always => Demand::Always,
        RawDemand::WithoutHeaders => Demand::WithoutHeaders,
    };
    let session = session?;
    if !session.starts_with("__Host-") && !session.starts_with("__Secure-") {
        let message = format!("a neighbor of the same site can plant a cookie `{session}`, and a token with it");
        let help = "let the backend call it `__Host-` and its name, without `Domain`";
        cx.report(&at.key("session_cookie"), Diagnostic::warning("cookie-plantable", message).help(help));
    }
    Some(CsrfTokens { key: key?, former: former?, session, demand })
}

fn token_key(cx: &mut Context<'_>, at: &At, file: &str) -> Option<TokenKey> {
    let bytes = cx.file_ref(at, file)?;
    let made = TokenKey::derived(&Secret::new(bytes.trim_ascii_end()));
    let weak = |error: palisade::csrf::TokenKeyError| {
        cx.fault(at, Fault::new("weak-secret", error.to_string(), "make one with `openssl rand -base64 32`"));
    };
    made.map_err(weak).ok()
}

fn login_path(text: &str) -> Result<Box<str>, Fault> {
    if CanonicalPath::parse(text).is_ok_and(|path| path.as_str() == text) {
        return Ok(text.into());
    }
    Err(Fault::new("bad-path", format!("`{text}` is not a path"), "write one path such as `/login`"))
}

fn cookie(text: &str) -> Result<Box<str>, Fault> {
    if palisade::cookie::is_cookie_name(text) {
        return Ok(text.into());
    }
    Err(Fault::new("bad-name", format!("`{text}` cannot be the name of a cookie"), "write it as the backend sets it"))
}

pub(crate) fn cors_origins(cx: &mut Context<'_>, at: &At, raw: &RawCors) -> Option<CorsOrigins> {
    let list_at = at.key("origins");
    if raw.credentials
        && let Some(index) = raw.origins.iter().position(|origin| origin.starts_with("https://*."))
    {
        let message = "with credentials, whoever takes over a forgotten subdomain reads what your users may see";
        let help = "name the origins that you mean, or remove `credentials`";
        cx.fault(&list_at.item(index), Fault::new("cors-subdomains", message, help));
        return None;
    }
    let Some(index) = raw.origins.iter().position(|origin| origin == "*") else {
        return cx.list(&list_at, &raw.origins, reader).map(CorsOrigins::These);
    };
    if raw.credentials {
        let message = "with credentials, `*` would let every web page read what its visitor may see";
        let help = "name the origins that you mean, or remove `credentials`";
        cx.fault(&list_at.item(index), Fault::new("cors-any-origin", message, help));
    } else if raw.origins.len() > 1 {
        let fault = Fault::new("bad-origin", "`*` includes all other origins", "write `[\"*\"]`, or remove `*`");
        cx.fault(&list_at.item(index), fault);
    } else {
        return Some(CorsOrigins::Any);
    }
    None
}

/// An origin, or `https://*.example.com` for the hosts below a domain.
fn reader(text: &str) -> Result<String, Fault> {
    if !text.contains("*.") {
        return address::origin(text);
    }
    let unsafe_one = |error: palisade::origin::OriginError| {
        let help = "write `https://*.example.com`: over TLS, below a domain of your own, without a port";
        Fault::new("bad-origin", error.to_string(), help)
    };
    ParentDomain::parse(text).map(|_| text.to_owned()).map_err(unsafe_one)
}
