//! What one chain leaves to the next, so that a reload does not begin everything anew.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use http::Uri;
use palisade::stage::cache::{CacheSettings, CacheStore};
use palisade::stage::guard::Breaker;
use palisade::token::jwks::KeySource;
use palisade::token::revocation::Revocations;
use palisade_store::memory::MemoryCounters;
use palisade_store::records::Records;

use crate::config::settings;
use crate::upstream::{Upstream, UpstreamError};

/// What stays: connections to backends whose section says the same as before, their circuits, the keys that were
/// fetched from issuers, kept answers, which tokens were taken back, and what was counted here while the store was out of
/// order.
///
/// Verified tokens are not kept: the rules they were verified by may have changed, and verifying them again is cheap.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// Where requests are counted while the store is out of order.
    pub(crate) local: Arc<MemoryCounters>,
    /// Which tokens were taken back.
    pub(crate) revocations: Arc<Revocations>,
    /// Where credentials are kept; `None` where nothing is to be asked.
    pub(crate) records: Option<Records>,
    upstreams: Shelf<Upstream>,
    breakers: Shelf<Breaker>,
    caches: Shelf<CacheStore>,
    keys: Shelf<Arc<dyn KeySource>>,
}

impl Kept {
    /// Nothing but the tokens that were taken back, and where credentials are kept.
    pub(crate) fn knowing(revocations: Arc<Revocations>, records: Option<Records>) -> Self {
        Self { revocations, records, ..Self::default() }
    }

    /// The same, from which what the next chain does not ask for will be gone.
    pub(crate) fn next(self) -> Self {
        let (upstreams, breakers, caches) = (self.upstreams.next(), self.breakers.next(), self.caches.next());
        let (local, revocations, records) = (self.local, self.revocations, self.records);
        Self { upstreams, breakers, caches, keys: self.keys.next(), local, revocations, records }
    }

    /// A backend, with its connections and what is known of its endpoints.
    pub(crate) fn upstream(&mut self, told: &settings::Upstream) -> Result<Upstream, UpstreamError> {
        // Everything that the section says is in the name: a changed one begins anew.
        self.upstreams.get(format!("{:?}", told.backend), || Upstream::new(told.backend.clone()))
    }

    /// The circuit of a backend.
    pub(crate) fn breaker(&mut self, told: &settings::Upstream) -> Breaker {
        let name = format!("{} {:?} {:?}", told.name, told.guard, told.backend);
        let made = self.breakers.get(name, || Ok::<_, Infallible>(Breaker::new(told.guard)));
        made.unwrap_or_else(|never| match never {})
    }

    /// The circuits by the names of their backends.
    pub(crate) fn breakers(&self) -> impl Iterator<Item = (&str, &Breaker)> {
        self.breakers.now.iter().filter_map(|(name, breaker)| Some((name.split_once(' ')?.0, breaker)))
    }

    /// The answers of a route, as long as they would come from the same backend. Every one is judged by the chain in force
    /// when it is given again.
    pub(crate) fn cache(
        &mut self,
        route: &settings::Route,
        told: &settings::Upstream,
        how: CacheSettings,
    ) -> CacheStore {
        let name = format!("{} {how:?} {:?} {:?}", route.name, told.name, told.backend);
        let made = self.caches.get(name, || Ok::<_, Infallible>(CacheStore::new(how)));
        made.unwrap_or_else(|never| match never {})
    }

    /// The stores of answers by the names of their routes.
    pub(crate) fn caches(&self) -> impl Iterator<Item = (&str, &CacheStore)> {
        self.caches.now.iter().filter_map(|(name, store)| Some((name.split_once(' ')?.0, store)))
    }

    /// The keys of an issuer.
    pub(crate) fn keys<E>(
        &mut self,
        url: &Uri,
        make: impl FnOnce() -> Result<Arc<dyn KeySource>, E>,
    ) -> Result<Arc<dyn KeySource>, E> {
        self.keys.get(url.to_string(), make)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// Things by name: those of the chain before, and those of this one.
#[derive(Clone)]
struct Shelf<T> {
    before: BTreeMap<String, T>,
    now: BTreeMap<String, T>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { before: BTreeMap::new(), now: BTreeMap::new() }
    }
}

impl<T: Clone> Shelf<T> {
    fn next(self) -> Self {
        Self { before: self.now, now: BTreeMap::new() }
    }

    fn get<E>(&mut self, name: String, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let known = self.now.get(&name).or_else(|| self.before.get(&name)).cloned();
        let thing = known.map_or_else(make, Ok)?;
        self.now.insert(name, thing.clone());
        Ok(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_gone_two_chains_later() {
        let make = |value: u32| move || Ok::<_, ()>(value);
        let mut shelf = Shelf::default();
        assert_eq!(shelf.get("a".to_owned(), make(1)), Ok(1));
        let mut shelf = shelf.next();
        assert_eq!(shelf.get("a".to_owned(), make(2)), Ok(1), "the same as before");
        assert_eq!(shelf.get("a".to_owned(), make(3)), Ok(1), "and the same within one chain");
        let mut shelf = shelf.next().next();
        assert_eq!(shelf.get("a".to_owned(), make(4)), Ok(4));
        assert_eq!(shelf.get("b".to_owned(), || Err::<u32, _>("no")), Err("no"));
    }
}
