//! Values that cannot be printed, and the only way to compare them.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that must not reach a log, an error text or a response.
///
/// There is no `Debug`, `Display` or `Serialize`; the memory is overwritten when the value is dropped. Reading the
/// bytes is spelled [`Secret::expose`], so that a search finds every place that does.
///
/// ```compile_fail
/// let key = palisade_core::secret::Secret::new("hunter2");
/// println!("{key:?}");
/// ```
///
/// ```
/// use palisade_core::secret::Secret;
///
/// let key = Secret::new("of the billing service");
/// assert_eq!(key.expose(), b"of the billing service");
/// ```
#[expect(missing_debug_implementations, reason = "a secret must not be printable")]
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one call that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `other` holds the same bytes, in time that depends on the length only.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_whole_values() {
        let secret = Secret::new("abc");
        assert!(secret.matches(b"abc"));
        for other in [&b"ab"[..], b"abcd", b"abd", b""] {
            assert!(!secret.matches(other));
        }
    }
}
