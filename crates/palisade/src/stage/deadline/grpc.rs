//! How long a caller of gRPC wants to wait, as its `grpc-timeout` says: for the beginning of an answer, and for its end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::problem::Dialect;
use palisade_core::stage::StageId;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::Body;

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

/// An answer that ends at this moment if it has not ended before: with the status of gRPC where trailers can be sent and
/// no length was, else by breaking off.
pub(super) fn until(response: Response<Body>, end: Instant, version: Version) -> Response<Body> {
    if response.body().is_end_stream() {
        return response;
    }
    let headers = response.headers();
    let can_be_told = version >= Version::HTTP_2
        && !headers.contains_key(CONTENT_LENGTH)
        && headers.get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"));
    response.map(|body| Body::new(Timed { body: Some(body), timer: Box::pin(sleep_until(end)), can_be_told }))
}

struct Timed {
    /// Gone once the time is up, so that whoever sends it stops.
    body: Option<Body>,
    timer: Pin<Box<Sleep>>,
    can_be_told: bool,
}

/// The caller's time is up in the middle of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not complete within the caller's grpc-timeout")]
struct Late;

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // The time first: a backend that always has something to say would else never be cut off.
        if this.timer.as_mut().poll(cx).is_pending() {
            return Poll::Ready(ready!(Pin::new(body).poll_frame(cx)));
        }
        this.body = None;
        if !this.can_be_told {
            return Poll::Ready(Some(Err(axum_core::Error::new(Late))));
        }
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert("grpc-status", HeaderValue::from_static("4"));
        trailers.insert("grpc-message", HeaderValue::from_static("The answer took too long"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // It may end sooner.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;
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

    /// An answer of a part a second without end.
    fn endless(media: &str) -> Response<Body> {
        let parts = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, axum_core::Error>(Bytes::from_static(b"m"))
        });
        Response::builder().header("content-type", media).body(Body::from_stream(parts)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_when_the_callers_time_does() {
        for (media, version, is_told) in [
            ("application/grpc+proto", Version::HTTP_2, true),
            ("application/grpc", Version::HTTP_11, false),
            ("application/json", Version::HTTP_2, false),
        ] {
            let begun = Instant::now();
            let end = begun + Duration::from_millis(2500);
            let mut body = until(endless(media), end, version).into_body();
            let (mut data, mut trailers, mut failed) = (0, None, false);
            while let Some(frame) = body.frame().await {
                match frame.map(Frame::into_trailers) {
                    Ok(Err(_)) => data += 1,
                    Ok(Ok(found)) => trailers = Some(found),
                    Err(_) => failed = true,
                }
            }
            assert_eq!((data, begun.elapsed()), (2, Duration::from_millis(2500)), "{media}");
            let status = trailers.map(|trailers| trailers["grpc-status"].clone());
            assert_eq!((status, failed), (is_told.then(|| "4".parse().unwrap()), !is_told), "{media}");
        }
        let done = until(Response::new(Body::empty()), Instant::now(), Version::HTTP_2);
        assert!(done.body().is_end_stream());
        let short = Response::builder().header("content-type", "application/grpc").body(Body::from("abc")).unwrap();
        let whole = until(short, Instant::now() + Duration::from_secs(1), Version::HTTP_2).into_body().collect().await;
        assert_eq!(whole.unwrap().to_bytes(), "abc");
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
