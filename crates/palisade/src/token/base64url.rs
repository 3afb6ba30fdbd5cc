//! The one spelling of bytes that JOSE allows: URL-safe base64 without padding (RFC 7515 section 2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes, or `None` for padding, white space, a foreign alphabet or trailing bits that are not zero. A second
/// spelling of the same bytes would let one token look like two to a cache or a block list.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The text for `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_every_second_spelling() {
        assert_eq!(decode("AQAB"), Some(vec![1, 0, 1]));
        for text in ["AQ==", "AR", "AQA", "A", "AQ AB", "AQAB\n", "+_", "//"] {
            let canonical = decode(text).is_none_or(|bytes| encode(&bytes) == text);
            assert!(canonical, "{text:?}");
        }
        for text in ["AQ==", "AR", "A", "AQ AB", "AQAB\n", "++++", "////"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn spells_bytes_in_one_way(bytes: Vec<u8>, text in "[A-Za-z0-9_=-]{0,12}") {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            if let Some(decoded) = decode(&text) { prop_assert_eq!(encode(&decoded), text); }
        }
    }
}
