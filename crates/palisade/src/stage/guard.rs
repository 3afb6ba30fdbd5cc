//! Stops asking a backend that keeps failing, so that callers get an answer at once and the backend can recover.
//!
//! 1. Failures in a row are counted by route: no connection, a broken answer, or status 502, 503 and 504.
//! 2. After `failures` of them the circuit opens: requests are refused for `pause`, with when to come again.
//! 3. Then one request is let through to try. If it succeeds the circuit closes, else it opens again.
//!
//! Caveat: a backend that takes connections and never answers is met by `deadline`; it does not open the circuit, because
//! from here it looks the same as callers who do not wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::time::Instant;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::settings::PerRoute;

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
    circuits: PerRoute<Circuit>,
}

/// When a circuit opens and for how long.
///
/// ```
/// let settings = palisade::stage::guard::GuardSettings::default();
/// assert_eq!((settings.failures, settings.pause.as_secs()), (5, 10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open.
    pub pause: Duration,
}

impl Default for GuardSettings {
    /// Five failures, ten seconds.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(10) }
    }
}

#[derive(Debug)]
struct Circuit {
    settings: GuardSettings,
    state: CircuitState,
}

/// Whether one backend is being asked. A clone is the same circuit, which another stage with other settings can go on
/// with.
#[derive(Clone, Debug)]
pub struct CircuitState(Arc<Mutex<State>>);

impl CircuitState {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests are refused now without asking the backend.
    pub fn is_open(&self) -> bool {
        matches!(*self.lock(), State::Open { until } | State::Trying { until } if Instant::now() < until)
    }
}

impl Default for CircuitState {
    /// Closed.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State::Closed { failures: 0 })))
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One request is trying; if it never comes back, the next may try at this time.
    Trying {
        until: Instant,
    },
}

impl Guard {
    /// The stage with settings by route, in the order of the routes.
    pub fn new(routes: impl IntoIterator<Item = GuardSettings>) -> Self {
        let circuits = routes.into_iter().map(Circuit::new).collect();
        Self { circuits: PerRoute::new(Circuit::new(GuardSettings::default()), circuits) }
    }

    /// The stage with circuits that others know, in the order of the routes.
    pub fn with_states(routes: impl IntoIterator<Item = (GuardSettings, CircuitState)>) -> Self {
        let circuits = routes.into_iter().map(|(settings, state)| Circuit { settings, state }).collect();
        Self { circuits: PerRoute::new(Circuit::new(GuardSettings::default()), circuits) }
    }
}

impl Circuit {
    fn new(settings: GuardSettings) -> Self {
        Self { settings, state: CircuitState::default() }
    }

    /// Whether a request may try; if not, how long to wait.
    fn enter(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock();
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until } | State::Trying { until } if now < until => Err(until - now),
            State::Open { .. } | State::Trying { .. } => {
                *state = State::Trying { until: now + self.settings.pause };
                Ok(())
            }
        }
    }

    fn settle(&self, failed: bool, now: Instant) {
        let mut state = self.state.lock();
        *state = match (*state, failed) {
            (_, false) => State::Closed { failures: 0 },
            (State::Closed { failures }, true) if failures + 1 < self.settings.failures => {
                State::Closed { failures: failures + 1 }
            }
            (_, true) => State::Open { until: now + self.settings.pause },
        };
    }
}

impl Stage for Guard {
    fn id(&self) -> StageId {
        StageId::Guard
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let circuit = self.circuits.of(head);
            if let Err(wait) = circuit.enter(Instant::now()) {
                return Err(Denial::new(DenialCode::CircuitOpen, StageId::Guard).retry_after(wait).into());
            }
            let outcome = next.run(head, body).await;
            if let Some(failed) = is_failure(&outcome) {
                circuit.settle(failed, Instant::now());
            }
            outcome
        })
    }
}

/// Whether the backend failed. A caller's failure, such as a body that breaks off, says nothing about the backend.
fn is_failure(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Ok(response) => Some(matches!(
            response.status(),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )),
        Err(super::Stop::Deny(denial)) => (denial.code() == DenialCode::UpstreamUnreachable).then_some(true),
        Err(super::Stop::Answer(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_stage;

    #[tokio::test(start_paused = true)]
    async fn opens_tries_once_and_closes() {
        let circuit = Circuit::new(GuardSettings { failures: 2, pause: Duration::from_secs(10) });
        let enter = || circuit.enter(Instant::now()).is_ok();
        circuit.settle(true, Instant::now());
        assert!(enter(), "one failure is not enough");
        circuit.settle(true, Instant::now());
        assert!(!enter(), "two open the circuit");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(enter() && !enter(), "one request tries");
        circuit.settle(true, Instant::now());
        assert!(!enter(), "it failed, so the circuit is open again");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(enter());
        circuit.settle(false, Instant::now());
        assert!(enter() && enter(), "it succeeded, so everyone may");
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Guard::new([]));
    }
}
