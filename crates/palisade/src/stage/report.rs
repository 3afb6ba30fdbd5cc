//! Takes what browsers report about policies of pages: an attack in progress, or a policy that is too strict.
//!
//! 1. One path, POST, `application/reports+json` or `application/csp-report`; anything else goes on to the other stages.
//! 2. Nobody has to sign in, since browsers report without credentials. So each client address has a small budget, a body
//!    has at most 64 KiB and ten seconds, and what is not shaped like a report is refused.
//! 3. Each report becomes one event of the kind `browser_report`, with short values without control characters and
//!    addresses without their queries. The same again within ten minutes becomes none.
//! 4. The answer is 204, whatever a report says: there is nothing to learn here.
//!
//! Caveat: anybody can send reports. They are hints for people, and no rule may act on them.

mod parse;
mod recent;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use http::header::CONTENT_TYPE;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::{Limit, LimitBy};
use palisade_core::port::CounterStore;
use palisade_core::stage::StageId;
use parse::{Form, parse};
use recent::Recent;

use super::{Answer, Head, Next, Outcome, Stage, Stop, Verdict};
use crate::body::{self, Body};
use crate::limit::{Counters, RouteRules, Rules};

/// The stage.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::core::event::EventKind;
/// use palisade::stage::{Answer, Stop, report::{Report, ReportPath}};
/// use palisade::testing::{MemoryCounts, answer, head};
///
/// let stage = Report::new(ReportPath::parse("/reports")?, Arc::new(MemoryCounts::default()));
/// let mut told = head("POST /reports\nhost: a\ncontent-type: application/csp-report");
/// told.facts.path = palisade::core::canon::path::CanonicalPath::parse("/reports").ok();
/// let report = r#"{"csp-report": {"effective-directive": "script-src", "blocked-uri": "https://evil.example/x.js"}}"#;
/// assert!(matches!(answer(&stage, &mut told, report).await, Err(Stop::Answer(Answer::Received))));
/// assert_eq!(told.facts.notes[0].kind, EventKind::BrowserReport);
/// # Ok::<(), palisade::stage::report::PathError>(())
/// # }).unwrap();
/// ```
pub struct Report {
    path: ReportPath,
    counters: Counters,
    rules: RouteRules,
    recent: Mutex<Recent>,
}

/// A path of the own origin that browsers report to, such as `/.well-known/palisade/reports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPath(Box<str>);

impl ReportPath {
    /// A path in canonical form that can stand in a header: letters, digits, `/`, `-`, `_`, `.` and `~`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
        let canonical = CanonicalPath::parse(text).is_ok_and(|path| path.as_str() == text);
        if canonical && text.len() > 1 && text.bytes().all(plain) {
            return Ok(Self(text.into()));
        }
        Err(PathError { text: text.to_owned() })
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why browsers cannot report to a path.
///
/// ```
/// use palisade::stage::report::ReportPath;
///
/// let elsewhere = ReportPath::parse("https://collector.example/reports").unwrap_err();
/// assert!(elsewhere.to_string().starts_with("browsers cannot report to `https://collector.example/reports`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "browsers cannot report to `{text}`: write a plain path of this origin, such as `/.well-known/palisade/reports`"
)]
pub struct PathError {
    text: String,
}

impl Report {
    /// The stage at this path, counting in this store.
    pub fn new(path: ReportPath, store: Arc<dyn CounterStore>) -> Self {
        let rules = RouteRules::reports(Limit::new(60, Duration::from_secs(60), LimitBy::Client));
        Self { path, counters: Counters::new(store), rules, recent: Mutex::default() }
    }

    async fn receive(&self, head: &mut Head, body: Body) -> Result<(), Stop> {
        let deny = |code| Denial::new(code, StageId::Report);
        let form = Form::of(head.parts.headers.get(CONTENT_TYPE).map_or(b"", http::HeaderValue::as_bytes));
        let form = form.ok_or_else(|| deny(DenialCode::MediaTypeUndeclared))?;
        // What one client may report: a page with a wrong policy makes dozens of reports at once.
        match self.counters.spend(head, Rules::Reports(&self.rules)) {
            Verdict::Now(result) => result?,
            Verdict::Later(waiting) => waiting.await?,
        }
        let (body, _) = body::limited(body, LONGEST_BODY);
        let read = tokio::time::timeout(LONGEST_WAIT, body::read(body, StageId::Report)).await;
        let bytes = read.map_err(|_| deny(DenialCode::RequestTimeout))??;
        let reports = parse(form, &bytes).map_err(|why| deny(DenialCode::PayloadInvalid).because("reason", why))?;
        for report in reports.iter().take(MOST_REPORTS) {
            let facts = report.facts();
            let is_new = self.recent.lock().unwrap_or_else(PoisonError::into_inner).add(&facts, head.facts.received);
            if is_new {
                head.facts.note(EventKind::BrowserReport, &facts);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Stage for Report {
    fn id(&self) -> StageId {
        StageId::Report
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let path = head.facts.path.as_ref().map_or(head.parts.uri.path(), |path| path.as_str());
        if head.parts.method != Method::POST || path != self.path.as_str() {
            return next.run(head, body);
        }
        Box::pin(async move {
            self.receive(head, body).await?;
            Err(Stop::Answer(Answer::Received))
        })
    }
}

const LONGEST_BODY: usize = 64 << 10;

const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How many reports of one body are looked at.
const MOST_REPORTS: usize = 20;

#[cfg(test)]
mod tests;
