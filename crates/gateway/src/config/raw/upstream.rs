//! `[upstream.NAME]`: where a backend is, and how it is treated when it is slow, ill or gone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{FileRef, Span, Url};

/// A backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawUpstream {
    /// Scheme, host and port of the backend, without a path. Either this or `urls`.
    pub(crate) url: Option<Url>,
    /// The same where the backend runs in several places.
    #[serde(default)]
    pub(crate) urls: Vec<Url>,
    /// The share of requests of each of `urls`, in their order; by default equal shares.
    #[serde(default)]
    pub(crate) weights: Vec<u32>,
    /// What becomes of a name with several addresses: `first` takes the first that takes a connection, `all` makes each
    /// an endpoint of its own.
    #[serde(default)]
    pub(crate) addresses: AddressesWord,
    /// For how long the addresses of a name are believed.
    #[serde(default = "refresh")]
    pub(crate) refresh: Span,
    /// How requests are spread over several endpoints.
    #[serde(default)]
    pub(crate) balance: BalanceWord,
    /// What the endpoint depends on with `consistent-hash`: `client`, `principal`, `path`, or `header:` and a name.
    pub(crate) hash_by: Option<String>,
    /// Which HTTP the backend is spoken to with.
    #[serde(default)]
    pub(crate) protocol: ProtocolWord,
    /// How long to wait for a connection.
    #[serde(default = "connect_timeout")]
    pub(crate) connect_timeout: Span,
    /// How many connections to an endpoint there may be.
    #[serde(default = "max_connections")]
    #[schemars(range(min = 1))]
    pub(crate) max_connections: u32,
    /// How many of them may be idle, for each thread that serves.
    #[serde(default = "max_idle")]
    pub(crate) max_idle: u32,
    /// For how long a connection may be idle. Shorter than the backend's own time for it, so that it is not closed while a
    /// request is on its way.
    #[serde(default = "idle_timeout")]
    pub(crate) idle_timeout: Span,
    /// How many requests may wait for a connection; more are answered with 503.
    #[serde(default = "max_waiting")]
    pub(crate) max_waiting: u32,
    /// How many requests an HTTP/2 connection carries before another is opened.
    #[serde(default = "max_streams")]
    #[schemars(range(min = 1))]
    pub(crate) max_streams: u32,
    /// A PEM file with certificates to trust besides the public ones, for an `https` backend.
    pub(crate) ca: Option<FileRef>,
    /// Trusts the certificates of `ca` and no public ones.
    #[serde(default)]
    pub(crate) only_ca: bool,
    /// A PEM file with the certificate that is shown to the backend, followed by its intermediates.
    pub(crate) cert: Option<FileRef>,
    /// A PEM file with the private key of `cert`.
    pub(crate) key: Option<FileRef>,
    /// The name that the backend's certificate must have, where it is not the host of the URL.
    pub(crate) server_name: Option<String>,
    /// After how many failures in a row the backend is left alone for a while.
    #[serde(default = "failures")]
    #[schemars(range(min = 1))]
    pub(crate) failures: u32,
    /// For how long the backend is left alone.
    #[serde(default = "pause")]
    pub(crate) pause: Span,
    /// How many requests try then whether it is back. All of them have to succeed, and all others are refused meanwhile.
    #[serde(default = "probes")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) probes: u32,
    /// Below this share of endpoints that are well, in percent, all are used: then it is not the endpoints that are ill.
    #[serde(default = "min_healthy")]
    #[schemars(range(max = 100))]
    pub(crate) min_healthy: u8,
    /// Asks the endpoints how they are. Without it they are judged by their answers alone.
    pub(crate) health: Option<RawHealth>,
    /// When an endpoint is left out because of its answers.
    #[serde(default)]
    pub(crate) eject: RawEject,
    /// When a request is sent again.
    #[serde(default)]
    pub(crate) retry: RawRetry,
    /// How many requests may be under way at this backend. Without it as many as have connections.
    pub(crate) concurrency: Option<RawConcurrency>,
}

/// Asks the endpoints how they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHealth {
    /// The path that is asked for, such as `/healthz`.
    pub(crate) path: String,
    /// How often.
    #[serde(default = "interval")]
    pub(crate) interval: Span,
    /// How long an answer may take.
    #[serde(default = "health_timeout")]
    pub(crate) timeout: Span,
    /// How many good answers in a row make an endpoint well.
    #[serde(default = "healthy")]
    #[schemars(range(min = 1))]
    pub(crate) healthy: u32,
    /// How many bad ones make it ill.
    #[serde(default = "unhealthy")]
    #[schemars(range(min = 1))]
    pub(crate) unhealthy: u32,
    /// Which statuses are good; by default 200 to 299.
    #[serde(default)]
    pub(crate) expect: Vec<u16>,
}

/// When an endpoint is left out because of its answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawEject {
    /// After how many failures in a row: no connection, no answer in time, or status 502, 503 and 504.
    #[schemars(range(min = 1))]
    pub(crate) failures: u32,
    /// For how long the first time; the next time twice as long, and so on up to ten times.
    pub(crate) base: Span,
    /// How many of the endpoints may be left out at once, in percent. One of several always may, the last never.
    #[schemars(range(max = 100))]
    pub(crate) max_ejected: u8,
}

impl Default for RawEject {
    fn default() -> Self {
        Self { failures: 5, base: Span::from("30s"), max_ejected: 50 }
    }
}

/// When a request is sent again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRetry {
    /// How often a request is sent at most; by default twice where there are several endpoints, else once. What can change
    /// something is repeated only if not a byte of it was sent.
    #[schemars(range(min = 1, max = 10))]
    pub(crate) attempts: Option<u32>,
    /// How long one try may take, of a request that can be repeated.
    pub(crate) try_timeout: Option<Span>,
    /// Asks a second endpoint, too, when a GET has no answer after this time, and takes the first good answer.
    pub(crate) hedge_after: Option<Span>,
    /// How much may be repeated.
    pub(crate) budget: RawBudget,
}

/// How much may be repeated.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBudget {
    /// Repetitions for a hundred requests.
    #[schemars(range(max = 100))]
    pub(crate) percent: u32,
    /// Repetitions in a second that are always there.
    pub(crate) floor: u32,
}

impl Default for RawBudget {
    fn default() -> Self {
        Self { percent: 20, floor: 3 }
    }
}

/// How many requests may be under way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConcurrency {
    /// `fixed` for `max` and no more; `gradient2` finds out between `min` and `max` how many the backend can work on before
    /// its answers get slower.
    pub(crate) mode: ConcurrencyWord,
    /// The least.
    #[serde(default = "concurrency_min")]
    #[schemars(range(min = 1))]
    pub(crate) min: u32,
    /// The most.
    #[serde(default = "concurrency_max")]
    #[schemars(range(min = 1))]
    pub(crate) max: u32,
}

/// How many requests may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ConcurrencyWord {
    /// As many as are written.
    Fixed,
    /// As many as answers stay fast for.
    Gradient2,
}

/// What becomes of a name with several addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AddressesWord {
    /// Each is an endpoint.
    All,
    /// They are one endpoint.
    #[default]
    First,
}

/// How requests are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BalanceWord {
    /// The same endpoint for what is the same in `hash_by`.
    ConsistentHash,
    /// The less busy of two that are drawn.
    LeastRequests,
    /// In turn.
    #[default]
    RoundRobin,
}

/// Which HTTP the backend is spoken to with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProtocolWord {
    /// What both can over TLS, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    H1,
    /// HTTP/2, without TLS with prior knowledge.
    H2,
}

fn refresh() -> Span {
    Span::from("30s")
}

fn connect_timeout() -> Span {
    Span::from("2s")
}

fn max_connections() -> u32 {
    1024
}

fn max_idle() -> u32 {
    256
}

fn idle_timeout() -> Span {
    Span::from("30s")
}

fn max_waiting() -> u32 {
    1024
}

fn max_streams() -> u32 {
    100
}

fn failures() -> u32 {
    5
}

fn pause() -> Span {
    Span::from("10s")
}

fn probes() -> u32 {
    1
}

fn min_healthy() -> u8 {
    30
}

fn interval() -> Span {
    Span::from("10s")
}

fn health_timeout() -> Span {
    Span::from("2s")
}

fn healthy() -> u32 {
    2
}

fn unhealthy() -> u32 {
    3
}

fn concurrency_min() -> u32 {
    5
}

fn concurrency_max() -> u32 {
    1000
}
