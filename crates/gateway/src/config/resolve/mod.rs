//! From what is written to what it means: references, files, addresses; every problem found, not only the first.

mod bearer;
mod browser;
mod cache;
mod context;
mod identity;
mod keys;
mod limit;
mod operate;
mod operation;
mod payload;
mod process;
mod recorded;
mod route;
mod server;
mod store;
mod store_trust;
mod stream;
mod tls;
mod upstream;

use std::collections::BTreeMap;
use std::path::Path;

use palisade::network::Networks;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::port::counter::Ipv6Prefix;

use super::raw::Network;
use super::raw::{RawConfig, RawEvents, RawLimits};
use super::settings::{Authenticate, CredentialRef, Events, Limits, Settings};
use super::tree::Located;
use super::watched::Watched;
use super::{address, scalar};
use context::{At, Context};

pub(crate) use context::name;

/// What came of a file.
pub(crate) struct Resolved {
    /// What it means, unless there is an error.
    pub(crate) settings: Option<Settings>,
    /// Everything there is to say about it.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The files that it names.
    pub(crate) files: Vec<Watched>,
}

/// The settings, unless there is an error, and everything there is to say about the file.
pub(crate) fn resolve(raw: &RawConfig, source: &Source, located: &Located, folder: &Path) -> Resolved {
    let mut cx = Context::new(source, located, folder);
    let settings = settings(&mut cx, raw);
    let has_error = cx.has_error();
    let (mut diagnostics, files) = cx.into_parts();
    diagnostics.sort_by_key(Diagnostic::position);
    Resolved { settings: settings.filter(|_| !has_error), diagnostics, files }
}

fn settings(cx: &mut Context<'_>, raw: &RawConfig) -> Option<Settings> {
    let listen = server::listeners(cx, &raw.listen);
    let server = process::server(cx, &raw.server);
    let upstreams = cx.each("upstream", &raw.upstream, upstream::upstream);
    let contracts = cx.each("contract", &raw.contract, server::contract);
    let bearer = cx.each("bearer", &raw.bearer, bearer::bearer);
    let keys = cx.each("keys", &raw.keys, keys::keys);
    let certificates = cx.each("certificates", &raw.certificates, identity::certificates);
    let api_keys = recorded::api_keys(cx, raw);
    let sessions = recorded::sessions(cx, raw);
    let present = identity::present(cx, &raw.present);
    let routes = route::routes(cx, raw);
    let client = networks(cx, &At::root("client"), &raw.client.allow, &raw.client.deny);
    let limits = limits(cx, &raw.limits);
    let hsts = browser::hsts(cx, &raw.hsts);
    let reports = browser::reports(cx, &raw.reports);
    let stores = store::stores(cx, &raw.store);
    let events = events(cx, &raw.events);
    let admin = operate::admin(cx, &raw.admin);
    let included = |(role, roles): (&String, &Vec<String>)| {
        roles.iter().map(|included| (role.clone(), included.clone())).collect::<Vec<_>>()
    };
    let settings = Settings {
        preset: raw.preset,
        listen,
        server: server?,
        upstreams,
        contracts,
        routes,
        bearer,
        keys,
        certificates,
        api_keys,
        sessions,
        present: present?,
        roles: raw.roles.iter().flat_map(included).collect(),
        client: client?,
        certificate_header: raw.client.certificate_header,
        limits: limits?,
        hsts: hsts?,
        reports: reports?,
        stores: stores?,
        events: events?,
        admin: admin?,
    };
    if !cx.has_error() {
        warn_of_unused(cx, raw, &settings);
    }
    Some(settings)
}

pub(crate) fn networks(cx: &mut Context<'_>, at: &At, allow: &[Network], deny: &[Network]) -> Option<Networks> {
    let allow = cx.list(&at.key("allow"), allow, address::network);
    let deny = cx.list(&at.key("deny"), deny, address::network);
    Some(Networks { allow: allow?, deny: deny? })
}

fn limits(cx: &mut Context<'_>, raw: &RawLimits) -> Option<Limits> {
    let at = At::root("limits");
    let max_uri = cx.value(&at.key("max_uri"), &raw.max_uri, scalar::size);
    let max_headers = cx.value(&at.key("max_headers"), &raw.max_headers, scalar::size);
    let head_timeout = cx.value(&at.key("head_timeout"), &raw.head_timeout, scalar::duration);
    let throttle = limit::limits(cx, &at.key("throttle"), &raw.throttle);
    // The schema allows no other lengths.
    let ipv6_prefix = u8::try_from(raw.ipv6_prefix).ok().and_then(Ipv6Prefix::new).unwrap_or_default();
    Some(Limits {
        max_uri: max_uri?,
        max_headers: max_headers?,
        head_timeout: head_timeout?,
        max_concurrent: raw.max_concurrent,
        ipv6_prefix,
        throttle: throttle?,
    })
}

fn events(cx: &mut Context<'_>, raw: &RawEvents) -> Option<Events> {
    let at = At::root("events").key("output");
    match (&*raw.output, raw.output.strip_prefix("file:")) {
        ("stderr", _) => Some(Events::Stderr),
        ("stdout", _) => Some(Events::Stdout),
        (_, Some(path)) if !path.is_empty() => cx.writable(&at, path).map(Events::File),
        (text, _) => {
            let diagnostic = Diagnostic::error("bad-output", format!("events cannot be written to `{text}`"));
            cx.report(&at, diagnostic.help("write `stderr`, `stdout`, or `file:` and the path of a file"));
            None
        }
    }
}

/// Sections that no route names do nothing, which is seldom what their author thinks.
fn warn_of_unused(cx: &mut Context<'_>, raw: &RawConfig, settings: &Settings) {
    let accepts = |wanted: &CredentialRef| {
        settings.routes.iter().any(|route| match &route.authenticate {
            Authenticate::Backend => false,
            Authenticate::Gateway(accepted) => accepted.contains(wanted),
        })
    };
    let is_used = |kind: &str, name: &str| match kind {
        "api_keys" => accepts(&CredentialRef::ApiKeys(name.into())),
        "bearer" => accepts(&CredentialRef::Bearer(name.into())),
        "certificates" => accepts(&CredentialRef::Certificates(name.into())),
        "contract" => raw.route.values().any(|route| route.contract == name),
        "keys" => accepts(&CredentialRef::Keys(name.into())),
        "sessions" => accepts(&CredentialRef::Sessions(name.into())),
        _ => raw.route.values().any(|route| route.upstream == name),
    };
    let sections: [(&str, Vec<&String>); 7] = [
        ("upstream", names(&raw.upstream)),
        ("contract", names(&raw.contract)),
        ("bearer", names(&raw.bearer)),
        ("keys", names(&raw.keys)),
        ("certificates", names(&raw.certificates)),
        ("api_keys", names(&raw.api_keys)),
        ("sessions", names(&raw.sessions)),
    ];
    for (kind, names) in sections {
        for name in names.into_iter().filter(|name| !is_used(kind, name)) {
            let diagnostic = Diagnostic::warning("unused-section", format!("no route uses `{kind}.{name}`"));
            cx.report(&At::root(kind).key(name), diagnostic.help("name it in a route, or remove it"));
        }
    }
}

fn names<T>(sections: &BTreeMap<String, T>) -> Vec<&String> {
    sections.keys().collect()
}
