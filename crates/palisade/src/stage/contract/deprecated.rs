//! Says on the answer of a deprecated operation that it is to go, and notes who still calls it.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use http::HeaderName;
use palisade_contract::ContractOperation;
use palisade_core::event::EventKind;
use palisade_core::operation::Lifecycle;

use crate::stage::Head;

/// Which callers of deprecated operations have been noted in this hour. What is kept is bounded: beyond that many callers
/// nobody reads one by one.
#[derive(Debug, Default)]
pub(super) struct Deprecated {
    hasher: RandomState,
    hour: Mutex<(u64, HashSet<u64>)>,
}

impl Deprecated {
    /// Plans the headers of RFC 9745 and RFC 8594, and notes a caller once an hour.
    pub(super) fn announce(&self, operation: &ContractOperation, head: &mut Head) {
        if operation.operation.lifecycle != Lifecycle::Deprecated {
            return;
        }
        let notice = operation.notice();
        for (name, value) in [("deprecation", &notice.deprecation), ("sunset", &notice.sunset)] {
            if let Some(value) = value {
                head.plan.set(HeaderName::from_static(name), value.clone());
            }
        }
        let id = operation.operation.id.as_str();
        if self.is_first(head, id) {
            head.facts.note(EventKind::DeprecatedUsed, &[("operation", id)]);
        }
    }

    fn is_first(&self, head: &Head, operation: &str) -> bool {
        let hour = head.facts.received.as_secs() / 3600;
        let caller = self.hasher.hash_one((head.facts.principal.subject(), operation));
        let mut seen = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != hour {
            *seen = (hour, HashSet::new());
        }
        seen.1.len() < MOST_CALLERS && seen.1.insert(caller)
    }
}

const MOST_CALLERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::head;

    #[test]
    fn callers_are_not_remembered_without_end() {
        let (seen, mut head) = (Deprecated::default(), head("GET /"));
        let first = (0..MOST_CALLERS + 10).filter(|n| {
            head.facts.principal = crate::testing::user(&n.to_string());
            seen.is_first(&head, "old")
        });
        assert_eq!(first.count(), MOST_CALLERS);
    }
}
