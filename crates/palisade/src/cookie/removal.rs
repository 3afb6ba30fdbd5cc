//! Takes one cookie out of a request and leaves the others as they came.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Removes every cookie of this name. A line that has none stays as it is, byte for byte; one without any other goes.
///
/// What a lenient reader would take for the name goes as well: one in other spelling, or behind more blanks than a
/// browser puts there.
pub(crate) fn remove(headers: &mut HeaderMap, name: &str) {
    let is_named = |part: &[u8]| {
        let pair_name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        pair_name.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
    };
    let has = |line: &HeaderValue| line.as_bytes().split(|byte| *byte == b';').any(is_named);
    if !headers.get_all(COOKIE).iter().any(has) {
        return;
    }
    let mut kept: Vec<HeaderValue> = Vec::new();
    for line in headers.get_all(COOKIE) {
        if !has(line) {
            kept.push(line.clone());
            continue;
        }
        let parts: Vec<&[u8]> = line.as_bytes().split(|byte| *byte == b';').filter(|part| !is_named(part)).collect();
        let rest = parts.join(&b';');
        // What is left of a header's value is one: this never drops a cookie.
        let rest = HeaderValue::from_bytes(rest.strip_prefix(b" ").unwrap_or(&rest)).ok();
        kept.extend(rest.filter(|rest| !rest.is_empty()));
    }
    headers.remove(COOKIE);
    for line in kept {
        headers.append(COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cookie::Cookies;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    #[test]
    fn the_others_stay_as_they_came() {
        for (lines, expect) in [
            (&[&b"__Host-s=1"[..]][..], &[][..]),
            (&[b"a=1; __Host-s=1; b=2"], &[&b"a=1; b=2"[..]]),
            (&[b"__Host-s=1; a=\"x y\"; ={odd}; bare"], &[b"a=\"x y\"; ={odd}; bare"]),
            (&[b"a=1;b=2", b"__Host-s=1", b"c=3; __Host-s=2"], &[b"a=1;b=2", b"c=3"]),
            (&[b"x__Host-s=1; a=__Host-s; __Host-ss=2"], &[b"x__Host-s=1; a=__Host-s; __Host-ss=2"]),
            // What others may read as the name.
            (&[b"a=1;   __Host-s =1;\t__host-S=2; __Host-s"], &[b"a=1"]),
            // A browser keeps this name apart, and so does every reader that does not trim what is no blank.
            (&["\u{a0}__Host-s=planted; __Host-s=1".as_bytes()], &["\u{a0}__Host-s=planted".as_bytes()]),
            (&[], &[]),
        ] {
            let mut headers = headers(lines);
            remove(&mut headers, "__Host-s");
            let left: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(left, expect, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn one_name_goes_and_nothing_else(lines in prop::collection::vec("(([a-c]{1,2}|=|\"| )=?[a-c\" =]{0,3}(;|; )?){0,5}", 0..4)) {
            let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
            let mut headers = headers(&lines);
            let of = |headers: &HeaderMap| -> Vec<(String, String)> {
                Cookies::of(headers).iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            };
            let before: Vec<_> = of(&headers).into_iter().filter(|(name, _)| name != "a").collect();
            remove(&mut headers, "a");
            prop_assert!(!Cookies::of(&headers).has("a"));
            prop_assert_eq!(of(&headers), before);
        }
    }
}
