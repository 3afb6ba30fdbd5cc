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
