//! What the file means: every reference resolved, every file read, every value of its own type.

mod credential;
mod identity;
mod operate;
mod payload;
mod recorded;
mod route;
mod server;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use palisade::network::Networks;
use palisade::stage::client::Proxies;
use palisade::stage::finish::Hsts;
use palisade::stage::guard::GuardSettings;
use palisade::stage::report::ReportPath;
use palisade_core::diagnostic::Source;
use palisade_core::operation::Limit;
use palisade_core::port::counter::Ipv6Prefix;
use rustls::ServerConfig;

use crate::upstream::UpstreamSettings;

pub use super::word::{
    Algorithm, CertificateMode, Credentials, DpopMode, ForwardedHeader, Forwarding, Preset, Reload, Responses, State,
    TokenType, Undeclared,
};
pub use credential::{Bearer, BearerKeys, ClaimPath, HiddenSecret, Key, Keys};
pub use identity::{Certificates, Present};
pub use operate::{Admin, AdminAddress};
pub use payload::Payload;
pub use recorded::{ApiKeys, Sessions};
pub use route::{Authenticate, Cors, CorsOrigins, CredentialRef, Csrf, CsrfTokens, Route, Strictness};
pub use server::Server;
pub use store::{Counters, Store, StoreServer, StoreTrust, Stores};

/// A whole configuration. Sections with names stand in the order of the file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What kind of API is protected. Its defaults are in the other fields already.
    pub preset: Preset,
    /// Where requests arrive; at least one.
    pub listen: Vec<Listen>,
    /// The process and its connections.
    pub server: Server,
    /// The backends; at least one.
    pub upstreams: Vec<Upstream>,
    /// The contracts; at least one.
    pub contracts: Vec<Contract>,
    /// The routes; at least one, no two for the same host and path.
    pub routes: Vec<Route>,
    /// Issuers of tokens.
    pub bearer: Vec<Bearer>,
    /// Sets of API keys.
    pub keys: Vec<Keys>,
    /// Tables of client certificates.
    pub certificates: Vec<Certificates>,
    /// API keys of service accounts.
    pub api_keys: Vec<ApiKeys>,
    /// Sessions of people.
    pub sessions: Vec<Sessions>,
    /// How backends are told who asks.
    pub present: Present,
    /// Pairs of a role and one that it includes, for `RoleHierarchy::from_pairs`.
    pub roles: Vec<(String, String)>,
    /// Which client addresses may connect.
    pub client: Networks,
    /// Whether trusted proxies say which certificate a client has.
    pub certificate_header: bool,
    /// Bounds for every request.
    pub limits: Limits,
    /// How long browsers insist on TLS.
    pub hsts: Hsts,
    /// Where browsers report what a policy has blocked.
    pub reports: Option<ReportPath>,
    /// Where state is kept.
    pub stores: Stores,
    /// Where security events are written.
    pub events: Events,
    /// Where operators look at it; `None` when nowhere.
    pub admin: Option<Admin>,
}

impl Settings {
    /// The backend of this name.
    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.name.as_ref() == name)
    }

    /// The contract of this name.
    pub fn contract(&self, name: &str) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.name.as_ref() == name)
    }

    /// The issuer of this name.
    pub fn bearer(&self, name: &str) -> Option<&Bearer> {
        self.bearer.iter().find(|bearer| bearer.name.as_ref() == name)
    }

    /// The set of API keys of this name.
    pub fn keys(&self, name: &str) -> Option<&Keys> {
        self.keys.iter().find(|keys| keys.name.as_ref() == name)
    }
}

/// Where requests arrive.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The section's name.
    pub name: Arc<str>,
    /// The address to bind.
    pub address: SocketAddr,
    /// Certificate, key and protocols, ready to accept with.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whose word about the client is believed.
    pub proxies: Proxies,
    /// From whom connections begin with a PROXY header.
    pub proxy_protocol: Vec<IpNet>,
}

/// A backend.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The section's name.
    pub name: Arc<str>,
    /// Where it is and how it is treated.
    pub backend: UpstreamSettings,
    /// When its circuit opens.
    pub guard: GuardSettings,
}

/// A document that says which requests are valid, not compiled yet.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The section's name.
    pub name: Arc<str>,
    /// Where it was read from.
    pub file: PathBuf,
    /// The path under which its operations are, without a slash at its end; by default its own `servers` say.
    pub base: Option<Box<str>>,
    /// Its text, named as the configuration writes it.
    pub source: Source,
}

/// Bounds for every request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest request target, in bytes.
    pub max_uri: u32,
    /// The largest header section, in bytes.
    pub max_headers: u32,
    /// How long the head of a request may take to arrive.
    pub head_timeout: Duration,
    /// How many requests may be under way at once.
    pub max_concurrent: u32,
    /// How much of an IPv6 address is one client.
    pub ipv6_prefix: Ipv6Prefix,
    /// How often may be asked over all routes together.
    pub throttle: Vec<Limit>,
}

/// Where security events are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    /// Appended to a file.
    File(PathBuf),
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
}
