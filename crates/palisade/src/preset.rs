//! Secures an axum application in a few lines: the chains for an API and for an application that browsers use.

mod browser;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use futures_util::TryFutureExt;
use futures_util::future::MapErr;
use http::{HeaderName, Request, Response};
use palisade_core::id::PolicyVersion;
use palisade_core::operation::{AccessRule, Audience, ClaimRule, Limit, RequestOwner};
use palisade_core::policy::Policy;
use palisade_core::port::{Clock, CounterStore, Entropy, OnceStore};
use palisade_core::principal::{RoleSet, ScopeSet};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::Body;
use crate::chain::{Chain, ChainError, Guarded, Permitted};
use crate::credential::api_key::ApiKeys;
use crate::credential::stored_api_key::StoredApiKeys;
use crate::observe::Sink;
use crate::origin::{Origin, OriginError};
use crate::session::Sessions;
use crate::settings::PerRoute;
use crate::stage::Stop;
use crate::stage::admit::Admit;
use crate::stage::assure::Assure;
use crate::stage::authenticate::{Authenticate, Bearer, Credential};
use crate::stage::authorize::Authorize;
use crate::stage::client::Client;
use crate::stage::cors::{Cors, CorsSettings, Readers};
use crate::stage::csrf::CsrfSettings;
use crate::stage::deadline::Deadline;
use crate::stage::firewall::Firewall;
use crate::stage::operation::{Operation, Operations, RouteRules};
use crate::stage::publish::Publish;
use crate::stage::quota::Quota;
use crate::stage::record::Record;
use crate::stage::rescue::Rescue;
use crate::stage::size::Size;
use crate::stage::throttle::{Throttle, ThrottleSettings};
use crate::stage::trace::Trace;
use crate::token::dpop::Dpop;
use crate::token::jwks::KeySource;
use crate::token::jwt::{Rules, RulesError, Verifier};
use crate::token::opaque::OpaqueTokens;
use crate::token::revocation::Revocations;

/// The world that a chain lives in: time, randomness, counters, and where events go.
///
/// ```
/// use palisade::{observe::JsonLines, preset::World};
/// use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
///
/// let real = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
/// let still = palisade::testing::TestWorld::new().world;
/// ```
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Counts requests.
    pub counters: Arc<dyn CounterStore>,
    /// Takes events.
    pub events: Arc<dyn Sink>,
    /// Remembers what was used once, where something needs that.
    pub once: Option<Arc<dyn OnceStore>>,
}

impl World {
    /// A world of these parts. Programs take those of `palisade-store` and [`crate::observe::JsonLines`], tests those
    /// that stand still.
    pub fn new(clock: impl Clock, entropy: impl Entropy, counters: impl CounterStore, events: impl Sink) -> Self {
        Self {
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
            counters: Arc::new(counters),
            events: Arc::new(events),
            once: None,
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// A chain in the making for an axum application.
///
/// Every route needs a credential unless it is declared [`Preset::public`]; a path without a route is refused before
/// anything else happens to it. See `examples/api.rs` for a whole program.
///
/// ```
/// use axum::{Router, routing::{delete, get}};
/// use palisade::{Chain, testing::TestWorld};
///
/// let test = TestWorld::new();
/// let routes = Router::new()
///     .route("/health", get(|| async { "ok" }))
///     .route("/users/{id}", delete(|| async { "gone" }));
/// let app = Chain::api()
///     .bearer(test.issuer.rules(), test.issuer.keys())
///     .public("GET /health")
///     .roles("DELETE /users/{id}", ["admin"])
///     .protect(routes, &test.world)?;
/// # Ok::<(), palisade::chain::ChainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Preset {
    credentials: Vec<Wanted>,
    rules: RouteRules,
    client: Client,
    cors: CorsSettings,
    csrf: CsrfSettings,
    throttle: ThrottleSettings,
    size: Size,
    policy: Policy,
    browser: browser::Browser,
    publish: Publish,
    revocations: Arc<Revocations>,
    dangers: Vec<String>,
}

/// A kind of credential, which may have to wait for the clock.
#[derive(Clone)]
enum Wanted {
    Ready(Credential),
    Identity { rules: Rules, keys: Arc<dyn KeySource> },
    Opaque { rules: Rules, tokens: OpaqueTokens },
    Tokens { rules: Rules, keys: Arc<dyn KeySource>, proofs: Option<Arc<dyn OnceStore>> },
}

impl Wanted {
    fn ready(self, world: &World, revocations: &Arc<Revocations>) -> Credential {
        match self {
            Self::Ready(credential) => credential,
            Self::Identity { rules, keys } => {
                Credential::Identity(Arc::new(Bearer::new(Verifier::new(rules, keys, Arc::clone(&world.clock)))))
            }
            Self::Opaque { rules, tokens } => {
                let verifier = tokens.verifier_of(rules, Arc::clone(&world.clock));
                Credential::Bearer(Arc::new(Bearer::new(verifier.with_revocations(Arc::clone(revocations)))))
            }
            Self::Tokens { rules, keys, proofs } => {
                let verifier = Verifier::new(rules, keys, Arc::clone(&world.clock));
                let bearer = Bearer::new(verifier.with_revocations(Arc::clone(revocations)));
                Credential::Bearer(Arc::new(match proofs {
                    Some(once) => bearer.with_proofs(Dpop::new(once, Arc::clone(&world.clock))),
                    None => bearer,
                }))
            }
        }
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(credential) => credential.fmt(f),
            Self::Identity { rules, .. } | Self::Opaque { rules, .. } | Self::Tokens { rules, .. } => rules.fmt(f),
        }
    }
}

impl Preset {
    pub(crate) fn api() -> Self {
        Self {
            credentials: Vec::new(),
            rules: RouteRules::default(),
            client: Client::default(),
            cors: CorsSettings::default(),
            csrf: CsrfSettings::default(),
            throttle: ThrottleSettings::default(),
            size: Size::default(),
            policy: Policy::new(PolicyVersion::new(concat!("library-", env!("CARGO_PKG_VERSION")))),
            browser: browser::Browser::default(),
            publish: Publish::default(),
            revocations: Arc::default(),
            dangers: Vec::new(),
        }
    }

    pub(crate) fn browser_app() -> Self {
        // Pages load many parts at once; forms are small.
        let throttle = ThrottleSettings::clients(300, std::time::Duration::from_secs(1));
        let size = Size { max_body: PerRoute::same(256 << 10), ..Size::default() };
        Self { throttle, size, browser: browser::Browser::with_pages(), ..Self::api() }
    }

    /// Takes bearer tokens that follow `rules`, signed with keys of their issuer. Roles are read from the claim
    /// `roles`; for another claim, or a tenant, give a [`Credential::Bearer`] to [`Preset::credential`].
    #[must_use]
    pub fn bearer(mut self, rules: Rules, keys: impl KeySource) -> Self {
        self.credentials.push(Wanted::Tokens { rules, keys: Arc::new(keys), proofs: None });
        self
    }

    /// The same as [`Preset::bearer`], also taking tokens that are bound to a key of their caller, with a proof for each
    /// request (DPoP, RFC 9449). `once` remembers which proofs were used.
    #[must_use]
    pub fn bearer_with_proofs(mut self, rules: Rules, keys: impl KeySource, once: impl OnceStore) -> Self {
        self.credentials.push(Wanted::Tokens { rules, keys: Arc::new(keys), proofs: Some(Arc::new(once)) });
        self
    }

    /// Takes opaque bearer tokens for this audience, also beside the signed ones of [`Preset::bearer`]: see
    /// [`crate::token::opaque`]. For tokens that are bound to a key of their caller give a [`Credential::Bearer`] with
    /// proofs to [`Preset::credential`].
    pub fn opaque_tokens(mut self, audience: &str, tokens: &OpaqueTokens) -> Result<Self, RulesError> {
        self.credentials.push(Wanted::Opaque { rules: tokens.rules(audience)?, tokens: tokens.clone() });
        Ok(self)
    }

    /// Refuses the bearer tokens of this list, which a [`crate::token::revocation_feed`] keeps in step with a store.
    #[must_use]
    pub fn revocations(mut self, list: Arc<Revocations>) -> Self {
        self.revocations = list;
        self
    }

    /// Takes identities that the service in front has signed for this one: see [`crate::token::identity`], whose `rules`
    /// name the two, and whose signer's public keys these are.
    #[must_use]
    pub fn identity(mut self, rules: Rules, keys: impl KeySource) -> Self {
        self.credentials.push(Wanted::Identity { rules, keys: Arc::new(keys) });
        self
    }

    /// Publishes documents that describe the application.
    #[must_use]
    pub fn publish(mut self, documents: Publish) -> Self {
        self.publish = documents;
        self
    }

    /// Takes API keys in the header `X-Api-Key`.
    #[must_use]
    pub fn api_keys(self, keys: ApiKeys) -> Self {
        self.credential(Credential::Key { header: HeaderName::from_static("x-api-key"), keys: Arc::new(keys) })
    }

    /// Takes the API keys of service accounts in the header `X-Api-Key`, also beside those of [`Preset::api_keys`].
    #[must_use]
    pub fn stored_api_keys(self, keys: &StoredApiKeys) -> Self {
        self.credential(Credential::StoredKey { header: HeaderName::from_static("x-api-key"), keys: keys.clone() })
    }

    /// Takes the sessions of people who have signed in: see [`crate::session`]. Where they do should be named with
    /// [`Preset::login`].
    #[must_use]
    pub fn sessions(self, sessions: &Sessions) -> Self {
        self.credential(Credential::Session(sessions.clone()))
    }

    /// Lets everybody reach the routes of sign-in and takes the sessions that it starts; where it gives tokens,
    /// [`Preset::bearer`] takes them until they are revoked. Where it sets cookies, requests from other sites are judged even without one.
    #[cfg(feature = "accounts")]
    #[must_use]
    pub fn accounts(self, accounts: &crate::account::Accounts) -> Self {
        let known = accounts.sessions().into_iter().fold(self, Self::sessions);
        let known = accounts.revocations().cloned().into_iter().fold(known, Self::revocations);
        let open = |preset: Self, path: &String| {
            let preset = preset.public(&format!("POST {path}"));
            if accounts.sets_cookies() { preset.login(path) } else { preset }
        };
        let mut opened = accounts.public().iter().fold(known, open);
        opened.dangers.extend(accounts.dangers().into_iter().map(|danger| format!("accounts: {danger}")));
        opened
    }

    /// Takes this kind of credential.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(Wanted::Ready(credential));
        self
    }

    /// Lets everyone call a route, such as `GET /health`.
    #[must_use]
    pub fn public(self, route: &str) -> Self {
        self.amend(route, |access| access.audience = Audience::Public)
    }

    /// Lets only those call a route who have one of these roles.
    #[must_use]
    pub fn roles<'r>(self, route: &str, roles: impl IntoIterator<Item = &'r str>) -> Self {
        let roles = roles.into_iter().collect::<RoleSet>();
        self.amend(route, |access| access.roles = roles)
    }

    /// Lets only those call a route whose credential has all these scopes.
    #[must_use]
    pub fn scopes<'s>(self, route: &str, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let scopes = scopes.into_iter().collect::<ScopeSet>();
        self.amend(route, |access| access.scopes = scopes)
    }

    /// Lets only those call a route whose claim has one of these values; several claims are all needed.
    #[must_use]
    pub fn require<'v>(self, route: &str, claim: &str, any_of: impl IntoIterator<Item = &'v str>) -> Self {
        let rule = ClaimRule { claim: claim.into(), any_of: any_of.into_iter().map(Into::into).collect() };
        self.amend(route, |access| {
            access.claims = std::mem::take(&mut access.claims).into_iter().chain([rule]).collect();
        })
    }

    /// Lets only those call a route whose claim equals its path parameter: `GET /users/{id}`, `id`, `sub`.
    #[must_use]
    pub fn owner(self, route: &str, parameter: &str, claim: &str) -> Self {
        let owner = RequestOwner { parameter: parameter.into(), claim: claim.into() };
        self.amend(route, |access| access.owner.request = [owner].into())
    }

    /// Changes one rule of a route and keeps the others, so that a route can have roles and an owner.
    fn amend(mut self, route: &str, change: impl FnOnce(&mut AccessRule)) -> Self {
        let (mut access, limits) = self.rules.declared(route);
        change(&mut access);
        self.rules.declare(route, access, limits);
        self
    }

    /// Gives a route all its rules at once, in place of any given before.
    #[must_use]
    pub fn rule(mut self, route: &str, access: AccessRule, limits: Vec<Limit>) -> Self {
        self.rules.declare(route, access, limits);
        self
    }

    /// Trusts an origin, such as the application's own `https://app.example.com`, to send requests with cookies.
    pub fn trusting(mut self, origin: &str) -> Result<Self, OriginError> {
        self.csrf.trusted.push(Origin::parse(origin)?);
        Ok(self)
    }

    /// Lets pages of these origins read responses, with the user's credentials. Methods beyond GET, HEAD and POST and
    /// headers such as `Content-Type: application/json` have to be named: see [`Preset::cors`].
    pub fn readable_by<'o>(mut self, origins: impl IntoIterator<Item = &'o str>) -> Result<Self, OriginError> {
        let origins = origins.into_iter().map(Origin::parse).collect::<Result<Vec<_>, _>>()?;
        self.cors.origins = Readers::Credentialed(origins);
        Ok(self)
    }

    /// Decides in detail which pages may read what, in place of [`Preset::readable_by`].
    #[must_use]
    pub fn cors(mut self, settings: CorsSettings) -> Self {
        self.cors = settings;
        self
    }

    /// Lets a body be this long, in bytes, on every route: 1 MiB for an API, 256 KiB for an application of browsers. What
    /// one route needs more than the others belongs into a chain by hand, with [`Size::max_body`] by route.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use palisade::{Chain, testing::TestWorld};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let test = TestWorld::new();
    /// let routes = Router::new().route("/echo", post(|text: String| async move { text }));
    /// let client = test.client(Chain::api().public("POST /echo").max_body(4).protect(routes, &test.world)?);
    /// assert_eq!(client.ask("POST /echo\n\n1234").await.text, "1234");
    /// assert_eq!(client.ask("POST /echo\n\n12345").await.code().as_deref(), Some("body-too-large"));
    /// # Ok::<(), palisade::chain::ChainError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.size.max_body = PerRoute::same(bytes);
        self
    }

    /// Changes how much one client may ask.
    #[must_use]
    pub fn throttle(mut self, settings: ThrottleSettings) -> Self {
        self.throttle = settings;
        self
    }

    /// Believes what these proxies say of their clients.
    #[must_use]
    pub fn behind(mut self, proxies: Vec<ipnet::IpNet>) -> Self {
        self.client.proxies = Client::behind(proxies).proxies;
        self
    }

    /// Decides by this policy, for role hierarchies and rules about objects.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The stages of the chain, unbuilt: to look at or to add to.
    pub fn chain(self, world: &World) -> Chain {
        let credentials: Vec<Credential> =
            self.credentials.into_iter().map(|wanted| wanted.ready(world, &self.revocations)).collect();
        let challenge = credentials.first().map(Credential::challenge);
        let takes_proofs = credentials.iter().any(Credential::takes_proofs);
        let cors = if takes_proofs { self.cors.with_proofs() } else { self.cors };
        let policy = Arc::new(self.policy);
        let (finish, csrf, report) = self.browser.stages(self.csrf, world);
        let chain = Chain::new()
            .with_dangers(self.dangers)
            .with(Trace::new(Arc::clone(&world.clock), Arc::clone(&world.entropy)))
            .with(Record::new(Arc::clone(&world.events), Arc::clone(&world.clock), policy.version().clone()))
            .with(finish)
            .with(Rescue)
            .with(Deadline::default())
            .with(Admit::default())
            .with(self.client)
            .with(Firewall)
            .with(self.publish)
            .with(self.size)
            .with(Throttle::new(PerRoute::same(self.throttle), Arc::clone(&world.counters)))
            .with(Cors::new(PerRoute::same(cors)))
            .with(csrf)
            .with(Operation::new(PerRoute::same(Operations::Routes(self.rules))))
            .with(Authenticate::new(PerRoute::same(credentials), Arc::clone(&world.clock)))
            .with(Assure::new(Arc::clone(&world.clock)))
            .with(Quota::new(Arc::clone(&world.counters)))
            .with(Authorize::new(policy, PerRoute::same(challenge)));
        match report {
            None => chain,
            Some(report) => chain.with(report),
        }
    }

    /// Puts the chain in front of every route of an application. A handler finds who asks in the extension
    /// [`crate::extract::Principal`].
    pub fn protect(self, app: Router, world: &World) -> Result<Router, ChainError> {
        if let Some(route) = self.rules.not_a_route() {
            return Err(ChainError::NotARoute { route: route.to_owned() });
        }
        // The chain is built once; what differs by route is only the service behind it.
        let chain = self.chain(world);
        let layer = ProtectLayer(chain.build(Nowhere)?);
        Ok(app.fallback(|| async { http::StatusCode::NOT_FOUND }).layer(layer))
    }
}

/// Puts a built chain in front of a service of axum.
#[derive(Clone, Debug)]
struct ProtectLayer(Guarded<Nowhere>);

impl<S> Layer<S> for ProtectLayer {
    type Service = Guarded<Serve<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.with_service(Serve(inner))
    }
}

/// No service: only there so that the chain can be built once.
#[derive(Clone, Copy, Debug)]
struct Nowhere;

/// A service of axum that takes permitted requests.
#[derive(Clone, Debug)]
struct Serve<S>(S);

impl<S> Service<Permitted<Request<Body>>> for Serve<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Stop;
    type Future = MapErr<S::Future, fn(Infallible) -> Stop>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        self.0.poll_ready(cx).map(|Ok(())| Ok(()))
    }

    fn call(&mut self, permitted: Permitted<Request<Body>>) -> Self::Future {
        let Permitted { permit, mut request, .. } = permitted;
        request.extensions_mut().insert(crate::extract::Principal::new(permit));
        self.0.call(request).map_err(|never| match never {})
    }
}
