//! One exchange over a connection, and why it came to nothing.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use tokio::time::Instant;

use super::SendError;
use super::wire::Connector;
use crate::exchange::{Answer, Timing};

/// Sends a request, and reads so many bytes of its answer.
pub(super) async fn exchange(
    client: &Client<Connector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
    maximum: usize,
) -> Result<Answer, Failure> {
    let sent = Instant::now();
    let response = client.request(request).await.map_err(|error| Failure::of(&error))?;
    let wait = sent.elapsed();
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Lasting(unreachable_for(&error)))?;
        if let Some(data) = frame.data_ref() {
            let room = maximum.saturating_sub(bytes.len());
            bytes.extend_from_slice(data.get(..room).unwrap_or(data));
            if data.len() > room {
                break;
            }
        }
    }
    let mut answer = Answer::new(parts.status, parts.headers, &bytes);
    answer.timing = Timing { after: Duration::ZERO, wait, receive: sent.elapsed().saturating_sub(wait) };
    Ok(answer)
}

/// Why an exchange came to nothing.
pub(super) enum Failure {
    /// The connection ended before an answer began. The target may have closed one that was kept open while the request
    /// was on its way, as many do after an error of their own (RFC 9112 section 9.3.1).
    Dropped(SendError),
    Lasting(SendError),
}

impl Failure {
    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        let unreachable = unreachable_for(error);
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let is_incomplete = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message);
            let is_broken = error.downcast_ref::<io::Error>().is_some_and(|error| {
                let kind = error.kind();
                [ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset].contains(&kind)
            });
            if is_incomplete || is_broken {
                return Self::Dropped(unreachable);
            }
            cause = error.source();
        }
        Self::Lasting(unreachable)
    }
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Dropped(error) | Failure::Lasting(error) => error,
        }
    }
}

pub(super) fn unreachable_for(error: &dyn std::error::Error) -> SendError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    SendError::Unreachable(text)
}

pub(super) fn malformed(error: impl std::fmt::Display) -> SendError {
    SendError::Malformed(error.to_string())
}

/// Who asks.
pub(super) const AGENT: &str = concat!("palisade-review/", env!("CARGO_PKG_VERSION"));
