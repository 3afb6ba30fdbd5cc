//! When a backend's endpoint is left out because it keeps failing, and for how long: a state machine without a clock.
//!
//! 1. So many failures in a row leave it out; one success in between begins the count anew.
//! 2. The first time it is out for `base`, then for twice, three times `base`, up to ten times.
//! 3. An endpoint that has behaved for ten times `base` is a stranger again.
//! 4. Never are more left out than [`may_eject`] allows: a fault that all of them have is not cured by asking fewer.

use std::time::Duration;

/// When and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EjectSettings {
    /// Failures in a row that leave an endpoint out.
    pub failures: u32,
    /// For how long, the first time.
    pub base: Duration,
    /// How many of the endpoints may be out at once, in percent. One of several always may.
    pub max_ejected: u8,
}

impl Default for EjectSettings {
    /// Five failures, 30 seconds, half of the endpoints.
    fn default() -> Self {
        Self { failures: 5, base: Duration::from_secs(30), max_ejected: 50 }
    }
}

/// One endpoint's record. Moments are the time since any fixed beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlier {
    failures: u32,
    ejections: u32,
    until: Duration,
}

impl Outlier {
    /// It has answered.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// It has failed. Until when it is out, if this was once too often; `may` says whether one more can be spared.
    pub(crate) fn fail(&mut self, settings: &EjectSettings, now: Duration, may: bool) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if self.failures < settings.failures || now < self.until || !may {
            return None;
        }
        if now.saturating_sub(self.until) > settings.base * MOST {
            self.ejections = 0;
        }
        self.ejections = (self.ejections + 1).min(MOST);
        self.failures = 0;
        self.until = now.saturating_add(settings.base.saturating_mul(self.ejections));
        Some(self.until)
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

/// Whether one more endpoint may be left out while `out` of `all` are. The last one never is.
pub(crate) fn may_eject(out: usize, all: usize, max_ejected: u8) -> bool {
    let most = (all * usize::from(max_ejected) / 100).max(1).min(all.saturating_sub(1));
    out < most
}

/// The longest time out, in times of `base`.
const MOST: u32 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn time_out_grows_and_is_forgotten() {
        let settings = EjectSettings { failures: 1, base: secs(10), max_ejected: 100 };
        let mut outlier = Outlier::default();
        assert_eq!(outlier.fail(&settings, secs(0), true), Some(secs(10)));
        assert_eq!(outlier.fail(&settings, secs(5), true), None, "it is out already");
        assert_eq!(outlier.fail(&settings, secs(10), true), Some(secs(30)));
        assert_eq!(outlier.fail(&settings, secs(200), true), Some(secs(210)), "that was long ago");
    }

    #[test]
    fn one_success_begins_the_count_anew() {
        let settings = EjectSettings { failures: 3, ..EjectSettings::default() };
        let mut outlier = Outlier::default();
        for _ in 0..10 {
            assert_eq!(outlier.fail(&settings, secs(0), true), None);
            assert_eq!(outlier.fail(&settings, secs(0), true), None);
            outlier.succeed();
        }
    }

    proptest! {
        #[test]
        fn somebody_is_always_left(all in 0_usize..50, max in 0_u8..=100) {
            let mut out = 0;
            while may_eject(out, all, max) {
                out += 1;
            }
            prop_assert!(out < all.max(1));
            prop_assert!(out <= 1 || out * 100 <= all * usize::from(max));
            prop_assert!(all < 2 || out >= 1, "one of several may always go");
        }

        #[test]
        fn time_out_is_bounded(steps in proptest::collection::vec((any::<bool>(), 0_u64..100), 0..200)) {
            let settings = EjectSettings { failures: 2, base: secs(7), max_ejected: 50 };
            let (mut outlier, mut now, mut streak) = (Outlier::default(), Duration::ZERO, 0);
            for (fails, passes) in steps {
                now += secs(passes);
                if fails {
                    streak += 1;
                    if let Some(until) = outlier.fail(&settings, now, true) {
                        prop_assert!(streak >= settings.failures);
                        prop_assert!(until > now && until - now <= settings.base * MOST);
                    }
                } else {
                    streak = 0;
                    outlier.succeed();
                    prop_assert_eq!(outlier.failures(), 0);
                }
            }
        }
    }
}
