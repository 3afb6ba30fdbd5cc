//! Whether the backend's "not modified" speaks of the answer that is here (RFC 9111 section 4.3.4).

use std::sync::Arc;

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use super::store::Kept;

/// In the extensions of a request: that the preconditions are the cache's, and for which answer it asks.
///
/// Whoever sends the request for us gets a 304 that speaks of another answer when the backend has several, or loses count
/// of them. That confirms nothing, and the request is sent again without what [`Confirming::withdraw`] takes out.
///
/// ```
/// use palisade::stage::cache::Confirming;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert(http::header::IF_NONE_MATCH, "\"a\"".parse().unwrap());
/// Confirming::withdraw(&mut headers);
/// assert!(headers.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Confirming(pub(super) Arc<Kept>);

impl Confirming {
    /// Whether a 304 with these headers confirms the answer. One that names no answer speaks of the one that was asked for.
    pub fn is_met_by(&self, told: &HeaderMap) -> bool {
        let own = &self.0.headers;
        match (told.get(ETAG), told.get(LAST_MODIFIED)) {
            (Some(tag), _) if is_weak(tag) => own.get(ETAG).is_some_and(|own| strong(own) == strong(tag)),
            (Some(tag), _) => own.get(ETAG) == Some(tag),
            (None, Some(date)) => own.get(LAST_MODIFIED).is_none_or(|own| own == date),
            (None, None) => true,
        }
    }

    /// Takes the cache's preconditions out of a request.
    pub fn withdraw(headers: &mut HeaderMap) {
        for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
            headers.remove(name);
        }
    }
}

fn is_weak(tag: &HeaderValue) -> bool {
    tag.as_bytes().starts_with(b"W/")
}

/// A tag without the mark that it is weak.
fn strong(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use palisade_core::port::Clock as _;
    use tokio::time::Instant;

    use super::super::fresh::Life;
    use super::*;
    use crate::testing::FixedClock;

    fn headers(text: &str) -> HeaderMap {
        let line = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn a_confirmation_names_what_it_confirms() {
        let (day, other) =
            ("last-modified: Thu, 01 Jan 2026 00:00:00 GMT", "last-modified: Fri, 02 Jan 2026 00:00:00 GMT");
        for (kept, told, expect) in [
            ("etag: \"a\"", "etag: \"a\"", true),
            ("etag: \"a\"", "etag: \"b\"", false),
            ("etag: \"a\"", "etag: W/\"a\"", true),
            ("etag: \"a\"", "etag: W/\"b\"", false),
            ("etag: W/\"a\"", "etag: W/\"a\"", true),
            ("etag: W/\"a\"", "etag: \"a\"", false),
            ("etag: \"a\"", "", true),
            (day, "etag: \"a\"", false),
            (day, day, true),
            (day, other, false),
            ("etag: \"a\"", day, true),
            (day, "", true),
        ] {
            let kept_headers = headers(&format!("cache-control: max-age=9\n{kept}"));
            let life =
                Life::of(http::StatusCode::OK, &kept_headers, FixedClock(0).now(), std::time::Duration::ZERO, false);
            let (life, now) = (life.unwrap(), Instant::now());
            let (status, body) = (http::StatusCode::OK, bytes::Bytes::new());
            let kept_answer =
                Kept { status, headers: kept_headers, body, life, varied: Vec::new(), asked: now, came: now };
            assert_eq!(Confirming(Arc::new(kept_answer)).is_met_by(&headers(told)), expect, "{kept} {told}");
        }
    }
}
