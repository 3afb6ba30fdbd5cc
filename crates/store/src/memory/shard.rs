//! A map split over several locks, so that one caller's sweep does not stop the others.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many locks there are: more than the cores that a gateway usually has.
pub(super) const COUNT: usize = 16;

/// Values of one kind, each responsible for a part of the keys.
#[derive(Debug)]
pub(super) struct Shards<T> {
    parts: [Mutex<T>; COUNT],
    // Keyed anew in every process, so that nobody can choose keys that fall on one part.
    hasher: RandomState,
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl<T> Shards<T> {
    /// The part that is responsible for `key`, locked. The guard cannot cross an await: it is not `Send`.
    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the index is a remainder by COUNT")]
    pub(super) fn lock(&self, key: &str) -> MutexGuard<'_, T> {
        let index = self.hasher.hash_one(key) as usize % COUNT;
        // Every change below is complete before the next statement that could panic, so a poisoned part is still whole.
        self.parts[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
