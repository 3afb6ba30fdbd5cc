//! Keeps slow callers and slow backends from holding a connection for ever.
//!
//! 1. The answer must begin within `total` of the request's head; reading the request's body is part of that. Who was
//!    waited for when the time was up is told: the sender, or the backend.
//! 2. While the body is read, the sender may not pause longer than `body_pause`.
//! 3. Behind `body_grace` the sender must have sent `body_floor` bytes a second on average: a byte now and then, always
//!    just before the pause is too long, is a slow-body attack too. Only the time counts in which we wait for the sender,
//!    so that a slow backend is not its fault.
//! 4. Who calls by gRPC may want less time than `total`, in `grpc-timeout`; a header of that name with two readings is
//!    refused. It holds for all of the answer: one that is not complete by then ends with the status of gRPC for that.
//! 5. On a route whose bodies may be endless ([`DeadlineSettings::endless`]) one without a length puts the deadline off with
//!    each of its pieces: the answer must begin within `total` of the last one. The pause and the floor hold as ever, and
//!    the floor without regard to what was sent fast before.
//! 6. Any other answer that has begun may take as long as it needs, so that downloads and event streams live.

mod grpc;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body, Pace};
use crate::settings::PerRoute;
use crate::until::Until;

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
    /// The least that the sender of a body has to send in a second, on average, in bytes; zero asks for nothing.
    pub body_floor: u32,
    /// How long the sender has before that counts.
    pub body_grace: Duration,
    /// Whether a body without a length may go on for ever, as long as it keeps the pace.
    pub endless: bool,
}

impl Default for DeadlineSettings {
    /// 30 seconds in all, 10 seconds of pause, and behind the first 5 seconds 240 bytes a second.
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { total: secs(30), body_pause: secs(10), body_floor: 240, body_grace: secs(5), endless: false }
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
        let DeadlineSettings { total, body_pause: pause, body_floor: floor, body_grace: grace, endless } =
            *self.settings.of(head);
        let endless = endless && body::is_endless(&head.parts.headers);
        let (body, broken) = body::watched(body, Pace { pause, grace, floor, endless });
        let wanted = match grpc::timeout(&head.parts.headers) {
            Ok(wanted) => wanted,
            Err(denial) => return Box::pin(std::future::ready(Err(denial.into()))),
        };
        let now = Instant::now();
        let at = now + wanted.map_or(total, |wanted| wanted.min(total));
        // What is too far away for a clock is no limit.
        let last = wanted.and_then(|wanted| now.checked_add(wanted));
        let version = head.parts.version;
        let until = Until::new(at, broken.clone());
        let until = if endless { until.after_each(total, last) } else { until };
        head.facts.until = Some(until.clone());
        Box::pin(async move {
            match within(&until, next.run(head, body)).await {
                Some(outcome) => {
                    let outcome = broken.refuse(outcome, StageId::Deadline);
                    match last {
                        None => outcome,
                        Some(last) => outcome.map(|response| grpc::until(response, last, version)),
                    }
                }
                None if broken.is_waiting() => {
                    let denial = Denial::new(DenialCode::RequestTimeout, StageId::Deadline);
                    Err(denial.because("error", "the body was not complete in time").into())
                }
                None => Err(Denial::new(DenialCode::DeadlineExceeded, StageId::Deadline).into()),
            }
        })
    }

    fn dangers(&self) -> Vec<String> {
        let danger = "on a route the sender of a body may be as slow as it likes";
        self.settings.any(|settings| settings.body_floor == 0).then(|| danger.to_owned()).into_iter().collect()
    }
}

/// What the rest of the chain answers in time. The timer is made when something has to be waited for: many applications
/// answer at once.
async fn within(until: &Until, mut rest: BoxFuture<'_, Outcome>) -> Option<Outcome> {
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = rest.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(until.end())));
        while timer.as_mut().poll(cx).is_ready() {
            let end = until.end();
            if end <= timer.deadline() {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use http::Response;
    use tokio::time::sleep;

    use super::*;
    use crate::stage::{End, Stop};
    use crate::testing::{assert_stage, head, refusal_of_pending};

    /// A backend that waits between the parts that it takes of a body, and answers at its end or at its fault.
    struct Takes(Duration);

    impl End for Takes {
        fn serve<'a>(&'a self, _: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome> {
            Box::pin(async move {
                let mut parts = body.into_data_stream();
                while let Some(Ok(_)) = parts.next().await {
                    sleep(self.0).await;
                }
                Ok(Response::new(Body::empty()))
            })
        }
    }

    /// A body of so many parts, each of so many bytes and so long after the one before.
    fn trickle(parts: usize, bytes: usize, gap: Duration) -> Body {
        Body::from_stream(stream::iter(0..parts).then(move |_| async move {
            sleep(gap).await;
            Ok::<_, axum_core::Error>(Bytes::from(vec![0; bytes]))
        }))
    }

    async fn refusal(stage: &Deadline, body: Body, end: Takes) -> (Option<DenialCode>, Duration) {
        let begun = Instant::now();
        let outcome = stage.wrap(&mut head("POST /"), body, Next::new(&[], &end)).await;
        let code = outcome.err().and_then(|stop| match stop {
            Stop::Answer(_) => None,
            Stop::Deny(denial) => Some(denial.code()),
        });
        (code, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_begins_is_given_up() {
        let code = refusal_of_pending(&Deadline::default(), &mut head("GET /")).await;
        assert_eq!(code, Some(DenialCode::DeadlineExceeded));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_keeps_the_pace_or_is_given_up() {
        let secs = Duration::from_secs;
        let slow = Some(DenialCode::RequestTimeout);
        let late = Some(DenialCode::DeadlineExceeded);
        let stage = Deadline::default();
        let lenient = DeadlineSettings { body_floor: 0, ..DeadlineSettings::default() };
        let lenient = Deadline::new(PerRoute::same(lenient));
        for (name, stage, body, end, expect, after) in [
            ("all at once", &stage, trickle(3, 10, Duration::ZERO), Takes(secs(0)), None, secs(0)),
            ("a pause that is too long", &stage, trickle(2, 9999, secs(11)), Takes(secs(0)), slow, secs(5)),
            ("the same without a floor", &lenient, trickle(2, 9999, secs(11)), Takes(secs(0)), slow, secs(10)),
            ("a byte a second", &stage, trickle(60, 1, secs(1)), Takes(secs(0)), slow, Duration::from_millis(5020)),
            ("the same without a floor", &lenient, trickle(60, 1, secs(1)), Takes(secs(0)), slow, secs(30)),
            ("fast enough", &stage, trickle(20, 240, secs(1)), Takes(secs(0)), None, secs(20)),
            (
                "too slow in the end",
                &stage,
                trickle(29, 200, secs(1)),
                Takes(secs(0)),
                slow,
                Duration::from_millis(25_833),
            ),
            ("fast, but not done in time", &stage, trickle(60, 9999, secs(1)), Takes(secs(0)), slow, secs(30)),
            ("a backend that takes it slowly", &stage, trickle(9, 1, secs(0)), Takes(secs(3)), None, secs(27)),
            ("a backend that is not done in time", &stage, trickle(99, 1, secs(0)), Takes(secs(3)), late, secs(30)),
        ] {
            let (code, elapsed) = refusal(stage, body, end).await;
            assert_eq!(code, expect, "{name}");
            assert!(elapsed.abs_diff(after) < Duration::from_millis(20), "{name} took {elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_body_has_a_deadline_for_each_piece() {
        let secs = Duration::from_secs;
        let (slow, late) = (Some(DenialCode::RequestTimeout), Some(DenialCode::DeadlineExceeded));
        let endless = Deadline::new(PerRoute::same(DeadlineSettings { endless: true, ..DeadlineSettings::default() }));
        let quick = DeadlineSettings { endless: true, total: secs(6), body_floor: 0, ..DeadlineSettings::default() };
        let quick = Deadline::new(PerRoute::same(quick));
        let plain = "POST /";
        let takes = |secs_of_each| Takes(secs(secs_of_each));
        let fast_then_slow = || {
            let first = Bytes::from(vec![0; 1 << 20]);
            let first = stream::once(async move { Ok::<_, axum_core::Error>(first) });
            Body::from_stream(first.chain(trickle(99, 1, secs(1)).into_data_stream()))
        };
        for (name, stage, request, body, end, expect, after) in [
            ("far longer than the deadline", &endless, plain, trickle(200, 240, secs(1)), takes(0), None, secs(200)),
            ("a pause", &endless, plain, trickle(2, 9999, secs(11)), takes(0), slow, secs(5)),
            ("a pause without a floor", &quick, plain, trickle(2, 1, secs(7)), takes(0), slow, secs(6)),
            ("a trickle", &endless, plain, trickle(60, 1, secs(1)), takes(0), slow, Duration::from_millis(5020)),
            (
                "a trickle behind a flood",
                &endless,
                plain,
                fast_then_slow(),
                takes(0),
                slow,
                Duration::from_millis(5020),
            ),
            ("empty pieces", &quick, plain, trickle(60, 0, secs(1)), takes(0), slow, secs(6)),
            ("a slow backend", &quick, plain, trickle(9, 1, secs(0)), takes(5), None, secs(45)),
            ("a backend that hangs", &quick, plain, trickle(9, 1, secs(0)), takes(7), late, secs(6)),
            ("a length", &endless, "POST /\ncontent-length: 1", trickle(200, 240, secs(1)), takes(0), slow, secs(30)),
            (
                "the caller's own limit",
                &endless,
                "POST /\ncontent-type: application/grpc\ngrpc-timeout: 20S",
                trickle(200, 240, secs(1)),
                takes(0),
                slow,
                secs(20),
            ),
        ] {
            let begun = Instant::now();
            let outcome = stage.wrap(&mut head(request), body, Next::new(&[], &end)).await;
            let code = outcome.err().and_then(|stop| match stop {
                Stop::Answer(_) => None,
                Stop::Deny(denial) => Some(denial.code()),
            });
            let elapsed = begun.elapsed();
            assert_eq!(code, expect, "{name} after {elapsed:?}");
            assert!(elapsed.abs_diff(after) < Duration::from_millis(50), "{name} took {elapsed:?}");
        }
    }

    #[test]
    fn to_ask_for_nothing_is_a_danger() {
        let settings = DeadlineSettings { body_floor: 0, ..DeadlineSettings::default() };
        assert_eq!(Deadline::new(PerRoute::same(settings)).dangers().len(), 1);
        assert!(Deadline::default().dangers().is_empty());
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Deadline::default());
    }
}
