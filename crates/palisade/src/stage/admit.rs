//! Keeps the service answering when more is asked than it can do: the excess is refused at once, not queued.
//!
//! 1. At most `limit` requests are under way; one more is refused with when to come again.
//! 2. A request is under way until its answer has been sent to the end, not only begun: a limit that forgot streams
//!    would be none.
//! 3. The limit is shared by all clones and connections.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::sync::Semaphore;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};

/// The stage.
///
/// ```
/// use palisade::stage::{StageLayer, admit::Admit};
///
/// let app: axum::Router = axum::Router::new().layer(StageLayer::new(Admit::new(200)));
/// ```
#[derive(Clone, Debug)]
pub struct Admit {
    places: Arc<Semaphore>,
}

impl Admit {
    /// Lets `limit` requests be under way.
    pub fn new(limit: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))) }
    }
}

impl Default for Admit {
    /// 1,024 requests.
    fn default() -> Self {
        Self::new(1024)
    }
}

impl Stage for Admit {
    fn id(&self) -> StageId {
        StageId::Admit
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        Box::pin(async move {
            let Ok(place) = place else {
                let busy = Denial::new(DenialCode::Overloaded, StageId::Admit);
                return Err(busy.retry_after(Duration::from_secs(1)).into());
            };
            let response = next.run(head, body).await?;
            Ok(response.map(|body| body::holding(body, place)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answer, assert_stage, head, refusal_with_body};

    #[tokio::test]
    async fn counts_answers_until_they_are_sent() {
        let admit = Admit::new(1);
        let first = answer(&admit, &mut head("GET /"), "").await.unwrap();
        assert_eq!(refusal_with_body(&admit, &mut head("GET /"), "").await, Some(DenialCode::Overloaded));
        drop(first);
        assert_eq!(refusal_with_body(&admit, &mut head("GET /"), "").await, None);
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Admit::default());
    }
}
