//! Which answers may be kept, how old they are, and when they are too old (RFC 9111 sections 3 and 4.2).

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPIRES, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use palisade_core::time::Timestamp;

use super::control::{Directives, LONGEST};

/// When an answer is fresh and under which words it may be used beyond that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// How old it may become.
    pub(super) fresh: Duration,
    /// How old it was when it came.
    pub(super) age: Duration,
    pub(super) control: Directives,
}

impl Life {
    /// What the backend says of an answer that may be kept; `None` where it may not. `delay` is how long the answer took
    /// from the moment it was asked for, and `credential` whether the request had one.
    pub(super) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        received: Timestamp,
        delay: Duration,
        credential: bool,
    ) -> Option<Self> {
        let control = Directives::read(headers.get_all(CACHE_CONTROL));
        let speaks_for_all = control.public || control.must_revalidate || control.s_maxage.is_some();
        let may = KEPT.contains(&status)
            && !control.no_store
            && !control.private
            && (!credential || speaks_for_all)
            && !headers.contains_key(SET_COOKIE)
            && !is_stream(headers)
            && varied(headers).is_some();
        let fresh = lifetime(headers, &control, received).filter(|_| may)?;
        Some(Self { fresh, age: first_age(headers, received, delay), control })
    }

    /// Whether it may be used at this age without asking.
    pub(super) fn is_fresh(&self, age: Duration) -> bool {
        !self.control.no_cache && age < self.fresh
    }

    /// For how long it has been stale; zero while it is fresh.
    pub(super) fn stale_for(&self, age: Duration) -> Duration {
        age.saturating_sub(self.fresh)
    }

    /// Whether it may be used although it is stale, where somebody has allowed so many seconds of that.
    pub(super) fn may_be_stale(&self, age: Duration, seconds: Option<u64>) -> bool {
        // `s-maxage` says `proxy-revalidate` as well (RFC 9111 section 5.2.2.10).
        let forbidden = self.control.must_revalidate || self.control.no_cache || self.control.s_maxage.is_some();
        !forbidden && seconds.is_some_and(|seconds| self.stale_for(age) <= Duration::from_secs(seconds))
    }
}

/// What is kept: nothing that could be the fault of one odd request, which others would then be answered with.
const KEPT: [StatusCode; 7] = [
    StatusCode::OK,
    StatusCode::NON_AUTHORITATIVE_INFORMATION,
    StatusCode::NO_CONTENT,
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::PERMANENT_REDIRECT,
    StatusCode::NOT_FOUND,
    StatusCode::GONE,
];

/// How long the answer is fresh by the backend's own words. Without a word it is not: nothing is guessed.
fn lifetime(headers: &HeaderMap, control: &Directives, received: Timestamp) -> Option<Duration> {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(Duration::from_secs(seconds));
    }
    let mut expires = headers.get_all(EXPIRES).iter();
    let Some(first) = expires.next() else {
        // To be asked for each time is a word, too.
        return control.no_cache.then_some(Duration::ZERO);
    };
    let end = moment(first).filter(|_| expires.next().is_none());
    let start = headers.get(DATE).map_or(Some(received), moment);
    let span = end.zip(start).map_or(Duration::ZERO, |(end, start)| end.since(start));
    Some(span.min(Duration::from_secs(LONGEST)))
}

/// How old the answer was when it came (RFC 9111 section 4.2.3).
fn first_age(headers: &HeaderMap, received: Timestamp, delay: Duration) -> Duration {
    let apparent = headers.get(DATE).and_then(moment).map_or(Duration::ZERO, |date| received.since(date));
    let told = headers.get_all(AGE).iter().map(|age| {
        let text = age.to_str().unwrap_or_default();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // An age that is none may be any.
        if is_number { text.parse().unwrap_or(LONGEST).min(LONGEST) } else { LONGEST }
    });
    let told = Duration::from_secs(told.max().unwrap_or_default());
    apparent.max(told.saturating_add(delay)).min(Duration::from_secs(LONGEST))
}

/// A moment as HTTP writes it.
pub(super) fn moment(value: &HeaderValue) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(value.to_str().ok()?).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(since.as_secs()))
}

/// The headers of requests that the answer depends on; `None` where it depends on what nobody can see.
pub(super) fn varied(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            // `*` is a token of HTTP, so that it has to be asked for before the name.
            let name: HeaderName = (name != "*").then(|| name.parse().ok())??;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (names.len() <= MOST_VARIED).then_some(names)
}

const MOST_VARIED: usize = 16;

/// Whether the answer has no end, or ends with what stands behind its body.
fn is_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let has = |start: &[u8]| media.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    has(b"text/event-stream") || has(b"application/grpc")
}

/// The length that the answer says it has.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_305_600;

    fn headers(fields: &str) -> HeaderMap {
        let pairs = fields.lines().filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn date(seconds: u64) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The life of an answer to a request without a credential, in seconds: how old it may become, and how old it is.
    fn life(fields: &str) -> Option<(u64, u64)> {
        let life =
            Life::of(StatusCode::OK, &headers(fields), Timestamp::from_secs(NOW), Duration::from_secs(2), false)?;
        Some((life.fresh.as_secs(), life.age.as_secs()))
    }

    #[test]
    fn an_answer_lives_as_long_as_the_backend_says() {
        let at = |offset: i64| date(NOW.saturating_add_signed(offset));
        for (name, fields, expect) in [
            ("no word", String::new(), None),
            ("Last-Modified alone", format!("last-modified: {}", at(-900)), None),
            ("max-age", "cache-control: max-age=60".to_owned(), Some((60, 2))),
            ("s-maxage wins", "cache-control: max-age=60, s-maxage=5".to_owned(), Some((5, 2))),
            ("max-age before Expires", format!("cache-control: max-age=60\nexpires: {}", at(9)), Some((60, 2))),
            ("Expires from now", format!("expires: {}", at(30)), Some((30, 2))),
            ("Expires from Date", format!("date: {}\nexpires: {}", at(-20), at(30)), Some((50, 20))),
            ("Expires in the past", format!("expires: {}", at(-30)), Some((0, 2))),
            ("Expires that is none", "expires: 0".to_owned(), Some((0, 2))),
            ("Expires twice", format!("expires: {}\nexpires: {}", at(30), at(90)), Some((0, 2))),
            ("Expires from a Date that is none", format!("date: now\nexpires: {}", at(30)), Some((0, 2))),
            ("Age", "cache-control: max-age=60\nage: 50".to_owned(), Some((60, 52))),
            ("Age twice", "cache-control: max-age=60\nage: 5\nage: 50".to_owned(), Some((60, 52))),
            ("Age that is none", "cache-control: max-age=60\nage: -5".to_owned(), Some((60, LONGEST))),
            ("Date in the past", format!("cache-control: max-age=60\ndate: {}", at(-55)), Some((60, 55))),
            ("Date in the future", format!("cache-control: max-age=60\ndate: {}", at(500)), Some((60, 2))),
            ("no-cache", "cache-control: no-cache".to_owned(), Some((0, 2))),
            ("no-store", "cache-control: max-age=60, no-store".to_owned(), None),
            ("no-store in a second field", "cache-control: max-age=60\ncache-control: no-store".to_owned(), None),
            ("private", "cache-control: private, max-age=60".to_owned(), None),
            ("a cookie", "cache-control: max-age=60\nset-cookie: a=1".to_owned(), None),
            ("Vary: *", "cache-control: max-age=60\nvary: accept, *".to_owned(), None),
            ("Vary that is none", "cache-control: max-age=60\nvary: a b".to_owned(), None),
            ("a stream", "cache-control: max-age=60\ncontent-type: Text/Event-Stream; x=1".to_owned(), None),
        ] {
            assert_eq!(life(&fields), expect, "{name}");
        }
    }

    #[test]
    fn an_answer_to_a_credential_is_kept_where_the_backend_speaks_for_all() {
        for (control, kept) in [
            ("max-age=60", false),
            ("max-age=60, public", true),
            ("max-age=60, must-revalidate", true),
            ("s-maxage=60", true),
            ("max-age=60, private, public", false),
        ] {
            let headers = headers(&format!("cache-control: {control}"));
            let life = Life::of(StatusCode::OK, &headers, Timestamp::from_secs(NOW), Duration::ZERO, true);
            assert_eq!(life.is_some(), kept, "{control}");
        }
    }

    #[test]
    fn no_failure_is_kept() {
        let headers = headers("cache-control: public, max-age=60");
        let kept = (100..=599).filter(|status| {
            let status = StatusCode::from_u16(*status).unwrap();
            Life::of(status, &headers, Timestamp::from_secs(NOW), Duration::ZERO, false).is_some()
        });
        assert_eq!(kept.collect::<Vec<_>>(), [200, 203, 204, 301, 308, 404, 410]);
    }

    proptest! {
        /// Whatever the numbers are: an answer is never younger than any of what says its age, it only gets older, and it
        /// is fresh for no longer than it was given.
        #[test]
        fn nothing_is_younger_than_it_says(
            max_age in any::<u64>(),
            age in any::<u64>(),
            date_back in 0..NOW,
            delay in 0..100_000_u64,
            resident in 0..u64::from(u32::MAX),
        ) {
            let fields = format!("cache-control: max-age={max_age}\nage: {age}\ndate: {}", date(NOW - date_back));
            let (received, delay) = (Timestamp::from_secs(NOW), Duration::from_secs(delay));
            let life = Life::of(StatusCode::OK, &headers(&fields), received, delay, false).unwrap();
            let capped = |seconds: u64| Duration::from_secs(seconds.min(LONGEST));
            prop_assert_eq!(life.fresh, capped(max_age));
            prop_assert!(life.age >= capped(age) && life.age >= capped(date_back) && life.age >= delay);
            let later = life.age + Duration::from_secs(resident);
            prop_assert!(life.is_fresh(life.age) || !life.is_fresh(later), "what is stale stays so");
            prop_assert_eq!(life.is_fresh(later), later < life.fresh);
            prop_assert!(!life.is_fresh(later) || life.stale_for(later).is_zero());
        }
    }
}
