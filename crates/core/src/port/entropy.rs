//! Randomness, as a port, so that tests can repeat a run.

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the whole buffer. A source that cannot must not return: weak randomness is worse than none.
    fn fill(&self, buffer: &mut [u8]);
}
