//! Watches a chain at work: what each stage has found out about a request, and what it said.
//!
//! A chain that is watched is the chain itself with a note-taker around each of its stages, so that what it tells cannot
//! differ from what happens. One that is not watched has none and pays nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, Evidence};
use palisade_core::stage::StageId;

use crate::body::Body;
use crate::facts::Facts;
use crate::stage::{Answer, Head, Next, Outcome, Stage, Stop, Verdict};

/// Takes notes of one request after the other. Clones write into one book.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade::chain::Permitted;
/// use palisade::testing::{TestWorld, request, send};
/// use palisade::watch::{Said, Step, Watch};
/// use palisade::{Chain, stage::Stop};
///
/// let watch = Watch::default();
/// let service = tower::service_fn(|_: Permitted<http::Request<axum::body::Body>>| async {
///     Ok::<_, Stop>(http::Response::new(axum::body::Body::empty()))
/// });
/// let guarded = Chain::api().chain(&TestWorld::new().world).watched(&watch).build(service).unwrap();
/// send(&guarded, request("GET /orders\nhost: a")).await;
/// let steps = watch.take();
/// let Step { stage, said, .. } = steps.last().unwrap();
/// assert_eq!(stage.as_str(), "operation");
/// assert!(matches!(said, Said::Denied(denial) if denial.code().slug() == "operation-undeclared"));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Book>>);

/// What one stage did with a request.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which stage.
    pub stage: StageId,
    /// What it said.
    pub said: Said,
    /// What was known when it had run and not before, by the name of the fact.
    pub found: Vec<(&'static str, String)>,
}

/// What a stage said.
#[derive(Clone, Debug)]
pub enum Said {
    /// It answered itself.
    Answered(Answer),
    /// It refused.
    Denied(Denial),
    /// It let the request pass.
    Passed,
}

#[derive(Debug, Default)]
struct Book {
    steps: Vec<Step>,
    /// The stages that enclose what runs now, and last what runs now: by their place in `steps`.
    running: Vec<usize>,
    known: Vec<(&'static str, String)>,
}

impl Watch {
    /// What was noted so far, which is forgotten.
    pub fn take(&self) -> Vec<Step> {
        std::mem::take(&mut *self.lock()).steps
    }

    /// A stage with a note-taker around it.
    pub(crate) fn around(&self, stage: Box<dyn Stage>) -> Box<dyn Stage> {
        Box::new(Watched { stage, watch: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Credits what is new to whoever ran last.
    fn learn(&mut self, facts: &Facts) {
        let now = known(facts);
        let new = now.iter().filter(|fact| !self.known.contains(fact)).cloned();
        if let Some(step) = self.running.last().and_then(|at| self.steps.get_mut(*at)) {
            step.found.extend(new);
        }
        self.known = now;
    }

    fn enter(&mut self, stage: StageId, facts: &Facts) -> usize {
        self.learn(facts);
        // A stage that only looks is over when the next one begins.
        self.running.retain(|at| self.steps.get(*at).is_some_and(|step| encloses(step.stage)));
        self.steps.push(Step { stage, said: Said::Passed, found: Vec::new() });
        let at = self.steps.len() - 1;
        self.running.push(at);
        at
    }

    /// Notes how a stage stopped the request; one that hands on what another said has said nothing.
    fn stopped(&mut self, at: usize, stop: &Stop) {
        let is_last = at + 1 == self.steps.len();
        let Some(step) = self.steps.get_mut(at) else { return };
        match stop {
            Stop::Answer(answer) if is_last => step.said = Said::Answered(answer.clone()),
            Stop::Deny(denial) if denial.stage() == step.stage => step.said = Said::Denied(denial.clone()),
            Stop::Answer(_) | Stop::Deny(_) => {}
        }
    }

    fn leave(&mut self, at: usize, facts: &Facts) {
        self.learn(facts);
        self.running.retain(|other| *other < at);
    }
}

fn encloses(stage: StageId) -> bool {
    stage.kind() == palisade_core::stage::StageKind::Wrap
}

struct Watched {
    stage: Box<dyn Stage>,
    watch: Watch,
}

impl Stage for Watched {
    fn id(&self) -> StageId {
        self.stage.id()
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let at = self.watch.lock().enter(self.id(), &head.facts);
        let note = move |result: &Result<(), Stop>| {
            if let Err(stop) = result {
                self.watch.lock().stopped(at, stop);
            }
        };
        match self.stage.check(head) {
            Verdict::Now(result) => {
                note(&result);
                Verdict::Now(result)
            }
            Verdict::Later(waiting) => Verdict::Later(Box::pin(async move {
                let result = waiting.await;
                note(&result);
                result
            })),
        }
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let at = self.watch.lock().enter(self.id(), &head.facts);
            let outcome = self.stage.wrap(head, body, next).await;
            let mut book = self.watch.lock();
            if let Err(stop) = &outcome {
                book.stopped(at, stop);
            }
            book.leave(at, &head.facts);
            outcome
        })
    }

    fn dangers(&self) -> Vec<String> {
        self.stage.dangers()
    }
}

/// Everything that is known of a request and can be told; what no stage has found out yet is absent.
fn known(facts: &Facts) -> Vec<(&'static str, String)> {
    let principal = &facts.principal;
    let texts = [
        ("malformed", facts.malformed.as_ref().map(|malformed| format!("{malformed:?}"))),
        ("client", facts.client.map(|client| client.to_string())),
        ("forwarded_host", facts.forwarded_host.as_ref().map(ToString::to_string)),
        ("host", facts.host.as_ref().map(ToString::to_string)),
        ("path", facts.path.as_ref().map(|path| path.as_str().to_owned())),
        ("route", facts.route.as_ref().map(|route| route.name.to_string())),
        ("operation", facts.operation.as_ref().map(|found| found.operation.id.to_string())),
        ("credential", facts.credential.as_ref().map(ToString::to_string)),
        ("principal", (!principal.is_anonymous()).then(|| principal.subject().to_string())),
        ("tenant", principal.tenant().map(ToString::to_string)),
        ("roles", Some(principal.roles().to_string()).filter(|roles| !roles.is_empty())),
        ("scopes", Some(principal.scopes().to_string()).filter(|scopes| !scopes.is_empty())),
        ("level", (!principal.is_anonymous()).then(|| principal.assurance().level.as_str().to_owned())),
        ("held_to_owner", facts.owned.then(|| "yes".to_owned())),
    ];
    let notes = facts.notes.iter().map(|note| ("noted", format!("{} {}", note.kind, evidence(&note.evidence))));
    texts.into_iter().filter_map(|(name, text)| Some((name, text?))).chain(notes).collect()
}

/// Evidence on one line.
fn evidence(evidence: &Evidence) -> String {
    evidence.iter().map(|(fact, value)| format!("{fact}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use palisade_core::denial::DenialCode;

    use super::*;
    use crate::chain::{Chain, Permitted};
    use crate::testing::{TestWorld, request, send};

    /// Steps of a request as `stage: verdict`, and what each has found.
    async fn watched(chain: Chain, text: &str) -> (Vec<String>, Vec<String>) {
        let watch = Watch::default();
        let service = tower::service_fn(|_: Permitted<http::Request<Body>>| async {
            Err::<http::Response<Body>, _>(Stop::from(Denial::new(DenialCode::UpstreamUnreachable, StageId::Forward)))
        });
        let guarded = chain.watched(&watch).build(service).unwrap();
        send(&guarded, request(text)).await;
        let steps = watch.take();
        assert!(watch.take().is_empty(), "a book is given away once");
        let said = steps.iter().map(|step| match &step.said {
            Said::Answered(answer) => format!("{}: {answer:?}", step.stage),
            Said::Denied(denial) => format!("{}: {}", step.stage, denial.code()),
            Said::Passed => step.stage.to_string(),
        });
        let found = steps.iter().flat_map(|step| {
            step.found.iter().map(|(name, value)| format!("{}: {name}={value}", step.stage)).collect::<Vec<_>>()
        });
        (said.collect(), found.collect())
    }

    #[tokio::test]
    async fn the_stage_that_refuses_is_the_one_that_said_so() {
        let test = TestWorld::new();
        let (said, found) = watched(Chain::api().chain(&test.world), "GET /a%2Fb\nhost: a").await;
        assert_eq!(said.last().unwrap(), "firewall: path-ambiguous", "{said:?}");
        assert!(said[..said.len() - 1].iter().all(|step| !step.contains(':')), "{said:?}");
        assert!(found.iter().all(|fact| !fact.starts_with("route")), "{found:?}");
    }

    #[tokio::test]
    async fn facts_are_credited_to_the_stage_that_found_them() {
        let test = TestWorld::new();
        let (said, found) = watched(Chain::api().chain(&test.world), "GET /Orders/%7Ea\nhost: API.example").await;
        assert_eq!(said.last().unwrap(), "operation: operation-undeclared", "{said:?}");
        assert_eq!(found, ["firewall: host=api.example", "firewall: path=/Orders/~a"]);
    }
}
