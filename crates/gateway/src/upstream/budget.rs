//! How many requests may be sent twice: a share of all requests, and a few a second in any case.
//!
//! Without a bound a backend that fails under load gets twice the load. The account is a state machine without a clock.

use std::time::Duration;

/// How much there is to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Repetitions for a hundred requests.
    pub percent: u32,
    /// Repetitions in a second that are always there, for a service with few requests.
    pub floor: u32,
}

impl Default for BudgetSettings {
    /// Twenty for a hundred, and three a second.
    fn default() -> Self {
        Self { percent: 20, floor: 3 }
    }
}

/// The account, in hundredths of a repetition. Moments are the time since any fixed beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    settings: BudgetSettings,
    balance: u64,
    seen: Duration,
}

impl Budget {
    /// An account with a second's floor in it.
    pub(crate) fn new(settings: BudgetSettings) -> Self {
        Self { settings, balance: u64::from(settings.floor) * WHOLE, seen: Duration::ZERO }
    }

    /// Takes one repetition, if there is one. `requests` is how many requests came since the last call.
    pub(crate) fn withdraw(&mut self, requests: u64, now: Duration) -> bool {
        let waited = u64::try_from(now.saturating_sub(self.seen).as_millis()).unwrap_or(u64::MAX);
        self.seen = self.seen.max(now);
        let floor = waited.saturating_mul(self.settings.floor.into()) / 10;
        let share = requests.saturating_mul(self.settings.percent.into());
        // What is not used within about ten seconds is lost, so that a quiet hour does not pay for a storm.
        let share_most = MOST_SAVED * WHOLE;
        let most =
            (u64::from(self.settings.floor) * 10 * WHOLE).max(if self.settings.percent == 0 { 0 } else { share_most });
        self.balance = self.balance.saturating_add(floor).saturating_add(share).min(most);
        let Some(rest) = self.balance.checked_sub(WHOLE) else { return false };
        self.balance = rest;
        true
    }
}

/// One repetition.
const WHOLE: u64 = 100;

/// The most repetitions that requests of earlier can have saved.
const MOST_SAVED: u64 = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fifth_of_the_requests_and_three_a_second() {
        let mut budget = Budget::new(BudgetSettings::default());
        let mut spend = |requests, millis| {
            let now = Duration::from_millis(millis);
            let first = budget.withdraw(requests, now);
            usize::from(first) + std::iter::from_fn(|| budget.withdraw(0, now).then_some(())).count()
        };
        assert_eq!(spend(0, 0), 3, "the floor of one second is there at once");
        assert_eq!(spend(100, 0), 20);
        assert_eq!(spend(0, 2000), 6);
        assert_eq!(spend(0, 2000), 0);
        assert_eq!(spend(0, 3_600_000), 100, "a quiet hour does not pay for a storm");
    }

    proptest! {
        #[test]
        fn never_more_is_spent_than_came_in(
            percent in 0_u32..=100,
            floor in 0_u32..10,
            steps in proptest::collection::vec((0_u64..50, 0_u64..500), 1..200),
        ) {
            let mut budget = Budget::new(BudgetSettings { percent, floor });
            let (mut now, mut requests, mut spent) = (0, 0, 0_u64);
            for (more, passes) in steps {
                now += passes;
                requests += more;
                spent += u64::from(budget.withdraw(more, Duration::from_millis(now)));
                let earned = u64::from(floor) * 1000 + now * u64::from(floor) + requests * u64::from(percent) * 10;
                prop_assert!(spent * 1000 <= earned);
            }
        }
    }
}
