//! Reads the `Cookie` header of a request.

use http::HeaderMap;
use http::header::COOKIE;

use super::{is_name, plain_value};

/// The cookies of a request.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::COOKIE};
/// use palisade::cookie::Cookies;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(COOKIE, HeaderValue::from_static("__Host-sid=a1b2; theme=dark; theme=light"));
/// let cookies = Cookies::of(&headers);
/// assert_eq!(cookies.get("__Host-sid"), Some("a1b2"));
/// assert_eq!(cookies.get("theme"), None, "which of the two?");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cookies<'h>(&'h HeaderMap);

impl<'h> Cookies<'h> {
    /// The cookies in these headers. HTTP/2 may spread them over several lines (RFC 9113 section 8.2.3).
    pub fn of(headers: &'h HeaderMap) -> Self {
        Self(headers)
    }

    /// The value of the one cookie with this name. A value that breaks the grammar of RFC 6265 is none, and so is one of
    /// several.
    ///
    /// Names are compared byte for byte and nothing but a space is trimmed: what a browser keeps apart, such as a name
    /// behind a non-breaking space, stays apart (CVE-2026-39410).
    pub fn get(&self, name: &str) -> Option<&'h str> {
        let mut named = self.pairs().filter(|(found, _)| *found == name.as_bytes());
        let (_, value) = named.next()?;
        match named.next() {
            Some(_) => None,
            None => plain_value(std::str::from_utf8(value).ok()?),
        }
    }

    /// Whether there is a cookie with this name, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs().any(|(found, _)| found == name.as_bytes())
    }

    /// The names and values that are well-formed, repeated ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&'h str, &'h str)> {
        self.pairs().filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok().filter(|name| is_name(name))?;
            Some((name, plain_value(std::str::from_utf8(value).ok()?)?))
        })
    }

    /// What stands between the semicolons, on both sides of the first `=`. A pair without `=` is a value without a name,
    /// as browsers send it, and never somebody's cookie.
    fn pairs(self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
        let lines = self.0.get_all(COOKIE).into_iter();
        let parts = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        parts.map(|part| {
            let part = part.strip_prefix(b" ").unwrap_or(part);
            let equals = part.iter().position(|byte| *byte == b'=');
            equals.and_then(|at| Some((part.get(..at)?, part.get(at + 1..)?))).unwrap_or((b"", part))
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    #[test]
    fn finds_the_one_cookie_of_a_name() {
        for (lines, expect) in [
            (&[&b"s=1"[..]][..], Some("1")),
            (&[b"a=0; s=1; b=2"], Some("1")),
            (&[b"s=\"1\""], Some("1")),
            (&[b"s="], Some("")),
            (&[b"s=1=2"], Some("1=2")),
            (&[b"a=0", b"s=1"], Some("1")),
            (&[b"analytics={\"a\": 1, \"b\"}; s=1"], Some("1")),
            (&[b"s=1; s=1"], None),
            (&[b"s=1; s=bad value"], None),
            (&[b"s=1", b"s=2"], None),
            (&[b"S=1"], None),
            (&[b"xs=1"], None),
            (&[b"s"], None),
            (&[b"=s=1"], None),
            (&[b"s =1"], None),
            (&[b"s=a b"], None),
            (&[b"s=a,b"], None),
            (&[b"s=\"1"], None),
            (&[b"s=\xff"], None),
            (&[], None),
        ] {
            assert_eq!(Cookies::of(&headers(lines)).get("s"), expect, "{lines:?}");
        }
    }

    #[test]
    fn cve_2026_39410_a_space_that_browsers_keep_is_part_of_the_name() {
        let planted = headers(&["\u{a0}__Host-sid=planted; __Host-sid=own".as_bytes()]);
        assert_eq!(Cookies::of(&planted).get("__Host-sid"), Some("own"));
        let planted = headers(&["\u{a0}__Host-sid=planted".as_bytes()]);
        assert_eq!(Cookies::of(&planted).get("__Host-sid"), None);
        assert_eq!(Cookies::of(&planted).iter().count(), 0);
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(pairs in prop::collection::vec(("[a-zA-Z0-9_-]{1,8}", "[!#-+.-:<-\\[\\]-~-]{0,12}"), 0..8)) {
            let line = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let headers = headers(&[line.as_bytes()]);
            let cookies = Cookies::of(&headers);
            prop_assert_eq!(cookies.iter().count(), pairs.len());
            for (name, value) in &pairs {
                let alone = pairs.iter().filter(|(other, _)| other == name).count() == 1;
                prop_assert_eq!(cookies.get(name), alone.then_some(value.as_str()));
            }
        }

        #[test]
        fn any_header_is_read(line in prop::collection::vec((b' '..=255).prop_filter("DEL", |b| *b != 127), 0..64), name in "[a-z]{0,2}") {
            let headers = headers(&[&line]);
            let cookies = Cookies::of(&headers);
            if let Some(value) = cookies.get(&name) {
                prop_assert!(value.bytes().all(|b| b.is_ascii_graphic() && !b";,\"\\".contains(&b)));
                prop_assert!(name.is_empty() || cookies.iter().filter(|(found, _)| **found == name).count() == 1);
            }
        }
    }
}
