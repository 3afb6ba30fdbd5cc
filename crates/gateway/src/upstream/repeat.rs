//! A request that can be sent again: its method allows it and its body is here.

use axum_core::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use super::failure::Failure;

/// What is needed to make the request again.
#[derive(Debug)]
pub(crate) struct Repeat {
    parts: Parts,
    body: Bytes,
}

impl Repeat {
    /// Reads the body of an idempotent request if it is small, so that both the request and its repetition have it.
    pub(crate) async fn of(request: Request<Body>) -> Result<(Request<Body>, Option<Self>), Failure> {
        if request.body().is_end_stream() {
            let (parts, body) = request.into_parts();
            let repeat = Self { parts: parts.clone(), body: Bytes::new() };
            return Ok((Request::from_parts(parts, body), Some(repeat)));
        }
        if request.body().size_hint().exact().is_none_or(|size| size > MOST_KEPT) {
            return Ok((request, None));
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(Failure::Sender)?.to_bytes();
        let repeat = Self { parts: parts.clone(), body: body.clone() };
        Ok((Request::from_parts(parts, Body::from(body)), Some(repeat)))
    }

    /// The request once more.
    pub(crate) fn request(&self) -> Request<Body> {
        let body = if self.body.is_empty() { Body::empty() } else { Body::from(self.body.clone()) };
        Request::from_parts(self.parts.clone(), body)
    }

    /// Whether it asks for nothing but an answer.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.parts.method, Method::GET | Method::HEAD) && self.body.is_empty()
    }
}

/// Whether sending a request twice means the same as once (RFC 9110 section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// The largest body that is kept for a repetition.
const MOST_KEPT: u64 = 64 * 1024;
