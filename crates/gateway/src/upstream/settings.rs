//! What an upstream is told: its endpoints and how they are treated, every value checked.

use std::time::Duration;

use http::StatusCode;
use http::uri::{Authority, PathAndQuery, Scheme};
use rustls::pki_types::CertificateDer;

use super::balance::Balance;
use super::budget::BudgetSettings;
use super::limit::Concurrency;
use super::outlier::EjectSettings;
use super::pool::{PoolSettings, Protocol};
use super::trust::ClientIdentity;

/// An upstream.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Its endpoints; at least one.
    pub endpoints: Vec<EndpointSettings>,
    /// What becomes of a name with several addresses.
    pub addresses: Addresses,
    /// For how long the addresses of a name are believed.
    pub refresh: Duration,
    /// How requests are spread.
    pub balance: Balance,
    /// Which HTTP is spoken.
    pub protocol: Protocol,
    /// For a connection to be ready to use, or for a place to become free.
    pub connect_timeout: Duration,
    /// How many connections there are.
    pub pool: PoolSettings,
    /// How the endpoints prove who they are, and we to them.
    pub trust: TrustSettings,
    /// Below this share of good endpoints, in percent, all are used: then it is not the endpoints that are ill.
    pub min_healthy: u8,
    /// Whether endpoints are asked how they are.
    pub health: Option<HealthSettings>,
    /// When endpoints are left out.
    pub eject: EjectSettings,
    /// When requests are repeated.
    pub retry: RetrySettings,
    /// How many requests may be under way.
    pub concurrency: Option<Concurrency>,
}

impl UpstreamSettings {
    /// One endpoint, and everything else as it is without a word about it.
    pub fn one(scheme: Scheme, authority: Authority) -> Self {
        Self {
            endpoints: vec![EndpointSettings { scheme, authority, weight: 1 }],
            addresses: Addresses::default(),
            refresh: Duration::from_secs(30),
            balance: Balance::default(),
            protocol: Protocol::default(),
            connect_timeout: Duration::from_secs(2),
            pool: PoolSettings::default(),
            trust: TrustSettings::default(),
            min_healthy: 30,
            health: None,
            eject: EjectSettings::default(),
            retry: RetrySettings::default(),
            concurrency: None,
        }
    }
}

/// One place where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Its share of the requests.
    pub weight: u32,
}

/// What becomes of a name with several addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// Each is an endpoint of its own.
    All,
    /// They are one endpoint: the first that takes a connection has it.
    #[default]
    First,
}

/// How the endpoints prove who they are, and we to them.
#[derive(Clone, Debug, Default)]
pub struct TrustSettings {
    /// Certificates to trust.
    pub anchors: Vec<CertificateDer<'static>>,
    /// Whether nobody else is trusted; otherwise the system's authorities are, too.
    pub only_anchors: bool,
    /// The name in the certificate, where it is not the host.
    pub server_name: Option<Box<str>>,
    /// What we show of ourselves.
    pub identity: Option<ClientIdentity>,
}

/// How endpoints are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// What is asked for.
    pub path: PathAndQuery,
    /// How often.
    pub interval: Duration,
    /// For the answer.
    pub timeout: Duration,
    /// Good answers in a row that make an endpoint well.
    pub healthy: u32,
    /// Bad ones that make it ill.
    pub unhealthy: u32,
    /// Which statuses are good; if none is named, 200 to 299.
    pub expect: Vec<StatusCode>,
}

/// When requests are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// How often a request is sent at most, the first time included.
    pub attempts: u32,
    /// How long one try may take.
    pub try_timeout: Option<Duration>,
    /// After how long a second endpoint is asked at the same time.
    pub hedge_after: Option<Duration>,
    /// How many may be repeated in all.
    pub budget: BudgetSettings,
}

impl Default for RetrySettings {
    /// Every request is sent once.
    fn default() -> Self {
        Self { attempts: 1, try_timeout: None, hedge_after: None, budget: BudgetSettings::default() }
    }
}
