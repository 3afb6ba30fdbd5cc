//! What `[route.NAME]` means.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};
use palisade::stage::route::PathPattern;
use palisade_core::id::{OperationId, RouteName};
use palisade_core::operation::{Limit, Pointer};

use super::super::word::{Credentials, OnFailure, Responses, State, Undeclared};

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
    /// How often one client address may ask.
    pub throttle: Throttle,
    /// Which pages of other origins may read the responses.
    pub cors: Option<Cors>,
    /// Which other sites may make a browser send requests.
    pub csrf: Csrf,
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
    /// `[bearer.NAME]`.
    Bearer(Arc<str>),
    /// `[keys.NAME]`.
    Keys(Arc<str>),
}

/// How often one client address may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// The bucket, by client.
    pub limit: Limit,
    /// What happens while the counter cannot be asked.
    pub on_failure: OnFailure,
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
    /// Those of these origins, as browsers write them; at least one.
    These(Vec<String>),
}

/// Which other sites may make a browser send requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csrf {
    /// Other origins whose pages may send requests that change something.
    pub trusted_origins: Vec<String>,
}
