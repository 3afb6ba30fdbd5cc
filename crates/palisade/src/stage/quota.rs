//! Keeps a business flow from being run more often than it is meant to be, by anyone or anything that has a right to it.
//!
//! 1. Each limit that the contract gives an operation (`x-palisade.limit`) is a budget of its own.
//! 2. The holder is the principal, or the client address where the limit says so or nobody is signed in.
//! 3. All budgets must hold; the first that is used up refuses, with when to come again.
//! 4. When the store fails, the request is refused: a budget that cannot be counted is not granted.

use std::num::NonZeroU32;
use std::sync::Arc;

use palisade_core::denial::DenialCode;
use palisade_core::operation::{Limit, LimitBy};
use palisade_core::port::CounterStore;
use palisade_core::port::counter::{LimitKey, Rate};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::limit::{OnFailure, settle};

/// The stage. Its limits come from the operations.
#[derive(Clone)]
pub struct Quota {
    store: Arc<dyn CounterStore>,
}

impl Quota {
    /// Counts in this store.
    pub fn new(store: Arc<dyn CounterStore>) -> Self {
        Self { store }
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
        let Some(found) = &head.facts.operation else { return Verdict::PASS };
        let operation = Arc::clone(&found.operation);
        if operation.limits.is_empty() {
            return Verdict::PASS;
        }
        Verdict::Later(Box::pin(async move {
            for (index, limit) in operation.limits.iter().enumerate() {
                let route = head.facts.route.as_ref().map_or("-", |route| route.name.as_str());
                let rule = format!("quota/{route}/{}/{index}", operation.id);
                let key = LimitKey::new(&rule, &holder(limit, head));
                let burst = NonZeroU32::new(limit.requests).unwrap_or(NonZeroU32::MIN);
                let rate = Rate { burst, per: limit.per };
                let acquired = self.store.try_acquire(&key, rate, head.facts.received).await;
                settle(head, acquired, rate, OnFailure::Deny, DenialCode::QuotaExhausted, StageId::Quota)?;
            }
            Ok(())
        }))
    }
}

/// Whose budget it is.
fn holder(limit: &Limit, head: &Head) -> String {
    let subject = &head.facts.principal;
    match limit.by {
        LimitBy::Principal if subject.subject().id().is_some() => {
            let tenant = subject.tenant().map_or("-", |tenant| tenant.as_str());
            format!("{tenant}/{}", subject.subject())
        }
        LimitBy::Client | LimitBy::Principal => {
            head.facts.client.map_or_else(|| "-".to_owned(), |client| format!("client/{client}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use palisade_core::id::TenantId;
    use palisade_core::operation::AccessRule;
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
        Limit { requests, per: Duration::from_secs(secs), by }
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
    async fn every_limit_must_hold() {
        let stage = Quota::new(Arc::new(MemoryCounters::default()));
        let both = [limit(2, 1, LimitBy::Principal), limit(3, 3600, LimitBy::Principal)];
        for (secs, expect) in [(0, None), (0, None), (0, Some(())), (1, None), (2, Some(()))] {
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
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Quota::new(Arc::new(MemoryCounters::default())));
    }
}
