//! Opens what the configuration names under `[store]`.

use std::sync::Arc;

use palisade_core::diagnostic::Diagnostic;
use palisade_core::port::{CounterStore, OnceStore};
use palisade_store::lease::Leased;
use palisade_store::{Place, Stores, open_at};

use crate::config::Loaded;
use crate::config::settings::Store;

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

async fn one(loaded: &Loaded, store: &Store, at: &[&str]) -> Result<Stores, Diagnostic> {
    let (place, help) = match store {
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
                ..Place::new(&server.url)
            },
            "the server must answer when the gateway starts: look at its address, `user` and `password`",
        ),
    };
    let failed = |error: palisade_store::OpenError| {
        loaded.locate(Diagnostic::error("store-unusable", error.to_string()).help(help), at)
    };
    open_at(&place).await.map_err(failed)
}
