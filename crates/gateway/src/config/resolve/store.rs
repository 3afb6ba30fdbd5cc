//! Resolves `[store]`.

use http::Uri;
use palisade_core::secret::Secret;

use super::super::raw::{FileRef, RawCounters, RawLasting, RawStore, RawStoreTls};
use super::super::scalar::{self, Fault};
use super::super::settings::{Counters, HiddenSecret, Store, StoreServer, Stores};
use super::super::word::Counted;
use super::context::{At, Context};

pub(crate) fn stores(cx: &mut Context<'_>, raw: &RawStore) -> Option<Stores> {
    let at = At::root("store");
    let timeout = cx.value(&at.key("timeout"), &raw.timeout, scalar::duration);
    let account = account(&raw.user, &raw.password, &raw.tls, raw.danger_cleartext);
    let store = store(cx, &at, &raw.url, &account);
    let counters = counters(cx, &at.key("counters"), &raw.counters);
    let records = lasting(cx, &at.key("records"), &raw.records, "records");
    let revocations = lasting(cx, &at.key("revocations"), &raw.revocations, "revocations");
    let (store, counters) = (store?, counters?);
    Some(Stores { store, timeout: timeout?, counters, records: records?, revocations: revocations? })
}

/// A store of what must outlive the process, and comes from outside of it.
fn lasting(cx: &mut Context<'_>, at: &At, raw: &RawLasting, what: &str) -> Option<Option<Store>> {
    let account = account(&raw.user, &raw.password, &raw.tls, raw.danger_cleartext);
    let Some(url) = &raw.url else {
        account.refuse(cx, at, "add the `url` of the server, or remove it");
        return Some(None);
    };
    if url.starts_with("memory:") || url.starts_with("redis") {
        let fault = Fault::new("bad-store", format!("this store keeps no {what}"), DURABLE);
        cx.fault(&at.key("url"), fault);
        return None;
    }
    store(cx, at, url, &account).map(Some)
}

const DURABLE: &str = "write `sqlite:PATH` or `postgres://HOST:PORT/DB`";

fn counters(cx: &mut Context<'_>, at: &At, raw: &RawCounters) -> Option<Counters> {
    let account = account(&raw.user, &raw.password, &raw.tls, raw.danger_cleartext);
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

/// Who signs in, and how the way there is protected, as it is written.
struct Account<'r> {
    user: &'r Option<String>,
    password: &'r Option<FileRef>,
    tls: &'r RawStoreTls,
    danger_cleartext: bool,
}

fn account<'r>(
    user: &'r Option<String>,
    password: &'r Option<FileRef>,
    tls: &'r RawStoreTls,
    danger_cleartext: bool,
) -> Account<'r> {
    Account { user, password, tls, danger_cleartext }
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
        for (key, is_given) in [("tls", self.tls.is_given()), ("danger_cleartext", self.danger_cleartext)] {
            if is_given {
                let message = format!("there is no way to protect, so `{key}` means nothing");
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
            let trust = super::store_trust::trust(cx, at, &url, account.tls, account.danger_cleartext)?;
            Some(Store::Server(StoreServer { url, user: account.user.clone(), password, trust }))
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
    if text.contains('#') {
        return fault("a store has no fragment", "remove what stands behind `#`; a certificate is always checked");
    }
    if text.split_once('?').is_some_and(|(_, parameters)| parameters.contains("pass")) {
        return fault("the URL holds a password", "put it into a file, and write `password = \"file:PATH\"`");
    }
    Ok(text.to_owned())
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
