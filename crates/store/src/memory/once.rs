//! Used-up keys in memory, for as many as the cap says; then new ones are refused rather than old ones forgotten.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{OnceStore, StoreError};
use palisade_core::time::Timestamp;

use super::shard::{COUNT, Shards};

/// Remembers used-up keys in memory.
///
/// At the cap, keys whose time is over are forgotten. If all are still in use, a new key is answered with an error,
/// which the asking stage turns into a refusal: to forget one instead would let somebody replay it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::port::once::{OnceKey, OnceStore, Taken};
/// use palisade_core::time::Timestamp;
/// use palisade_store::memory::MemoryOnce;
///
/// let once = MemoryOnce::default();
/// let (proof, minute) = (OnceKey::new("dpop", "jti-1"), std::time::Duration::from_secs(60));
/// assert_eq!(once.take(&proof, minute, Timestamp::from_secs(100)).await?, Taken::First);
/// assert_eq!(once.take(&proof, minute, Timestamp::from_secs(100)).await?, Taken::Again);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryOnce {
    shards: Shards<Used>,
    cap: usize,
}

#[derive(Debug, Default)]
struct Used {
    until: HashMap<Box<str>, Timestamp>,
    /// No key of a full map is over before this, so that a refused newcomer costs no sweep.
    next_over: Timestamp,
}

impl MemoryOnce {
    /// Keys if nothing else is said: some tens of megabytes when full.
    pub const KEYS: usize = 1 << 18;

    /// Remembers about this many keys, sixteen at least.
    pub fn with_cap(keys: usize) -> Self {
        Self { shards: Shards::default(), cap: keys.div_ceil(COUNT).max(1) }
    }
}

impl Default for MemoryOnce {
    fn default() -> Self {
        Self::with_cap(Self::KEYS)
    }
}

#[async_trait]
impl OnceStore for MemoryOnce {
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        self.shards.lock(key.as_str()).take(key.as_str(), now.plus(ttl), now, self.cap)
    }
}

impl Used {
    fn take(&mut self, key: &str, until: Timestamp, now: Timestamp, cap: usize) -> Result<Taken, StoreError> {
        if let Some(used_until) = self.until.get_mut(key) {
            if *used_until > now {
                return Ok(Taken::Again);
            }
            *used_until = until;
            self.next_over = self.next_over.min(until);
            return Ok(Taken::First);
        }
        if self.until.len() >= cap && self.next_over <= now {
            self.until.retain(|_, until| *until > now);
            self.next_over = self.until.values().copied().min().unwrap_or_default();
        }
        if self.until.len() >= cap {
            return Err(StoreError::Unreachable { reason: format!("all of {cap} places are taken") });
        }
        self.until.insert(key.into(), until);
        self.next_over = self.next_over.min(until);
        Ok(Taken::First)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(used: &mut Used, key: &str, now: u64) -> Option<Taken> {
        used.take(key, Timestamp::from_secs(now + 60), Timestamp::from_secs(now), 4).ok()
    }

    #[test]
    fn a_full_map_refuses_new_keys_and_still_knows_the_old_ones() {
        let mut used = Used::default();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(take(&mut used, key, 100), Some(Taken::First));
        }
        for _ in 0..3 {
            assert_eq!(take(&mut used, "e", 159), None);
            assert_eq!(take(&mut used, "a", 159), Some(Taken::Again));
        }
        assert_eq!(take(&mut used, "e", 160), Some(Taken::First));
        assert_eq!(used.until.len(), 1);
    }

    #[test]
    fn a_key_taken_anew_is_swept_in_its_turn() {
        let mut used = Used::default();
        for (key, at) in [("a", 100), ("b", 150), ("c", 150), ("d", 150), ("a", 170)] {
            assert_eq!(take(&mut used, key, at), Some(Taken::First), "{key} at {at}");
        }
        assert_eq!(take(&mut used, "e", 200), None);
        assert_eq!(take(&mut used, "e", 210), Some(Taken::First));
        assert_eq!(take(&mut used, "a", 220), Some(Taken::Again));
    }
}
