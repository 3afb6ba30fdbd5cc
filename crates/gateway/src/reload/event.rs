//! What a reload has led to, for those who read events: which rules hold from now on is as much their business as who
//! was refused.

use http::Method;
use palisade_core::denial::Evidence;
use palisade_core::diagnostic::{Diagnostic, Severity};
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use palisade_core::id::RequestId;
use palisade_core::principal::Subject;
use palisade_core::time::Timestamp;

use super::{Policy, Reloaded};

/// The event of an attempt. `policy` is in force behind it.
pub(super) fn of(outcome: &Result<Reloaded, Vec<Diagnostic>>, policy: &Policy, at: Timestamp) -> SecurityEvent {
    let mut evidence = Evidence::default();
    for problem in outcome.as_ref().err().into_iter().flatten().filter(|one| one.severity() == Severity::Error) {
        evidence.add("problem", format!("{}: {}", problem.code(), problem.message()));
    }
    let file = policy.loaded.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
    SecurityEvent {
        index: 0,
        kind: EventKind::PolicyReloaded,
        at,
        request: RequestId::new(format!("reload-{}", at.as_millis())),
        who: Subject::Anonymous,
        client: None,
        // It is no request; a method of this name is none of HTTP's.
        method: Method::from_bytes(b"RELOAD").unwrap_or_default(),
        host: None,
        path: file.into(),
        route: None,
        operation: None,
        outcome: if outcome.is_ok() { Outcome::Done } else { Outcome::Failed },
        evidence,
        took: None,
        policy: policy.version.clone(),
    }
}
