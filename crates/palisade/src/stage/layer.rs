//! Any stage alone, as a tower layer.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::rescue::Rescue;
use super::{End, Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::chain::place;

/// One stage in front of a service, without the rest of the chain.
///
/// A refusal is rendered as it would be in the chain. What other stages find out is missing: there is no client
/// address, no principal and no operation, and nothing asks the policy. Single layers are for people who know;
/// [`crate::Chain::api`] is for everyone else.
///
/// ```
/// use axum::{Router, routing::post};
/// use palisade::stage::{StageLayer, csrf::Csrf};
///
/// let app: Router = Router::new().route("/transfer", post(|| async { "done" })).layer(StageLayer::new(Csrf::default()));
/// ```
#[derive(Clone)]
pub struct StageLayer(Arc<[Box<dyn Stage>]>);

impl StageLayer {
    /// The layer of a stage.
    pub fn new(stage: impl Stage) -> Self {
        let mut stages = [Box::new(Rescue) as Box<dyn Stage>, Box::new(stage)];
        // As in the chain: what dresses or writes down every answer stands around the refusals.
        stages.sort_by_key(|stage| place(stage.id()));
        Self(Arc::new(stages))
    }
}

impl std::fmt::Debug for StageLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|stage| stage.id())).finish()
    }
}

impl<S> Layer<S> for StageLayer {
    type Service = StageService<S>;

    fn layer(&self, inner: S) -> StageService<S> {
        StageService { stages: Arc::clone(&self.0), inner }
    }
}

/// A service behind one stage.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade::stage::{StageLayer, StageService, finish::Finish};
/// use tower::Layer as _;
///
/// let service: StageService<axum::Router> = StageLayer::new(Finish::default()).layer(axum::Router::new());
/// let answer = palisade::testing::send(&service, palisade::testing::request("GET /")).await;
/// assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
/// # });
/// ```
#[derive(Clone)]
pub struct StageService<S> {
    stages: Arc<[Box<dyn Stage>]>,
    inner: S,
}

impl<S: std::fmt::Debug> std::fmt::Debug for StageService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StageService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S> Service<Request<Body>> for StageService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was found ready serves this call; its clone waits for the next.
        let waiting = self.inner.clone();
        let inner = Unpermitted(std::mem::replace(&mut self.inner, waiting));
        let stages = Arc::clone(&self.stages);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut head = Head::new(parts);
            let outcome = Next::new(&stages, &inner).run(&mut head, body).await;
            let mut response = Rescue::answer(outcome, &head);
            std::mem::take(&mut head.plan).apply(response.headers_mut());
            Ok(response)
        })
    }
}

/// A service that takes requests nobody has permitted.
struct Unpermitted<S>(S);

impl<S> End for Unpermitted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    fn serve<'a>(&'a self, head: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome> {
        let mut inner = self.0.clone();
        let request = Request::from_parts(head.parts.clone(), body);
        Box::pin(async move {
            let Ok(response) = inner.call(request).await;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;
    use crate::stage::csrf::Csrf;
    use crate::stage::finish::Finish;
    use crate::testing::{request, send};

    async fn fails() -> &'static str {
        panic!("the password is hunter2")
    }

    #[tokio::test]
    async fn what_dresses_answers_dresses_failures_from_behind_too() {
        let app = Router::new().route("/", get(fails)).layer(StageLayer::new(Finish::default()));
        let answer = send(&app, request("GET /")).await;
        assert_eq!(answer.code().as_deref(), Some("internal"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }

    #[tokio::test]
    async fn what_refuses_is_told_as_in_the_chain() {
        let app = Router::new().route("/", get(fails).post(fails)).layer(StageLayer::new(Csrf::default()));
        let forged = "POST /\nhost: a\ncookie: sid=1\nsec-fetch-site: cross-site\norigin: https://evil.example";
        assert_eq!(send(&app, request(forged)).await.code().as_deref(), Some("cross-site-request"));
        assert_eq!(send(&app, request("GET /")).await.code().as_deref(), Some("internal"));
    }
}
