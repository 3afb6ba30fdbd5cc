//! Opens what the configuration names under `[store]`.

use std::fmt;
use std::sync::Arc;

use palisade_core::diagnostic::Diagnostic;
use palisade_core::port::{CounterStore, OnceStore, RevocationLog};
use palisade_store::lease::Leased;
use palisade_store::records::Records;
use palisade_store::{Place, Stores, Trust, open_at};

use crate::config::Loaded;
use crate::config::settings::{Store, StoreTrust};

/// Where requests are counted, and where used-up keys are remembered. A store that does not answer is a reason not to
/// start: it may be misspelled.
pub(crate) async fn open(loaded: &Loaded) -> Result<(Arc<dyn CounterStore>, Arc<dyn OnceStore>), Diagnostic> {
    let settings = &loaded.settings.stores;
    let Stores { counters, once } = one(loaded, &settings.store, &["store", "url"]).await?;
    let counters = match &settings.counters.store {
        Some(store) => one(loaded, store, &["store", "counters", "url"]).await?.counters,
        None => counters,
    };
    let counters = match settings.counters.lease {
        Some(percent) => Arc::new(Leased::new(counters, percent)),
        None => counters,
    };
    Ok((counters, once))
}

/// Where it is written which tokens were taken back, if the configuration names a place.
pub(crate) async fn revocations(loaded: &Loaded) -> Result<Option<Arc<dyn RevocationLog>>, Diagnostic> {
    let Some(store) = &loaded.settings.stores.revocations else { return Ok(None) };
    let (place, help) = place(loaded, store);
    let records = Records::open(&place).await.map_err(|error| unusable(loaded, &error, help, &REVOCATIONS))?;
    Ok(Some(records.revocations))
}

/// A store that cannot be used, at the key that names it.
pub(crate) fn unusable(loaded: &Loaded, error: &dyn fmt::Display, help: &'static str, at: &[&str]) -> Diagnostic {
    loaded.locate(Diagnostic::error("store-unusable", error.to_string()).help(help), at)
}

/// The key that names where revocations are.
pub(crate) const REVOCATIONS: [&str; 3] = ["store", "revocations", "url"];

async fn one(loaded: &Loaded, store: &Store, at: &[&str]) -> Result<Stores, Diagnostic> {
    let (place, help) = place(loaded, store);
    open_at(&place).await.map_err(|error| unusable(loaded, &error, help, at))
}

/// Where a store is, and what to look at if it does not open.
fn place(loaded: &Loaded, store: &Store) -> (Place, &'static str) {
    match store {
        Store::Memory => (Place::new("memory:"), ""),
        Store::Sqlite(path) => (
            Place::new(format!("sqlite:{}", path.display())),
            "name a file in a folder that exists and that this user may write to; nothing else may be in the file",
        ),
        Store::Server(server) => (
            Place {
                user: server.user.clone(),
                password: server.password.as_ref().map(|password| password.0.clone()),
                patience: loaded.settings.stores.timeout,
                trust: trust(&server.trust),
                ..Place::new(&server.url)
            },
            "the server must answer when the gateway starts: look at its address, `user` and `password`",
        ),
    }
}

fn trust(settings: &StoreTrust) -> Trust {
    let identity = settings.identity.as_ref().map(|(chain, key)| (chain.clone(), key.0.clone()));
    Trust { ca: settings.ca.clone(), identity, danger_cleartext: settings.danger_cleartext }
}
