//! The operating system's randomness: the one place where Palisade draws bytes that nobody may guess.

use palisade_core::port::Entropy;

/// Draws from the operating system's generator (`getrandom(2)` and its like).
///
/// If the system cannot give randomness, the process ends at once by [`std::process::abort`]: an identifier or key made
/// without it could be guessed, and a panic could be caught on the way up and answered with one.
///
/// ```
/// use palisade_core::port::Entropy;
/// use palisade_store::entropy::SystemEntropy;
///
/// let (mut one, mut other) = ([0; 16], [0; 16]);
/// SystemEntropy.fill(&mut one);
/// SystemEntropy.fill(&mut other);
/// assert_ne!(one, other);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            std::process::abort();
        }
    }
}
