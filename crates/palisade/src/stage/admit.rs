//! Keeps the service answering when more is asked than it can do: the excess is refused at once.
//!
//! 1. At most `limit` requests are under way, and at most a route's own limit on that route; one more is refused with
//!    when to come again.
//! 2. A route may have places of its own besides, for what must work in overload, such as health checks: it takes none
//!    from the others, and the others take none from it.
//! 3. A request is under way until its answer has been sent to the end, or dropped, not only begun: a limit that forgot
//!    streams would be none.
//! 4. The limits are shared by all clones, listeners and connections.
//!
//! Nobody waits for a place. A queue in front of a service that is busy makes every answer later and holds the memory of
//! all who wait, and by the time it is their turn many have gone; a caller who is told to come again in a second waits
//! where it costs us nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::settings::PerRoute;

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
    routes: PerRoute<Own>,
}

/// How many requests may be under way on one route.
///
/// ```
/// use palisade::settings::PerRoute;
/// use palisade::stage::admit::{Admit, Places};
///
/// // The first route is the health check, which must answer under load; the second may use half of the places.
/// let routes = PerRoute::new(Places::Common, vec![Places::Reserved(4), Places::Among(100)]);
/// palisade::testing::assert_stage(&Admit::new(200).with_routes(routes));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// So many of those that all routes share.
    Among(usize),
    /// As many as there are for all routes.
    #[default]
    Common,
    /// So many that are the route's own, besides those that the others share.
    Reserved(usize),
}

/// The places of one route.
#[derive(Clone, Debug)]
enum Own {
    Among(Arc<Semaphore>),
    Common,
    Reserved(Arc<Semaphore>),
}

impl Admit {
    /// Lets `limit` requests be under way.
    pub fn new(limit: usize) -> Self {
        Self { places: places(limit), routes: PerRoute::same(Own::Common) }
    }

    /// The same with limits by route.
    #[must_use]
    pub fn with_routes(self, routes: PerRoute<Places>) -> Self {
        let own = |of: Places| match of {
            Places::Among(limit) => Own::Among(places(limit)),
            Places::Common => Own::Common,
            Places::Reserved(limit) => Own::Reserved(places(limit)),
        };
        Self { routes: routes.map(own), ..self }
    }

    /// A place for the request, or two; `None` when there is none.
    fn enter(&self, head: &Head) -> Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        match self.routes.of(head) {
            // The route's own first: what it refuses takes no place from the others, not even for a moment.
            Own::Among(own) => {
                let own = take(own)?;
                Some((take(&self.places)?, Some(own)))
            }
            Own::Common => Some((take(&self.places)?, None)),
            Own::Reserved(own) => Some((take(own)?, None)),
        }
    }
}

fn places(limit: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))
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
        let Some(place) = self.enter(head) else {
            let busy = Denial::new(DenialCode::Overloaded, StageId::Admit).retry_after(Duration::from_secs(1));
            return Box::pin(std::future::ready(Err(busy.into())));
        };
        Box::pin(async move {
            let response = next.run(head, body).await?;
            Ok(response.map(|body| body::holding(body, place)))
        })
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::id::RouteName;

    use super::*;
    use crate::facts::RouteMatch;
    use crate::testing::{answer, assert_stage, head, refusal_of_pending, refusal_with_body};

    const BUSY: Option<DenialCode> = Some(DenialCode::Overloaded);

    #[tokio::test]
    async fn counts_answers_until_they_are_sent() {
        let admit = Admit::new(1);
        let first = answer(&admit, &mut head("GET /"), "").await.unwrap();
        assert_eq!(refusal_with_body(&admit, &mut head("GET /"), "").await, BUSY);
        drop(first);
        assert_eq!(refusal_with_body(&admit, &mut head("GET /"), "").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_no_request_that_was_given_up() {
        let admit = Admit::new(1);
        let given_up = async {
            let mut head = head("GET /");
            tokio::time::timeout(Duration::from_secs(1), refusal_of_pending(&admit, &mut head)).await.is_err()
        };
        assert!(given_up.await, "the backend never answers");
        assert_eq!(refusal_with_body(&admit, &mut head("GET /"), "").await, None);
    }

    #[tokio::test]
    async fn clones_share_their_places() {
        let admit = Admit::new(1);
        let _first = answer(&admit, &mut head("GET /"), "").await.unwrap();
        assert_eq!(refusal_with_body(&admit.clone(), &mut head("GET /"), "").await, BUSY);
    }

    #[tokio::test]
    async fn routes_have_limits_of_their_own() {
        let among = Places::Among;
        let reserved = Places::Reserved;
        for (limit, places, routes, expect) in [
            // The places of all, the places of each route, the routes that are asked one after the other, what the last gets.
            (2, vec![among(1), Places::Common], vec![0, 0], BUSY),
            (2, vec![among(1), Places::Common], vec![0, 1], None),
            (2, vec![among(1), Places::Common], vec![0, 1, 1], BUSY),
            (1, vec![among(1), Places::Common], vec![1, 0], BUSY),
            (1, vec![reserved(1), Places::Common], vec![1, 0], None),
            (1, vec![reserved(1), Places::Common], vec![0, 1], None),
            (9, vec![reserved(1), Places::Common], vec![0, 0], BUSY),
            (1, vec![among(0), Places::Common], vec![0], BUSY),
        ] {
            let admit = Admit::new(limit).with_routes(PerRoute::new(Places::Common, places.clone()));
            let (mut under_way, mut last) = (Vec::new(), None);
            for index in &routes {
                let mut head = head("GET /");
                head.facts.route = Some(RouteMatch { index: *index, name: RouteName::new("r") });
                let outcome = answer(&admit, &mut head, "").await;
                last = outcome.is_err().then_some(DenialCode::Overloaded);
                under_way.extend(outcome);
            }
            assert_eq!(last, expect, "{limit} {places:?} {routes:?}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Admit::default());
    }
}
