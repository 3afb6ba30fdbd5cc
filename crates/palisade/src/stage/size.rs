//! Keeps a request from being larger than anyone needs.
//!
//! 1. Path and query together are at most `max_uri` bytes, all header names and values together `max_headers`.
//! 2. A body is at most `max_body` bytes: a declared `Content-Length` beyond it is refused before a byte is read, and a
//!    body without one is cut off while it streams.
//! 3. A request's `Content-Encoding` is refused: a small compressed body can be a large one (CWE-409), and rules that
//!    read bodies would have to trust the sender about which one it is.
//!
//! The body is not buffered here; it streams through the limit.

use futures_util::future::BoxFuture;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::settings::PerRoute;

/// The stage.
#[derive(Clone, Debug)]
pub struct Size {
    /// The longest path and query, in bytes.
    pub max_uri: usize,
    /// The most that header names and values may take together, in bytes.
    pub max_headers: usize,
    /// The longest body by route, in bytes.
    pub max_body: PerRoute<usize>,
}

impl Default for Size {
    /// 8 KiB of URI, 32 KiB of headers, 1 MiB of body.
    fn default() -> Self {
        Self { max_uri: 8 << 10, max_headers: 32 << 10, max_body: PerRoute::same(1 << 20) }
    }
}

impl Stage for Size {
    fn id(&self) -> StageId {
        StageId::Size
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        if let Err(denial) = self.verify(head) {
            return Box::pin(std::future::ready(Err(denial.into())));
        }
        let (body, broken) = body::limited(body, *self.max_body.of(head));
        Box::pin(async move {
            let outcome = next.run(head, body).await;
            broken.refuse(outcome, DenialCode::BodyTooLarge, StageId::Size)
        })
    }
}

impl Size {
    fn verify(&self, head: &Head) -> Result<(), Denial> {
        let deny = |code| Err(Denial::new(code, StageId::Size));
        let uri = &head.parts.uri;
        if uri.path().len() + uri.query().map_or(0, |query| query.len() + 1) > self.max_uri {
            return deny(DenialCode::UriTooLong);
        }
        let bytes: usize = head.parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes > self.max_headers {
            return deny(DenialCode::HeadersTooLarge);
        }
        let encodings = head.parts.headers.get_all(CONTENT_ENCODING).iter();
        if encodings.into_iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return deny(DenialCode::MediaTypeUndeclared);
        }
        let declared = head.text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > *self.max_body.of(head) as u64) {
            return deny(DenialCode::BodyTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal_with_body};

    #[tokio::test]
    async fn follows_the_table() {
        use DenialCode::*;
        let size = Size { max_uri: 20, max_headers: 60, max_body: PerRoute::same(4) };
        let long = format!("GET /{}", "a".repeat(30));
        let wide = format!("GET /\nx-a: {}", "a".repeat(60));
        for (request, body, expect) in [
            ("GET /a?b=c", "", None),
            (long.as_str(), "", Some(UriTooLong)),
            (wide.as_str(), "", Some(HeadersTooLarge)),
            ("POST /\ncontent-length: 4", "1234", None),
            ("POST /\ncontent-length: 5", "12345", Some(BodyTooLarge)),
            // CVE-2026-44456: a body without a declared length went around the limit.
            ("POST /", "12345", Some(BodyTooLarge)),
            ("POST /\ncontent-encoding: gzip", "1", Some(MediaTypeUndeclared)),
            ("POST /\ncontent-encoding: identity", "1", None),
        ] {
            assert_eq!(refusal_with_body(&size, &mut head(request), body).await, expect, "{request}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Size::default());
    }
}
