//! Rate limits in memory, for as many keys as the cap says, however many callers there are.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hash as _, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::port::counter::{Algorithm, Ask, LimitKey, Rate, Tally};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;

use super::shard::COUNT;

/// Counts in memory, and answers at once.
///
/// There is a cap on the number of keys for each rate, so that a flood against one rule cannot push out the keys of
/// another; rates come from the configuration and are few. At the cap, keys whose budget is full again are forgotten:
/// that changes nothing. If that is not enough, the eighth of the keys that have used the least is forgotten too, and
/// what they had used is remembered for all of them together: from then on a key that is not known starts there instead
/// of with a full budget. A forgotten key is therefore never granted more than a remembered one, and keys that have used
/// up their budget are the last to be forgotten. The price is paid by newcomers: under a flood of more keys than the cap
/// within one refill, they start with less, in the end with nothing, until the flood has been over for one window (two
/// for sliding windows) at most.
///
/// What is kept for a key is a digest of 128 bits, keyed anew in every process: long keys take no more room than short
/// ones, and nobody can choose two that are taken for one.
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
    parts: [Mutex<Part>; COUNT],
    hashers: [RandomState; 2],
    cap: usize,
}

/// The keys of one lock, by rate. The rates are few, so that looking through them is the fastest.
#[derive(Debug, Default)]
struct Part(Vec<Class>);

/// The keys that are counted at one rate.
#[derive(Debug)]
struct Class {
    algorithm: Algorithm,
    rate: Rate,
    kept: HashMap<u128, Tally, BuildHasherDefault<Digested>>,
    /// What a key that is not known starts with: no less used than any key that was forgotten.
    floor: Option<Tally>,
}

impl MemoryCounters {
    /// Keys for each rate if nothing else is said: about five megabytes.
    pub const KEYS: usize = 1 << 16;

    /// Counts for about this many keys at each rate, sixteen at least.
    pub fn with_cap(keys: usize) -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hashers: [RandomState::new(), RandomState::new()],
            cap: keys.div_ceil(COUNT).max(1),
        }
    }

    fn digest(&self, key: &LimitKey<'_>) -> u128 {
        let mut gathered = Gathered::new(&self.hashers);
        key.hash(&mut gathered);
        gathered.digest()
    }

    #[expect(clippy::indexing_slicing, reason = "the index is a remainder by COUNT")]
    fn lock(&self, index: usize) -> MutexGuard<'_, Part> {
        // Every change below is complete before the next statement that could panic, so a poisoned part is still whole.
        self.parts[index % COUNT].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(&self, asks: &mut [Ask<'_>], now: Timestamp) {
        if let [ask] = asks {
            let digest = self.digest(&ask.key);
            return self.lock(place(digest)).class(ask).acquire(ask, digest, now, self.cap);
        }
        let digests: Vec<u128> = asks.iter().map(|ask| self.digest(&ask.key)).collect();
        // All locks at once, and in one order, so that two calls cannot wait for each other.
        let mut parts: [Option<MutexGuard<'_, Part>>; COUNT] = [const { None }; COUNT];
        for (index, part) in parts.iter_mut().enumerate() {
            if digests.iter().any(|digest| place(*digest) == index) {
                *part = Some(self.lock(index));
            }
        }
        let mut class = |ask: &Ask<'_>, digest: u128, act: &mut dyn FnMut(&mut Class)| {
            if let Some(Some(part)) = parts.get_mut(place(digest)) {
                act(part.class(ask));
            }
        };
        let mut taken = Vec::with_capacity(asks.len());
        for (ask, digest) in asks.iter_mut().zip(&digests) {
            let like = *ask;
            class(&like, *digest, &mut |class| taken.push(class.ask(ask, *digest, now)));
        }
        if asks.iter().all(|ask| ask.outcome.is_granted()) {
            for ((ask, digest), after) in asks.iter().zip(&digests).zip(taken) {
                class(ask, *digest, &mut |class| class.take(*digest, after, now, self.cap));
            }
        }
    }
}

impl Default for MemoryCounters {
    fn default() -> Self {
        Self::with_cap(Self::KEYS)
    }
}

#[async_trait]
impl CounterStore for MemoryCounters {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.acquire(asks, now);
        Ok(())
    }

    fn acquire_all_now(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Option<Result<(), StoreError>> {
        self.acquire(asks, now);
        Some(Ok(()))
    }
}

/// Which lock a key belongs to.
fn place(digest: u128) -> usize {
    (digest % COUNT as u128) as usize
}

impl Part {
    #[expect(clippy::indexing_slicing, reason = "the index is one that was found, or that of what was just pushed")]
    fn class(&mut self, ask: &Ask<'_>) -> &mut Class {
        let found = self.0.iter().position(|class| class.algorithm == ask.algorithm && class.rate == ask.rate);
        let index = found.unwrap_or_else(|| {
            self.0.push(Class::new(ask.algorithm, ask.rate));
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl Class {
    fn new(algorithm: Algorithm, rate: Rate) -> Self {
        Self { algorithm, rate, kept: HashMap::default(), floor: None }
    }

    /// Answers, and says what is to be kept if it is granted. Nothing is taken yet; a clock that was set back is corrected.
    fn ask(&mut self, ask: &mut Ask<'_>, digest: u128, now: Timestamp) -> Tally {
        let kept = self.kept.get_mut(&digest).or(self.floor.as_mut());
        let step = ask.step(kept.as_deref().copied(), now);
        ask.outcome = step.outcome;
        if let (false, Some(kept)) = (step.outcome.is_granted(), kept) {
            *kept = step.before;
        }
        step.after
    }

    /// Keeps what was granted. A refused newcomer needs no place: it stands where every unknown key stands.
    fn take(&mut self, digest: u128, after: Tally, now: Timestamp, cap: usize) {
        if let Some(kept) = self.kept.get_mut(&digest) {
            *kept = after;
            return;
        }
        if self.kept.len() >= cap {
            self.forget(now, cap);
        }
        self.kept.insert(digest, after);
    }

    fn acquire(&mut self, ask: &mut Ask<'_>, digest: u128, now: Timestamp, cap: usize) {
        let after = self.ask(ask, digest, now);
        if ask.outcome.is_granted() {
            self.take(digest, after, now, cap);
        }
    }

    /// Makes room: an eighth of the cap at least, so that the cost of a sweep is shared by many newcomers.
    fn forget(&mut self, now: Timestamp, cap: usize) {
        let (algorithm, rate) = (self.algorithm, self.rate);
        let used = |tally: &Tally| algorithm.used(*tally, rate, now);
        self.kept.retain(|_, tally| used(tally) > 0);
        let room = (cap / 8).max(1);
        let Some(surplus) = (self.kept.len() + room).checked_sub(cap).filter(|surplus| *surplus > 0) else {
            return;
        };
        let mut amounts: Vec<u64> = self.kept.values().map(used).collect();
        let (_, most, _) = amounts.select_nth_unstable(surplus - 1);
        let most = *most;
        let mut floor = self.floor;
        self.kept.retain(|_, tally| {
            let stays = used(tally) > most;
            if !stays {
                floor = Some(floor.map_or(*tally, |floor| algorithm.join(floor, *tally, rate, now)));
            }
            stays
        });
        self.floor = floor;
    }
}

/// Hashes twice what it is given, many small pieces at a time: a hasher takes one long piece far faster.
struct Gathered {
    hashers: [DefaultHasher; 2],
    bytes: [u8; 128],
    length: usize,
}

impl Gathered {
    fn new(hashers: &[RandomState; 2]) -> Self {
        Self { hashers: hashers.each_ref().map(BuildHasher::build_hasher), bytes: [0; 128], length: 0 }
    }

    fn flush(&mut self) {
        let pieces = self.bytes.get(..self.length).unwrap_or_default();
        self.hashers.iter_mut().for_each(|hasher| hasher.write(pieces));
        self.length = 0;
    }

    fn digest(mut self) -> u128 {
        self.flush();
        let [high, low] = self.hashers.map(|hasher| hasher.finish());
        u128::from(high) << 64 | u128::from(low)
    }
}

impl Hasher for Gathered {
    /// Not asked for: both halves are wanted.
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, piece: &[u8]) {
        if self.length + piece.len() > self.bytes.len() {
            self.flush();
        }
        match self.bytes.get_mut(self.length..self.length + piece.len()) {
            Some(room) => {
                room.copy_from_slice(piece);
                self.length += piece.len();
            }
            None => self.hashers.iter_mut().for_each(|hasher| hasher.write(piece)),
        }
    }
}

/// Takes a part of a digest for its hash: it is one already.
#[derive(Debug, Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    // The upper half is enough; the lower one has chosen the lock.
    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Gcra, Algorithm::SlidingWindow];

    fn rate(burst: u32, secs: u64) -> Rate {
        Rate { burst: burst.try_into().unwrap(), per: Duration::from_secs(secs) }
    }

    /// Whether a key of a class with this cap is granted one unit.
    fn granted(class: &mut Class, key: u128, now: Timestamp, cap: usize) -> bool {
        let mut ask = Ask { algorithm: class.algorithm, ..Ask::new(LimitKey::new("", ""), class.rate) };
        class.acquire(&mut ask, key, now, cap);
        ask.outcome.is_granted()
    }

    #[test]
    fn a_flood_of_keys_does_not_grow_the_map() {
        for algorithm in BOTH {
            let mut class = Class::new(algorithm, rate(10, 60));
            for n in 0..10_000 {
                granted(&mut class, n, Timestamp::from_secs(1), 64);
            }
            assert!(class.kept.len() <= 64, "{}", class.kept.len());
        }
    }

    #[test]
    fn a_flood_of_keys_does_not_refill_a_used_up_budget() {
        for algorithm in BOTH {
            let (mut class, now) = (Class::new(algorithm, rate(10, 60)), Timestamp::from_secs(1));
            for _ in 0..10 {
                granted(&mut class, 0, now, 64);
            }
            for n in 1..10_000 {
                granted(&mut class, n, now, 64);
                assert!(!granted(&mut class, 0, now, 64), "{algorithm:?} after {n} other keys");
            }
        }
    }

    #[test]
    fn a_clock_set_back_holds_newcomers_for_two_windows_at_most() {
        for algorithm in BOTH {
            let mut class = Class::new(algorithm, rate(1, 60));
            for n in 0..1_000 {
                granted(&mut class, n, Timestamp::from_secs(1_000_000), 64);
            }
            assert!(!granted(&mut class, 1_001, Timestamp::from_secs(10), 64));
            assert!(granted(&mut class, 1_002, Timestamp::from_secs(130), 64), "{algorithm:?}");
        }
    }

    #[test]
    fn newcomers_get_a_whole_budget_again_when_the_flood_is_over() {
        for algorithm in BOTH {
            let mut class = Class::new(algorithm, rate(10, 60));
            for n in 0..1_000 {
                granted(&mut class, n, Timestamp::from_secs(1), 64);
            }
            let later = Timestamp::from_secs(122);
            assert_eq!((0..20).filter(|_| granted(&mut class, 1_001, later, 64)).count(), 10, "{algorithm:?}");
        }
    }

    proptest! {
        #[test]
        fn never_grants_what_an_unbounded_map_refuses(calls in prop::collection::vec((0u128..40, 0u64..300), 1..400)) {
            for algorithm in BOTH {
                let rate = rate(3, 3);
                let (mut small, mut large, mut now) = (Class::new(algorithm, rate), HashMap::new(), 10_000);
                for (key, gap) in &calls {
                    now += gap;
                    // What the unbounded map is asked is what the bounded one granted, so that both hold the same history.
                    let at = Timestamp::from_millis(now);
                    let would = algorithm.step(large.get(key).copied(), rate, std::num::NonZeroU32::MIN, at);
                    if granted(&mut small, *key, at, 8) {
                        prop_assert!(would.outcome.is_granted(), "{algorithm:?}: {key} at {now}");
                        large.insert(*key, would.after);
                    }
                }
            }
        }
    }
}
