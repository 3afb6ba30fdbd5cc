//! Bytes that look random and are the same in every run. FOR TESTS ONLY: anyone can compute them.

use std::sync::atomic::{AtomicU64, Ordering};

use palisade_core::port::Entropy;

/// Predictable bytes. FOR TESTS ONLY: a key, nonce or identifier made from them protects nothing.
///
/// ```
/// use palisade_core::port::Entropy;
/// use palisade_testkit::entropy::SeededEntropy;
///
/// let draw = |entropy: &SeededEntropy| {
///     let mut bytes = [0; 12];
///     entropy.fill(&mut bytes);
///     bytes
/// };
/// let entropy = SeededEntropy::new(7);
/// let (first, second) = (draw(&entropy), draw(&entropy));
/// assert_ne!(first, second);
/// assert_eq!(draw(&SeededEntropy::new(7)), first);
/// ```
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let word = scramble(self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP));
            for (to, from) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *to = from;
            }
        }
    }
}

/// An odd step close to the golden ratio, so that the counter visits every value.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of the splitmix64 generator: one changed bit in changes about half of the bits out.
fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
