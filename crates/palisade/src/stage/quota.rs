//! Keeps a business flow from being run more often than it is meant to be, by anyone or anything that has a right to it.
//!
//! 1. Each limit that the contract gives an operation (`x-palisade.limit`) is a budget of its own.
//! 2. The holder is the principal, or its organization, the client or everybody, where the limit says so. Who has no
//!    organization counts as a principal, and who is not signed in as a client.
//! 3. All budgets must hold; a request that one of them refuses takes nothing from the others.
//! 4. When the store fails or is late, the limit's own choice holds: refuse, which is the default, because a budget that
//!    cannot be counted is not granted; count in this process; or let pass.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::CounterStore;
use palisade_core::port::counter::Ipv6Prefix;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::limit::{Counters, Rules};

/// The stage. Its limits come from the operations.
///
/// ```
/// use std::sync::Arc;
/// use palisade::stage::quota::Quota;
/// use palisade::testing::MemoryCounts;
///
/// let (shared, local) = (Arc::new(MemoryCounts::default()), Arc::new(MemoryCounts::default()));
/// palisade::testing::assert_stage(&Quota::new(shared).with_local(local));
/// ```
#[derive(Clone)]
pub struct Quota {
    counters: Counters,
}

impl Quota {
    /// Counts in this store.
    pub fn new(store: Arc<dyn CounterStore>) -> Self {
        Self { counters: Counters::new(store) }
    }

    /// Where limits of [`palisade_core::operation::OnFailure::Local`] are counted while the store is out of order: a store
    /// in memory. Without one they refuse.
    #[must_use]
    pub fn with_local(self, local: Arc<dyn CounterStore>) -> Self {
        Self { counters: self.counters.local(local) }
    }

    /// How long the store may take, in place of 100 milliseconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { counters: self.counters.patience(patience) }
    }

    /// How much of an IPv6 address is a client, in place of 64 bits.
    #[must_use]
    pub fn with_prefix(self, prefix: Ipv6Prefix) -> Self {
        Self { counters: self.counters.prefix(prefix) }
    }
}

impl std::fmt::Debug for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Quota")
    }
}

impl Stage for Quota {
    fn id(&self) -> StageId {
        StageId::Quota
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        match &head.facts.operation {
            Some(found) if !found.operation.limits.is_empty() => {
                let operation = Arc::clone(&found.operation);
                self.counters.spend(head, Rules::Operation(operation))
            }
            _ => Verdict::PASS,
        }
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::denial::DenialCode;
    use palisade_core::id::TenantId;
    use palisade_core::operation::{AccessRule, Limit, LimitBy, OnFailure};
    use palisade_core::principal::Principal;
    use palisade_core::time::Timestamp;
    use palisade_store::memory::MemoryCounters;

    use super::*;
    use crate::testing::{Unreachable, assert_stage, head, operation, refusal_with_body, user};

    /// A request of a principal, from an address, at an operation with limits.
    async fn ask(stage: &Quota, who: Principal, client: &str, secs: u64, limits: &[Limit]) -> Option<DenialCode> {
        let mut head = head("POST /");
        let mut found = operation(AccessRule::default());
        found.operation = Arc::new(palisade_core::operation::Operation {
            limits: limits.into(),
            ..palisade_core::operation::Operation::clone(&found.operation)
        });
        head.facts.operation = Some(found);
        head.facts.principal = who;
        head.facts.client = Some(client.parse().unwrap());
        head.facts.received = Timestamp::from_secs(1_000 + secs);
        refusal_with_body(stage, &mut head, "").await
    }

    fn limit(requests: u32, secs: u64, by: LimitBy) -> Limit {
        Limit::new(requests, Duration::from_secs(secs), by)
    }

    #[tokio::test]
    async fn a_budget_is_its_holders() {
        let stage = Quota::new(Arc::new(MemoryCounters::default()));
        let once = [limit(1, 60, LimitBy::Principal)];
        let exhausted = Some(DenialCode::QuotaExhausted);
        let tenant = |name: &str| user("u-1").with_tenant(TenantId::new(name));
        for (who, client, secs, expect) in [
            (user("u-1"), "192.0.2.1", 0, None),
            // Another address does not help.
            (user("u-1"), "192.0.2.2", 0, exhausted),
            (user("u-2"), "192.0.2.1", 0, None),
            (tenant("a"), "192.0.2.1", 0, None),
            (tenant("b"), "192.0.2.1", 0, None),
            (tenant("b"), "192.0.2.1", 0, exhausted),
            // Who is not signed in counts by address.
            (Principal::anonymous(), "192.0.2.1", 0, None),
            (Principal::anonymous(), "192.0.2.1", 0, exhausted),
            (Principal::anonymous(), "192.0.2.2", 0, None),
            (user("u-1"), "192.0.2.1", 60, None),
        ] {
            let shown = format!("{who:?} {client} {secs}");
            assert_eq!(ask(&stage, who, client, secs, &once).await, expect, "{shown}");
        }
    }

    #[tokio::test]
    async fn a_limit_by_client_counts_addresses() {
        let stage = Quota::new(Arc::new(MemoryCounters::default()));
        let once = [limit(1, 60, LimitBy::Client)];
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.1", 0, &once).await, None);
        assert_eq!(ask(&stage, user("u-2"), "192.0.2.1", 0, &once).await, Some(DenialCode::QuotaExhausted));
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.2", 0, &once).await, None);
    }

    #[tokio::test]
    async fn limits_by_tenant_and_for_all_are_shared() {
        let exhausted = Some(DenialCode::QuotaExhausted);
        let of = |name: &str, tenant: &str| user(name).with_tenant(TenantId::new(tenant));
        for (by, first, second, expect) in [
            (LimitBy::Tenant, of("u-1", "a"), of("u-2", "a"), exhausted),
            (LimitBy::Tenant, of("u-1", "a"), of("u-1", "b"), None),
            (LimitBy::Tenant, user("u-1"), user("u-2"), None),
            (LimitBy::Tenant, user("u-1"), user("u-1"), exhausted),
            (LimitBy::All, user("u-1"), of("u-2", "b"), exhausted),
        ] {
            let stage = Quota::new(Arc::new(MemoryCounters::default()));
            let once = [limit(1, 60, by)];
            assert_eq!(ask(&stage, first, "192.0.2.1", 0, &once).await, None);
            let shown = format!("{by:?} {second:?}");
            assert_eq!(ask(&stage, second, "192.0.2.2", 0, &once).await, expect, "{shown}");
        }
    }

    #[tokio::test]
    async fn every_limit_must_hold() {
        let stage = Quota::new(Arc::new(MemoryCounters::default()));
        let both = [limit(2, 1, LimitBy::Principal), limit(3, 3600, LimitBy::Principal)];
        for (secs, expect) in [(0, None), (0, None), (0, Some(())), (1, None), (2, Some(())), (1200, None)] {
            let refused = ask(&stage, user("u-1"), "192.0.2.1", secs, &both).await;
            assert_eq!(refused, expect.map(|()| DenialCode::QuotaExhausted), "{secs}");
        }
    }

    #[tokio::test]
    async fn a_budget_that_cannot_be_counted_is_not_granted() {
        let stage = Quota::new(Arc::new(Unreachable));
        let once = [limit(1, 60, LimitBy::Client)];
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.1", 0, &once).await, Some(DenialCode::Unavailable));
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.1", 0, &[]).await, None, "nothing to count, nobody to ask");
        let local = [Limit { on_failure: OnFailure::Local, ..limit(1, 60, LimitBy::Client) }];
        let stage = stage.with_local(Arc::new(MemoryCounters::default()));
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.1", 0, &local).await, None);
        assert_eq!(ask(&stage, user("u-1"), "192.0.2.1", 0, &local).await, Some(DenialCode::QuotaExhausted));
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Quota::new(Arc::new(MemoryCounters::default())));
    }
}
