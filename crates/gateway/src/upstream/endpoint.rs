//! One place where a backend is: its connections and what is known of its health.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::balance;
use super::health::Probation;
use super::outlier::{EjectSettings, Outlier};
use super::pool::Pool;

/// The endpoint. Moments are the time since its upstream was made.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The endpoint's URL in the configuration, by its place.
    pub(crate) origin: usize,
    /// What it is called in messages, and by those who choose by key.
    pub(crate) name: Box<str>,
    pub(crate) id: u64,
    pub(crate) weight: u32,
    pub(crate) pool: Arc<Pool>,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    failures: AtomicU64,
    /// Whether the health check is content, or there is none.
    healthy: AtomicBool,
    probation: Mutex<Probation>,
    /// Whether `outlier` has counted a failure, so that successes need not look.
    suspect: AtomicBool,
    outlier: Mutex<Outlier>,
    /// Left out until then, in milliseconds.
    out_until: AtomicU64,
    /// Has asked for rest until then, in milliseconds.
    rest_until: AtomicU64,
}

/// How an endpoint is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Host and port, and the address where each is an endpoint of its own.
    pub name: Box<str>,
    /// Its share of the requests.
    pub weight: u32,
    /// Whether the health check is content, or there is none.
    pub healthy: bool,
    /// For how long it is left out because it failed.
    pub ejected_for: Option<Duration>,
    /// Requests under way.
    pub in_flight: usize,
    /// Requests since the start.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Connections.
    pub connections: usize,
    /// Those that are idle.
    pub idle: usize,
}

impl Endpoint {
    pub(crate) fn new(origin: usize, name: Box<str>, weight: u32, pool: Pool) -> Self {
        Self {
            origin,
            id: balance::hash(name.as_bytes()),
            name,
            weight,
            pool: Arc::new(pool),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
            probation: Mutex::default(),
            suspect: AtomicBool::new(false),
            outlier: Mutex::default(),
            out_until: AtomicU64::new(0),
            rest_until: AtomicU64::new(0),
        }
    }

    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it is well and wants work.
    pub(crate) fn is_usable(&self, now: Duration) -> bool {
        self.healthy.load(Ordering::Relaxed)
            && !self.is_ejected(now)
            && self.rest_until.load(Ordering::Relaxed) <= millis(now)
    }

    pub(crate) fn is_ejected(&self, now: Duration) -> bool {
        self.out_until.load(Ordering::Relaxed) > millis(now)
    }

    /// It has answered.
    pub(crate) fn succeed(&self) {
        if self.suspect.load(Ordering::Relaxed) {
            let mut outlier = self.outlier.lock().unwrap_or_else(PoisonError::into_inner);
            outlier.succeed();
            self.suspect.store(false, Ordering::Relaxed);
        }
    }

    /// It has failed. Whether that leaves it out; `may` is asked whether it can be spared only when that matters.
    pub(crate) fn fail(&self, settings: &EjectSettings, now: Duration, may: impl FnOnce() -> bool) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut outlier = self.outlier.lock().unwrap_or_else(PoisonError::into_inner);
        self.suspect.store(true, Ordering::Relaxed);
        let may = outlier.failures().saturating_add(1) >= settings.failures && may();
        let until = outlier.fail(settings, now, may);
        if let Some(until) = until {
            self.out_until.store(millis(until), Ordering::Relaxed);
        }
        until.is_some()
    }

    /// It has asked to be left alone.
    pub(crate) fn rest(&self, until: Duration) {
        self.rest_until.fetch_max(millis(until), Ordering::Relaxed);
    }

    /// What a health check has found. Whether that changed anything.
    pub(crate) fn observe(&self, well: bool, healthy: u32, unhealthy: u32) -> bool {
        let mut probation = self.probation.lock().unwrap_or_else(PoisonError::into_inner);
        let is = probation.observe(well, healthy, unhealthy);
        self.healthy.swap(is, Ordering::Relaxed) != is
    }

    pub(crate) fn status(&self, now: Duration) -> EndpointStatus {
        let (connections, idle) = self.pool.connections();
        let left = self.out_until.load(Ordering::Relaxed).saturating_sub(millis(now));
        EndpointStatus {
            name: self.name.clone(),
            weight: self.weight,
            healthy: self.healthy.load(Ordering::Relaxed),
            ejected_for: (left > 0).then(|| Duration::from_millis(left)),
            in_flight: self.in_flight(),
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            connections,
            idle,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
