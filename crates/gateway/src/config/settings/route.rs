//! What `[route.NAME]` means.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};
use palisade::body::inflate::Coding;
use palisade::csrf::TokenKey;
use palisade::network::Networks;
use palisade::stage::admit::Places;
use palisade::stage::cache::CacheSettings;
use palisade::stage::csrf::Demand;
use palisade::stage::finish::FinishSettings;
use palisade::stage::route::PathPattern;
use palisade::stage::upgrade::UpgradeSettings;
use palisade_core::id::{OperationId, RouteName};
use palisade_core::operation::{Limit, Pointer};

use crate::upstream::AnswerSettings;

use super::super::word::{Credentials, Responses, State, Undeclared};
use super::Payload;

/// Which requests go where, and under which rules.
#[derive(Clone, Debug)]
pub struct Route {
    /// The section's name.
    pub name: RouteName,
    /// The host that requests must be for, canonical and without a port; any where absent.
    pub host: Option<Box<str>>,
    /// The paths it takes.
    pub path: PathPattern,
    /// The name of its backend, which exists.
    pub upstream: Arc<str>,
    /// The name of its contract, which exists.
    pub contract: Arc<str>,
    /// Who verifies which credentials.
    pub authenticate: Authenticate,
    /// Operations that need no credential. Whether the contract has them is for its compiler to say.
    pub public: Vec<OperationId>,
    /// What becomes of the caller's credential.
    pub credentials: Credentials,
    /// How strictly the messages of its operations are held to the contract.
    pub strictness: Strictness,
    /// What is different for single operations. Whether the contract has them is for its compiler to say.
    pub operations: Vec<(OperationId, Strictness)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long its body may take to arrive.
    pub body_timeout: Duration,
    /// The largest body, in bytes.
    pub max_body: u32,
    /// The least that the sender of a body has to send in a second, in bytes.
    pub body_min_rate: u32,
    /// Whether a body without a length may go on for ever.
    pub endless_body: bool,
    /// How a body may be compressed.
    pub accept_encoding: Vec<Coding>,
    /// How often may be asked; limits by client or for all, all of which must hold.
    pub throttle: Vec<Limit>,
    /// How many requests may be under way.
    pub places: Places,
    /// Which client addresses may use it.
    pub client: Networks,
    /// Which pages of other origins may read the responses.
    pub cors: Option<Cors>,
    /// Which other sites may make a browser send requests.
    pub csrf: Csrf,
    /// What responses tell browsers.
    pub headers: FinishSettings,
    /// How requests are read, and in which writing they go on.
    pub payload: Payload,
    /// Which answers are kept.
    pub cache: Option<CacheSettings>,
    /// How long its WebSockets may be open.
    pub websocket: UpgradeSettings,
    /// How its answers are passed on.
    pub answers: AnswerSettings,
    /// Whether markup in the free text of requests passes.
    pub danger_allow_markup: bool,
}

/// How strictly the messages of an operation are held to the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// What happens to a request that departs from the contract.
    pub requests: State,
    /// What happens to a response that the contract does not describe.
    pub responses: Responses,
    /// What becomes of properties of a response that the contract does not declare.
    pub undeclared: Undeclared,
    /// What happens to a response with a stack trace or a secret.
    pub leaks: State,
    /// Places of responses that may hold traces and secrets.
    pub danger_show: Vec<Pointer>,
}

/// Who verifies the credentials of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticate {
    /// The backend; the gateway only insists that there is one.
    Backend,
    /// The gateway, by these in order. Without any, nobody can sign in.
    Gateway(Vec<CredentialRef>),
}

/// A section that says how a credential is verified, which exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialRef {
    /// `[api_keys.NAME]`.
    ApiKeys(Arc<str>),
    /// `[bearer.NAME]`.
    Bearer(Arc<str>),
    /// `[certificates.NAME]`.
    Certificates(Arc<str>),
    /// `[keys.NAME]`.
    Keys(Arc<str>),
    /// `[sessions.NAME]`.
    Sessions(Arc<str>),
}

/// Which pages of other origins may read the responses.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Whose pages.
    pub origins: CorsOrigins,
    /// Methods besides the simple ones.
    pub methods: Vec<Method>,
    /// Request headers that a page may set.
    pub headers: Vec<HeaderName>,
    /// Response headers that a page may read.
    pub expose: Vec<HeaderName>,
    /// Whether with the visitor's credentials; never together with any origin.
    pub credentials: bool,
    /// For how long a browser may remember the answer.
    pub max_age: Duration,
}

/// Whose pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Everybody's.
    Any,
    /// Those of these origins, as browsers write them, and of hosts below domains, as `https://*.example.com`; at least
    /// one.
    These(Vec<String>),
}

/// Which requests of browsers are refused, and what they have to prove.
#[derive(Clone, Debug, Default)]
pub struct Csrf {
    /// Other origins whose pages may send requests that change something.
    pub trusted_origins: Vec<String>,
    /// Canonical paths where somebody signs in.
    pub login_paths: Vec<Box<str>>,
    /// Tokens, where they are wanted.
    pub tokens: Option<CsrfTokens>,
    /// Whether pages of other hosts of the site are trusted.
    pub danger_trust_siblings: bool,
    /// Whether other sites may embed what a credential opens.
    pub danger_embedding: bool,
}

/// Tokens against cross-site requests.
#[derive(Clone, Debug)]
pub struct CsrfTokens {
    /// The key that signs.
    pub key: TokenKey,
    /// The key before it.
    pub former: Option<TokenKey>,
    /// The name of the session's cookie.
    pub session: Box<str>,
    /// When a request needs one.
    pub demand: Demand,
}
