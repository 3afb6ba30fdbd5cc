//! Which reports have been written down lately, so that a page with a fault does not fill the log.

use std::collections::HashMap;
use std::time::Duration;

use palisade_core::time::Timestamp;

/// What was reported lately, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Recent(HashMap<String, Timestamp>);

impl Recent {
    /// Whether these facts are new, or were last told long ago. Remembers them.
    pub(super) fn add(&mut self, facts: &[(&'static str, &str)], now: Timestamp) -> bool {
        let key = facts.iter().map(|(fact, value)| format!("{fact}={value}")).collect::<Vec<_>>().join("\n");
        let is_fresh = |told: &Timestamp| now.since(*told) < AGAIN;
        if self.0.get(&key).is_some_and(is_fresh) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, told| is_fresh(told));
        }
        if self.0.len() >= MOST {
            // A flood. To forget everything costs some events; to remember nothing new would hide what comes next.
            self.0.clear();
        }
        self.0.insert(key, now);
        true
    }
}

/// After how long the same report is an event again.
const AGAIN: Duration = Duration::from_secs(600);

/// How many are remembered: with their short values, less than a megabyte.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_in_a_while() {
        let mut recent = Recent::default();
        let at = Timestamp::from_secs;
        for (value, now, expect) in
            [("a", 0, true), ("a", 599, false), ("b", 599, true), ("a", 600, true), ("a", 601, false)]
        {
            assert_eq!(recent.add(&[("blocked", value)], at(now)), expect, "{value} at {now}");
        }
    }

    #[test]
    fn a_flood_neither_grows_nor_hides_what_is_new() {
        let mut recent = Recent::default();
        for number in 0..5000 {
            assert!(recent.add(&[("blocked", &number.to_string())], Timestamp::from_secs(1)));
        }
        assert!(recent.0.len() <= MOST);
    }
}
