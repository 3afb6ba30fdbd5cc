//! Writes what has happened: one access event for every request, and one security event for every refusal and for
//! everything that stages have noted.
//!
//! 1. Events are written after the response is known, and never change it.
//! 2. Every event of a request has its id, which the caller was told too.
//! 3. An event holds no credential, no body and no query string; evidence is short.
//! 4. A caller that goes away before its answer is in the log too, with status 499: the backend may have acted.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use palisade_core::denial::Evidence;
use palisade_core::event::{EventKind, Outcome as Ended, SecurityEvent};
use palisade_core::id::{EventId, PolicyVersion};
use palisade_core::port::Clock;
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::observe::Sink;

/// The stage.
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

    fn write(&self, head: &mut Head, status: StatusCode, method: &Method, asked: &str) {
        let facts = &mut head.facts;
        let mut all = Vec::with_capacity(facts.notes.len() + 2);
        let denied = facts.denial.as_ref().map_or(Ended::Answered(status), |d| Ended::Denied(d.code()));
        if let Some(denial) = &facts.denial {
            let mut evidence = denial.evidence().clone();
            evidence.add("stage", denial.stage().as_str());
            all.push((denial.code().event(), denied, evidence));
        }
        for note in facts.notes.drain(..) {
            all.push((note.kind, denied, note.evidence));
        }
        let mut access = Evidence::default();
        access.add("status", status.as_str());
        access.add("millis", self.clock.now().since(facts.received).as_millis().to_string());
        if let Some(backend) = facts.backend {
            access.add("backend_millis", backend.as_millis().to_string());
        }
        all.push((EventKind::Access, denied, access));
        let path: Arc<str> = cut(facts.path.as_ref().map_or(asked, |path| path.as_str())).into();
        for (index, (kind, outcome, evidence)) in all.into_iter().enumerate() {
            self.sink.emit(&SecurityEvent {
                id: EventId::new(format!("{}.{index}", facts.request_id)),
                kind,
                at: self.clock.now(),
                request: facts.request_id.clone(),
                who: facts.principal.subject().clone(),
                client: facts.client.or(facts.peer.map(|peer| peer.ip())),
                method: method.clone(),
                path: Arc::clone(&path),
                route: facts.route.as_ref().map(|route| route.name.clone()),
                operation: facts.operation.as_ref().map(|found| found.operation.id.clone()),
                outcome,
                evidence,
                policy: self.policy.clone(),
            });
        }
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
        let method = head.parts.method.clone();
        let asked = cut(head.parts.uri.path()).to_owned();
        Box::pin(async move {
            let mut attended = Attended { record: self, head, method, asked, status: StatusCode::from_u16(499).ok() };
            let outcome = next.run(attended.head, body).await;
            attended.status = outcome.as_ref().ok().map(http::Response::status);
            outcome
        })
    }
}

/// A request whose end is written down, whatever the end is: when the caller goes away, its future is dropped.
struct Attended<'a> {
    record: &'a Record,
    head: &'a mut Head,
    method: Method,
    asked: String,
    /// How it would be written down now.
    status: Option<StatusCode>,
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        if let Some(status) = self.status {
            self.record.write(self.head, status, &self.method, &self.asked);
        }
    }
}

/// The beginning of a path: a log line must not grow with what an attacker sends.
fn cut(path: &str) -> &str {
    let end = (0..=Evidence::LONGEST).rev().find(|at| path.is_char_boundary(*at)).unwrap_or(0);
    path.get(..end.min(path.len())).unwrap_or_default()
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
        let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["r-1.0", "r-1.1", "r-1.2"]);
        let evidence: Vec<Vec<_>> = events.iter().map(|event| event.evidence.iter().collect()).collect();
        assert_eq!(evidence[0], [("claim", "sub"), ("stage", "reveal")]);
        assert_eq!(evidence[1], [("removed", "/a")]);
        assert_eq!(evidence[2], [("status", "200"), ("millis", "500"), ("backend_millis", "7")]);
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
            head.facts.path = canonical.and_then(|path| palisade_core::canon::path::CanonicalPath::parse(path).ok());
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
