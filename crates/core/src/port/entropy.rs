//! Randomness, as a port, so that tests can repeat a run.

/// A source of unpredictable bytes.
///
/// ```
/// use palisade_core::port::Entropy;
///
/// /// The randomness of a test: everybody can guess it.
/// struct Sevens;
///
/// impl Entropy for Sevens {
///     fn fill(&self, buffer: &mut [u8]) {
///         buffer.fill(7);
///     }
/// }
/// let mut key = [0; 4];
/// Sevens.fill(&mut key);
/// assert_eq!(key, [7; 4]);
/// ```
pub trait Entropy: Send + Sync + 'static {
    /// Fills the whole buffer. A source that cannot must not return: weak randomness is worse than none.
    fn fill(&self, buffer: &mut [u8]);
}
