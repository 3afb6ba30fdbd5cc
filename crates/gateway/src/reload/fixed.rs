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
    let keys: [(&[&str], bool); 10] = [
        (&["limits", "max_uri"], before.max_uri != after.max_uri),
        (&["limits", "max_headers"], before.max_headers != after.max_headers),
        (&["limits", "head_timeout"], before.head_timeout != after.head_timeout),
        (&["store", "url"], old.store != new.settings.store),
        (&["events", "output"], old.events != new.settings.events),
        (&["server", "reload"], old.server.reload != new.settings.server.reload),
        (&["server", "drain_delay"], old.server.drain_delay != new.settings.server.drain_delay),
        (&["server", "drain_timeout"], old.server.drain_timeout != new.settings.server.drain_timeout),
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
