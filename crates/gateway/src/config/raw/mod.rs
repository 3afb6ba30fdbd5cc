//! The file as it is written: every key with its meaning, from which the schema and the reference are generated.
//!
//! Nothing here has been checked beyond its type; [`super::resolve`] turns it into [`super::settings`].

mod browser;
mod cache;
mod credential;
mod identity;
mod limit;
mod operate;
mod operation;
mod payload;
mod recorded;
mod route;
mod server;
mod store;
mod stream;
mod text;
mod tls;
mod upstream;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use browser::{
    RawCsrf, RawCsrfTokens, RawDemand, RawEmbedder, RawHeaders, RawHsts, RawOpener, RawReferrer, RawReports,
    RawResource,
};
pub(crate) use cache::RawCache;
pub(crate) use credential::{RawBearer, RawKey, RawKeys};
pub(crate) use identity::{RawCertificate, RawCertificates, RawClientCertificates, RawPresent};
pub(crate) use limit::{RawThrottle, RawThrottles};
pub(crate) use operate::RawAdmin;
pub(crate) use operation::RawOperation;
pub(crate) use payload::RawPayload;
pub(crate) use recorded::{RawApiKeys, RawSessions};
pub(crate) use route::{RawAuthenticate, RawCors, RawRoute};
pub(crate) use server::{RawHttp2, RawServer};
pub(crate) use store::{RawCounters, RawLasting, RawStore, RawStoreTls};
pub(crate) use stream::RawWebsocket;
pub(crate) use text::{FileRef, Network, Span};
use text::{Output, Size, Socket};
pub(crate) use tls::RawTls;
pub(crate) use upstream::{
    AddressesWord, BalanceWord, ConcurrencyWord, ProtocolWord, RawConcurrency, RawHealth, RawRetry, RawUpstream,
};

use super::word::{ForwardedHeader, Preset};

/// The configuration of a Palisade gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConfig {
    /// The version of this file's vocabulary; always 1.
    #[schemars(extend("enum" = [1]))]
    #[expect(dead_code, reason = "the schema allows one value only; it is read when there is a second")]
    pub(crate) version: u32,
    /// What kind of API is protected; it sets defaults.
    #[serde(default)]
    pub(crate) preset: Preset,
    /// Where requests arrive.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) listen: BTreeMap<String, RawListen>,
    /// The process and its connections.
    #[serde(default)]
    pub(crate) server: RawServer,
    /// The backends that requests are forwarded to.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) upstream: BTreeMap<String, RawUpstream>,
    /// The documents that say which requests are valid.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) contract: BTreeMap<String, RawContract>,
    /// Which requests go where, and under which rules. A request that no route matches is answered with 404.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) route: BTreeMap<String, RawRoute>,
    /// Issuers of signed tokens (JWT) that callers present as `Authorization: Bearer`.
    #[serde(default)]
    pub(crate) bearer: BTreeMap<String, RawBearer>,
    /// Sets of API keys.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, RawKeys>,
    /// Tables that say which client certificate is whose.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, RawCertificates>,
    /// API keys of service accounts, kept in `[store.records]`.
    #[serde(default)]
    pub(crate) api_keys: BTreeMap<String, RawApiKeys>,
    /// Sessions of people who have signed in, kept in `[store.records]`.
    #[serde(default)]
    pub(crate) sessions: BTreeMap<String, RawSessions>,
    /// How backends are told who asks.
    #[serde(default)]
    pub(crate) present: RawPresent,
    /// Which roles a role includes: `admin = ["support"]` makes every admin a support as well.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, Vec<String>>,
    /// Which client addresses may connect at all.
    #[serde(default)]
    pub(crate) client: RawClient,
    /// Bounds for every request.
    #[serde(default)]
    pub(crate) limits: RawLimits,
    /// How long browsers insist on TLS once they have been here over TLS.
    #[serde(default)]
    pub(crate) hsts: RawHsts,
    /// Where browsers report what a policy of a page has blocked.
    #[serde(default)]
    pub(crate) reports: RawReports,
    /// Where state is kept: what was counted, and what was used up.
    #[serde(default)]
    pub(crate) store: RawStore,
    /// Where security events are written.
    #[serde(default)]
    pub(crate) events: RawEvents,
    /// Where operators look at the gateway.
    #[serde(default)]
    pub(crate) admin: RawAdmin,
}

/// Where requests arrive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawListen {
    /// The IP address and port to bind, such as `127.0.0.1:8080` or `[::]:443`.
    pub(crate) address: Socket,
    /// The certificate to serve TLS with. Without it the listener speaks plain HTTP.
    pub(crate) tls: Option<RawTls>,
    /// Proxies in front of this listener: what they say of their clients is believed.
    #[serde(default)]
    pub(crate) trusted_proxies: Vec<Network>,
    /// How many proxies are in front of this listener, where their addresses are not known. Whoever connects is believed
    /// about so many hops: nobody but the proxies may be able to.
    #[schemars(range(min = 1, max = 16))]
    pub(crate) danger_trusted_hops: Option<u32>,
    /// In which headers the proxies speak; the others are not read.
    #[serde(default)]
    pub(crate) forwarded_header: ForwardedHeader,
    /// Load balancers that begin every connection with a PROXY header, version 1 or 2: from these addresses it is
    /// required, from all others it is no HTTP.
    #[serde(default)]
    pub(crate) proxy_protocol: Vec<Network>,
}

/// A document that says which requests are valid.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawContract {
    /// The path of an OpenAPI 3.0 or 3.1 document in YAML or JSON, relative to this file.
    pub(crate) openapi: String,
    /// The path under which the operations are, such as `/api/v1`, or `/` for none. By default the paths of the
    /// document's `servers`.
    pub(crate) base: Option<String>,
}

/// Which client addresses may use the route.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawNetworks {
    /// If not empty, only these networks may ask.
    pub(crate) allow: Vec<Network>,
    /// These networks may not ask, even if they are allowed.
    pub(crate) deny: Vec<Network>,
}

/// Which client addresses may connect, and who says which certificate a client has.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawClient {
    /// If not empty, only these networks may ask.
    pub(crate) allow: Vec<Network>,
    /// These networks may not ask, even if they are allowed.
    pub(crate) deny: Vec<Network>,
    /// Whether trusted proxies say in `Client-Cert` (RFC 9440) which certificate a client has. A proxy that does must
    /// delete that header of its own clients.
    pub(crate) certificate_header: bool,
}

/// Bounds for every request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLimits {
    /// The longest request target.
    pub(crate) max_uri: Size,
    /// The largest header section.
    pub(crate) max_headers: Size,
    /// How long the head of a request may take to arrive.
    pub(crate) head_timeout: Span,
    /// How many requests may be under way at once; more are answered with 503.
    #[schemars(range(min = 1))]
    pub(crate) max_concurrent: u32,
    /// How many bits of an IPv6 address are one client: whoever has an address has the whole network.
    #[schemars(range(min = 32, max = 128))]
    pub(crate) ipv6_prefix: u32,
    /// How often may be asked over all routes together, in one limit or a list of them, besides the limits of each route.
    pub(crate) throttle: RawThrottles,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            max_uri: Size::from("8KiB"),
            max_headers: Size::from("32KiB"),
            head_timeout: Span::from("10s"),
            max_concurrent: 1024,
            ipv6_prefix: 64,
            throttle: RawThrottles::default(),
        }
    }
}

/// Where security events are written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawEvents {
    /// `stderr`, `stdout`, or `file:` and the path of a file to append to, relative to this file.
    pub(crate) output: Output,
}

impl Default for RawEvents {
    fn default() -> Self {
        Self { output: Output::from("stderr") }
    }
}
