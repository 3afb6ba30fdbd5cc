//! THE ORDER of the stages, and the chain that runs them in it.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::permit::RequestPermit;
use palisade_core::stage::StageId;
use tower_service::Service;

use crate::body::Body;
use crate::credential::certificate::ClientCertificate;
use crate::extract::ClientAddr;
use crate::preset::Preset;
use crate::stage::rescue::Rescue;
use crate::stage::{End, Head, Next, Outcome, Stage, Stop};
use crate::until::Until;
use crate::watch::Watch;

/// The one order of the stages, outermost first.
///
/// `finish` is outside `rescue`, so that refusals carry security headers too. `client` and `firewall` come before
/// anything is matched; `route` comes as soon as something may be matched, because what follows has settings by route:
/// `network` first of all, which costs nothing, and `admit`, so that a busy service refuses before it waits for a body or
/// a store. `publish` and `report` comes before `route`, because our own documents have no route and browsers
/// report for every one; `report` has a limit of its own.
/// `throttle` comes before `operation`, so that guessing paths counts, and before `authenticate`, so that it shields
/// expensive credentials. `cors` comes before `authenticate`, because preflights carry no credential and a browser must
/// be able to read a 401. `operation` comes before `authenticate`, `assure` and `quota`, which read its rules.
/// `authorize` comes before `contract`: nobody without a right makes us parse megabytes; and before `upgrade`, for the same
/// reason. `upgrade` comes before `present`, which takes away what asks for another protocol. `cache` comes behind all that
/// judges, so that answers from memory are judged as well, and before `guard`, so that a backend that is left alone can
/// still be answered for. See docs/adr/0002.
pub const ORDER: &[StageId] = &[
    StageId::Trace,
    StageId::Record,
    StageId::Finish,
    StageId::Rescue,
    StageId::Client,
    StageId::Firewall,
    StageId::Publish,
    StageId::Report,
    StageId::Route,
    StageId::Network,
    StageId::Admit,
    StageId::Deadline,
    StageId::Size,
    StageId::Throttle,
    StageId::Cors,
    StageId::Csrf,
    StageId::Operation,
    StageId::Authenticate,
    StageId::Assure,
    StageId::Quota,
    StageId::Authorize,
    StageId::Upgrade,
    StageId::Contract,
    StageId::Inspect,
    StageId::Reveal,
    StageId::Present,
    StageId::Cache,
    StageId::Guard,
    StageId::Forward,
];

/// A request together with the proof that the policy permitted it. What forwards or serves takes nothing else, so that
/// forgetting to ask does not compile: a [`RequestPermit`] cannot be made by hand.
///
/// ```
/// use palisade::chain::Permitted;
/// use palisade::stage::Stop;
///
/// /// What stands behind a chain cannot be called without the proof in its hands.
/// async fn serve(permitted: Permitted<http::Request<axum::body::Body>>) -> Result<String, Stop> {
///     let Permitted { permit, request, .. } = permitted;
///     Ok(format!("{} may {}", permit.principal().subject(), request.method()))
/// }
/// # let _ = serve;
/// ```
#[derive(Debug)]
pub struct Permitted<T> {
    /// The proof.
    pub permit: RequestPermit,
    /// What is permitted.
    pub request: T,
    /// How long there is to answer, where there is a bound.
    pub until: Option<Until>,
}

/// Stages, collected in any order and built into the one.
///
/// ```
/// use palisade::{Chain, core::stage::StageId, testing::TestWorld};
///
/// let test = TestWorld::new();
/// let chain = Chain::api().chain(&test.world);
/// assert_eq!(chain.ids().first(), Some(&StageId::Trace));
/// assert!(chain.dangers().is_empty());
/// ```
#[derive(Default)]
pub struct Chain {
    stages: Vec<Box<dyn Stage>>,
    /// Of what stands behind it.
    dangers: Vec<String>,
}

impl Chain {
    /// A chain without stages; [`Chain::build`] refuses it until it has `authorize`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The preset for an API whose callers are programs.
    ///
    /// ```
    /// use axum::{Router, extract::Path, routing::get};
    /// use palisade::token::{algorithm::Algorithm, jwks::{KeySet, StaticKeys}, jwt::Rules};
    /// use palisade::{Chain, extract::Principal, observe::JsonLines, preset::World};
    /// use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
    ///
    /// fn secured(keys: KeySet) -> Result<Router, Box<dyn std::error::Error>> {
    ///     let routes = Router::new()
    ///         .route("/health", get(|| async { "ok" }))
    ///         .route("/users/{id}", get(|Path(id): Path<String>, _: Principal| async move { format!("user {id}") }))
    ///         .route("/reports", get(|| async { "all orders" }));
    ///
    ///     let events = JsonLines::new(std::io::stdout());
    ///     let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), events);
    ///     let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
    ///     let secured = Chain::api()
    ///         .bearer(rules, StaticKeys::new(keys))
    ///         .public("GET /health")
    ///         .owner("GET /users/{id}", "id", "sub")
    ///         .roles("GET /reports", ["admin"])
    ///         .protect(routes, &world)?;
    ///     Ok(secured)
    /// }
    /// # let signer = palisade::token::sign::Signer::generate_es256("2026-11").unwrap();
    /// # secured(KeySet::new([signer.verify_key().unwrap()]).unwrap()).unwrap();
    /// ```
    ///
    /// What else a preset can be told is in [`Preset`].
    pub fn api() -> Preset {
        Preset::api()
    }

    /// The preset for an application that browsers use with cookies: see [`Preset`].
    pub fn browser_app() -> Preset {
        Preset::browser_app()
    }

    /// Adds a stage. Where it runs is not the caller's to choose.
    #[must_use]
    pub fn with(mut self, stage: impl Stage) -> Self {
        self.stages.push(Box::new(stage));
        self
    }

    /// The stages of this chain, in the order in which they run.
    pub fn ids(&self) -> Vec<StageId> {
        let mut ids: Vec<StageId> = self.stages.iter().map(|stage| stage.id()).collect();
        ids.sort_by_key(|id| place(*id));
        ids
    }

    /// The same chain in front of something that has settings of its own, of which these weaken it.
    #[must_use]
    pub fn with_dangers(mut self, dangers: impl IntoIterator<Item = String>) -> Self {
        self.dangers.extend(dangers);
        self
    }

    /// The settings that weaken a stage, each with the stage's name, and then those of what stands behind the chain.
    pub fn dangers(&self) -> Vec<String> {
        let of = |stage: &dyn Stage| {
            let id = stage.id();
            stage.dangers().into_iter().map(move |danger| format!("{id}: {danger}"))
        };
        self.stages.iter().flat_map(|stage| of(stage.as_ref())).chain(self.dangers.iter().cloned()).collect()
    }

    /// The same chain, of whose work notes are taken.
    #[must_use]
    pub fn watched(self, watch: &Watch) -> Self {
        Self { stages: self.stages.into_iter().map(|stage| watch.around(stage)).collect(), dangers: self.dangers }
    }

    /// Puts the chain in front of a service that takes permitted requests only.
    pub fn build<S>(mut self, service: S) -> Result<Guarded<S>, ChainError> {
        self.stages.sort_by_key(|stage| place(stage.id()));
        let twice = self.stages.windows(2).find_map(|pair| match pair {
            [first, second] if first.id() == second.id() => Some(first.id()),
            _ => None,
        });
        if let Some(stage) = twice {
            return Err(ChainError::Repeated { stage });
        }
        let has = |wanted: StageId| self.stages.iter().any(|stage| stage.id() == wanted);
        match [StageId::Rescue, StageId::Firewall, StageId::Authorize].into_iter().find(|needed| !has(*needed)) {
            Some(stage) => Err(ChainError::Missing { stage }),
            None => Ok(Guarded { stages: self.stages.into(), service }),
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Where a stage stands in the order.
pub(crate) fn place(id: StageId) -> usize {
    ORDER.iter().position(|stage| *stage == id).unwrap_or(ORDER.len())
}

/// Why stages do not make a chain.
///
/// ```
/// use palisade::{Chain, chain::ChainError, testing::TestWorld};
///
/// let mistaken = Chain::api().public("/health").protect(axum::Router::new(), &TestWorld::new().world);
/// assert_eq!(mistaken.unwrap_err(), ChainError::NotARoute { route: "/health".to_owned() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A chain without this stage would not protect anything.
    #[error("the chain lacks the stage `{stage}`")]
    Missing {
        /// The stage.
        stage: StageId,
    },
    /// A rule for something that is no route would be a rule for nothing.
    #[error("`{route}` is not a route: write a method in capitals and a template, such as `GET /users/{{id}}`")]
    NotARoute {
        /// What the rule names.
        route: String,
    },
    /// Two sets of settings for one stage.
    #[error("the chain has the stage `{stage}` twice")]
    Repeated {
        /// The stage.
        stage: StageId,
    },
}

/// A service behind a chain.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use axum::body::Body;
/// use palisade::chain::Permitted;
/// use palisade::testing::{TestWorld, request, send};
/// use palisade::{Chain, stage::Stop};
///
/// let service = tower::service_fn(|_: Permitted<http::Request<Body>>| async {
///     Ok::<_, Stop>(http::Response::new(Body::from("served")))
/// });
/// let guarded = Chain::api().chain(&TestWorld::new().world).build(service).unwrap();
/// // There is no router here, so that no operation is declared.
/// let answer = send(&guarded, request("GET /\nhost: a")).await;
/// assert_eq!(answer.code().as_deref(), Some("operation-undeclared"));
/// # });
/// ```
pub struct Guarded<S> {
    stages: Arc<[Box<dyn Stage>]>,
    service: S,
}

impl<S> Guarded<S> {
    /// The same chain in front of another service.
    pub(crate) fn with_service<T>(&self, service: T) -> Guarded<T> {
        Guarded { stages: Arc::clone(&self.stages), service }
    }
}

impl<S: Clone> Clone for Guarded<S> {
    fn clone(&self) -> Self {
        Self { stages: Arc::clone(&self.stages), service: self.service.clone() }
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stages.iter().map(|stage| stage.id())).finish()
    }
}

impl<S> Guarded<S>
where
    S: Service<Permitted<Request<Body>>, Response = Response<Body>, Error = Stop> + Clone + Send,
    S::Future: Send,
{
    /// Serves one request. `facts` fills in what the listener knows, such as the peer's address.
    pub async fn serve(&self, request: Request<Body>, facts: impl FnOnce(&mut Head)) -> Response<Body> {
        serve(&self.stages, self.service.clone(), request, facts).await
    }
}

/// Runs the stages and, behind them, the service.
async fn serve<S>(
    stages: &[Box<dyn Stage>],
    service: S,
    request: Request<Body>,
    facts: impl FnOnce(&mut Head),
) -> Response<Body>
where
    S: Service<Permitted<Request<Body>>, Response = Response<Body>, Error = Stop> + Send,
    S::Future: Send,
{
    let (parts, body) = request.into_parts();
    let mut head = Head::new(parts);
    facts(&mut head);
    let end = Serve(Mutex::new(Some(service)));
    let outcome = Next::new(stages, &end).run(&mut head, body).await;
    let mut response = Rescue::answer(outcome, &head);
    // In a chain without `finish` nobody has applied the plan yet; else it is empty by now.
    if !head.plan.is_empty() {
        std::mem::take(&mut head.plan).apply(response.headers_mut());
    }
    response
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Permitted<Request<Body>>, Response = Response<Body>, Error = Stop> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    /// Always ready: a service that is busy says so by `admit`'s refusal, which has an event.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (stages, service) = (Arc::clone(&self.stages), self.service.clone());
        Box::pin(async move {
            let peer =
                request.extensions().get::<axum::extract::ConnectInfo<std::net::SocketAddr>>().map(|info| info.0);
            // A server that has seen a client certificate says so in an extension.
            let certificate = request.extensions().get::<Arc<ClientCertificate>>().cloned();
            let known = |head: &mut Head| (head.facts.peer, head.facts.certificate) = (peer, certificate);
            Ok(serve(&stages, service, request, known).await)
        })
    }
}

/// The end of a chain: turns the head's permit and parts into what the service takes, or refuses. The service is there
/// for one request and taken out by it.
struct Serve<S>(Mutex<Option<S>>);

impl<S> End for Serve<S>
where
    S: Service<Permitted<Request<Body>>, Response = Response<Body>, Error = Stop> + Send,
    S::Future: Send,
{
    fn serve<'a>(&'a self, head: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let service = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (Some(permit), Some(mut service)) = (head.take_permit(), service) else {
                return Err(Denial::new(DenialCode::Unpermitted, StageId::Forward).into());
            };
            // The head keeps method and URI, which stages still read when the answer is back; the headers go along.
            let mut request = Request::new(body);
            *request.method_mut() = head.parts.method.clone();
            *request.uri_mut() = head.parts.uri.clone();
            *request.version_mut() = head.parts.version;
            *request.headers_mut() = std::mem::take(&mut head.parts.headers);
            *request.extensions_mut() = std::mem::take(&mut head.parts.extensions);
            if let Some(route) = &head.facts.route {
                request.extensions_mut().insert(route.clone());
            }
            if let Some(client) = head.facts.known_client() {
                request.extensions_mut().insert(ClientAddr(client));
            }
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            let response = service.call(Permitted { permit, request, until: head.facts.until.clone() }).await?;
            crate::extract::settle(head, response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_one_place() {
        let mut places: Vec<&StageId> = ORDER.iter().collect();
        places.sort();
        assert_eq!(places, StageId::ALL.iter().collect::<Vec<_>>());
    }
}
