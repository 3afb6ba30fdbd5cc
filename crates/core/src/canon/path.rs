//! The canonical form of a path, used alike for matching, deciding and forwarding.
//!
//! 1. A path starts with `/` and has no empty segment but the last.
//! 2. It is decoded once. What would still be encoded afterwards (`%252e`) is refused.
//! 3. Encoded `/` and `\`, and a plain `\`, are refused, as are control characters and invalid UTF-8.
//! 4. `.` and `..` segments are refused, encoded or not: no client needs them, and resolving them has no one meaning.
//! 5. Segment parameters (`;v=1`) are refused: some backends cut them off after a rule has matched.
//! 6. What remains is written one way: letters, digits and the unreserved and sub-delimiter characters as themselves,
//!    all else percent-encoded in upper case (RFC 3986 section 6.2.2).

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::Ambiguous;

/// A path in canonical form.
///
/// ```
/// use palisade_core::canon::path::CanonicalPath;
///
/// let path = CanonicalPath::parse("/caf%c3%a9/%41").unwrap();
/// assert_eq!(path.as_str(), "/caf%C3%A9/A");
/// assert!(CanonicalPath::parse("/orders/..%2fadmin").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CanonicalPath(Arc<str>);

impl CanonicalPath {
    /// The canonical form of a request's path, or the rule that it breaks.
    pub fn parse(raw: &str) -> Result<Self, Ambiguous> {
        let rest = raw.strip_prefix('/').ok_or(Ambiguous::new("path_not_absolute"))?;
        if is_canonical(rest) {
            return Ok(Self(raw.into()));
        }
        let mut path = String::with_capacity(raw.len() + 8);
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.peek().is_some() {
                return Err(Ambiguous::new("path_empty_segment"));
            }
            path.push('/');
            push_segment(&mut path, segment)?;
        }
        Ok(Self(path.into()))
    }

    /// The path, percent-encoded where it must be.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// [`Self::as_str`], to keep.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for CanonicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CanonicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanonicalPath({})", self.0)
    }
}

fn push_segment(path: &mut String, raw: &str) -> Result<(), Ambiguous> {
    check_percent(raw)?;
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| Ambiguous::new("path_not_utf8"))?;
    if decoded == "." || decoded == ".." {
        return Err(Ambiguous::new("path_dot_segment"));
    }
    for character in decoded.chars() {
        match character {
            '/' | '\\' => return Err(Ambiguous::new("path_encoded_slash")),
            ';' => return Err(Ambiguous::new("path_parameter")),
            '%' => return Err(Ambiguous::new("path_double_encoding")),
            '#' | '?' => return Err(Ambiguous::new("path_encoded_delimiter")),
            c if c.is_control() => return Err(Ambiguous::new("path_control_character")),
            c if c.is_ascii() && is_plain(c as u8) => path.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "%{byte:02X}");
                }
            }
        }
    }
    Ok(())
}

/// That every `%` is followed by two hexadecimal digits.
pub(super) fn check_percent(raw: &str) -> Result<(), Ambiguous> {
    let well_formed = raw.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        let mut hex = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        hex() && hex()
    });
    if well_formed { Ok(()) } else { Err(Ambiguous::new("percent_malformed")) }
}

/// Whether a byte stands for itself in a canonical path: unreserved and most sub-delimiters, `:`, `@` and the slash.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
        || matches!(byte, b'*' | b'+' | b',' | b'=' | b':' | b'@' | b'/')
}

/// Whether nothing of a path, behind its first slash, needs another writing or is refused. One look at each byte.
fn is_canonical(rest: &str) -> bool {
    let (mut length, mut dots) = (0, 0);
    let is_dot_segment = |length: usize, dots: usize| dots == length && (length == 1 || length == 2);
    for byte in rest.bytes() {
        if byte == b'/' {
            if length == 0 || is_dot_segment(length, dots) {
                return false;
            }
            (length, dots) = (0, 0);
            continue;
        }
        if !is_plain(byte) {
            return false;
        }
        length += 1;
        dots += usize::from(byte == b'.');
    }
    !is_dot_segment(length, dots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_or_normalizes() {
        for (raw, expect) in [
            ("/", "/"),
            ("/orders/o-1", "/orders/o-1"),
            ("/orders/", "/orders/"),
            ("/%7Ealice", "/~alice"),
            ("/a%20b", "/a%20b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a:b@c=d,e", "/a:b@c=d,e"),
            ("/...", "/..."),
        ] {
            assert_eq!(CanonicalPath::parse(raw).map(|path| path.as_str().to_owned()), Ok(expect.to_owned()), "{raw}");
        }
    }

    #[test]
    fn refuses_what_has_two_readings() {
        for (raw, reason) in [
            ("", "path_not_absolute"),
            ("*", "path_not_absolute"),
            ("//evil.example/x", "path_empty_segment"),
            ("/a//b", "path_empty_segment"),
            ("/a/../b", "path_dot_segment"),
            ("/a/%2e%2E/b", "path_dot_segment"),
            ("/a/.", "path_dot_segment"),
            ("/a%2fb", "path_encoded_slash"),
            ("/a%5Cb", "path_encoded_slash"),
            ("/a\\b", "path_encoded_slash"),
            ("/a/..;/b", "path_parameter"),
            ("/a%3Bv=1", "path_parameter"),
            ("/%252e%252e/", "path_double_encoding"),
            ("/a%00", "path_control_character"),
            ("/a%0d%0aSet-Cookie", "path_control_character"),
            ("/a%c2%85", "path_control_character"),
            ("/%c0%ae%c0%ae/", "path_not_utf8"),
            ("/%ff", "path_not_utf8"),
            ("/%zz", "percent_malformed"),
            ("/a%", "percent_malformed"),
            ("/a%2", "percent_malformed"),
            ("/a%3Fb", "path_encoded_delimiter"),
        ] {
            assert_eq!(CanonicalPath::parse(raw), Err(Ambiguous::new(reason)), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn is_idempotent_and_safe(raw in "/[ -~\u{e9}%]{0,40}") {
            if let Ok(path) = CanonicalPath::parse(&raw) {
                prop_assert_eq!(CanonicalPath::parse(path.as_str()), Ok(path.clone()));
                prop_assert!(path.as_str().is_ascii());
                prop_assert!(!path.as_str().contains("//") && !path.as_str().contains("/../"));
            }
        }
    }
}
