//! What a running gateway cannot change: a reload that would have to is refused as a whole, and says so by name.

use palisade_core::diagnostic::Diagnostic;

use crate::config::Loaded;
use crate::config::settings::{Admin, Settings};

/// One error for each key that differs and is read at the start only.
pub(super) fn changes(old: &Settings, new: &Loaded) -> Vec<Diagnostic> {
    let mut changed = listeners(old, &new.settings);
    let (before, after) = (&old.limits, &new.settings.limits);
    let token = |admin: &Option<Admin>| {
        admin.as_ref().and_then(|admin| admin.token.as_ref()).map(|token| token.0.expose().to_vec())
    };
    let address = |admin: &Option<Admin>| admin.as_ref().map(|admin| admin.address.clone());
    let (was, is) = (&old.server, &new.settings.server);
    let keys: [(&[&str], bool); 23] = [
        (&["limits", "max_uri"], before.max_uri != after.max_uri),
        (&["limits", "max_headers"], before.max_headers != after.max_headers),
        (&["limits", "head_timeout"], before.head_timeout != after.head_timeout),
        (&["limits", "ipv6_prefix"], before.ipv6_prefix != after.ipv6_prefix),
        (&["store", "url"], old.stores.store != new.settings.stores.store),
        (&["store", "timeout"], old.stores.timeout != new.settings.stores.timeout),
        (&["store", "counters"], old.stores.counters != new.settings.stores.counters),
        (&["store", "records"], old.stores.records != new.settings.stores.records),
        (&["store", "revocations"], old.stores.revocations != new.settings.stores.revocations),
        (&["events", "output"], old.events != new.settings.events),
        (&["server", "reload"], was.reload != is.reload),
        (&["server", "drain_delay"], was.drain_delay != is.drain_delay),
        (&["server", "drain_timeout"], was.drain_timeout != is.drain_timeout),
        (&["server", "workers"], was.workers != is.workers),
        (&["server", "max_connections"], was.max_connections != is.max_connections),
        (&["server", "max_connections_per_client"], was.max_connections_per_client != is.max_connections_per_client),
        (&["server", "handshake_timeout"], was.handshake_timeout != is.handshake_timeout),
        (&["server", "idle_timeout"], was.idle_timeout != is.idle_timeout),
        (&["server", "write_timeout"], was.write_timeout != is.write_timeout),
        (&["server", "handover"], was.handover != is.handover),
        (&["server", "http2"], was.http2 != is.http2),
        (&["admin", "address"], address(&old.admin) != address(&new.settings.admin)),
        (&["admin", "token"], token(&old.admin) != token(&new.settings.admin)),
    ];
    let keys = keys.into_iter().filter(|(_, differs)| *differs);
    changed.extend(keys.map(|(path, _)| path.iter().map(|&key| key.to_owned()).collect()));
    changed.into_iter().map(|path| refuse(new, &path)).collect()
}

/// The key paths of what differs between two sets of listeners.
fn listeners(old: &Settings, new: &Settings) -> Vec<Vec<String>> {
    let names = |settings: &Settings| settings.listen.iter().map(|listen| listen.name.clone()).collect::<Vec<_>>();
    if names(old) != names(new) {
        return vec![vec!["listen".to_owned()]];
    }
    let pairs = old.listen.iter().zip(&new.listen);
    let differing = pairs.flat_map(|(before, after)| {
        let keys = [
            ("address", before.address != after.address),
            ("proxy_protocol", before.proxy_protocol != after.proxy_protocol),
            ("trusted_proxies", before.proxies != after.proxies),
            ("tls", before.tls.is_some() != after.tls.is_some()),
        ];
        let differs = keys.into_iter().filter(|(_, differs)| *differs);
        differs.map(|(key, _)| vec!["listen".to_owned(), after.name.to_string(), key.to_owned()]).collect::<Vec<_>>()
    });
    differing.collect()
}

fn refuse(new: &Loaded, path: &[String]) -> Diagnostic {
    let key = path.join(".");
    let message = match key.as_str() {
        "listen" => {
            "listeners cannot be added, removed, renamed or put in another order while the gateway runs".to_owned()
        }
        key => format!("`{key}` cannot change while the gateway runs"),
    };
    let help = "start the gateway anew, or put back what was here; nothing else of this file holds until then";
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    new.locate(Diagnostic::error("restart-needed", message).help(help), &path)
}
