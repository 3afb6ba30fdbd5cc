//! Stops asking a backend that keeps failing, so that callers get an answer at once and the backend can recover.
//!
//! 1. Failures in a row are counted for each backend: no connection, a broken answer, status 502, 503 and 504, and no
//!    answer in the time that the request had. Routes with the same backend share one count.
//! 2. After `failures` of them the circuit opens: requests are refused for `pause`, with when to come again.
//! 3. Then `probes` requests are let through to try; all others are still refused. If they succeed the circuit closes, and
//!    if one fails it opens again. A request that ends without a word about the backend, because its caller has gone,
//!    leaves its place to the next.
//!
//! Caveat: a caller who goes away before the deadline hides a backend that hangs; others will wait longer.

mod circuit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::time::Instant;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::settings::PerRoute;
use crate::until::Until;
use circuit::{Circuit, Entered};

/// The stage.
///
/// ```
/// use palisade::stage::guard::{Guard, GuardSettings};
///
/// // One route, whose backend is given up sooner.
/// let chain = palisade::Chain::new().with(Guard::new([GuardSettings { failures: 2, ..GuardSettings::default() }]));
/// ```
#[derive(Debug)]
pub struct Guard {
    breakers: PerRoute<Breaker>,
}

/// When a circuit opens and for how long.
///
/// ```
/// let settings = palisade::stage::guard::GuardSettings::default();
/// assert_eq!((settings.failures, settings.pause.as_secs(), settings.probes), (5, 10, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open.
    pub pause: Duration,
    /// How many requests try at once whether the backend is back; all of them have to succeed.
    pub probes: u32,
}

impl Default for GuardSettings {
    /// Five failures, ten seconds, one request that tries.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(10), probes: 1 }
    }
}

/// A backend's circuit. Clones are the same one, for routes with the same backend.
///
/// ```
/// use palisade::stage::guard::{Breaker, Guard, GuardSettings};
///
/// let orders = Breaker::new(GuardSettings::default());
/// let guard = Guard::sharing([orders.clone(), orders]);
/// # let _ = guard;
/// ```
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: GuardSettings,
    began: Instant,
    circuit: Mutex<Circuit>,
}

impl Guard {
    /// The stage with settings by route, in the order of the routes; each has a circuit of its own.
    pub fn new(routes: impl IntoIterator<Item = GuardSettings>) -> Self {
        Self::sharing(routes.into_iter().map(Breaker::new))
    }

    /// The stage with a circuit for each route, in the order of the routes; some may be the same.
    pub fn sharing(routes: impl IntoIterator<Item = Breaker>) -> Self {
        let breakers = routes.into_iter().collect();
        Self { breakers: PerRoute::new(Breaker::new(GuardSettings::default()), breakers) }
    }
}

impl Breaker {
    /// A closed circuit.
    pub fn new(settings: GuardSettings) -> Self {
        let circuit = Mutex::new(Circuit::Closed { failures: 0 });
        Self(Arc::new(Shared { settings, began: Instant::now(), circuit }))
    }

    /// The state in a word: `closed`, `half_open` or `open`.
    pub fn state(&self) -> &'static str {
        match *self.circuit() {
            Circuit::Closed { .. } => "closed",
            Circuit::HalfOpen { .. } => "half_open",
            Circuit::Open { .. } => "open",
        }
    }

    fn enter(&self, until: Option<Until>) -> Result<Passing<'_>, Duration> {
        let now = self.0.began.elapsed();
        let entered = self.circuit().enter(&self.0.settings, now)?;
        Ok(Passing { breaker: self, entered: Some(entered), until })
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.0.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that was let through and has not come back.
struct Passing<'a> {
    breaker: &'a Breaker,
    entered: Option<Entered>,
    until: Option<Until>,
}

impl Passing<'_> {
    fn settle(mut self, failed: Option<bool>) {
        let Some(entered) = self.entered.take() else { return };
        let Shared { settings, began, .. } = &*self.breaker.0;
        let mut circuit = self.breaker.circuit();
        match failed {
            None => circuit.release(entered),
            Some(false) => circuit.succeed(settings, entered),
            Some(true) => circuit.fail(settings, entered, began.elapsed()),
        }
    }
}

impl Drop for Passing<'_> {
    /// Given up: by the deadline, which is the backend's fault, or by the caller, which says nothing.
    fn drop(&mut self) {
        let Some(entered) = self.entered.take() else { return };
        let Shared { settings, began, .. } = &*self.breaker.0;
        if self.until.as_ref().is_some_and(Until::is_over) {
            self.breaker.circuit().fail(settings, entered, began.elapsed());
        } else {
            self.breaker.circuit().release(entered);
        }
    }
}

impl Stage for Guard {
    fn id(&self) -> StageId {
        StageId::Guard
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let breaker = self.breakers.of(head);
            let passing = match breaker.enter(head.facts.until.clone()) {
                Ok(passing) => passing,
                Err(wait) => {
                    return Err(Denial::new(DenialCode::CircuitOpen, StageId::Guard).retry_after(wait).into());
                }
            };
            let outcome = next.run(head, body).await;
            passing.settle(is_failure(&outcome));
            outcome
        })
    }
}

/// Whether the backend failed. A caller's failure, such as a body that breaks off, says nothing about the backend, and
/// neither does our own refusal to give it more than it can do.
fn is_failure(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Ok(response) => Some(matches!(
            response.status(),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )),
        Err(super::Stop::Deny(denial)) => {
            matches!(denial.code(), DenialCode::UpstreamUnreachable | DenialCode::DeadlineExceeded).then_some(true)
        }
        Err(super::Stop::Answer(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;
    use crate::stage::End;
    use crate::testing::{assert_stage, head};

    /// A backend that never answers.
    struct Hangs;

    impl End for Hangs {
        fn serve<'a>(&'a self, _: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
            Box::pin(std::future::pending())
        }
    }

    /// Waits for the backend so long, with a request that has ten seconds, and gives up.
    async fn wait(guard: &Guard, waits: u64, sender: body::Broken) {
        let mut head = head("GET /");
        head.facts.until = Some(Until::new(Instant::now() + Duration::from_secs(10), sender));
        let sent = guard.wrap(&mut head, Body::empty(), Next::new(&[], &Hangs));
        assert!(tokio::time::timeout(Duration::from_secs(waits), sent).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_hangs_opens_the_circuit_and_a_caller_who_goes_does_not() {
        let breaker = Breaker::new(GuardSettings { failures: 1, ..GuardSettings::default() });
        let guard = Guard { breakers: PerRoute::same(breaker.clone()) };
        wait(&guard, 9, body::Broken::default()).await;
        assert_eq!(breaker.state(), "closed", "the caller has gone before the time was up");
        wait(&guard, 10, body::Broken::default()).await;
        assert_eq!(breaker.state(), "open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_who_is_waited_for_does_not_open_the_circuit() {
        let breaker = Breaker::new(GuardSettings { failures: 1, ..GuardSettings::default() });
        let guard = Guard { breakers: PerRoute::same(breaker.clone()) };
        wait(&guard, 11, body::Broken::waiting()).await;
        assert_eq!(breaker.state(), "closed");
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Guard::new([]));
    }
}
