//! Resolves `[listen.NAME]` and `[contract.NAME]`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use palisade::stage::client::{Proxies, Speak, Trust};
use palisade_core::canon::path::CanonicalPath;
use palisade_core::diagnostic::{Diagnostic, Source};

use super::super::address;
use super::super::raw::{RawContract, RawListen};
use super::super::scalar::Fault;
use super::super::settings::{Contract, ForwardedHeader, Listen};
use super::context::{At, Context};
use super::tls;

pub(crate) fn listeners(cx: &mut Context<'_>, raw: &BTreeMap<String, RawListen>) -> Vec<Listen> {
    let listeners = cx.each("listen", raw, listen);
    for (index, listener) in listeners.iter().enumerate() {
        let mut earlier = listeners.iter().take(index);
        let twin = earlier.find(|other| other.address == listener.address && listener.address.port() != 0);
        if let Some(twin) = twin {
            let message = format!("`listen.{}` already has the address `{}`", twin.name, twin.address);
            let fault = Fault::new("duplicate-address", message, "give one of them another port, or remove it");
            cx.fault(&At::root("listen").key(&listener.name).key("address"), fault);
        }
    }
    listeners
}

fn listen(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawListen) -> Option<Listen> {
    let address = cx.value(&at.key("address"), &raw.address, address::socket);
    let proxies = proxies(cx, at, raw);
    let proxy_protocol = cx.list(&at.key("proxy_protocol"), &raw.proxy_protocol, address::network);
    let tls = match &raw.tls {
        None => Some(None),
        Some(raw) => tls::server(cx, &at.key("tls"), raw).map(Some),
    };
    let (address, proxies, proxy_protocol, tls) = (address?, proxies?, proxy_protocol?, tls?);
    if tls.is_none() && !address.ip().is_loopback() {
        let message = format!("other machines reach `{address}`, and requests to it are not encrypted");
        let help =
            "add `tls = { cert = \"file:cert.pem\", key = \"file:key.pem\" }`, or listen on 127.0.0.1 behind a proxy";
        cx.report(&at.key("address"), Diagnostic::warning("listen-cleartext", message).help(help));
    }
    Some(Listen { name: name.into(), address, tls, proxies, proxy_protocol })
}

fn proxies(cx: &mut Context<'_>, at: &At, raw: &RawListen) -> Option<Proxies> {
    let networks = cx.list(&at.key("trusted_proxies"), &raw.trusted_proxies, address::network)?;
    let speak = match raw.forwarded_header {
        ForwardedHeader::Forwarded => Speak::Forwarded,
        ForwardedHeader::XForwarded => Speak::XForwarded,
    };
    let number = raw.danger_trusted_hops.and_then(|number| NonZeroUsize::new(number as usize));
    let trust = match number {
        None => Trust::Networks(networks),
        Some(_) if !networks.is_empty() => {
            let message = "proxies are trusted by their addresses or by their number, not both";
            let help = "remove `danger_trusted_hops`: addresses cannot be claimed by whoever connects";
            cx.fault(&at.key("danger_trusted_hops"), Fault::new("conflicting-keys", message, help));
            return None;
        }
        Some(number) => {
            let message = "whoever can connect to this listener directly can choose its address";
            let help = "list the proxies in `trusted_proxies`, or let a packet filter keep everybody else out";
            cx.report(&at.key("danger_trusted_hops"), Diagnostic::warning("danger", message).help(help));
            Trust::DangerHops(number)
        }
    };
    Some(Proxies { trust, speak })
}

pub(crate) fn contract(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawContract) -> Option<Contract> {
    let base = match &raw.base {
        None => None,
        Some(base) => Some(cx.value(&at.key("base"), base.as_str(), base_path)?),
    };
    let at = at.key("openapi");
    let path = raw.openapi.strip_prefix("file:").unwrap_or(&raw.openapi);
    let path = cx.text(&at, path)?;
    let Ok(text) = String::from_utf8(cx.file(&at, &path)?) else {
        let fault = Fault::new("bad-contract", format!("`{path}` is not UTF-8 text"), "save the document as UTF-8");
        cx.fault(&at, fault);
        return None;
    };
    Some(Contract { name: name.into(), file: cx.path(&path), base, source: Source::new(path, text) })
}

/// `/api/v1`, canonical and without a slash at its end; empty for `/`.
fn base_path(text: &str) -> Result<Box<str>, Fault> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let canonical = path.is_empty() || CanonicalPath::parse(path).is_ok_and(|canonical| canonical.as_str() == path);
    if canonical && text.starts_with('/') {
        return Ok(path.into());
    }
    let help = "write a path such as `/api/v1`, or `/` for none";
    Err(Fault::new("bad-path", format!("`{text}` is not the path of a contract"), help))
}
