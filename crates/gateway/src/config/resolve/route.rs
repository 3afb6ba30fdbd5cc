//! Resolves `[route.NAME]`.

use std::time::Duration;

use http::Method;
use palisade::stage::route::PathPattern;
use palisade_core::canon::host::CanonicalHost;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::id::{OperationId, RouteName};
use palisade_core::operation::{Limit, LimitBy};

use super::super::raw::{RawAuthenticate, RawConfig, RawCors, RawRoute, RawThrottle};
use super::super::scalar::{self, Fault};
use super::super::settings::{
    Authenticate, Cors, CorsOrigins, CredentialRef, Credentials, Csrf, OnFailure, Preset, Route, Throttle,
};
use super::super::{address, nearest_name};
use super::context::{At, Context};
use super::keys::header;
use super::operation::strictness;

pub(crate) fn routes(cx: &mut Context<'_>, raw: &RawConfig) -> Vec<Route> {
    let routes = cx.each("route", &raw.route, |cx, at, name, written| route(cx, at, name, written, raw));
    for (index, route) in routes.iter().enumerate() {
        let twin = routes.iter().take(index).find(|twin| twin.host == route.host && twin.path == route.path);
        if let Some(twin) = twin {
            let root = At::root("route");
            let line = cx.line(&root.key(twin.name.as_str()));
            let message = format!("`route.{}` on line {line} already takes these requests", twin.name);
            let fault = Fault::new("route-conflict", message, "give one of them another `path` or `host`");
            cx.fault(&root.key(route.name.as_str()).key("path"), fault);
        }
    }
    routes
}

fn route(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawRoute, file: &RawConfig) -> Option<Route> {
    cx.reference(&at.key("upstream"), "upstream", &raw.upstream, &file.upstream);
    cx.reference(&at.key("contract"), "contract", &raw.contract, &file.contract);
    let host = match &raw.host {
        None => Some(None),
        Some(text) => cx.value(&at.key("host"), text, host).map(Some),
    };
    let path = cx.value(&at.key("path"), &raw.path, path);
    let authenticate = authenticate(cx, &at.key("authenticate"), &raw.authenticate, file);
    let credentials = authenticate.as_ref().and_then(|who| credentials(cx, at, raw.credentials, who));
    let timeout = cx.value(&at.key("timeout"), &raw.timeout, scalar::duration);
    let body_timeout = cx.value(&at.key("body_timeout"), &raw.body_timeout, scalar::duration);
    let max_body = cx.value(&at.key("max_body"), &raw.max_body, scalar::size);
    let throttle = throttle(cx, &at.key("throttle"), raw.throttle.as_ref(), file.preset);
    let cors = match &raw.cors {
        None => Some(None),
        Some(raw) => cors(cx, &at.key("cors"), raw).map(Some),
    };
    let csrf = match &raw.csrf {
        None => Some(Csrf::default()),
        Some(raw) => cx
            .list(&at.key("csrf").key("trusted_origins"), &raw.trusted_origins, address::origin)
            .map(|trusted_origins| Csrf { trusted_origins }),
    };
    if raw.danger_allow_markup {
        let message = format!("markup in the texts that `route.{name}` takes reaches the backend");
        let help = "mark the properties that are meant to hold it with `x-palisade-markup` instead";
        cx.report(&at.key("danger_allow_markup"), Diagnostic::warning("danger", message).help(help));
    }
    let (strictness, operations) = strictness(cx, at, name, raw)?;
    Some(Route {
        name: RouteName::new(name),
        host: host?,
        path: path?,
        upstream: raw.upstream.as_str().into(),
        contract: raw.contract.as_str().into(),
        authenticate: authenticate?,
        public: raw.public.iter().map(|id| OperationId::new(id.as_str())).collect(),
        credentials: credentials?,
        strictness,
        operations,
        timeout: timeout?,
        body_timeout: body_timeout?,
        max_body: max_body?,
        throttle: throttle?,
        cors: cors?,
        csrf: csrf?,
        danger_allow_markup: raw.danger_allow_markup,
    })
}

fn host(text: &str) -> Result<Box<str>, Fault> {
    let bad = |help| Fault::new("bad-host", format!("`{text}` is not a host name"), help);
    let host =
        CanonicalHost::parse(text).map_err(|_| bad("write a name such as `api.example.com`, without `https://`"))?;
    match host.port() {
        None => Ok(host.name().into()),
        Some(_) => Err(bad("leave the port out: a host matches on every port")),
    }
}

fn path(text: &str) -> Result<PathPattern, Fault> {
    let bad = |help: String| Fault::new("bad-path", format!("`{text}` is not the path of a route"), help);
    let shape = || bad("write `/**` for every path, `/orders/**` for a part, or one path such as `/health`".to_owned());
    let (path, is_prefix) = text.strip_suffix("/**").map_or((text, false), |prefix| (prefix, true));
    if path.contains('*') || (is_prefix && path.ends_with('/')) {
        return Err(shape());
    }
    if is_prefix && path.is_empty() {
        return Ok(PathPattern::Prefix(path.into()));
    }
    let canonical = CanonicalPath::parse(path).map_err(|_| shape())?;
    if canonical.as_str() != path {
        let end = if is_prefix { "/**" } else { "" };
        return Err(bad(format!("requests are compared in canonical form: write `{canonical}{end}`")));
    }
    Ok(if is_prefix { PathPattern::Prefix(path.into()) } else { PathPattern::Exact(path.into()) })
}

fn authenticate(cx: &mut Context<'_>, at: &At, raw: &RawAuthenticate, file: &RawConfig) -> Option<Authenticate> {
    let names = match raw {
        RawAuthenticate::Names(names) => names,
        RawAuthenticate::Word(word) if word == "backend" => return Some(Authenticate::Backend),
        RawAuthenticate::Word(word) => {
            let help = format!("write a list of names, `[\"{word}\"]`, or the word `\"backend\"`");
            cx.fault(at, Fault::new("unknown-value", format!("`authenticate` cannot be `{word}`"), help));
            return None;
        }
    };
    let accepted = names.iter().enumerate().map(|(index, name)| credential(cx, &at.item(index), name, file));
    accepted.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Authenticate::Gateway)
}

fn credential(cx: &mut Context<'_>, at: &At, text: &str, file: &RawConfig) -> Option<CredentialRef> {
    match text.split_once('.') {
        Some(("bearer", name)) if file.bearer.contains_key(name) => return Some(CredentialRef::Bearer(name.into())),
        Some(("keys", name)) if file.keys.contains_key(name) => return Some(CredentialRef::Keys(name.into())),
        _ => {}
    }
    let bearer = file.bearer.keys().map(|name| format!("bearer.{name}"));
    let known: Vec<String> = bearer.chain(file.keys.keys().map(|name| format!("keys.{name}"))).collect();
    let by_end = known.iter().find(|known| known.split_once('.').is_some_and(|(_, name)| name == text));
    let near = by_end.map(String::as_str).or_else(|| nearest_name(text, known.iter().map(String::as_str)));
    let help = match (text, near) {
        ("backend", _) => "write `authenticate = \"backend\"`, without brackets: it excludes every other".to_owned(),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) if text.starts_with("bearer.") || text.starts_with("keys.") => format!("add a section `[{text}]`"),
        (_, None) => "write the name of a `[bearer.NAME]` or `[keys.NAME]` section, such as `bearer.main`".to_owned(),
    };
    cx.fault(at, Fault::new("unknown-reference", format!("there is no `{text}`"), help));
    None
}

fn credentials(cx: &mut Context<'_>, at: &At, raw: Option<Credentials>, who: &Authenticate) -> Option<Credentials> {
    let is_ours = matches!(who, Authenticate::Gateway(accepted) if !accepted.is_empty());
    match (raw, who) {
        (Some(Credentials::Strip), Authenticate::Backend) => {
            let message = "the backend cannot verify a credential that is stripped";
            let help = "remove `credentials`, or let the gateway verify: `authenticate = [\"bearer.main\"]`";
            cx.fault(&at.key("credentials"), Fault::new("conflicting-keys", message, help));
            None
        }
        (Some(chosen), _) => Some(chosen),
        (None, _) => Some(if is_ours { Credentials::Strip } else { Credentials::Forward }),
    }
}

fn throttle(cx: &mut Context<'_>, at: &At, raw: Option<&RawThrottle>, preset: Preset) -> Option<Throttle> {
    let Some(raw) = raw else {
        let requests = match preset {
            Preset::BrowserApp => 300,
            Preset::Internal => 1000,
            Preset::PublicApi => 100,
        };
        let limit = Limit { requests, per: Duration::from_secs(1), by: LimitBy::Client };
        return Some(Throttle { limit, on_failure: OnFailure::Deny });
    };
    let per = cx.value(&at.key("per"), &raw.per, |text| {
        let span = scalar::duration(text)?;
        let message = || format!("`{text}` is too short to count in");
        if span >= Duration::from_secs(1) {
            Ok(span)
        } else {
            Err(Fault::new("out-of-range", message(), "write at least `1s`"))
        }
    })?;
    Some(Throttle { limit: Limit { requests: raw.requests, per, by: LimitBy::Client }, on_failure: raw.on_failure })
}

fn cors(cx: &mut Context<'_>, at: &At, raw: &RawCors) -> Option<Cors> {
    let origins = cors_origins(cx, at, raw);
    let methods = cx.list(&at.key("methods"), &raw.methods, method);
    let headers = cx.list(&at.key("headers"), &raw.headers, header);
    let expose = cx.list(&at.key("expose"), &raw.expose, header);
    let max_age = cx.value(&at.key("max_age"), &raw.max_age, scalar::duration);
    Some(Cors {
        origins: origins?,
        methods: methods?,
        headers: headers?,
        expose: expose?,
        credentials: raw.credentials,
        max_age: max_age?,
    })
}

fn cors_origins(cx: &mut Context<'_>, at: &At, raw: &RawCors) -> Option<CorsOrigins> {
    let list_at = at.key("origins");
    let Some(index) = raw.origins.iter().position(|origin| origin == "*") else {
        return cx.list(&list_at, &raw.origins, address::origin).map(CorsOrigins::These);
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

fn method(text: &str) -> Result<Method, Fault> {
    let bad = |help: String| Fault::new("bad-method", format!("`{text}` is not a method to allow"), help);
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) => Err(bad("browsers never send it for a page: remove it".to_owned())),
        Ok(method) if text == upper && text != "*" => Ok(method),
        _ if text == "*" => Err(bad("name the methods that you mean".to_owned())),
        _ => Err(bad(format!("methods are in upper case: `{upper}`"))),
    }
}
