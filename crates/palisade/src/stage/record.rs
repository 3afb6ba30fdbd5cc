//! Writes what has happened: one access event for every request, and one security event for every refusal and for
//! everything that stages have noted.
//!
//! 1. Events are written after the response is known, and never change it.
//! 2. Every event of a request has its id, which the caller was told too.
//! 3. An event holds no credential, no body and no query string; evidence is short.
//! 4. A caller that goes away before its answer is in the log too, with status 499: the backend may have acted.
//! 5. A WebSocket has one more event when it is closed.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::StatusCode;
use palisade_core::canon::host::CanonicalHost;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::denial::Evidence;
use palisade_core::event::{EventKind, Outcome as Ended, SecurityEvent, Took};
use palisade_core::id::PolicyVersion;
use palisade_core::port::Clock;
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::observe::Sink;
use crate::websocket::Traffic;

/// The stage.
///
/// ```
/// use std::sync::Arc;
/// use palisade::{core::id::PolicyVersion, stage::record::Record, testing::TestWorld};
///
/// let test = TestWorld::new();
/// let record = Record::new(Arc::clone(&test.world.events), Arc::clone(&test.world.clock), PolicyVersion::new("1"));
/// let chain = palisade::Chain::new().with(record);
/// ```
#[derive(Clone)]
pub struct Record {
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    policy: PolicyVersion,
}

impl Record {
    /// Writes to this sink under this policy.
    pub fn new(sink: Arc<dyn Sink>, clock: Arc<dyn Clock>, policy: PolicyVersion) -> Self {
        Self { sink, clock, policy }
    }

    /// Writes the events of a request. `last` is told the last one too.
    fn write<T>(&self, head: &mut Head, status: StatusCode, last: impl FnOnce(&SecurityEvent) -> T) -> T {
        let Head { parts, facts, .. } = head;
        let now = self.clock.now();
        let outcome = facts.denial.as_ref().map_or(Ended::Answered(status), |denial| Ended::Denied(denial.code()));
        let mut event = SecurityEvent {
            index: 0,
            kind: EventKind::Access,
            at: now,
            request: facts.request_id.clone(),
            who: facts.principal.subject().clone(),
            client: facts.client.or(facts.peer.map(|peer| peer.ip())),
            method: parts.method.clone(),
            host: facts.host.as_ref().map(CanonicalHost::shared),
            path: facts.path.as_ref().map_or_else(|| parts.uri.path().into(), CanonicalPath::shared),
            route: facts.route.as_ref().map(|route| route.name.clone()),
            operation: facts.operation.as_ref().map(|found| found.operation.id.clone()),
            outcome,
            evidence: Evidence::default(),
            took: None,
            policy: self.policy.clone(),
        };
        if let Some(beginning) = cut(&event.path) {
            event.path = beginning.into();
        }
        let refusal = facts.denial.as_ref().map(|denial| {
            let mut evidence = denial.evidence().clone();
            evidence.add("stage", denial.stage().as_str());
            (denial.code().event(), evidence)
        });
        let notes = facts.notes.drain(..).map(|note| (note.kind, note.evidence));
        for (kind, evidence) in refusal.into_iter().chain(notes) {
            self.sink.emit(SecurityEvent { kind, evidence, ..event.clone() });
            event.index += 1;
        }
        let took = Took { status, all: now.since(facts.received), backend: facts.backend };
        let told = last(&event);
        self.sink.emit(SecurityEvent { took: Some(took), ..event });
        told
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Stage for Record {
    fn id(&self) -> StageId {
        StageId::Record
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut attended = Attended { record: self, head, status: StatusCode::from_u16(499).ok() };
            let outcome = next.run(attended.head, body).await;
            attended.status = outcome.as_ref().ok().map(http::Response::status);
            let mut response = outcome?;
            if let Some(traffic) = response.extensions_mut().get::<Arc<Traffic>>().cloned()
                && let Some(opened) = attended.finish(SecurityEvent::clone)
            {
                let socket = Socket { record: self.clone(), opened, traffic };
                return Ok(response.map(|body| body::holding(body, socket)));
            }
            Ok(response)
        })
    }
}

/// A request whose end is written down, whatever the end is: when the caller goes away, its future is dropped.
struct Attended<'a> {
    record: &'a Record,
    head: &'a mut Head,
    /// How it would be written down now.
    status: Option<StatusCode>,
}

impl Attended<'_> {
    /// Writes it down, once.
    fn finish<T>(&mut self, last: impl FnOnce(&SecurityEvent) -> T) -> Option<T> {
        self.status.take().map(|status| self.record.write(self.head, status, last))
    }
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        self.finish(|_| ());
    }
}

/// An open WebSocket. It hangs on the body of the answer that opened it; its end is written down when that is dropped.
struct Socket {
    record: Record,
    opened: SecurityEvent,
    traffic: Arc<Traffic>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let (received, sent) = self.traffic.bytes();
        let at = self.record.clock.now();
        let mut evidence = Evidence::default();
        evidence.add("ended", self.traffic.ended());
        evidence.add("received", received.to_string());
        evidence.add("sent", sent.to_string());
        evidence.add("millis", at.since(self.opened.at).as_millis().to_string());
        let index = self.opened.index + 1;
        let kind = EventKind::WebsocketClosed;
        self.record.sink.emit(SecurityEvent { index, kind, at, evidence, ..self.opened.clone() });
    }
}

/// The beginning of a long path: a log line must not grow with what an attacker sends.
fn cut(path: &str) -> Option<&str> {
    if path.len() <= Evidence::LONGEST {
        return None;
    }
    let end = (0..=Evidence::LONGEST).rev().find(|at| path.is_char_boundary(*at))?;
    path.get(..end)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use palisade_core::denial::{Denial, DenialCode};
    use palisade_core::event::EventKind;

    use super::*;
    use crate::observe::Kept;
    use crate::testing::{FixedClock, answer, assert_stage, head, refusal_of_pending};

    fn stage(kept: &Kept) -> Record {
        Record::new(Arc::new(kept.clone()), Arc::new(FixedClock(2_000)), PolicyVersion::new("p-1"))
    }

    #[tokio::test]
    async fn writes_one_access_event_and_one_for_each_thing_that_happened() {
        let kept = Kept::default();
        let mut head = head("GET /orders?token=secret\nauthorization: Bearer secret");
        head.facts.request_id = palisade_core::id::RequestId::new("r-1");
        head.facts.received = palisade_core::time::Timestamp::from_millis(1_500);
        head.facts.backend = Some(std::time::Duration::from_millis(7));
        head.facts.note(EventKind::ResponseStripped, &[("removed", "/a")]);
        head.facts.denial = Some(Denial::new(DenialCode::ResponseForeign, StageId::Reveal).because("claim", "sub"));
        answer(&stage(&kept), &mut head, "secret").await.unwrap();
        let events = kept.take();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::AuthorizationDenied, EventKind::ResponseStripped, EventKind::Access]);
        let ids: Vec<String> = events.iter().map(|event| event.id().to_string()).collect();
        assert_eq!(ids, ["r-1.0", "r-1.1", "r-1.2"]);
        let evidence: Vec<Vec<_>> = events.iter().map(|event| event.evidence.iter().collect()).collect();
        assert_eq!(evidence[0], [("claim", "sub"), ("stage", "reveal")]);
        assert_eq!(evidence[1], [("removed", "/a")]);
        let millis = std::time::Duration::from_millis;
        let took = Took { status: StatusCode::OK, all: millis(500), backend: Some(millis(7)) };
        assert_eq!((evidence[2].as_slice(), events[2].took), (&[][..], Some(took)));
        assert!(events[..2].iter().all(|event| event.took.is_none()));
        for event in &events {
            assert_eq!(event.outcome, Ended::Denied(DenialCode::ResponseForeign));
            assert_eq!((&*event.path, event.request.as_str()), ("/orders", "r-1"));
            assert!(!format!("{event:?}").contains("secret"), "no credential, no body, no query");
        }
    }

    #[tokio::test]
    async fn the_path_is_the_one_that_was_asked_for_and_short() {
        let long = format!("/{}", "%C3%A9".repeat(200));
        for (path, canonical, expect) in [
            ("/a%2fb", None, "/a%2fb"),
            ("/%7Ea", Some("/%7Ea"), "/~a"),
            (long.as_str(), None, long.get(..512).unwrap()),
            (long.as_str(), Some(long.as_str()), long.get(..512).unwrap()),
        ] {
            let kept = Kept::default();
            let mut head = head(&format!("GET {path}"));
            head.facts.path = canonical.and_then(|path| CanonicalPath::parse(path).ok());
            answer(&stage(&kept), &mut head, "").await.unwrap();
            assert_eq!(&*kept.take()[0].path, expect, "{path}");
        }
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_is_written_down() {
        let kept = Kept::default();
        let pending = refusal_of_pending(&stage(&kept), &mut head("POST /transfer")).now_or_never();
        assert!(pending.is_none());
        let events = kept.take();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].outcome, Ended::Answered(StatusCode::from_u16(499).unwrap()));
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&stage(&Kept::default()));
    }
}
