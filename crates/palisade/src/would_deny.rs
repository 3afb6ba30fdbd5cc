//! What is told where a departure from the contract is only reported: the refusal that did not happen, and what the
//! contract would have to say instead.

use palisade_contract::drift::Observation;
use palisade_core::denial::{Denial, Evidence};
use palisade_core::event::EventKind;

use crate::facts::Note;
use crate::stage::Head;

/// A refusal that did not happen.
pub(crate) struct WouldDeny {
    denial: Denial,
    seen: Vec<Observation>,
}

impl WouldDeny {
    /// This refusal, and what of the contract it departed from.
    pub(crate) fn new(denial: Denial, seen: Vec<Observation>) -> Self {
        Self { denial, seen }
    }

    /// Notes it for the log.
    pub(crate) fn tell(self, head: &mut Head) {
        let mut evidence = Evidence::default();
        evidence.add("code", self.denial.code().slug());
        evidence.add("stage", self.denial.stage().as_str());
        for (fact, value) in self.denial.evidence().iter() {
            evidence.add(fact, value);
        }
        for observation in self.seen {
            evidence.add("drift", observation.to_string());
        }
        head.facts.notes.push(Note { kind: EventKind::WouldDeny, evidence });
    }
}
