//! Runs one request through the real chain without a socket, and tells what each stage did with it.
//!
//! 1. The chain is the one that the gateway would serve with, built by the same code and watched ([`palisade::watch`]).
//!    There is no second evaluator that could be of another opinion.
//! 2. In the place of the backend stands somebody who writes down what would have been forwarded. What a backend would
//!    have answered is not known, so that nothing is said about answers.
//! 3. Nothing is sent anywhere: keys that an issuer publishes at a URL are not fetched, nothing is looked up in a store,
//!    and a credential that needs either is told to be unavailable. [`Explainer::pretending`] lets somebody be signed in all the same.
//! 4. What the listener refuses before a request is one, such as two lengths, is not seen here.

mod curl;
mod request;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use axum_core::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use palisade::body::fault_of;
use palisade::chain::{Guarded, Permitted};
use palisade::facts::{RouteMatch, Transport};
use palisade::observe::Kept as Events;
use palisade::preset::World;
use palisade::stage::{Answer, Stop};
use palisade::token::jwks::{KeySet, KeySource, KeySourceError};
use palisade::token::sign::Signer;
use palisade::watch::Watch;
pub use palisade::watch::{Said, Step};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::event::{EventKind, Outcome};
use palisade_core::port::counter::{Acquired, Ask};
use palisade_core::port::{Clock, CounterStore, StoreError};
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::memory::MemoryOnce;
pub use request::{Asked, NotARequest};
use serde_json::{Map, Value};
use tower_service::Service;

use crate::build::build_after;
use crate::config::Loaded;
use crate::config::settings::{Algorithm, BearerKeys, DpopMode, TokenType};
use crate::reload::Kept;
use crate::upstream::reframe;

/// Tells what a configuration does with requests.
pub struct Explainer {
    guarded: Guarded<StandIn>,
    watch: Watch,
    forwarded: Desk,
    events: Events,
    clock: Arc<SetClock>,
    token: Option<HeaderValue>,
    is_secure: bool,
    /// The stages in the order in which they run.
    pub stages: Vec<StageId>,
}

/// What was done with one request.
#[derive(Debug)]
pub struct Explained {
    /// What each stage did that the request came to.
    pub steps: Vec<Step>,
    /// How it ended: a refusal, or an answer.
    pub outcome: Outcome,
    /// What the backend would have got, where the request would have reached it.
    pub forwarded: Option<Forwarded>,
    /// What the caller gets, where the backend is not asked.
    pub answer: Option<Response<Bytes>>,
}

/// What a backend would have got.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// The name of the backend.
    pub upstream: Arc<str>,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Explainer {
    /// Builds the chain. Requests are not counted against limits: how many came before is not known.
    pub fn new(loaded: &Loaded) -> Result<Self, Vec<Diagnostic>> {
        Self::build(loaded, None)
    }

    /// The same for a caller who is signed in with these claims. They are put into a token that is signed with a key made
    /// for this moment, which stands in the place of the issuer's keys; everything else of the `[bearer.NAME]` section
    /// holds. What is missing of `iss`, `aud` and `exp` is added.
    pub fn pretending(loaded: &Loaded, claims: &Map<String, Value>, at: Timestamp) -> Result<Self, Vec<Diagnostic>> {
        let mut loaded = loaded.clone();
        let refuse = |message: &str, help: &str| vec![Diagnostic::error("cannot-pretend", message).help(help)];
        let wanted = claims.get("iss").and_then(Value::as_str);
        let mut sections = loaded.settings.bearer.iter_mut().filter(|one| wanted.is_none_or(|iss| one.issuer == iss));
        let section = match (sections.next(), sections.next()) {
            (Some(section), None) => section,
            (None, _) => {
                return Err(refuse("no `[bearer.NAME]` section could have issued these claims", "correct `iss`"));
            }
            (Some(_), Some(_)) => return Err(refuse("several issuers could have issued these claims", "add `iss`")),
        };
        let unusable = |_| refuse("the claims cannot be put into a token", "write one JSON object");
        let signer = Signer::generate_es256("pretended").map_err(unusable)?;
        let keys = serde_json::json!({"keys": [signer.public_jwk()]});
        section.keys = BearerKeys::File(Source::new("pretended", keys.to_string()));
        (section.algorithms, section.dpop) = (vec![Algorithm::Es256], DpopMode::Off);
        let mut claims = claims.clone();
        let mut add = |name: &str, value: Value| {
            claims.entry(name).or_insert(value);
        };
        add("iss", section.issuer.clone().into());
        add("aud", section.audience.clone().into());
        add("exp", at.plus(std::time::Duration::from_secs(60)).as_secs().into());
        let kind = if section.token_type == TokenType::Jwt { "JWT" } else { "at+jwt" };
        let token = signer.sign(kind, &Value::Object(claims)).map_err(unusable)?;
        let token =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refuse("the token is no header", ""))?;
        Self::build(&loaded, Some(token))
    }

    fn build(loaded: &Loaded, token: Option<HeaderValue>) -> Result<Self, Vec<Diagnostic>> {
        let (clock, events, watch) = (Arc::new(SetClock::default()), Events::default(), Watch::default());
        let world = World {
            clock: Arc::<SetClock>::clone(&clock),
            entropy: Arc::new(SystemEntropy),
            counters: Arc::new(Uncounted),
            events: Arc::new(events.clone()),
            once: Some(Arc::new(MemoryOnce::default())),
        };
        let mut kept = Kept::default();
        for section in &loaded.settings.bearer {
            if let BearerKeys::Url(url) = &section.keys {
                let offline: Result<Arc<dyn KeySource>, std::convert::Infallible> = Ok(Arc::new(Offline));
                let _ = kept.keys(url, || offline);
            }
        }
        let built = build_after(loaded, &world, kept)?;
        let stages = built.chain.ids();
        let forwarded = Desk::default();
        let upstreams = loaded.settings.routes.iter().map(|route| Arc::clone(&route.upstream)).collect();
        let end = StandIn { upstreams, desk: Arc::clone(&forwarded) };
        let guarded = built.chain.watched(&watch).build(end);
        let guarded = guarded.map_err(|error| vec![Diagnostic::error("chain-incomplete", error.to_string())])?;
        let is_secure = loaded.settings.listen.first().is_some_and(|listen| listen.tls.is_some());
        Ok(Self { guarded, watch, forwarded, events, clock, token, is_secure, stages })
    }

    /// Tells what is done with a request that comes from an address at a moment. One request at a time.
    pub async fn explain(&mut self, asked: Asked, from: IpAddr, at: Timestamp) -> Explained {
        self.clock.0.store(at.as_millis(), Ordering::Relaxed);
        let is_secure = asked.is_secure.unwrap_or(self.is_secure);
        let mut request = asked.request.map(Body::from);
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let response = self.guarded.serve(request, |head| {
            head.facts.peer = Some((from, 0).into());
            head.facts.transport = if is_secure { Transport::Encrypted } else { Transport::Clear };
        });
        let (parts, body) = response.await.into_parts();
        let forwarded = self.forwarded.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outcome = self.events.take().into_iter().find(|event| event.kind == EventKind::Access);
        let outcome = outcome.map_or(Outcome::Answered(parts.status), |event| event.outcome);
        let answer = match forwarded {
            Some(_) => None,
            // What we answer ourselves is in memory.
            None => Some(Response::from_parts(parts, body.collect().await.map(|b| b.to_bytes()).unwrap_or_default())),
        };
        let mut steps = self.watch.take();
        if let (Some(last), true) = (steps.last_mut(), forwarded.is_some()) {
            // What looks like its answer came from behind it.
            last.said = Said::Passed;
        }
        Explained { steps, outcome, forwarded, answer }
    }
}

impl std::fmt::Debug for Explainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explainer").field("stages", &self.stages).finish_non_exhaustive()
    }
}

impl Explained {
    /// The verdict in a word: `forwarded`, the code of the refusal, or `answered` with a status.
    pub fn verdict(&self) -> String {
        match (self.outcome, &self.forwarded) {
            (Outcome::Denied(code), _) => code.slug().to_owned(),
            (Outcome::Done, _) => "done".to_owned(),
            (Outcome::Failed, _) => "failed".to_owned(),
            (Outcome::Answered(_), Some(_)) => "forwarded".to_owned(),
            (Outcome::Answered(status), None) => format!("answered {}", status.as_u16()),
        }
    }
}

type Desk = Arc<Mutex<Option<Forwarded>>>;

/// Stands in the place of the backends.
#[derive(Clone)]
struct StandIn {
    upstreams: Arc<[Arc<str>]>,
    desk: Desk,
}

impl Service<Permitted<Request<Body>>> for StandIn {
    type Response = Response<Body>;
    type Error = Stop;
    type Future = BoxFuture<'static, Result<Response<Body>, Stop>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted<Request<Body>>) -> Self::Future {
        let (mut parts, body) = permitted.request.into_parts();
        let route = parts.extensions.remove::<RouteMatch>();
        let upstream = route.and_then(|route| self.upstreams.get(route.index).cloned());
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            let Some(upstream) = upstream else {
                return Err(Denial::new(DenialCode::RouteUnknown, StageId::Forward).into());
            };
            reframe(&mut parts.headers);
            let body = body.collect().await.map_err(|error| {
                let code = fault_of(&error).map_or(DenialCode::Internal, palisade::body::BodyFault::code);
                Stop::from(Denial::new(code, StageId::Forward))
            })?;
            let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
            let (method, headers, body) = (parts.method, parts.headers, body.to_bytes());
            let forwarded = Forwarded { upstream, method, target, headers, body };
            *desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(forwarded);
            // An answer that no stage judges, because there is none.
            Err(Stop::Answer(Answer::Received))
        })
    }
}

/// Tells the time that it was set to.
#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Grants everything: what was asked before is not known, so that no budget can be.
struct Uncounted;

#[async_trait]
impl CounterStore for Uncounted {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.acquire_all_now(asks, now).unwrap_or(Ok(()))
    }

    fn acquire_all_now(&self, asks: &mut [Ask<'_>], _: Timestamp) -> Option<Result<(), StoreError>> {
        for ask in asks {
            ask.outcome = Acquired::Granted { remaining: ask.rate.burst.get(), reset: std::time::Duration::ZERO };
        }
        Some(Ok(()))
    }
}

/// The keys of an issuer that is not asked.
struct Offline;

#[async_trait]
impl KeySource for Offline {
    fn current(&self) -> Option<Arc<KeySet>> {
        None
    }

    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        Err(KeySourceError::new("keys are not fetched here: pretend the claims, or name the keys as a file"))
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.keys().await
    }
}

/// This moment.
pub fn now() -> Timestamp {
    SystemClock.now()
}
