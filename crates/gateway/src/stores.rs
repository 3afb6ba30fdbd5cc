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

/// Where credentials are kept, if the configuration names a place.
pub(crate) async fn records(loaded: &Loaded) -> Result<Option<Records>, Diagnostic> {
    match &loaded.settings.stores.records {
        None => Ok(None),
        Some(store) => durable(loaded, store, &RECORDS).await.map(Some),
    }
}

/// Where it is written which tokens were taken back, and the key that says so: a place of its own, or the records.
pub(crate) async fn revocations(
    loaded: &Loaded,
    records: Option<&Records>,
) -> Result<Option<(Arc<dyn RevocationLog>, [&'static str; 3])>, Diagnostic> {
    Ok(match &loaded.settings.stores.revocations {
        Some(store) => Some((durable(loaded, store, &REVOCATIONS).await?.revocations, REVOCATIONS)),
        None => records.map(|records| (Arc::clone(&records.revocations), RECORDS)),
    })
}

async fn durable(loaded: &Loaded, store: &Store, at: &[&str]) -> Result<Records, Diagnostic> {
    let (place, help) = place(loaded, store);
    Records::open(&place).await.map_err(|error| unusable(loaded, &error, help, at))
}

/// A store that cannot be used, at the key that names it.
pub(crate) fn unusable(loaded: &Loaded, error: &dyn fmt::Display, help: &'static str, at: &[&str]) -> Diagnostic {
    loaded.locate(Diagnostic::error("store-unusable", error.to_string()).help(help), at)
}

const RECORDS: [&str; 3] = ["store", "records", "url"];
const REVOCATIONS: [&str; 3] = ["store", "revocations", "url"];

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
