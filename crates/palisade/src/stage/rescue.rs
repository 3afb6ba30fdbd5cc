//! Turns every refusal, failure and panic into an answer that says what the caller may know, and nothing else.
//!
//! 1. A refusal becomes an RFC 9457 problem in the caller's dialect ([`palisade_core::problem`]).
//! 2. A panic in a stage or in the service becomes the refusal `internal`; what it said goes into the event.
//! 3. There is no setting that shows more: a development mode would be found in production.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
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
        Box::pin(async move {
            let outcome = AssertUnwindSafe(next.run(head, body)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref()).into()));
            Ok(match outcome {
                Ok(response) => response,
                Err(Stop::Answer(answer)) => fixed(answer),
                Err(Stop::Deny(denial)) => {
                    let response = problem::render(&denial, dialect, &head.facts.request_id).map(Body::from);
                    head.facts.denial = Some(denial);
                    response
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

fn fixed(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = match answer {
        Answer::Preflight => StatusCode::NO_CONTENT,
    };
    response
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

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Rescue);
    }
}
