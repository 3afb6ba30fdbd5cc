//! Turns every refusal, failure and panic into an answer that says what the caller may know, and nothing else.
//!
//! 1. A refusal becomes an RFC 9457 problem in the caller's dialect ([`palisade_core::problem`]).
//! 2. A panic in a stage or in the service becomes the refusal `internal`; what it said goes into the event.
//! 3. An answer to HEAD has the head of that to GET, and no body (RFC 9110 section 9.3.2).
//! 4. There is no setting that shows more: a development mode would be found in production.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::problem::{self, Dialect};
use palisade_core::stage::StageId;

use super::{Answer, Head, Next, Outcome, Stage, Stop};
use crate::body::Body;

/// The stage.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade::{stage::rescue::Rescue, testing::{answer, head}};
///
/// let answered = answer(&Rescue, &mut head("GET /"), "").await;
/// assert!(answered.is_ok(), "behind it nothing stops a request without an answer");
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Rescue;

impl Stage for Rescue {
    fn id(&self) -> StageId {
        StageId::Rescue
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        // The request's own headers may be changed further in; how the caller reads answers is asked now.
        let dialect = Dialect::of(&head.parts.headers);
        let headless = head.parts.method == Method::HEAD;
        Box::pin(async move {
            let outcome = AssertUnwindSafe(next.run(head, body)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref()).into()));
            Ok(match outcome {
                Ok(response) => response,
                Err(Stop::Answer(answer)) => fixed(answer),
                Err(Stop::Deny(denial)) => {
                    let denial = match &head.facts.protection {
                        Some(protection) => denial.protected_by(Arc::clone(protection)),
                        None => denial,
                    };
                    let response = problem::render(&denial, dialect, &head.facts.request_id);
                    head.facts.denial = Some(denial);
                    if headless { without_body(response) } else { response.map(Body::from) }
                }
            })
        })
    }
}

impl Rescue {
    /// The answer where no stage has made one: the outermost stages do not stop requests, so what arrives here as a
    /// stop comes from a chain that was put together without this stage.
    pub(crate) fn answer(outcome: Outcome, head: &Head) -> Response<Body> {
        match outcome {
            Ok(response) => response,
            Err(Stop::Answer(answer)) => fixed(answer),
            Err(Stop::Deny(denial)) => problem::render(&denial, Dialect::Json, &head.facts.request_id).map(Body::from),
        }
    }
}

fn without_body(response: Response<Bytes>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::empty())
}

fn fixed(answer: Answer) -> Response<Body> {
    match answer {
        Answer::Document(document) => {
            let mut response = Response::new(Body::from(document.text));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(document.media));
            response
        }
        Answer::Preflight | Answer::Received => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Denial {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Denial::new(DenialCode::Internal, StageId::Rescue).because("panic", said.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::testing::{answer_of_panic, assert_stage, head};

    #[tokio::test]
    async fn a_panic_is_a_plain_problem() {
        let mut head = head("GET /");
        let response = answer_of_panic(&Rescue, &mut head, "the password is hunter2").await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
        let denial = head.facts.denial.unwrap();
        assert_eq!(denial.code(), DenialCode::Internal);
        assert_eq!(denial.evidence().iter().next(), Some(("panic", "the password is hunter2")));
    }

    #[tokio::test]
    async fn a_refused_head_has_no_body_and_the_head_of_get() {
        let mut lengths = Vec::new();
        for method in ["GET", "HEAD"] {
            let response = answer_of_panic(&Rescue, &mut head(&format!("{method} /")), "x").await.unwrap();
            let told = response.headers().get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
            lengths.push((told, response.into_body().collect().await.unwrap().to_bytes().len()));
        }
        let [(None, long), (Some(told), 0)] = &lengths[..] else { panic!("{lengths:?}") };
        assert_eq!(*told, long.to_string());
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Rescue);
    }
}
