//! Keeps a request from being larger than anyone needs.
//!
//! 1. Path and query together are at most `max_uri` bytes, all header names and values together `max_headers`, and there
//!    are at most `max_header_count` of them.
//! 2. A body is at most `max_body` bytes: a declared `Content-Length` beyond it is refused before a byte is read, and a
//!    body without one is cut off while it streams.
//! 3. A request's `Content-Encoding` is refused unless the route accepts it: a small compressed body can be a large one
//!    (CWE-409), and rules that read bodies would have to trust the sender about which one it is.
//! 4. What is accepted is decoded while it streams: one coding, at most `max_body` bytes and, behind its first 64 KiB, at
//!    most `max_ratio` times the encoded ones come out of it, and it has to be whole. Everything behind this stage, the
//!    backend too, sees the decoded body and nothing of its coding.
//!
//! 5. On a route whose bodies may be endless ([`Size::endless`]) one without a length and a coding streams without the
//!    limit. Whoever would hold all of it, as a rule for JSON does, still holds at most `max_body`; how fast it has to come
//!    is for another stage to say.
//!
//! The body is not buffered here; it streams through the limit.

use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue};
use http_body::Body as _;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::inflate::{Bounds, Coding, Inflate};
use crate::body::{self, Body, LongestWhole};
use crate::settings::PerRoute;

/// Headers about the encoded bytes, which are not true of the decoded ones (RFC 9530).
const OF_THE_ENCODED: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("repr-digest"),
];

/// The stage.
///
/// ```
/// use palisade::body::inflate::Coding;
/// use palisade::settings::PerRoute;
/// use palisade::stage::size::Size;
///
/// // The second route takes compressed uploads.
/// let size = Size {
///     max_body: PerRoute::new(1 << 20, vec![1 << 20, 50 << 20]),
///     accept: PerRoute::new(Vec::new(), vec![Vec::new(), vec![Coding::Gzip]]),
///     ..Size::default()
/// };
/// palisade::testing::assert_stage(&size);
/// ```
#[derive(Clone, Debug)]
pub struct Size {
    /// The longest path and query, in bytes.
    pub max_uri: usize,
    /// The most that header names and values may take together, in bytes.
    pub max_headers: usize,
    /// The most headers.
    pub max_header_count: usize,
    /// The longest body by route, in bytes: as it is sent, and as it is decoded.
    pub max_body: PerRoute<usize>,
    /// Whether a body without a length may go on for ever, by route.
    pub endless: PerRoute<bool>,
    /// How many times the bytes of an encoded body the decoded ones may be.
    pub max_ratio: u32,
    /// The codings that are accepted, by route.
    pub accept: PerRoute<Vec<Coding>>,
}

impl Default for Size {
    /// 8 KiB of URI, 100 headers of 32 KiB, 1 MiB of body, and no coding.
    fn default() -> Self {
        Self {
            max_uri: 8 << 10,
            max_headers: 32 << 10,
            max_header_count: 100,
            max_body: PerRoute::same(1 << 20),
            endless: PerRoute::default(),
            max_ratio: 100,
            accept: PerRoute::default(),
        }
    }
}

impl Stage for Size {
    fn id(&self) -> StageId {
        StageId::Size
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let is_endless = *self.endless.of(head) && body::is_endless(&head.parts.headers);
        let coding = match self.verify(head) {
            Ok(coding) => coding,
            Err(denial) => return Box::pin(std::future::ready(Err(denial.into()))),
        };
        let max = *self.max_body.of(head);
        if is_endless {
            head.parts.extensions.insert(LongestWhole(max));
            return next.run(head, body);
        }
        let (mut body, broken) = body::limited(body, max);
        if let Some(coding) = coding {
            for name in &OF_THE_ENCODED {
                head.parts.headers.remove(name);
            }
            // No body at all is none of any coding.
            if !body.is_end_stream() {
                let inflate = Inflate::new(coding, Bounds { max, ratio: self.max_ratio });
                body = body::decoded(body, inflate, broken.clone());
            }
        }
        if body.is_end_stream() {
            return next.run(head, body);
        }
        Box::pin(async move {
            let outcome = next.run(head, body).await;
            broken.refuse(outcome, StageId::Size)
        })
    }
}

impl Size {
    /// What the head alone says, and how the body is to be decoded.
    fn verify(&self, head: &mut Head) -> Result<Option<Coding>, Denial> {
        let deny = |code| Err(Denial::new(code, StageId::Size));
        let uri = &head.parts.uri;
        if uri.path().len() + uri.query().map_or(0, |query| query.len() + 1) > self.max_uri {
            return deny(DenialCode::UriTooLong);
        }
        let headers = &head.parts.headers;
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes > self.max_headers || headers.len() > self.max_header_count {
            return deny(DenialCode::HeadersTooLarge);
        }
        let declared = head.text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > *self.max_body.of(head) as u64) {
            return deny(DenialCode::BodyTooLarge);
        }
        self.coding(head)
    }

    fn coding(&self, head: &mut Head) -> Result<Option<Coding>, Denial> {
        let mut named = head.parts.headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (named.next(), named.next());
        let Some(first) = first else { return Ok(None) };
        if second.is_none() && first.as_bytes().eq_ignore_ascii_case(b"identity") {
            head.parts.headers.remove(CONTENT_ENCODING);
            return Ok(None);
        }
        let accept = self.accept.of(head);
        // A list of several is not the name of one.
        let coding = Coding::parse(first.as_bytes()).filter(|coding| second.is_none() && accept.contains(coding));
        if coding.is_some() {
            return Ok(coding);
        }
        // The answer says what would be understood (RFC 9110 section 12.5.3).
        let names = accept.iter().map(|coding| coding.as_str()).chain(["identity"]).collect::<Vec<_>>().join(", ");
        if let Ok(names) = HeaderValue::try_from(names) {
            head.plan.set(ACCEPT_ENCODING, names);
        }
        Err(Denial::new(DenialCode::CodingUndeclared, StageId::Size))
    }
}

#[cfg(test)]
mod tests;
