//! Keeps one client from asking more than its share, before anybody has signed in.
//!
//! 1. Each client has a budget per route: a client is an IPv4 address or an IPv6 network of 64 bits, because whoever has
//!    one address of such a network has them all.
//! 2. A route may have several limits, such as 10 a second and 1000 an hour, and limits that all clients or all routes
//!    share. All must hold; a request that one of them refuses takes nothing from the others.
//! 3. A request beyond a limit is refused with when to come again.
//! 4. When the store fails or is late, the limit's own choice holds: refuse, which is the default, count in this process,
//!    or let pass.
//! 5. Requests whose client is not known share one budget with all others of their kind.
//!
//! The answer says what is left in the `RateLimit` and `RateLimit-Policy` fields (draft-ietf-httpapi-ratelimit-headers).

use std::sync::Arc;
use std::time::Duration;

use palisade_core::operation::{Limit, LimitBy, OnFailure};
use palisade_core::port::CounterStore;
use palisade_core::port::counter::Ipv6Prefix;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::limit::{Counters, RouteRules, Rules};
use crate::settings::PerRoute;

/// The stage.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use palisade::settings::PerRoute;
/// use palisade::stage::throttle::{Throttle, ThrottleSettings};
/// use palisade::testing::MemoryCounts;
///
/// let once = ThrottleSettings::clients(1, Duration::from_secs(60));
/// let stage = Throttle::new(PerRoute::same(once), Arc::new(MemoryCounts::default()));
/// palisade::testing::assert_stage(&stage);
/// ```
#[derive(Clone)]
pub struct Throttle {
    settings: PerRoute<ThrottleSettings>,
    rules: PerRoute<RouteRules>,
    counters: Counters,
}

/// How much may be asked.
///
/// ```
/// use std::time::Duration;
/// use palisade::limit::OnFailure;
/// use palisade::stage::throttle::ThrottleSettings;
///
/// let mut available = ThrottleSettings::clients(20, Duration::from_secs(1));
/// for limit in &mut available.limits {
///     // Without it a failing store refuses everybody.
///     limit.on_failure = OnFailure::Allow;
/// }
/// let preset = palisade::Chain::api().throttle(available);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// The limits of a route, all of which must hold. Limits by principal or tenant are for the quota: nobody has signed
    /// in yet, and they would count by client.
    pub limits: Vec<Limit>,
}

impl ThrottleSettings {
    /// So many requests of each client in any `per`.
    pub fn clients(requests: u32, per: Duration) -> Self {
        Self { limits: vec![Limit::new(requests, per, LimitBy::Client)] }
    }
}

impl Default for ThrottleSettings {
    /// 100 requests a second for each client.
    fn default() -> Self {
        Self::clients(100, Duration::from_secs(1))
    }
}

impl Throttle {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<ThrottleSettings>, store: Arc<dyn CounterStore>) -> Self {
        let rules = settings.clone().map(|settings| RouteRules::new(&[], &settings.limits));
        Self { settings, rules, counters: Counters::new(store) }
    }

    /// The same with limits whose budgets all routes share.
    #[must_use]
    pub fn everywhere(self, limits: &[Limit]) -> Self {
        let rules = self.settings.clone().map(|settings| RouteRules::new(limits, &settings.limits));
        Self { rules, ..self }
    }

    /// Where limits of [`OnFailure::Local`] are counted while the store is out of order: a store in memory. Without one
    /// they refuse.
    #[must_use]
    pub fn with_local(self, local: Arc<dyn CounterStore>) -> Self {
        Self { counters: self.counters.local(local), ..self }
    }

    /// How long the store may take, in place of 100 milliseconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { counters: self.counters.patience(patience), ..self }
    }

    /// How much of an IPv6 address is a client, in place of 64 bits.
    #[must_use]
    pub fn with_prefix(self, prefix: Ipv6Prefix) -> Self {
        Self { counters: self.counters.prefix(prefix), ..self }
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Stage for Throttle {
    fn id(&self) -> StageId {
        StageId::Throttle
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let rules = self.rules.of(head);
        self.counters.spend(head, Rules::Route(rules))
    }

    fn dangers(&self) -> Vec<String> {
        let allows = |rules: &RouteRules| rules.limits().iter().any(|limit| limit.on_failure == OnFailure::Allow);
        let danger = "requests pass uncounted on a route while the store does not answer";
        self.rules.any(allows).then(|| danger.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
