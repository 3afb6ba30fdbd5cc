//! How long a caller of gRPC wants to wait, as its `grpc-timeout` says.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::problem::Dialect;
use palisade_core::stage::StageId;

/// The header, by the protocol of gRPC over HTTP/2.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The caller's own limit. The backend reads the same header, so that one with two readings is refused.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Denial> {
    if !headers.contains_key(CONTENT_TYPE) || Dialect::of(headers) != Dialect::Grpc {
        return Ok(None);
    }
    let mut values = headers.get_all(TIMEOUT).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let read = first.to_str().ok().and_then(span).filter(|_| values.next().is_none());
    let bad = || Denial::new(DenialCode::RequestMalformed, StageId::Deadline).because("header", TIMEOUT.as_str());
    read.map(Some).ok_or_else(bad)
}

/// At most eight digits and a unit.
fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = is_number.then(|| digits.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &str) -> Result<Option<Duration>, DenialCode> {
        let head = crate::testing::head(&format!("POST /a.B/C\n{headers}"));
        timeout(&head.parts.headers).map_err(|denial| denial.code())
    }

    #[test]
    fn a_timeout_is_read_or_refused() {
        let malformed = Err(DenialCode::RequestMalformed);
        let millis = |millis| Ok(Some(Duration::from_millis(millis)));
        for (text, expect) in [
            ("content-type: application/grpc", Ok(None)),
            ("content-type: application/json\ngrpc-timeout: 1S", Ok(None)),
            ("content-type: application/grpc\ngrpc-timeout: 1S", millis(1000)),
            ("content-type: application/grpc+proto\ngrpc-timeout: 2M", millis(120_000)),
            ("content-type: application/grpc\ngrpc-timeout: 00000100m", millis(100)),
            ("content-type: application/grpc\ngrpc-timeout: 99999999H", millis(359_999_996_400_000)),
            ("content-type: application/grpc\ngrpc-timeout: 0n", millis(0)),
            ("content-type: application/grpc\ngrpc-timeout: 100000000m", malformed),
            ("content-type: application/grpc\ngrpc-timeout: S", malformed),
            ("content-type: application/grpc\ngrpc-timeout: ", malformed),
            ("content-type: application/grpc\ngrpc-timeout: 5", malformed),
            ("content-type: application/grpc\ngrpc-timeout: +5S", malformed),
            ("content-type: application/grpc\ngrpc-timeout: 5 S", malformed),
            ("content-type: application/grpc\ngrpc-timeout: 1S, 9S", malformed),
            ("content-type: application/grpc\ngrpc-timeout: 1S\ngrpc-timeout: 9S", malformed),
        ] {
            assert_eq!(read(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,12}") {
            let _ = span(&text);
        }

        #[test]
        fn units_are_ordered(number in 1..100_000_000_u64) {
            let spans = ["n", "u", "m", "S", "M", "H"].map(|unit| span(&format!("{number}{unit}")).unwrap());
            prop_assert!(spans.is_sorted_by(|a, b| a < b));
        }
    }
}
