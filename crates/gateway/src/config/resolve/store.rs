//! Resolves `[store]`.

use http::Uri;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::secret::Secret;

use super::super::raw::{FileRef, RawCounters, RawStore, StoreUrl};
use super::super::scalar::{self, Fault};
use super::super::settings::{Counters, HiddenSecret, Store, StoreServer, Stores};
use super::super::word::Counted;
use super::context::{At, Context};

pub(crate) fn stores(cx: &mut Context<'_>, raw: &RawStore) -> Option<Stores> {
    let at = At::root("store");
    let timeout = cx.value(&at.key("timeout"), &raw.timeout, scalar::duration);
    let store = store(cx, &at, &raw.url, &Account { user: &raw.user, password: &raw.password });
    let counters = counters(cx, &at.key("counters"), &raw.counters);
    let (written, revoked) = (&raw.records, &raw.revocations);
    let account = Account { user: &written.user, password: &written.password };
    let records = durable(cx, &at.key("records"), written.url.as_ref(), &account, "records");
    let account = Account { user: &revoked.user, password: &revoked.password };
    let revocations = durable(cx, &at.key("revocations"), revoked.url.as_ref(), &account, "revocations");
    let (store, counters) = (store?, counters?);
    Some(Stores { store, timeout: timeout?, counters, records: records?, revocations: revocations? })
}

/// A store of what must outlive the process, and comes from outside of it.
fn durable(
    cx: &mut Context<'_>,
    at: &At,
    url: Option<&StoreUrl>,
    account: &Account<'_>,
    what: &str,
) -> Option<Option<Store>> {
    let Some(url) = url else {
        account.refuse(cx, at, "add the `url` of the server, or remove it");
        return Some(None);
    };
    if url.starts_with("memory:") || url.starts_with("redis") {
        let fault = Fault::new("bad-store", format!("this store keeps no {what}"), DURABLE);
        cx.fault(&at.key("url"), fault);
        return None;
    }
    store(cx, at, url, account).map(Some)
}

const DURABLE: &str = "write `sqlite:PATH` or `postgres://HOST:PORT/DB`";

fn counters(cx: &mut Context<'_>, at: &At, raw: &RawCounters) -> Option<Counters> {
    let account = Account { user: &raw.user, password: &raw.password };
    let store = match &raw.url {
        Some(url) => Some(store(cx, at, url, &account)?),
        None => {
            account.refuse(cx, at, "add the `url` of the server, or remove it");
            None
        }
    };
    let lease = match raw.mode {
        Counted::Exact => None,
        Counted::Lease => Some(raw.lease_percent),
    };
    Some(Counters { store, lease })
}

/// Who signs in, as it is written.
struct Account<'r> {
    user: &'r Option<String>,
    password: &'r Option<FileRef>,
}

impl Account<'_> {
    /// A store without servers lets everybody in, and a password that nobody asks for is a mistake.
    fn refuse(&self, cx: &mut Context<'_>, at: &At, help: &str) {
        for (key, is_given) in [("user", self.user.is_some()), ("password", self.password.is_some())] {
            if is_given {
                let message = format!("nobody signs in here, so `{key}` means nothing");
                cx.fault(&at.key(key), Fault::new("bad-store", message, help));
            }
        }
    }
}

fn store(cx: &mut Context<'_>, at: &At, url: &str, account: &Account<'_>) -> Option<Store> {
    let place = at.key("url");
    match url.split_once(':') {
        Some(("memory", "")) => {
            account.refuse(cx, at, "remove it");
            Some(Store::Memory)
        }
        Some(("sqlite", path)) if !path.is_empty() => {
            account.refuse(cx, at, "remove it");
            cx.writable(&place, path).map(Store::Sqlite)
        }
        _ => {
            let url = cx.value(&place, url, server)?;
            let password = match account.password {
                None => None,
                Some(text) => Some(HiddenSecret(password(cx, &at.key("password"), text)?)),
            };
            if is_clear(&url) {
                let message = "what goes to this store is not encrypted, its password included";
                let help =
                    "write `rediss://`, or keep the server on this machine or in a network that nobody else is in";
                cx.report(&place, Diagnostic::warning("store-cleartext", message).help(help));
            }
            Some(Store::Server(StoreServer { url, user: account.user.clone(), password }))
        }
    }
}

/// The URL of a server, without who signs in.
fn server(text: &str) -> Result<String, Fault> {
    let fault = |message: &str, help: &str| Err(Fault::new("bad-store", message, help));
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let is_named = match scheme {
        "redis" | "rediss" | "postgres" | "postgresql" => {
            text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
        }
        "redis+unix" => rest.starts_with('/'),
        _ => false,
    };
    if !is_named {
        return fault(
            "this is not a store",
            "write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://HOST:PORT/DB`",
        );
    }
    if text.split_once('?').is_some_and(|(_, parameters)| parameters.contains("pass")) {
        return fault("the URL holds a password", "put it into a file, and write `password = \"file:PATH\"`");
    }
    Ok(text.to_owned())
}

/// Whether it goes over a network as it is. PostgreSQL is encrypted unless the URL forbids it.
fn is_clear(url: &str) -> bool {
    let is_plain = url.starts_with("redis://")
        || ["sslmode=disable", "sslmode=allow", "sslmode=prefer"].iter().any(|mode| url.contains(mode));
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    is_plain && host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
}

/// The first line of the file.
fn password(cx: &mut Context<'_>, at: &At, text: &str) -> Option<Secret> {
    let bytes = cx.file_ref(at, text)?;
    let password = bytes.trim_ascii_end();
    if !password.is_empty() && std::str::from_utf8(password).is_ok() {
        return Some(Secret::new(password));
    }
    cx.fault(at, Fault::new("bad-password", format!("there is no password in `{text}`"), "write it into the file"));
    None
}
