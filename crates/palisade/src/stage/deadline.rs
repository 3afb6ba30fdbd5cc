//! Keeps slow callers and slow backends from holding a connection for ever.
//!
//! 1. The answer must begin within `total` of the request's head.
//! 2. While the body is read, the sender may not pause longer than `body_pause`: slow-body attacks end there.
//! 3. An answer that has begun may take as long as it needs, so that downloads and event streams live.

use std::time::Duration;

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::settings::PerRoute;

/// The stage.
///
/// ```
/// use std::time::Duration;
/// use palisade::settings::PerRoute;
/// use palisade::stage::{StageLayer, deadline::{Deadline, DeadlineSettings}};
///
/// let quick = DeadlineSettings { total: Duration::from_secs(5), ..DeadlineSettings::default() };
/// let app: axum::Router = axum::Router::new().layer(StageLayer::new(Deadline::new(PerRoute::same(quick))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Deadline {
    settings: PerRoute<DeadlineSettings>,
}

/// How long things may take.
///
/// ```
/// let settings = palisade::stage::deadline::DeadlineSettings::default();
/// assert_eq!((settings.total.as_secs(), settings.body_pause.as_secs()), (30, 10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineSettings {
    /// From the request's head to the beginning of the answer.
    pub total: Duration,
    /// The longest pause in the request body.
    pub body_pause: Duration,
}

impl Default for DeadlineSettings {
    /// 30 seconds in all, 10 seconds of pause.
    fn default() -> Self {
        Self { total: Duration::from_secs(30), body_pause: Duration::from_secs(10) }
    }
}

impl Deadline {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<DeadlineSettings>) -> Self {
        Self { settings }
    }
}

impl Stage for Deadline {
    fn id(&self) -> StageId {
        StageId::Deadline
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let DeadlineSettings { total, body_pause } = *self.settings.of(head);
        let (body, broken) = body::watched(body, body_pause);
        Box::pin(async move {
            match tokio::time::timeout(total, next.run(head, body)).await {
                Ok(outcome) => broken.refuse(outcome, DenialCode::RequestTimeout, StageId::Deadline),
                Err(_) => Err(Denial::new(DenialCode::DeadlineExceeded, StageId::Deadline).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal_of_pending};

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_begins_is_given_up() {
        let code = refusal_of_pending(&Deadline::default(), &mut head("GET /")).await;
        assert_eq!(code, Some(DenialCode::DeadlineExceeded));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_pauses_is_given_up() {
        let (body, _) = body::watched(
            Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, axum_core::Error>>()),
            Duration::from_secs(1),
        );
        let denial = body::read(body, StageId::Contract).await.unwrap_err();
        assert_eq!(denial.code(), DenialCode::RequestTimeout);
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Deadline::default());
    }
}
