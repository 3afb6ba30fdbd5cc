//! Departures counted: what, how often, when, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use super::infer::Kind;
use super::observe::{Observation, Side};

/// Departures by operation and place, at most [`Ledger::LIMIT`] of them.
///
/// ```
/// use palisade_contract::drift::{self, Entry, Ledger};
///
/// let mut ledger = Ledger::default();
/// for (at, who) in [("2026-11-01T00:00:00Z", "user:u-1"), ("2026-11-02T00:00:00Z", "user:u-2")] {
///     let seen = drift::read(r#"{"in":"request","at":"/query/limit","rule":"undeclared","type":"integer"}"#);
///     ledger.add("listNotes", seen.unwrap(), at, who);
/// }
/// let Entry { count, last, who, .. } = ledger.entries().next().unwrap();
/// assert_eq!((*count, last.as_str(), who.len()), (2, "2026-11-02T00:00:00Z", 2));
/// ```
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Key, Entry>,
    lost: u64,
}

/// What tells departures apart. The order is that in which a contract has to learn of them: the outer before the inner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    operation: String,
    side: Side,
    status: Option<u16>,
    media: Option<String>,
    depth: usize,
    at: String,
    rule: String,
}

/// One departure, as often as it was seen.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The operation.
    pub operation: String,
    /// What is common to all; its `seen` is that of the first.
    pub what: Observation,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
    /// By whom, a few of them.
    pub who: BTreeSet<String>,
    /// The types.
    pub kinds: BTreeSet<Kind>,
    /// The format that all texts had.
    pub format: Option<String>,
    /// The shortest and the longest.
    pub length: Option<(u64, u64)>,
}

impl Ledger {
    /// How many different departures are kept.
    pub const LIMIT: usize = 10_000;

    /// Counts one. `at` is its time, as text that sorts.
    pub fn add(&mut self, operation: &str, what: Observation, at: &str, who: &str) {
        let key = Key {
            operation: operation.to_owned(),
            side: what.side,
            status: what.status,
            media: what.media.clone(),
            depth: what.at.matches('/').count(),
            at: what.at.clone(),
            rule: what.rule.clone(),
        };
        if self.entries.len() >= Self::LIMIT && !self.entries.contains_key(&key) {
            self.lost += 1;
            return;
        }
        let seen = what.seen.clone();
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            operation: operation.to_owned(),
            count: 0,
            first: at.to_owned(),
            last: at.to_owned(),
            who: BTreeSet::new(),
            kinds: BTreeSet::new(),
            format: seen.format.clone(),
            length: None,
            what,
        });
        entry.count += 1;
        if at < entry.first.as_str() {
            at.clone_into(&mut entry.first);
        }
        if at > entry.last.as_str() {
            at.clone_into(&mut entry.last);
        }
        if entry.who.len() < CALLERS {
            entry.who.insert(who.to_owned());
        }
        entry.kinds.extend(seen.kind);
        if seen.kind != Some(Kind::Null) && entry.format != seen.format {
            entry.format = None;
        }
        if let Some(length) = seen.length {
            let (least, most) = entry.length.unwrap_or((length, length));
            entry.length = Some((least.min(length), most.max(length)));
        }
    }

    /// All entries: by operation, and the outer before the inner.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How many departures were not kept for want of room.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

const CALLERS: usize = 5;

#[cfg(test)]
mod tests {
    use super::super::observe::read;
    use super::*;

    #[test]
    fn counts_are_bounded_and_merged() {
        let mut ledger = Ledger::default();
        let add = |ledger: &mut Ledger, at: &str, length: u64, when: &str, who: &str| {
            let line =
                format!(r#"{{"in":"request","at":"{at}","rule":"undeclared","type":"string","length":{length}}}"#);
            ledger.add("op", read(&line).unwrap(), when, who);
        };
        for (length, when) in [(3, "2026-02"), (9, "2026-01"), (5, "2026-03")] {
            add(&mut ledger, "/query/a", length, when, &format!("user:{length}"));
        }
        let entry = ledger.entries().next().unwrap();
        assert_eq!((entry.count, &*entry.first, &*entry.last), (3, "2026-01", "2026-03"));
        assert_eq!((entry.length, entry.who.len()), (Some((3, 9)), 3));
        for n in 0..Ledger::LIMIT + 5 {
            add(&mut ledger, &format!("/query/x{n}"), 1, "2026", "anonymous");
        }
        assert_eq!((ledger.entries().count(), ledger.lost()), (Ledger::LIMIT, 6));
    }
}
