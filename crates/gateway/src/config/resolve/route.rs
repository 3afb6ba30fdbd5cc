//! Resolves `[route.NAME]`.

use http::Method;
use palisade::body::inflate::Coding;
use palisade::stage::admit::Places;
use palisade::stage::route::PathPattern;
use palisade_core::canon::host::CanonicalHost;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::id::{OperationId, RouteName};

use super::super::raw::{RawAuthenticate, RawConfig, RawCors, RawRoute};
use super::super::scalar::{self, Fault};
use super::super::settings::{Authenticate, Cors, CredentialRef, Credentials, Csrf, Route};
use super::super::{nearest_name, word};
use super::browser;
use super::cache::cache;
use super::context::{At, Context};
use super::keys::header;
use super::limit;
use super::networks;
use super::operation::strictness;
use super::payload::payload;
use super::stream;

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
    let body_min_rate = cx.value(&at.key("body_min_rate"), &raw.body_min_rate, scalar::size);
    let places = places(cx, at, raw);
    let throttle = limit::throttle(cx, &at.key("throttle"), raw.throttle.as_ref(), file.preset);
    let client = networks(cx, &at.key("client"), &raw.client.allow, &raw.client.deny);
    let cors = match &raw.cors {
        None => Some(None),
        Some(raw) => cors(cx, &at.key("cors"), raw).map(Some),
    };
    let csrf = match &raw.csrf {
        None => Some(Csrf::default()),
        Some(raw) => browser::csrf(cx, &at.key("csrf"), raw),
    };
    let headers = browser::headers(cx, &at.key("headers"), &raw.headers);
    let answers = stream::answers(cx, at, raw);
    let cache = match &raw.cache {
        None => Some(None),
        Some(raw) => cache(cx, &at.key("cache"), raw).map(Some),
    };
    let websocket = stream::websocket(cx, &at.key("websocket"), &raw.websocket);
    let payload = payload(cx, &at.key("payload"), &raw.payload);
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
        body_min_rate: body_min_rate?,
        endless_body: raw.endless_body,
        accept_encoding: raw.accept_encoding.iter().copied().map(coding).collect(),
        throttle: throttle?,
        places: places?,
        client: client?,
        cors: cors?,
        csrf: csrf?,
        headers: headers?,
        payload: payload?,
        cache: cache?,
        websocket: websocket?,
        answers: answers?,
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
    let accepted: Vec<CredentialRef> = accepted.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?;
    for (index, one) in accepted.iter().enumerate() {
        let clash = accepted.iter().take(index).find_map(|earlier| clash(earlier, one, file));
        if let Some((message, help)) = clash {
            cx.fault(&at.item(index), Fault::new("credential-conflict", message, help));
        }
    }
    Some(Authenticate::Gateway(accepted))
}

/// Why nobody could tell which of two sections a credential is for. Then all of them would be refused, or one section
/// would never be asked.
fn clash(one: &CredentialRef, other: &CredentialRef, file: &RawConfig) -> Option<(String, &'static str)> {
    use CredentialRef::{ApiKeys, Bearer, Certificates, Keys, Sessions};
    let issuer = |name: &str| file.bearer.get(name).map(|section| section.issuer.as_str()).unwrap_or_default();
    let header = |name: &str| file.keys.get(name).map(|section| section.header.to_lowercase()).unwrap_or_default();
    let stored = |name: &str| file.api_keys.get(name).map(|section| section.header.to_lowercase()).unwrap_or_default();
    let prefix = |name: &str| file.api_keys.get(name).map(|section| section.prefix.as_str()).unwrap_or_default();
    let cookie = |name: &str| file.sessions.get(name).map(|section| section.cookie.as_str()).unwrap_or_default();
    match (one, other) {
        (ApiKeys(one), ApiKeys(other)) if (stored(one), prefix(one)) == (stored(other), prefix(other)) => Some((
            format!("the keys of `api_keys.{one}` and `api_keys.{other}` begin alike, and in the same header"),
            "keep one of the sections on this route: both read the same store",
        )),
        (Bearer(_), ApiKeys(name)) | (ApiKeys(name), Bearer(_)) if stored(name) == "authorization" => Some((
            format!("`api_keys.{name}` is read from `authorization`, where the tokens are"),
            "give the keys another `header`",
        )),
        (Sessions(one), Sessions(other)) if cookie(one) == cookie(other) => Some((
            format!("`sessions.{one}` and `sessions.{other}` are both read from the cookie `{}`", cookie(one)),
            "keep one of the sections on this route: both read the same store",
        )),
        (Bearer(one), Bearer(other)) if issuer(one) == issuer(other) => Some((
            format!("`bearer.{one}` and `bearer.{other}` are the same issuer, `{}`", issuer(one)),
            "a token is checked by the section of its issuer: keep one on this route",
        )),
        (Keys(one), Keys(other)) if header(one) == header(other) => Some((
            format!("`keys.{one}` and `keys.{other}` are both read from `{}`", header(one)),
            "list the keys in one section, or give one of the sections another `header`",
        )),
        (Bearer(_), Keys(name)) | (Keys(name), Bearer(_)) if header(name) == "authorization" => Some((
            format!("`keys.{name}` is read from `authorization`, where the tokens are"),
            "give the keys another `header`",
        )),
        (Certificates(one), Certificates(other)) => Some((
            format!("`certificates.{other}` is never asked beside `certificates.{one}`"),
            "list the certificates in one section",
        )),
        _ => None,
    }
}

fn credential(cx: &mut Context<'_>, at: &At, text: &str, file: &RawConfig) -> Option<CredentialRef> {
    match text.split_once('.') {
        Some(("api_keys", name)) if file.api_keys.contains_key(name) => {
            return Some(CredentialRef::ApiKeys(name.into()));
        }
        Some(("bearer", name)) if file.bearer.contains_key(name) => return Some(CredentialRef::Bearer(name.into())),
        Some(("certificates", name)) if file.certificates.contains_key(name) => {
            return Some(CredentialRef::Certificates(name.into()));
        }
        Some(("keys", name)) if file.keys.contains_key(name) => return Some(CredentialRef::Keys(name.into())),
        Some(("sessions", name)) if file.sessions.contains_key(name) => {
            return Some(CredentialRef::Sessions(name.into()));
        }
        _ => {}
    }
    let bearer = file.bearer.keys().map(|name| format!("bearer.{name}"));
    let certificates = file.certificates.keys().map(|name| format!("certificates.{name}"));
    let keys = file.keys.keys().map(|name| format!("keys.{name}"));
    let api_keys = file.api_keys.keys().map(|name| format!("api_keys.{name}"));
    let sessions = file.sessions.keys().map(|name| format!("sessions.{name}"));
    let known: Vec<String> = bearer.chain(certificates).chain(keys).chain(api_keys).chain(sessions).collect();
    let by_end = known.iter().find(|known| known.split_once('.').is_some_and(|(_, name)| name == text));
    let near = by_end.map(String::as_str).or_else(|| nearest_name(text, known.iter().map(String::as_str)));
    let help = match (text, near) {
        ("backend", _) => "write `authenticate = \"backend\"`, without brackets: it excludes every other".to_owned(),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (_, None) if SECTIONS.iter().any(|kind| text.split_once('.').is_some_and(|(found, _)| found == *kind)) => {
            format!("add a section `[{text}]`")
        }
        (_, None) => "write the name of a `[bearer.NAME]` or `[keys.NAME]` section, such as `bearer.main`".to_owned(),
    };
    cx.fault(at, Fault::new("unknown-reference", format!("there is no `{text}`"), help));
    None
}

/// The kinds of sections that say how a credential is verified.
const SECTIONS: [&str; 5] = ["api_keys", "bearer", "certificates", "keys", "sessions"];

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

fn places(cx: &mut Context<'_>, at: &At, raw: &RawRoute) -> Option<Places> {
    match (raw.max_concurrent, raw.reserved_concurrent) {
        (None, None) => Some(Places::Common),
        (Some(limit), None) => Some(Places::Among(limit as usize)),
        (None, Some(limit)) => Some(Places::Reserved(limit as usize)),
        (Some(_), Some(_)) => {
            let message = "`max_concurrent` and `reserved_concurrent` exclude each other";
            let help = "the reserved places are the only ones of a route that has some: keep one of the two";
            cx.fault(&at.key("reserved_concurrent"), Fault::new("conflicting-keys", message, help));
            None
        }
    }
}

fn coding(word: word::Coding) -> Coding {
    match word {
        word::Coding::Deflate => Coding::Deflate,
        word::Coding::Gzip => Coding::Gzip,
    }
}

fn cors(cx: &mut Context<'_>, at: &At, raw: &RawCors) -> Option<Cors> {
    let origins = browser::cors_origins(cx, at, raw);
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
