//! Counting requests against a limit, as one atomic act.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Holds the state of rate limits.
#[async_trait]
pub trait CounterStore: Send + Sync + 'static {
    /// Takes one request out of the budget that `key` names, or says when the next one will fit. The two cannot come
    /// apart: of any number of parallel calls exactly as many are granted as the budget holds.
    async fn try_acquire(&self, key: &LimitKey, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError>;
}

/// Whose requests to what are counted: a rule's name and its holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitKey(Box<str>);

impl LimitKey {
    /// A count of `rule` for `holder`. The parts cannot run into each other, whatever they contain.
    pub fn new(rule: &str, holder: &str) -> Self {
        Self(format!("{}:{rule}:{holder}", rule.len()).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `burst` requests at once, refilled evenly so that any `per` sees about `burst` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many requests may come at once.
    pub burst: NonZeroU32,
    /// How long an empty budget takes to fill up.
    pub per: Duration,
}

/// The outcome of asking for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The request is within the budget.
    Granted {
        /// How many more would be granted at once.
        remaining: u32,
        /// When the budget is full again, from now.
        reset: Duration,
    },
    /// The budget is used up.
    Refused {
        /// When the next request will be granted, from now.
        retry_after: Duration,
    },
}

/// The generic cell rate algorithm as a pure step, shared by every store so that they give the same answers.
///
/// The state of a key is one number, the theoretical arrival time in milliseconds: when the budget will be full again.
/// Returns the outcome and the state to keep; a refusal leaves the state as it was.
///
/// ```
/// use palisade_core::port::counter::{Acquired, Rate, gcra};
/// use palisade_core::time::Timestamp;
///
/// let rate = Rate { burst: 2.try_into().unwrap(), per: std::time::Duration::from_secs(60) };
/// let now = Timestamp::from_secs(1_000);
/// let (first, state) = gcra(None, rate, now);
/// let (second, state) = gcra(Some(state), rate, now);
/// let (third, _) = gcra(Some(state), rate, now);
/// assert!(matches!((first, second), (Acquired::Granted { .. }, Acquired::Granted { remaining: 0, .. })));
/// assert_eq!(third, Acquired::Refused { retry_after: std::time::Duration::from_secs(30) });
/// ```
pub fn gcra(state: Option<Timestamp>, rate: Rate, now: Timestamp) -> (Acquired, Timestamp) {
    let per = u64::try_from(rate.per.as_millis()).unwrap_or(u64::MAX).max(1);
    let burst = u64::from(rate.burst.get());
    let interval = (per / burst).max(1);
    let window = interval.saturating_mul(burst);
    let now_ms = now.as_millis();
    // A clock that was set back must not lock a key for longer than one whole window.
    let full_at = state.map_or(now_ms, Timestamp::as_millis).clamp(now_ms, now_ms.saturating_add(window));
    let next = full_at.saturating_add(interval);
    let used = next - now_ms;
    if used > window {
        let retry_after = Duration::from_millis(used - window);
        return (Acquired::Refused { retry_after }, Timestamp::from_millis(full_at));
    }
    let remaining = u32::try_from((window - used) / interval).unwrap_or(u32::MAX);
    (Acquired::Granted { remaining, reset: Duration::from_millis(used) }, Timestamp::from_millis(next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(burst: u32, secs: u64) -> Rate {
        Rate { burst: burst.try_into().unwrap(), per: Duration::from_secs(secs) }
    }

    proptest! {
        #[test]
        fn grants_no_more_than_twice_the_burst_in_any_window(gaps in prop::collection::vec(0u64..500, 1..200)) {
            let (rate, mut now, mut state, mut granted) = (rate(5, 1), 0, None, vec![]);
            for gap in gaps {
                now += gap;
                let (outcome, next) = gcra(state, rate, Timestamp::from_millis(now));
                if matches!(outcome, Acquired::Granted { .. }) { granted.push(now); }
                state = Some(next);
            }
            for start in &granted {
                prop_assert!(granted.iter().filter(|at| (*start..start + 1000).contains(at)).count() <= 10);
            }
        }

        #[test]
        fn waiting_as_told_is_granted(used in 1u32..20) {
            let (rate, now) = (rate(3, 9), Timestamp::from_secs(50));
            let mut state = None;
            for _ in 0..used { state = Some(gcra(state, rate, now).1); }
            if let (Acquired::Refused { retry_after }, _) = gcra(state, rate, now) {
                let (later, _) = gcra(state, rate, now.plus(retry_after));
                let granted = matches!(later, Acquired::Granted { .. });
                prop_assert!(granted);
            }
        }
    }

    #[test]
    fn a_clock_set_back_costs_one_window_at_most() {
        let (_, state) = gcra(None, rate(1, 60), Timestamp::from_secs(1_000_000));
        let (outcome, _) = gcra(Some(state), rate(1, 60), Timestamp::from_secs(10));
        assert_eq!(outcome, Acquired::Refused { retry_after: Duration::from_secs(60) });
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(LimitKey::new("a:b", "c"), LimitKey::new("a", "b:c"));
    }
}
