//! Writes what has happened: one access event for every request, and one security event for every refusal and for
//! everything that stages have noted.
//!
//! 1. Events are written after the response is known, and never change it.
//! 2. Every event of a request has its id, which the caller was told too.
//! 3. An event holds no credential, no body and no query string; evidence is short.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::Response;
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

    fn write(&self, head: &mut Head, response: &Response<Body>, method: &http::Method, asked: &str) {
        let facts = &mut head.facts;
        let mut all = Vec::with_capacity(facts.notes.len() + 2);
        let denied = facts.denial.as_ref().map_or(Ended::Answered(response.status()), |d| Ended::Denied(d.code()));
        if let Some(denial) = &facts.denial {
            let mut evidence = denial.evidence().clone();
            evidence.add("stage", denial.stage().as_str());
            all.push((denial.code().event(), denied, evidence));
        }
        for note in facts.notes.drain(..) {
            all.push((note.kind, denied, note.evidence));
        }
        let mut access = Evidence::default();
        access.add("status", response.status().as_str());
        access.add("millis", self.clock.now().since(facts.received).as_millis().to_string());
        if let Some(backend) = facts.backend {
            access.add("backend_millis", backend.as_millis().to_string());
        }
        all.push((EventKind::Access, denied, access));
        let path: Arc<str> = facts.path.as_ref().map_or_else(|| asked.into(), |path| path.as_str().into());
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
        let mut asked = head.parts.uri.path().to_owned();
        asked.truncate(
            (0..=Evidence::LONGEST).rev().find(|at| asked.is_char_boundary(*at)).unwrap_or(0).min(asked.len()),
        );
        Box::pin(async move {
            let response = next.run(head, body).await?;
            self.write(head, &response, &method, &asked);
            Ok(response)
        })
    }
}
