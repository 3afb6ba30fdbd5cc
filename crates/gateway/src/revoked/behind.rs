//! Whether revocations arrive, for those who read events: once when they have not for some seconds, once when they do
//! again.

use std::time::Duration;

use http::Method;
use palisade_core::denial::Evidence;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use palisade_core::id::{PolicyVersion, RequestId};
use palisade_core::principal::Subject;
use palisade_core::time::Timestamp;

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// The longest delay since it was told that there is one.
    longest: Option<Duration>,
}

impl Behind {
    /// What there is to be told now that nothing could be read for so long.
    pub(super) fn look(&mut self, behind: Duration) -> Option<Change> {
        let is_late = behind >= LATE;
        match &mut self.longest {
            None if is_late => {
                self.longest = Some(behind);
                Some(Change::Began(behind))
            }
            Some(longest) if is_late => {
                *longest = behind.max(*longest);
                None
            }
            longest => longest.take().map(Change::Ended),
        }
    }
}

/// What is worth an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing could be read for so long.
    Began(Duration),
    /// Everything has been read, after nothing could be for so long.
    Ended(Duration),
}

impl Change {
    /// The event of it.
    pub(super) fn event(self, policy: &PolicyVersion, at: Timestamp) -> SecurityEvent {
        let (outcome, behind) = match self {
            Self::Began(behind) => (Outcome::Failed, behind),
            Self::Ended(behind) => (Outcome::Done, behind),
        };
        let mut evidence = Evidence::default();
        evidence.add("behind_seconds", behind.as_secs().to_string());
        SecurityEvent {
            index: 0,
            kind: EventKind::RevocationsBehind,
            at,
            request: RequestId::new(format!("revocations-{}", at.as_millis())),
            who: Subject::Anonymous,
            client: None,
            // It is no request; a method of this name is none of HTTP's.
            method: Method::from_bytes(b"READ").unwrap_or_default(),
            host: None,
            path: "".into(),
            route: None,
            operation: None,
            outcome,
            evidence,
            took: None,
            policy: policy.clone(),
        }
    }
}

/// How long nothing may be read before that is told: what a store needs to change its leader is not.
const LATE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let (mut behind, secs) = (Behind::default(), Duration::from_secs);
        for (seconds, expect) in [
            (0, None),
            (4, None),
            (1, None),
            (5, Some(Change::Began(secs(5)))),
            (6, None),
            (60, None),
            (0, Some(Change::Ended(secs(60)))),
            (0, None),
            (9, Some(Change::Began(secs(9)))),
            (4, Some(Change::Ended(secs(9)))),
        ] {
            assert_eq!(behind.look(secs(seconds)), expect, "{seconds}");
        }
    }
}
