//! Tokens that were verified a moment ago, so that the same token is not verified again for every request.
//!
//! An entry is found by the SHA-256 of the whole token, so a token that differs in one bit is another one. It counts
//! only while everything it was proven by still holds: the key set, the revocation epoch, its own times.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use palisade_core::time::Timestamp;

/// Verified tokens in shards, each with two generations: what was not asked for during the life of a generation is
/// forgotten with it. Bounded by the length of the tokens in it, 16 MiB in all, which is some 16,000 usual ones.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    shards: Vec<Mutex<Shard<V>>>,
}

/// The name of a token in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

/// What must be unchanged for an entry to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// The epoch of the key set that verified the token.
    pub(crate) keys: u64,
    /// The revocation epoch before it was verified.
    pub(crate) revocation: u64,
}

/// A verified token.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    /// What is known about it.
    pub(crate) value: Arc<V>,
    pub(crate) basis: Basis,
    /// The moment of verification; with a clock that was set back before it nothing is proven.
    pub(crate) from: Timestamp,
    /// The end of the entry.
    pub(crate) until: Timestamp,
    /// The length of the token.
    pub(crate) weight: usize,
}

impl<V> Entry<V> {
    /// The same entry with another value.
    pub(crate) fn holding<W>(self, value: Arc<W>) -> Entry<W> {
        let Self { basis, from, until, weight, .. } = self;
        Entry { value, basis, from, until, weight }
    }
}

#[derive(Debug)]
struct Shard<V> {
    young: HashMap<TokenDigest, Entry<V>>,
    old: HashMap<TokenDigest, Entry<V>>,
    young_weight: usize,
}

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        let mut name = [0; 32];
        name.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(name)
    }
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_weight: 0 }
    }
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl<V> Cache<V> {
    /// What is known of a token whose entry still counts. Nothing is allocated.
    pub(crate) fn find(&self, token: &TokenDigest, basis: Basis, now: Timestamp) -> Option<Arc<V>> {
        let mut shard = self.shard(token)?.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.find(token)?;
        (entry.basis == basis && entry.from <= now && now < entry.until).then(|| Arc::clone(&entry.value))
    }

    /// Remembers a verified token.
    pub(crate) fn insert(&self, token: TokenDigest, entry: Entry<V>) {
        if let Some(shard) = self.shard(&token) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).insert(token, entry);
        }
    }

    fn shard(&self, token: &TokenDigest) -> Option<&Mutex<Shard<V>>> {
        let [first, ..] = token.0;
        self.shards.get(usize::from(first) % SHARDS)
    }
}

impl<V> Shard<V> {
    fn find(&mut self, token: &TokenDigest) -> Option<&Entry<V>> {
        if let Some(entry) = self.old.remove(token) {
            self.insert(*token, entry);
        }
        self.young.get(token).or_else(|| self.old.get(token))
    }

    fn insert(&mut self, token: TokenDigest, entry: Entry<V>) {
        self.young_weight += entry.weight;
        if let Some(previous) = self.young.insert(token, entry) {
            self.young_weight -= previous.weight;
        }
        if self.young_weight > GENERATION_WEIGHT {
            self.old = mem::take(&mut self.young);
            self.young_weight = 0;
        }
    }
}

const SHARDS: usize = 16;

/// The sum of token lengths at which a generation of a shard is full.
const GENERATION_WEIGHT: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(weight: usize) -> Entry<()> {
        let basis = Basis { keys: 1, revocation: 0 };
        let (from, until) = (Timestamp::from_secs(100), Timestamp::from_secs(200));
        Entry { value: Arc::new(()), basis, from, until, weight }
    }

    #[test]
    fn an_entry_counts_while_what_proved_it_holds() {
        let (cache, token) = (Cache::default(), TokenDigest::of("a.b.c"));
        cache.insert(token, entry(5));
        for (keys, revocation, now, expect) in [
            (1, 0, 100, true),
            (1, 0, 199, true),
            (1, 0, 200, false),
            (1, 0, 99, false),
            (2, 0, 150, false),
            (1, 1, 150, false),
        ] {
            let found = cache.find(&token, Basis { keys, revocation }, Timestamp::from_secs(now));
            assert_eq!(found.is_some(), expect, "keys {keys}, revocation {revocation}, now {now}");
        }
        let other = TokenDigest::of("a.b.d");
        assert!(cache.find(&other, Basis { keys: 1, revocation: 0 }, Timestamp::from_secs(150)).is_none());
    }

    #[test]
    fn the_weight_is_bounded_and_what_is_used_stays() {
        let mut shard = Shard::default();
        let kept = TokenDigest([0; 32]);
        shard.insert(kept, entry(1000));
        for number in 1..5_000u32 {
            let mut name = [1; 32];
            name[..4].copy_from_slice(&number.to_be_bytes());
            shard.insert(TokenDigest(name), entry(1000));
            assert!(shard.find(&kept).is_some());
            let weight: usize = shard.young.values().chain(shard.old.values()).map(|entry| entry.weight).sum();
            assert!(weight <= 2 * (GENERATION_WEIGHT + 1000), "{weight}");
            assert_eq!(shard.young_weight, shard.young.values().map(|entry| entry.weight).sum::<usize>());
        }
    }
}
