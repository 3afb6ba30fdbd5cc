//! The circuit of one backend: a state machine without a clock.
//!
//! ```text
//! closed --(failures in a row)--> open --(pause)--> half open --(enough successes)--> closed
//!                                   ^                   |
//!                                   +----(a failure)----+
//! ```

use std::time::Duration;

use super::GuardSettings;

/// The state. Moments are the time since any fixed beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circuit {
    Closed {
        failures: u32,
    },
    HalfOpen {
        /// Requests that are trying.
        trying: u32,
        /// Those of them that have succeeded.
        succeeded: u32,
        /// Which time it is half open: what comes back from an earlier one says nothing about this.
        round: u32,
    },
    Open {
        until: Duration,
        round: u32,
    },
}

/// A request that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// Like everybody.
    Freely,
    /// To try whether the backend is back, in this round.
    Trying(u32),
}

impl Circuit {
    /// Lets a request through, or says how long to wait.
    pub(super) fn enter(&mut self, settings: &GuardSettings, now: Duration) -> Result<Entered, Duration> {
        match *self {
            Self::Closed { .. } => Ok(Entered::Freely),
            Self::Open { until, .. } if now < until => Err(until - now),
            Self::Open { round, .. } => {
                let round = round.wrapping_add(1);
                *self = Self::HalfOpen { trying: 1, succeeded: 0, round };
                Ok(Entered::Trying(round))
            }
            Self::HalfOpen { trying, succeeded, round } if trying + succeeded < settings.probes.max(1) => {
                *self = Self::HalfOpen { trying: trying + 1, succeeded, round };
                Ok(Entered::Trying(round))
            }
            Self::HalfOpen { .. } => Err(MOMENT),
        }
    }

    /// The backend has answered.
    pub(super) fn succeed(&mut self, settings: &GuardSettings, entered: Entered) {
        match (*self, entered) {
            (Self::Closed { .. }, _) => *self = Self::Closed { failures: 0 },
            (Self::HalfOpen { trying, succeeded, round }, Entered::Trying(own)) if own == round => {
                let succeeded = succeeded + 1;
                *self = if succeeded >= settings.probes.max(1) {
                    Self::Closed { failures: 0 }
                } else {
                    Self::HalfOpen { trying: trying.saturating_sub(1), succeeded, round }
                };
            }
            // Sent before the circuit opened: that it was answered now does not say that others would be.
            (Self::HalfOpen { .. } | Self::Open { .. }, _) => {}
        }
    }

    /// The backend has failed.
    pub(super) fn fail(&mut self, settings: &GuardSettings, entered: Entered, now: Duration) {
        let until = now.saturating_add(settings.pause);
        match (*self, entered) {
            (Self::Closed { failures }, _) if failures + 1 < settings.failures => {
                *self = Self::Closed { failures: failures + 1 };
            }
            (Self::Closed { .. }, _) => *self = Self::Open { until, round: 0 },
            (Self::HalfOpen { round, .. }, Entered::Trying(own)) if own == round => *self = Self::Open { until, round },
            (Self::HalfOpen { .. } | Self::Open { .. }, _) => {}
        }
    }

    /// The request ended without a word about the backend: its place is free for another.
    pub(super) fn release(&mut self, entered: Entered) {
        if let (Self::HalfOpen { trying, succeeded, round }, Entered::Trying(own)) = (*self, entered)
            && own == round
        {
            *self = Self::HalfOpen { trying: trying.saturating_sub(1), succeeded, round };
        }
    }
}

/// How long those wait who come while others try.
const MOMENT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: GuardSettings = GuardSettings { failures: 2, pause: Duration::from_secs(10), probes: 1 };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn opens_tries_once_and_closes() {
        let mut circuit = Circuit::Closed { failures: 0 };
        circuit.fail(&SETTINGS, Entered::Freely, secs(0));
        assert_eq!(circuit.enter(&SETTINGS, secs(0)), Ok(Entered::Freely), "one failure is not enough");
        circuit.fail(&SETTINGS, Entered::Freely, secs(0));
        assert_eq!(circuit.enter(&SETTINGS, secs(1)), Err(secs(9)), "two open the circuit");
        let first = circuit.enter(&SETTINGS, secs(10)).unwrap();
        assert!(circuit.enter(&SETTINGS, secs(10)).is_err(), "one request tries");
        circuit.fail(&SETTINGS, first, secs(11));
        assert_eq!(circuit.enter(&SETTINGS, secs(11)), Err(secs(10)), "it failed, so the circuit is open again");
        let second = circuit.enter(&SETTINGS, secs(21)).unwrap();
        circuit.succeed(&SETTINGS, first);
        assert!(circuit.enter(&SETTINGS, secs(21)).is_err(), "an old answer closes nothing");
        circuit.succeed(&SETTINGS, second);
        assert_eq!(circuit, Circuit::Closed { failures: 0 });
    }

    #[test]
    fn a_request_that_says_nothing_leaves_its_place_to_the_next() {
        let mut circuit = Circuit::Open { until: secs(0), round: 0 };
        let gone = circuit.enter(&SETTINGS, secs(0)).unwrap();
        assert!(circuit.enter(&SETTINGS, secs(0)).is_err());
        circuit.release(gone);
        assert!(circuit.enter(&SETTINGS, secs(0)).is_ok());
    }

    /// What may happen next: somebody comes, or one of those who came before ends in one of three ways.
    #[derive(Clone, Debug)]
    enum Step {
        Enter,
        Fail(prop::sample::Index),
        Pass(u64),
        Release(prop::sample::Index),
        Succeed(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Enter),
            1 => any::<prop::sample::Index>().prop_map(Step::Fail),
            1 => (0_u64..8).prop_map(Step::Pass),
            1 => any::<prop::sample::Index>().prop_map(Step::Release),
            1 => any::<prop::sample::Index>().prop_map(Step::Succeed),
        ]
    }

    proptest! {
        #[test]
        fn never_more_try_than_may(
            steps in proptest::collection::vec(step(), 0..300),
            failures in 1_u32..4,
            probes in 1_u32..4,
        ) {
            let settings = GuardSettings { failures, pause: secs(10), probes };
            let (mut circuit, mut now) = (Circuit::Closed { failures: 0 }, Duration::ZERO);
            let mut inside: Vec<Entered> = Vec::new();
            for step in steps {
                let mut take = |index: prop::sample::Index| {
                    (!inside.is_empty()).then(|| inside.swap_remove(index.index(inside.len())))
                };
                match step {
                    Step::Enter => {
                        let was_open = matches!(circuit, Circuit::Open { until, .. } if now < until);
                        let entered = circuit.enter(&settings, now);
                        prop_assert!(!(was_open && entered.is_ok()));
                        inside.extend(entered);
                    }
                    Step::Fail(index) => { take(index).into_iter().for_each(|e| circuit.fail(&settings, e, now)); }
                    Step::Pass(passes) => now += secs(passes),
                    Step::Release(index) => { take(index).into_iter().for_each(|e| circuit.release(e)); }
                    Step::Succeed(index) => { take(index).into_iter().for_each(|e| circuit.succeed(&settings, e)); }
                }
                if let Circuit::HalfOpen { trying, succeeded, round } = circuit {
                    let really = inside.iter().filter(|entered| **entered == Entered::Trying(round)).count();
                    prop_assert!(really == trying as usize && trying + succeeded <= probes);
                }
            }
        }

        #[test]
        fn every_circuit_closes_once_the_backend_is_back(
            failures in 1_u32..6,
            probes in 1_u32..6,
            broken in 0_u32..20,
        ) {
            let settings = GuardSettings { failures, pause: secs(10), probes };
            let (mut circuit, mut now) = (Circuit::Closed { failures: 0 }, Duration::ZERO);
            for _ in 0..broken {
                now += secs(3);
                if let Ok(entered) = circuit.enter(&settings, now) {
                    circuit.fail(&settings, entered, now);
                }
            }
            now += secs(10);
            for _ in 0..probes {
                let entered = circuit.enter(&settings, now);
                prop_assert!(entered.is_ok());
                circuit.succeed(&settings, entered.unwrap());
            }
            prop_assert_eq!(circuit, Circuit::Closed { failures: 0 });
        }
    }
}
