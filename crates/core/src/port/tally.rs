//! The arithmetic of rate limits: pure steps from what a store has kept to what it keeps next.
//!
//! Every store takes these steps and no others, so that all of them give the same answers. The arithmetic is in whole
//! numbers that fit into 63 bits, whatever the rate and the clock say.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::time::Timestamp;

/// `burst` units of budget in any `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many units there are.
    pub burst: NonZeroU32,
    /// In which span of time; more than ten years count as ten years.
    pub per: Duration,
}

impl Rate {
    /// The span of time in milliseconds, as the steps see it.
    pub fn per_millis(self) -> u64 {
        millis(self.per)
    }

    /// What one unit takes of the time, by [`gcra`], in nanoseconds: so that a rate such as 600 a second is not rounded
    /// to 1000. Multiplied by the burst it is the whole window.
    pub fn interval_nanos(self) -> u64 {
        (self.per_millis() * NANOS / u64::from(self.burst.get())).max(1)
    }
}

/// How requests are counted.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
/// use palisade_core::port::counter::{Acquired, Algorithm, Rate, Step, Tally};
/// use palisade_core::time::Timestamp;
///
/// let rate = Rate { burst: NonZeroU32::MIN, per: Duration::from_secs(60) };
/// let (one, now) = (NonZeroU32::MIN, Timestamp::from_secs(1000));
/// for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
///     let Step { outcome, after, .. } = algorithm.step(None, rate, one, now);
///     assert!(outcome.is_granted());
///     let kept: Tally = after;
///     assert!(matches!(algorithm.step(Some(kept), rate, one, now).outcome, Acquired::Refused { .. }));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// The generic cell rate algorithm: `burst` at once, then refilled evenly.
    #[default]
    Gcra,
    /// A sliding window: what the window before has seen counts as far as it is still within `per`.
    SlidingWindow,
}

/// What a store keeps for one key: three numbers, whichever way it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// For GCRA when the budget is full again, in nanoseconds since 1970; for a window its beginning, in milliseconds.
    pub at: u64,
    /// What the window before this one has used.
    pub previous: u32,
    /// What this window has used.
    pub current: u32,
}

/// The outcome of asking for part of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The request is within the budget.
    Granted {
        /// How many more units would be granted at once.
        remaining: u32,
        /// When the budget is full again, from now.
        reset: Duration,
    },
    /// The budget is used up.
    Refused {
        /// When the request will be granted, from now, if nobody else asks.
        retry_after: Duration,
    },
}

impl Acquired {
    /// Whether the request may pass.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted { .. })
    }
}

/// One step of the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is answered.
    pub outcome: Acquired,
    /// What was kept, as it reads now. A refusal keeps this: a clock that was set back has been corrected in it.
    pub before: Tally,
    /// What is kept if the request is granted, here and by every other rule that it has to pass.
    pub after: Tally,
}

impl Algorithm {
    /// Asks for `cost` units: [`gcra`] or [`sliding_window`].
    pub fn step(self, state: Option<Tally>, rate: Rate, cost: NonZeroU32, now: Timestamp) -> Step {
        match self {
            Self::Gcra => gcra(state, rate, cost, now),
            Self::SlidingWindow => sliding_window(state, rate, cost, now),
        }
    }

    /// How much of the budget is in use, in a measure that grows with it; zero when forgetting would change nothing.
    pub fn used(self, state: Tally, rate: Rate, now: Timestamp) -> u64 {
        match self {
            Self::Gcra => state.at.saturating_sub(nanos(now)),
            Self::SlidingWindow => {
                let state = roll(Some(state), rate, now);
                u64::from(state.previous) + u64::from(state.current)
            }
        }
    }

    /// A state in which at least as much is used as in either of two.
    #[must_use]
    pub fn join(self, one: Tally, other: Tally, rate: Rate, now: Timestamp) -> Tally {
        let (one, other) = match self {
            Self::Gcra => (one, other),
            Self::SlidingWindow => (roll(Some(one), rate, now), roll(Some(other), rate, now)),
        };
        Tally {
            at: one.at.max(other.at),
            previous: one.previous.max(other.previous),
            current: one.current.max(other.current),
        }
    }

    /// From when on forgetting the state changes nothing.
    pub fn over_at(self, state: Tally, rate: Rate) -> Timestamp {
        match self {
            Self::Gcra => Timestamp::from_millis(state.at.div_ceil(NANOS)),
            Self::SlidingWindow => Timestamp::from_millis(state.at.saturating_add(2 * millis(rate.per))),
        }
    }
}

/// The generic cell rate algorithm.
///
/// ```
/// use std::num::NonZeroU32;
/// use palisade_core::port::counter::{Acquired, Rate, gcra};
/// use palisade_core::time::Timestamp;
///
/// let rate = Rate { burst: 2.try_into().unwrap(), per: std::time::Duration::from_secs(60) };
/// let (one, now) = (NonZeroU32::MIN, Timestamp::from_secs(1_000));
/// let first = gcra(None, rate, one, now);
/// let second = gcra(Some(first.after), rate, one, now);
/// let third = gcra(Some(second.after), rate, one, now);
/// assert!(first.outcome.is_granted() && second.outcome.is_granted());
/// assert_eq!(third.outcome, Acquired::Refused { retry_after: std::time::Duration::from_secs(30) });
/// ```
pub fn gcra(state: Option<Tally>, rate: Rate, cost: NonZeroU32, now: Timestamp) -> Step {
    let burst = u64::from(rate.burst.get());
    let interval = rate.interval_nanos();
    let window = interval * burst;
    let now = nanos(now);
    // A clock that was set back must not lock a key for longer than one whole window.
    let full_at = state.map_or(now, |state| state.at).clamp(now, now + window);
    let used = (full_at - now).saturating_add(interval.saturating_mul(cost.get().into()));
    let before = Tally { at: full_at, ..Tally::default() };
    if used > window {
        let retry_after = Duration::from_millis((used - window).div_ceil(NANOS));
        return Step { outcome: Acquired::Refused { retry_after }, before, after: before };
    }
    let remaining = u32::try_from((window - used) / interval).unwrap_or(u32::MAX);
    let reset = Duration::from_millis(used.div_ceil(NANOS));
    let after = Tally { at: now + used, ..Tally::default() };
    Step { outcome: Acquired::Granted { remaining, reset }, before, after }
}

/// The sliding window of two counters: this window's, and the part of the one before that is still within `per`, as if
/// its requests had come evenly. Any one window of the clock sees at most `burst`.
///
/// ```
/// use std::num::NonZeroU32;
/// use palisade_core::port::counter::{Acquired, Rate, sliding_window};
/// use palisade_core::time::Timestamp;
///
/// let rate = Rate { burst: 1.try_into().unwrap(), per: std::time::Duration::from_secs(60) };
/// let (one, now) = (NonZeroU32::MIN, Timestamp::from_secs(6_000));
/// let first = sliding_window(None, rate, one, now);
/// let second = sliding_window(Some(first.after), rate, one, now);
/// assert!(first.outcome.is_granted());
/// assert_eq!(second.outcome, Acquired::Refused { retry_after: std::time::Duration::from_secs(120) });
/// ```
pub fn sliding_window(state: Option<Tally>, rate: Rate, cost: NonZeroU32, now: Timestamp) -> Step {
    let (per, limit, cost) = (millis(rate.per), rate.burst.get(), cost.get());
    let before = roll(state, rate, now);
    let passed = now.as_millis() - before.at;
    // Rounded up: what is in doubt is not granted.
    let carried = share(before.previous, per - passed, per, Round::Up);
    let used = u64::from(before.current) + carried;
    if used + u64::from(cost) > u64::from(limit) {
        let wait = wait(before, limit.saturating_sub(cost), per, passed);
        return Step { outcome: Acquired::Refused { retry_after: Duration::from_millis(wait) }, before, after: before };
    }
    let after = Tally { current: before.current.saturating_add(cost), ..before };
    let remaining = u32::try_from(u64::from(limit) - used - u64::from(cost)).unwrap_or(u32::MAX);
    let reset = Duration::from_millis(2 * per - passed);
    Step { outcome: Acquired::Granted { remaining, reset }, before, after }
}

/// How long until no more than `room` is used, if nobody asks meanwhile.
fn wait(state: Tally, room: u32, per: u64, passed: u64) -> u64 {
    match room.checked_sub(state.current) {
        // Within this window: what the one before has left fades away.
        Some(rest) => per - share(rest, per, state.previous.into(), Round::Down).min(per) - passed.min(per),
        // In the next window: what this one has used fades away.
        None => (per - passed) + per - share(room, per, state.current.into(), Round::Down).min(per),
    }
}

/// The state as the present window sees it.
fn roll(state: Option<Tally>, rate: Rate, now: Timestamp) -> Tally {
    let per = millis(rate.per);
    let start = now.as_millis() - now.as_millis() % per;
    match state {
        Some(state) if state.at == start => state,
        Some(state) if state.at.saturating_add(per) == start => {
            Tally { at: start, previous: state.current, current: 0 }
        }
        // The clock was set back, or the rule was changed: all that was counted counts as if it had just come.
        Some(state) if state.at > start => {
            let current = state.previous.saturating_add(state.current).min(rate.burst.get());
            Tally { at: start, previous: 0, current }
        }
        _ => Tally { at: start, previous: 0, current: 0 },
    }
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// `count * part / whole` without losing a digit.
fn share(count: u32, part: u64, whole: u64, round: Round) -> u64 {
    let (product, whole) = (u128::from(count) * u128::from(part), u128::from(whole.max(1)));
    let share = match round {
        Round::Down => product / whole,
        Round::Up => product.div_ceil(whole),
    };
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn millis(per: Duration) -> u64 {
    u64::try_from(per.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST)
}

fn nanos(now: Timestamp) -> u64 {
    now.as_millis().saturating_mul(NANOS).min(LATEST)
}

/// Nanoseconds in a millisecond.
const NANOS: u64 = 1_000_000;

/// The longest window, in milliseconds: ten years.
const LONGEST: u64 = 10 * 365 * 86_400_000;

/// The latest moment, in nanoseconds: with the longest window added it still fits into 63 bits. It is in the year 2252.
const LATEST: u64 = (1 << 63) - 1 - 2 * LONGEST * NANOS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Gcra, Algorithm::SlidingWindow];

    fn rate(burst: u32, per: Duration) -> Rate {
        Rate { burst: burst.try_into().unwrap(), per }
    }

    fn cost(units: u32) -> NonZeroU32 {
        units.try_into().unwrap()
    }

    /// The moments at which requests of these costs are granted.
    fn granted(algorithm: Algorithm, rate: Rate, asks: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let (mut now, mut state, mut granted) = (10_000_000, None, vec![]);
        for (gap, units) in asks {
            now += gap;
            let step = algorithm.step(state, rate, cost(*units), Timestamp::from_millis(now));
            let is_granted = step.outcome.is_granted();
            state = Some(if is_granted { step.after } else { step.before });
            granted.extend(is_granted.then_some((now, *units)));
        }
        granted
    }

    proptest! {
        #[test]
        fn grants_no_more_than_twice_the_burst_in_any_window(
            asks in prop::collection::vec((0u64..500, 1u32..4), 1..200),
        ) {
            for algorithm in BOTH {
                let granted = granted(algorithm, rate(5, Duration::from_secs(1)), &asks);
                for (start, _) in &granted {
                    let within = granted.iter().filter(|(at, _)| (*start..start + 1000).contains(at));
                    prop_assert!(within.map(|(_, units)| units).sum::<u32>() <= 10, "{algorithm:?}");
                }
            }
        }

        #[test]
        fn a_window_of_the_clock_never_sees_more_than_the_limit(
            asks in prop::collection::vec((0u64..500, 1u32..4), 1..200),
        ) {
            let granted = granted(Algorithm::SlidingWindow, rate(7, Duration::from_secs(1)), &asks);
            for (start, _) in &granted {
                let within = granted.iter().filter(|(at, _)| at / 1000 == start / 1000);
                prop_assert!(within.map(|(_, units)| units).sum::<u32>() <= 7);
            }
        }

        #[test]
        fn waiting_as_told_is_granted_and_a_millisecond_less_is_not(
            asks in prop::collection::vec((0u64..700, 1u32..4), 1..40), burst in 3u32..9, per in 1u64..3_000, units in 1u32..4,
        ) {
            for algorithm in BOTH {
                let (rate, mut now, mut state) = (rate(burst, Duration::from_millis(per)), 10_000_000, None);
                for (gap, units) in &asks {
                    now += gap;
                    let step = algorithm.step(state, rate, cost(*units), Timestamp::from_millis(now));
                    state = Some(if step.outcome.is_granted() { step.after } else { step.before });
                }
                let now = Timestamp::from_millis(now);
                let Acquired::Refused { retry_after } = algorithm.step(state, rate, cost(units), now).outcome else {
                    continue;
                };
                prop_assert!(!retry_after.is_zero());
                let early = now.plus(retry_after.saturating_sub(Duration::from_millis(1)));
                prop_assert!(!algorithm.step(state, rate, cost(units), early).outcome.is_granted(), "{algorithm:?}");
                let later = now.plus(retry_after);
                prop_assert!(algorithm.step(state, rate, cost(units), later).outcome.is_granted(), "{algorithm:?}");
            }
        }

        #[test]
        fn every_number_is_answered(
            at in any::<u64>(), previous in any::<u32>(), current in any::<u32>(), burst in 1u32.., per in any::<u64>(),
            units in 1u32.., now in any::<u64>(),
        ) {
            let state = Tally { at, previous, current };
            for algorithm in BOTH {
                let (rate, now) = (rate(burst, Duration::from_millis(per)), Timestamp::from_millis(now));
                let step = algorithm.step(Some(state), rate, cost(units), now);
                if algorithm == Algorithm::Gcra {
                    prop_assert!(i64::try_from(step.after.at).is_ok() && i64::try_from(step.before.at).is_ok());
                }
                prop_assert!(units <= burst || !step.outcome.is_granted(), "more than the whole is never granted");
                algorithm.used(state, rate, now);
                algorithm.over_at(state, rate);
            }
        }

        #[test]
        fn a_joined_state_grants_nothing_that_one_of_its_parts_refuses(
            one in prop::collection::vec((0u64..500, 1u32..4), 1..20),
            other in prop::collection::vec((0u64..500, 1u32..4), 1..20),
            later in 0u64..3_000,
        ) {
            for algorithm in BOTH {
                let rate = rate(5, Duration::from_secs(1));
                let reach = |asks: &[(u64, u32)]| {
                    let (mut now, mut state) = (10_000_000, None);
                    for (gap, units) in asks {
                        now += gap;
                        let step = algorithm.step(state, rate, cost(*units), Timestamp::from_millis(now));
                        state = Some(if step.outcome.is_granted() { step.after } else { step.before });
                    }
                    (now, state.unwrap())
                };
                let ((a, one), (b, other)) = (reach(&one), reach(&other));
                let now = Timestamp::from_millis(a.max(b));
                let joined = algorithm.join(one, other, rate, now);
                let then = now.plus(Duration::from_millis(later));
                let grants = |state| algorithm.step(Some(state), rate, cost(1), then).outcome.is_granted();
                prop_assert!(!grants(joined) || (grants(one) && grants(other)), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_clock_set_back_costs_two_windows_at_most() {
        for algorithm in BOTH {
            let rate = rate(1, Duration::from_secs(60));
            let ask = |state, secs| algorithm.step(state, rate, cost(1), Timestamp::from_secs(secs));
            let first = ask(None, 1_000_000);
            let refused = ask(Some(first.after), 10);
            assert!(!refused.outcome.is_granted(), "{algorithm:?} grants nothing");
            assert!(ask(Some(refused.before), 10 + 120).outcome.is_granted(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_rate_is_what_it_says() {
        // In whole milliseconds 600 a second would be 1000 a second.
        for algorithm in BOTH {
            let asks: Vec<(u64, u32)> = std::iter::repeat_n((1, 1), 20_000).collect();
            let granted = granted(algorithm, rate(600, Duration::from_secs(1)), &asks).len();
            assert!((11_950..=12_700).contains(&granted), "{algorithm:?} {granted}");
        }
    }

    #[test]
    fn a_window_carries_the_one_before_in_proportion() {
        let rate = rate(10, Duration::from_secs(10));
        let ask = |state, millis, units| sliding_window(state, rate, cost(units), Timestamp::from_millis(millis));
        let full = ask(None, 5_000, 10).after;
        for (millis, expect) in [
            (9_999, Acquired::Refused { retry_after: Duration::from_millis(1_001) }),
            (10_000, Acquired::Refused { retry_after: Duration::from_secs(1) }),
            (11_000, Acquired::Granted { remaining: 0, reset: Duration::from_secs(19) }),
            (15_000, Acquired::Granted { remaining: 4, reset: Duration::from_secs(15) }),
            (20_000, Acquired::Granted { remaining: 9, reset: Duration::from_secs(20) }),
        ] {
            assert_eq!(ask(Some(full), millis, 1).outcome, expect, "{millis}");
        }
    }
}
