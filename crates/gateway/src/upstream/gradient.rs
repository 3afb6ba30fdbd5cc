//! How many requests a backend can work on at once, found out from how long its answers take: a state machine.
//!
//! The rule is Netflix' Gradient2. Two averages of the time to an answer are compared: the newest one and that of about
//! the last 600 answers. While the newest is at most one and a half times the long one, the limit grows by a few places;
//! when answers get slower beyond that, requests are queueing somewhere, and the limit shrinks in proportion. It moves only
//! while at least half of it is in use, because an idle backend says nothing about what it could do.

use std::time::Duration;

/// The bounds of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientSettings {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// The limit and what it was learned from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gradient {
    settings: GradientSettings,
    limit: f64,
    /// The average of many answers, in seconds, once there is one.
    long: Option<f64>,
    samples: u32,
}

impl Gradient {
    /// A limit that begins at 20, or at the nearest of the bounds.
    pub(crate) fn new(settings: GradientSettings) -> Self {
        let limit = f64::from(START.clamp(settings.min.min(settings.max), settings.max));
        Self { settings, limit, long: None, samples: 0 }
    }

    /// How many requests may be under way.
    pub(crate) fn limit(&self) -> u32 {
        // The value is between two numbers of this type.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to bounds that are u32")]
        let limit = self.limit as u32;
        limit
    }

    /// An answer took so long while so many requests were under way. The new limit.
    pub(crate) fn observe(&mut self, took: Duration, in_flight: u32) -> u32 {
        // A clock with coarse steps may say zero.
        let short = took.as_secs_f64().max(MIN_SECONDS);
        let long = self.average(short);
        if f64::from(in_flight) < self.limit / 2.0 {
            return self.limit();
        }
        let gradient = (TOLERANCE * long / short).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE;
        let moved = self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING;
        self.limit = moved.clamp(f64::from(self.settings.min.max(1)), f64::from(self.settings.max.max(1)));
        self.limit()
    }

    /// The average with one more answer: a plain one over the first ten, then an exponential one.
    fn average(&mut self, short: f64) -> f64 {
        self.samples = self.samples.saturating_add(1);
        let long = match self.long {
            None => short,
            Some(long) if self.samples <= WARM_UP => long + (short - long) / f64::from(self.samples),
            Some(long) => long + (short - long) * 2.0 / (WINDOW + 1.0),
        };
        // Behind a time of slow answers the average would take long to come down, and all would look fast meanwhile.
        let long = if long / short > 2.0 { long * 0.95 } else { long };
        self.long = Some(long);
        long
    }
}

const START: u32 = 20;
const WARM_UP: u32 = 10;
const WINDOW: f64 = 600.0;
const TOLERANCE: f64 = 1.5;
const SMOOTHING: f64 = 0.2;
/// How many requests may wait in a queue without that being a sign of overload.
const QUEUE: f64 = 4.0;
const MIN_SECONDS: f64 = 0.000_001;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A backend with so many places, each of which works for 10 ms: beyond them requests queue.
    fn settle(gradient: &mut Gradient, places: u32, answers: usize) -> u32 {
        for _ in 0..answers {
            let in_flight = gradient.limit();
            let rounds = f64::from(in_flight) / f64::from(places);
            gradient.observe(Duration::from_secs_f64(0.010 * rounds.max(1.0)), in_flight);
        }
        gradient.limit()
    }

    #[test]
    fn grows_while_answers_stay_fast() {
        let mut gradient = Gradient::new(GradientSettings { min: 5, max: 200 });
        assert_eq!(settle(&mut gradient, 1000, 500), 200);
    }

    #[test]
    fn shrinks_when_the_backend_loses_places() {
        let mut gradient = Gradient::new(GradientSettings { min: 5, max: 1000 });
        let before = settle(&mut gradient, 100, 60);
        assert!(before > 60, "{before}");
        let after = settle(&mut gradient, 10, 30);
        assert!(after < before / 2, "{before} became {after}");
    }

    #[test]
    fn an_idle_backend_proves_nothing() {
        let mut gradient = Gradient::new(GradientSettings { min: 1, max: 1000 });
        for _ in 0..100 {
            assert_eq!(gradient.observe(Duration::from_millis(1), 1), 20);
        }
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(
            min in 1_u32..50,
            more in 0_u32..500,
            samples in proptest::collection::vec((0_u64..10_000_000, 0_u32..1000), 0..300),
        ) {
            let mut gradient = Gradient::new(GradientSettings { min, max: min + more });
            for (micros, in_flight) in samples {
                let limit = gradient.observe(Duration::from_micros(micros), in_flight);
                prop_assert!((min..=min + more).contains(&limit));
            }
        }

        #[test]
        fn slower_answers_never_give_a_higher_limit(
            history in proptest::collection::vec(1_u64..100_000, 1..50),
            took in 1_u64..100_000,
            slower in 1_u64..100_000,
        ) {
            let mut gradient = Gradient::new(GradientSettings { min: 1, max: 1000 });
            for micros in history {
                let in_flight = gradient.limit();
                gradient.observe(Duration::from_micros(micros), in_flight);
            }
            let (mut fast, mut slow, in_flight) = (gradient, gradient, gradient.limit());
            // A sample moves the average too, a little: by less than one place of the limit.
            let fast = fast.observe(Duration::from_micros(took), in_flight);
            let slow = slow.observe(Duration::from_micros(took + slower), in_flight);
            prop_assert!(slow <= fast + 1, "{slow} > {fast}");
        }
    }
}
