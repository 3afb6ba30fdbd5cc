//! `[route.NAME]`: which requests go where, and under which rules.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::word::{Coding, Credentials, Responses, State, Undeclared};
use super::browser::{RawCsrf, RawHeaders};
use super::cache::RawCache;
use super::limit::RawThrottles;
use super::operation::RawOperation;
use super::text::{Size, Span};
use super::{RawNetworks, RawPayload, RawWebsocket};

/// Which requests go where, and under which rules.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRoute {
    /// The host name that requests must be for, without a port. Without it any host.
    pub(crate) host: Option<String>,
    /// `/orders/**` for everything below `/orders`, or one path such as `/health`.
    pub(crate) path: String,
    /// The name of an `[upstream.NAME]`.
    pub(crate) upstream: String,
    /// The name of a `[contract.NAME]`; what it does not describe is refused.
    pub(crate) contract: String,
    /// The credentials that are accepted: names such as `bearer.main`, `keys.partners` or `sessions.app`. The word
    /// `"backend"` in place of the list leaves the verification to the backend: the gateway only insists that there is a
    /// credential.
    #[serde(default)]
    pub(crate) authenticate: RawAuthenticate,
    /// Operations that need no credential, by their `operationId`.
    #[serde(default)]
    pub(crate) public: Vec<String>,
    /// What becomes of the caller's credential; by default `forward` where the backend verifies it or nobody does,
    /// else `strip`.
    pub(crate) credentials: Option<Credentials>,
    /// What happens to a request that departs from the contract. Size and form of its head are looked at in any case.
    #[serde(default)]
    pub(crate) requests: State,
    /// What happens to a response that the contract does not describe.
    #[serde(default)]
    pub(crate) responses: Responses,
    /// What becomes of properties of a response that the contract does not declare.
    #[serde(default)]
    pub(crate) undeclared: Undeclared,
    /// What happens to a response with a stack trace, an error of a database, or a secret.
    #[serde(default)]
    pub(crate) leaks: State,
    /// What is different for single operations, by their `operationId`.
    #[serde(default)]
    pub(crate) operation: BTreeMap<String, RawOperation>,
    /// How long a request may take from its first byte to the last byte of the response head.
    #[serde(default = "timeout")]
    pub(crate) timeout: Span,
    /// How long the sender of a body may pause.
    #[serde(default = "body_timeout")]
    pub(crate) body_timeout: Span,
    /// The largest body of a request.
    #[serde(default = "max_body")]
    pub(crate) max_body: Size,
    /// The least that the sender of a body has to send in a second, on average, behind its first five seconds.
    #[serde(default = "body_min_rate")]
    pub(crate) body_min_rate: Size,
    /// Whether a body without a length may go on for ever, as those of gRPC calls that stream do: it counts no longer as a
    /// whole against `max_body` and `timeout`. `body_timeout` and `body_min_rate` hold for each of its pieces, the answer has
    /// to begin within `timeout` of the last one, and what a schema is to judge stays within `max_body`.
    #[serde(default)]
    pub(crate) endless_body: bool,
    /// How the body of a request may be compressed. It is decompressed here, within `max_body` and up to 100 times its
    /// size, and the backend gets it as it was. Without it compressed bodies are refused.
    #[serde(default)]
    pub(crate) accept_encoding: Vec<Coding>,
    /// How often may be asked, in one limit or a list of them; by default what `preset` says, for each client.
    pub(crate) throttle: Option<RawThrottles>,
    /// How many of `limits.max_concurrent` may be under way on this route.
    #[schemars(range(min = 1))]
    pub(crate) max_concurrent: Option<u32>,
    /// How many may be under way on this route, besides `limits.max_concurrent`: places that nobody else can take, for
    /// health checks and what else must work in overload.
    #[schemars(range(min = 1))]
    pub(crate) reserved_concurrent: Option<u32>,
    /// Which client addresses may use the route, of those that `[client]` lets in.
    #[serde(default)]
    pub(crate) client: RawNetworks,
    /// Which web pages of other origins may read the responses. Without it none.
    pub(crate) cors: Option<RawCors>,
    /// Which other sites may make a browser send requests with its user's cookies. Without it none: this protection
    /// cannot be switched off.
    pub(crate) csrf: Option<RawCsrf>,
    /// What responses tell browsers, where it is to be looser than the strictest.
    #[serde(default)]
    pub(crate) headers: RawHeaders,
    /// How requests are read, and in which writing they go on.
    #[serde(default)]
    pub(crate) payload: RawPayload,
    /// How long a backend may pause in an answer that has begun, such as a stream of events. `timeout` ends with the head of
    /// the answer.
    #[serde(default = "stream_idle_timeout")]
    pub(crate) stream_idle_timeout: Span,
    /// The trailers of answers that are passed on, besides `grpc-status`, `grpc-message` and `grpc-status-details-bin` in
    /// answers of gRPC.
    #[serde(default)]
    pub(crate) trailers: Vec<String>,
    /// The trailers of requests that are passed on. Nobody judges them: name those that the backend does not take for headers.
    #[serde(default)]
    pub(crate) request_trailers: Vec<String>,
    /// Which answers are given again without asking the backend. Without it none.
    pub(crate) cache: Option<RawCache>,
    /// How long WebSockets may be open. Operations are WebSockets if the contract declares `101` for them.
    #[serde(default)]
    pub(crate) websocket: RawWebsocket,
    /// Lets markup in the free text of requests pass. Whoever shows such text has to escape it.
    #[serde(default)]
    pub(crate) danger_allow_markup: bool,
}

/// The credentials that are accepted.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawAuthenticate {
    /// Names of credentials.
    Names(Vec<String>),
    /// The word `backend`.
    Word(String),
}

impl Default for RawAuthenticate {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}

/// Which web pages of other origins may read the responses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCors {
    /// Origins such as `https://app.example.com`. `https://*.example.com` stands for the hosts below a domain, `*` alone
    /// for all; both go without credentials.
    #[schemars(length(min = 1))]
    pub(crate) origins: Vec<String>,
    /// Methods besides GET, HEAD and POST.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    /// Request headers that a page may set besides the simple ones.
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    /// Response headers that a page may read besides the simple ones.
    #[serde(default)]
    pub(crate) expose: Vec<String>,
    /// Whether a page may send cookies and other credentials of its visitor.
    #[serde(default)]
    pub(crate) credentials: bool,
    /// For how long a browser may remember the answer to its question.
    #[serde(default = "max_age")]
    pub(crate) max_age: Span,
}

fn timeout() -> Span {
    Span::from("30s")
}

fn body_timeout() -> Span {
    Span::from("10s")
}

fn stream_idle_timeout() -> Span {
    Span::from("5m")
}

fn body_min_rate() -> Size {
    Size::from("240B")
}

fn max_body() -> Size {
    Size::from("1MiB")
}

fn max_age() -> Span {
    Span::from("10m")
}
