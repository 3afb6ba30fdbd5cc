//! Rate limits in memory, for as many keys as the cap says, however many callers there are.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::counter::{Acquired, LimitKey, Rate, gcra};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;

use super::shard::{COUNT, Shards};

/// Counts in memory.
///
/// There is a cap on the number of keys for each [`Rate`], so that a flood against one rule cannot push out the keys of
/// another; rates come from the configuration and are few. At the cap, keys whose budget is full again are forgotten:
/// that changes nothing. If that is not enough, the eighth of the keys that are soonest full again is forgotten too, and
/// the latest of their moments is kept: from then on a key that is not known starts there instead of with a full
/// budget. A forgotten key is therefore never granted more than a remembered one, and keys that have used up their
/// budget are the last to be forgotten. The price is paid by newcomers: under a flood of more keys than the cap within
/// one refill, they start with less, in the end with nothing, until the flood has been over for one window at most.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::counter::{Acquired, CounterStore, LimitKey, Rate};
/// use palisade_core::time::Timestamp;
/// use palisade_store::memory::MemoryCounters;
///
/// let counters = MemoryCounters::default();
/// let rate = Rate { burst: 1.try_into()?, per: std::time::Duration::from_secs(1) };
/// let (key, now) = (LimitKey::new("sign-in", "192.0.2.7"), Timestamp::from_secs(100));
/// assert!(matches!(counters.try_acquire(&key, rate, now).await?, Acquired::Granted { .. }));
/// assert!(matches!(counters.try_acquire(&key, rate, now).await?, Acquired::Refused { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryCounters {
    shards: Shards<HashMap<RateKey, Class>>,
    cap: usize,
}

/// What makes two rates the same: burst and milliseconds.
type RateKey = (u32, u128);

/// The keys that are counted at one rate.
#[derive(Debug, Default)]
struct Class {
    full_at: HashMap<Box<str>, Timestamp>,
    /// What a key that is not known starts with: no earlier than any key that was forgotten.
    floor: Timestamp,
}

impl MemoryCounters {
    /// Keys for each rate if nothing else is said: about ten megabytes.
    pub const KEYS: usize = 1 << 16;

    /// Counts for about this many keys at each rate, sixteen at least.
    pub fn with_cap(keys: usize) -> Self {
        Self { shards: Shards::default(), cap: keys.div_ceil(COUNT).max(1) }
    }
}

impl Default for MemoryCounters {
    fn default() -> Self {
        Self::with_cap(Self::KEYS)
    }
}

#[async_trait]
impl CounterStore for MemoryCounters {
    async fn try_acquire(&self, key: &LimitKey, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError> {
        let mut classes = self.shards.lock(key.as_str());
        let class = classes.entry((rate.burst.get(), rate.per.as_millis())).or_default();
        Ok(class.acquire(key.as_str(), rate, now, self.cap))
    }
}

impl Class {
    fn acquire(&mut self, key: &str, rate: Rate, now: Timestamp, cap: usize) -> Acquired {
        if let Some(full_at) = self.full_at.get_mut(key) {
            let (outcome, next) = gcra(Some(*full_at), rate, now);
            *full_at = next;
            return outcome;
        }
        // A clock that was set back must not hold newcomers for longer than one whole window.
        let window = rate.per.max(Duration::from_millis(rate.burst.get().into()));
        self.floor = self.floor.min(now.plus(window));
        let (outcome, next) = gcra(Some(self.floor), rate, now);
        // A refused newcomer needs no place: it stands where every unknown key stands.
        if matches!(outcome, Acquired::Granted { .. }) {
            if self.full_at.len() >= cap {
                self.forget(now, cap);
            }
            self.full_at.insert(key.into(), next);
        }
        outcome
    }

    /// Makes room: an eighth of the cap at least, so that the cost of a sweep is shared by many newcomers.
    fn forget(&mut self, now: Timestamp, cap: usize) {
        self.full_at.retain(|_, full_at| *full_at > now);
        let room = (cap / 8).max(1);
        let Some(surplus) = (self.full_at.len() + room).checked_sub(cap).filter(|surplus| *surplus > 0) else {
            return;
        };
        let mut moments: Vec<Timestamp> = self.full_at.values().copied().collect();
        let (_, latest, _) = moments.select_nth_unstable(surplus - 1);
        let latest = *latest;
        self.floor = self.floor.max(latest);
        self.full_at.retain(|_, full_at| *full_at > latest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(burst: u32, secs: u64) -> Rate {
        Rate { burst: burst.try_into().unwrap(), per: Duration::from_secs(secs) }
    }

    fn granted(outcome: Acquired) -> bool {
        matches!(outcome, Acquired::Granted { .. })
    }

    #[test]
    fn a_flood_of_keys_does_not_grow_the_map() {
        let mut class = Class::default();
        for n in 0..10_000 {
            class.acquire(&n.to_string(), rate(10, 60), Timestamp::from_secs(1), 64);
        }
        assert!(class.full_at.len() <= 64, "{}", class.full_at.len());
    }

    #[test]
    fn a_flood_of_keys_does_not_refill_a_used_up_budget() {
        let (mut class, now) = (Class::default(), Timestamp::from_secs(1));
        for _ in 0..10 {
            class.acquire("attacker", rate(10, 60), now, 64);
        }
        for n in 0..10_000 {
            class.acquire(&n.to_string(), rate(10, 60), now, 64);
            assert!(!granted(class.acquire("attacker", rate(10, 60), now, 64)), "after {n} other keys");
        }
    }

    #[test]
    fn a_clock_set_back_holds_newcomers_for_one_window_at_most() {
        let (mut class, rate) = (Class::default(), rate(1, 60));
        for n in 0..1_000 {
            class.acquire(&n.to_string(), rate, Timestamp::from_secs(1_000_000), 64);
        }
        assert!(!granted(class.acquire("new", rate, Timestamp::from_secs(10), 64)));
        assert!(granted(class.acquire("newer", rate, Timestamp::from_secs(70), 64)));
    }

    #[test]
    fn newcomers_get_a_whole_budget_again_when_the_flood_is_over() {
        let (mut class, rate) = (Class::default(), rate(10, 60));
        for n in 0..1_000 {
            class.acquire(&n.to_string(), rate, Timestamp::from_secs(1), 64);
        }
        let later = Timestamp::from_secs(62);
        assert_eq!(class.acquire("new", rate, later, 64), gcra(None, rate, later).0);
    }

    proptest! {
        #[test]
        fn never_grants_what_an_unbounded_map_refuses(calls in prop::collection::vec((0u8..40, 0u64..300), 1..400)) {
            let (mut small, mut large, rate, mut now) = (Class::default(), Class::default(), rate(3, 3), 0);
            for (key, gap) in calls {
                now += gap;
                // What the unbounded map is asked is what the bounded one granted, so that both hold the same history.
                let (key, at) = (key.to_string(), Timestamp::from_millis(now));
                let state = large.full_at.get(key.as_str()).copied();
                let (would, next) = gcra(state, rate, at);
                if granted(small.acquire(&key, rate, at, 8)) {
                    prop_assert!(granted(would), "{key} at {now}");
                    large.full_at.insert(key.into(), next);
                }
            }
        }
    }
}
