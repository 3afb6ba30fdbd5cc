//! Percent-decoding that refuses instead of guessing.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes one component of a path or cookie. `None` when a `%` is not followed by two hexadecimal digits, when the
/// bytes are not UTF-8, or when they hold a NUL: C code behind us would read such a value only up to that place.
pub(crate) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | 0)) {
        return Some(Cow::Borrowed(raw));
    }
    let mut rest = raw.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let [high, low, after @ ..] = rest else { return None };
            if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
                return None;
            }
            rest = after;
        }
    }
    let text = percent_decode_str(raw).decode_utf8().ok()?;
    (!text.contains('\0')).then_some(text)
}

/// Decodes one name or value of a query or a form, where `+` is a space (WHATWG URL section 5.1).
pub(crate) fn decode_form(raw: &str) -> Option<Cow<'_, str>> {
    if raw.bytes().any(|byte| byte == b'+') {
        decode(&raw.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
    } else {
        decode(raw)
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_cannot_be_decoded() {
        for raw in ["%", "%2", "%g0", "a%", "%ff", "%c0%80", "%00", "%ed%a0%80"] {
            assert_eq!(decode(raw), None, "{raw}");
        }
        assert_eq!(decode("a%20b+c").as_deref(), Some("a b+c"));
        assert_eq!(decode_form("a%20b+c%2B").as_deref(), Some("a b c+"));
    }

    proptest! {
        #[test]
        fn never_panics(raw in ".*") {
            let _ = (decode(&raw), decode_form(&raw));
        }

        #[test]
        fn reads_back_what_was_encoded(text in "[^\u{0}]*") {
            let raw = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&raw), Some(Cow::Borrowed(text.as_str())));
            prop_assert_eq!(decode_form(&raw), Some(Cow::Borrowed(text.as_str())));
        }
    }
}
