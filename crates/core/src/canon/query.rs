//! Whether a query string has one reading, its pairs, and the one writing in which it goes on.

use std::borrow::Cow;
use std::fmt::Write as _;

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

/// A query or form in its canonical writing, built from pairs that were read.
///
/// Readers differ about `+`, `;`, a pair without `=` and empty pairs. The canonical writing has none of them: pairs are
/// joined by `&`, each has its `=`, and everything but letters, digits and `-._~` is percent-encoded in upper case
/// (RFC 3986 section 2.3), but for what separates the items of a list.
///
/// ```
/// use palisade_core::canon::query::Writer;
///
/// let mut query = Writer::default();
/// query.name("q");
/// query.text("a b;c");
/// query.name("ids");
/// query.text("1");
/// query.separator(",");
/// query.text("2");
/// assert_eq!(query.finish(), "q=a%20b%3Bc&ids=1,2");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: String,
    /// Bytes that may stand for themselves besides the unreserved ones.
    reserved: &'static str,
}

impl Writer {
    /// Begins a pair.
    pub fn name(&mut self, name: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.reserved = "";
        self.text(name);
        self.out.push('=');
    }

    /// Lets these characters stand for themselves in the rest of this pair, as OpenAPI's `allowReserved` wants it.
    pub fn allow(&mut self, reserved: &'static str) {
        self.reserved = reserved;
    }

    /// Adds decoded text to a value.
    pub fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            if is_unreserved(byte) || (byte.is_ascii() && self.reserved.as_bytes().contains(&byte)) {
                self.out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(self.out, "%{byte:02X}");
            }
        }
    }

    /// Adds what separates two items of a value, as it is.
    pub fn separator(&mut self, separator: &'static str) {
        self.out.push_str(separator);
    }

    /// The whole query or form.
    pub fn finish(self) -> String {
        self.out
    }
}

/// Whether a byte stands for itself everywhere in a URI (RFC 3986 section 2.3).
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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

    #[test]
    fn what_is_written_is_read_back() {
        for (query, expect) in [
            ("a=1;b=2&&c+d=%26&e", "a=1%3Bb%3D2&c%20d=%26&e="),
            ("%61=%7e*%2a'", "a=~%2A%2A%27"),
            ("é=%c3%a9", "%C3%A9=%C3%A9"),
            ("a=1%262&a=x=y", "a=1%262&a=x%3Dy"),
        ] {
            let mut writer = Writer::default();
            for (name, value) in pairs(query) {
                writer.name(&name);
                writer.text(&value);
            }
            let written = writer.finish();
            assert_eq!(written, expect);
            assert!(pairs(&written).eq(pairs(query)) && check(&written).is_ok(), "{query}");
        }
    }

    #[test]
    fn reserved_characters_stand_for_themselves_only_where_they_may() {
        let mut writer = Writer::default();
        writer.name("a/b");
        writer.allow("/:");
        writer.text("x/y:z&");
        writer.name("c");
        writer.text("/");
        assert_eq!(writer.finish(), "a%2Fb=x/y:z%26&c=%2F");
    }
}
