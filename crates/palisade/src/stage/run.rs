//! Runs stages in order: neighbours that only look in one loop, those that enclose as real nesting.

use futures_util::future::BoxFuture;
use palisade_core::stage::StageKind;

use super::{Head, Outcome, Stage, Verdict};
use crate::body::Body;

/// What stands behind the last stage.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use palisade::body::Body;
/// use palisade::stage::{End, Head, Outcome};
///
/// /// A backend that always says the same.
/// struct Fixed(&'static str);
///
/// impl End for Fixed {
///     fn serve<'a>(&'a self, _: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
///         Box::pin(std::future::ready(Ok(http::Response::new(Body::from(self.0)))))
///     }
/// }
/// ```
pub trait End: Send + Sync {
    /// Serves the request that has passed every stage.
    fn serve<'a>(&'a self, head: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome>;
}

/// The rest of a chain, as a stage that encloses it sees it.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use palisade::body::Body;
/// use palisade::stage::{Head, Next, Outcome};
///
/// /// What a stage that encloses does: something before, the rest of the chain, something after.
/// fn wrap<'a>(head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
///     Box::pin(async move {
///         let outcome = next.run(head, body).await;
///         head.plan.remove(&[http::header::SERVER]);
///         outcome
///     })
/// }
/// # let _ = wrap;
/// ```
pub struct Next<'a> {
    stages: &'a [Box<dyn Stage>],
    end: &'a dyn End,
}

impl<'a> Next<'a> {
    pub(crate) fn new(stages: &'a [Box<dyn Stage>], end: &'a dyn End) -> Self {
        Self { stages, end }
    }

    /// Runs the rest of the chain and brings its answer back.
    pub fn run<'b>(self, head: &'b mut Head, body: Body) -> BoxFuture<'b, Outcome>
    where
        'a: 'b,
    {
        // A stage that encloses makes a future of its own, so that only runs of stages that look cost another one.
        match self.stages.split_first() {
            Some((stage, behind)) if stage.id().kind() == StageKind::Wrap => {
                stage.wrap(head, body, Self { stages: behind, end: self.end })
            }
            _ => Box::pin(self.look(head, body)),
        }
    }

    /// Runs the stages that only look, up to the next one that encloses.
    async fn look<'b>(self, head: &'b mut Head, body: Body) -> Outcome
    where
        'a: 'b,
    {
        let mut rest = self.stages;
        while let Some((stage, behind)) = rest.split_first() {
            if stage.id().kind() == StageKind::Wrap {
                return stage.wrap(head, body, Self { stages: behind, end: self.end }).await;
            }
            match stage.check(head) {
                Verdict::Now(result) => result?,
                Verdict::Later(waiting) => waiting.await?,
            }
            rest = behind;
        }
        self.end.serve(head, body).await
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stages.iter().map(|stage| stage.id())).finish()
    }
}
