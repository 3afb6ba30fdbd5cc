//! What `Cache-Control` says, read so that a doubtful word never makes an answer live longer.
//!
//! Directives are separated by commas outside of quotes, have no case, and are unknown where they are not listed here
//! (RFC 9111 section 5.2). A number that is none or stands there twice is zero (section 4.2.1 lets a cache do so). A field
//! that cannot be taken apart forbids to store.

use http::HeaderValue;

/// The directives of a request or an answer.
///
/// ```
/// use palisade::stage::cache::Directives;
///
/// let said = http::HeaderValue::from_static("public, Max-Age=60, stale-if-error=\"600\"");
/// let read = Directives::read([&said]);
/// assert_eq!((read.public, read.max_age, read.stale_if_error), (true, Some(60), Some(600)));
/// // Two numbers for one thing are none.
/// let said = http::HeaderValue::from_static("max-age=60, max-age=9000");
/// assert_eq!(Directives::read([&said]).max_age, Some(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// How old an answer may become, in seconds.
    pub max_age: Option<u64>,
    /// How stale an answer a client takes; `u64::MAX` for any.
    pub max_stale: Option<u64>,
    /// For how long an answer must still be fresh for a client to take it.
    pub min_fresh: Option<u64>,
    /// A stale answer is not to be used without asking.
    pub must_revalidate: bool,
    /// No answer is to be used without asking, or taken without having been asked for.
    pub no_cache: bool,
    /// Nothing is to be stored.
    pub no_store: bool,
    /// The client wants a stored answer or none.
    pub only_if_cached: bool,
    /// The answer is for one person.
    pub private: bool,
    /// The answer may be stored although the request had a credential.
    pub public: bool,
    /// How old an answer may become in a cache that many use.
    pub s_maxage: Option<u64>,
    /// How long a stale answer may be used where the backend fails (RFC 5861).
    pub stale_if_error: Option<u64>,
    /// How long a stale answer may be used while somebody asks for a fresh one (RFC 5861).
    pub stale_while_revalidate: Option<u64>,
}

impl Directives {
    /// Reads all fields of a message.
    pub fn read<'v>(fields: impl IntoIterator<Item = &'v HeaderValue>) -> Self {
        let mut read = Self::default();
        for field in fields {
            let mut rest = field.as_bytes();
            while !rest.is_empty() {
                let Some((item, behind)) = split(rest) else {
                    read.no_store = true;
                    break;
                };
                read.add(item);
                rest = behind;
            }
        }
        read
    }

    fn add(&mut self, item: &[u8]) {
        let Ok(item) = std::str::from_utf8(item) else {
            self.no_store = true;
            return;
        };
        let (name, value) = item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value.trim())));
        let set = |slot: &mut Option<u64>| *slot = Some(if slot.is_some() { 0 } else { seconds(value) });
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => set(&mut self.max_age),
            "max-stale" if value.is_none() && self.max_stale.is_none() => self.max_stale = Some(u64::MAX),
            "max-stale" => set(&mut self.max_stale),
            "min-fresh" => set(&mut self.min_fresh),
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            // With names of fields they concern these fields only; to take them for all is the stricter reading.
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            "public" => self.public = true,
            "s-maxage" => set(&mut self.s_maxage),
            "stale-if-error" => set(&mut self.stale_if_error),
            "stale-while-revalidate" => set(&mut self.stale_while_revalidate),
            _ => {}
        }
    }
}

/// The first item of a list, and what is behind its comma. `None` where a quote is not closed.
fn split(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some((list.get(..at)?, list.get(at + 1..)?)),
            _ => {}
        }
    }
    (!quoted).then_some((list, &[]))
}

/// A number of seconds, at most some sixty years; zero where it is none.
fn seconds(value: Option<&str>) -> u64 {
    let value = value.unwrap_or_default();
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        true => bare.parse().unwrap_or(LONGEST).min(LONGEST),
        false => 0,
    }
}

/// RFC 9111 section 1.2.2: what is more counts as this.
pub(super) const LONGEST: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Directives {
        Directives::read([&HeaderValue::from_bytes(text.as_bytes()).unwrap()])
    }

    #[test]
    fn a_doubtful_word_never_lengthens_a_life() {
        for (text, expect) in [
            ("max-age=5", Some(5)),
            (" , ,MAX-AGE = 5 ,", Some(5)),
            ("max-age=\"5\"", Some(5)),
            ("max-age=99999999999999999999", Some(LONGEST)),
            ("max-age=5, max-age=5", Some(0)),
            ("max-age", Some(0)),
            ("max-age=", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=+5", Some(0)),
            ("max-age=5s", Some(0)),
            ("max-age=5.5", Some(0)),
            ("max-age=0x10", Some(0)),
            ("x=\"max-age=5\"", None),
            ("x=\"a, max-age=5, b\"", None),
            ("x=\"\\\", max-age=5\"", None),
            ("s-maxage=5", None),
        ] {
            assert_eq!(read(text).max_age, expect, "{text}");
        }
        for text in
            ["max-age=5, x=\"", "private=\"a, max-age=5", "no-store", "NO-STORE=x", "max-age=5, \u{e9}, no-store"]
        {
            assert!(read(text).no_store, "{text}");
        }
        assert!(read("private=\"set-cookie\"").private && read("no-cache=\"x\"").no_cache);
        assert_eq!((read("max-stale").max_stale, read("max-stale=7").max_stale), (Some(u64::MAX), Some(7)));
    }

    proptest! {
        #[test]
        fn what_forbids_is_found_wherever_it_stands(before in "[ -!#-~]{0,40}", after in "[ -!#-~]{0,40}") {
            let read = read(&format!("{before},no-store,{after}"));
            prop_assert!(read.no_store);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let read = Directives::read([&value]);
                prop_assert!(read.max_age.is_none_or(|age| age <= LONGEST));
            }
        }
    }
}
