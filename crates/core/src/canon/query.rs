//! Whether a query string has one reading, and its pairs.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{Ambiguous, path::check_percent};

/// Refuses a query with malformed percent-encoding, invalid UTF-8 or control characters. A `;` is data (WHATWG URL),
/// never a separator.
pub fn check(query: &str) -> Result<(), Ambiguous> {
    if query.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'#')) {
        return Ok(());
    }
    check_percent(query)?;
    let decoded = percent_decode_str(query).decode_utf8().map_err(|_| Ambiguous::new("query_not_utf8"))?;
    if decoded.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Ambiguous::new("query_control_character"));
    }
    Ok(())
}

/// The pairs of a query in order, decoded as `application/x-www-form-urlencoded`. Call [`check`] first: what is not
/// UTF-8 comes out with replacement characters.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_or_refuses() {
        for (query, ok) in [
            ("a=1&b=2", true),
            ("q=caf%C3%A9", true),
            ("text=a%0Ab", true),
            ("q=%00", false),
            ("q=%1b", false),
            ("q=%c0%ae", false),
            ("q=%zz", false),
            ("q=%", false),
        ] {
            assert_eq!(check(query).is_ok(), ok, "{query}");
        }
    }

    #[test]
    fn a_semicolon_is_data() {
        let found: Vec<_> = pairs("a=1;b=2&&c+d=%26&e").collect();
        let expect = [("a", "1;b=2"), ("c d", "&"), ("e", "")];
        assert_eq!(found, expect.map(|(name, value)| (name.into(), value.into())));
    }
}
