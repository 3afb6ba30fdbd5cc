//! The endpoints of an upstream at one moment, and the choice among them.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::balance::{self, Balance};
use super::endpoint::Endpoint;

/// The endpoints.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    turns: Vec<usize>,
}

/// What a choice depends on.
pub(crate) struct Choice<'a> {
    pub(crate) balance: &'a Balance,
    /// A number that is different for every request.
    pub(crate) turn: u64,
    pub(crate) key: Option<u64>,
    pub(crate) now: Duration,
    /// Below this share of usable endpoints, in percent, all are used.
    pub(crate) min_healthy: u8,
    /// Who has had this request already.
    pub(crate) tried: &'a [Arc<Endpoint>],
}

impl Members {
    pub(crate) fn new(endpoints: Vec<Arc<Endpoint>>) -> Self {
        let weights: Vec<u32> = endpoints.iter().map(|endpoint| endpoint.weight).collect();
        Self { turns: balance::schedule(&weights), endpoints }
    }

    /// Who gets a request: somebody usable who has not had it, else somebody usable. `None` without endpoints.
    pub(crate) fn choose(&self, choice: &Choice<'_>) -> Option<&Arc<Endpoint>> {
        if let [only] = &self.endpoints[..] {
            return Some(only);
        }
        let usable = self.endpoints.iter().filter(|endpoint| endpoint.is_usable(choice.now)).count();
        let all = usable == 0 || usable * 100 < self.endpoints.len() * usize::from(choice.min_healthy);
        let fits = |endpoint: &Endpoint| all || endpoint.is_usable(choice.now);
        let is_new = |endpoint: &Arc<Endpoint>| !choice.tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint));
        let found = self.among(choice, |endpoint| fits(endpoint) && is_new(endpoint));
        found.or_else(|| self.among(choice, |endpoint| fits(endpoint)))
    }

    /// Whether another endpoint than these is usable.
    pub(crate) fn has_other(&self, tried: &[Arc<Endpoint>], now: Duration) -> bool {
        let is_new = |endpoint: &Arc<Endpoint>| !tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint));
        self.endpoints.iter().any(|endpoint| is_new(endpoint) && endpoint.is_usable(now))
    }

    fn among(&self, choice: &Choice<'_>, fits: impl Fn(&Arc<Endpoint>) -> bool) -> Option<&Arc<Endpoint>> {
        match (choice.balance, choice.key) {
            (Balance::ConsistentHash(_), Some(key)) => {
                let desire = |endpoint: &Arc<Endpoint>| balance::desire(endpoint.id, endpoint.weight, key);
                let fitting = self.endpoints.iter().filter(|endpoint| fits(endpoint));
                fitting.max_by(|a, b| desire(a).total_cmp(&desire(b)))
            }
            (Balance::LeastRequests, _) => {
                let count = self.endpoints.iter().filter(|endpoint| fits(endpoint)).count();
                let (first, second) = balance::pair(count, balance::mix(choice.turn))?;
                let nth = |place| self.endpoints.iter().filter(|endpoint| fits(endpoint)).nth(place);
                let (first, second) = (nth(first)?, nth(second)?);
                Some(if load_order(first, second) == Ordering::Greater { second } else { first })
            }
            (Balance::RoundRobin | Balance::ConsistentHash(_), _) => {
                let begin = usize::try_from(choice.turn.checked_rem(self.turns.len() as u64)?).ok()?;
                let turns = self.turns.iter().cycle().skip(begin).take(self.turns.len());
                turns.filter_map(|place| self.endpoints.get(*place)).find(|endpoint| fits(endpoint))
            }
        }
    }
}

/// Who has more to do for its weight.
fn load_order(first: &Endpoint, second: &Endpoint) -> Ordering {
    let load = |endpoint: &Endpoint, other: &Endpoint| (endpoint.in_flight() + 1) as u64 * u64::from(other.weight);
    load(first, second).cmp(&load(second, first))
}
