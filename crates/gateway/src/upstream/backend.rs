//! An upstream: chooses an endpoint for each request, repeats what may be repeated, and learns from what comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum_core::body::Body;
use futures_util::future::{Either, join3, select};
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use palisade::until::Until;
use tokio::time::{Instant, sleep};

use super::balance::{self, Balance};
use super::budget::Budget;
use super::endpoint::{Endpoint, EndpointStatus};
use super::failure::{Failure, Unanswered};
use super::health;
use super::hold::Hold;
use super::limit::{Limit, Slot};
use super::members::{Choice, Members};
use super::places::Places;
use super::repeat::{Repeat, is_idempotent};
use super::settings::{Addresses, UpstreamSettings};
use super::trust::UpstreamError;

/// A backend with all of its endpoints. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: UpstreamSettings,
    places: Places,
    members: ArcSwap<Members>,
    began: Instant,
    /// Requests until now: the turn of the next one, and what the budget grows by.
    turns: AtomicU64,
    budget: Mutex<(Budget, u64)>,
    limit: Option<Arc<Limit>>,
}

/// What an upstream has to know of a request besides the request.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// How long there is.
    pub(crate) until: Option<Until>,
    /// What the endpoint depends on, where it depends on something.
    pub(crate) key: Option<u64>,
}

/// How an upstream is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// Its endpoints.
    pub endpoints: Vec<EndpointStatus>,
    /// How many requests may be under way and how many are, where that is bounded.
    pub concurrency: Option<(u32, u32)>,
}

impl Upstream {
    /// An upstream without connections.
    pub fn new(settings: UpstreamSettings) -> Result<Self, UpstreamError> {
        let places = Places::new(&settings)?;
        let members = Members::new(places.named(&settings));
        let limit = settings.concurrency.map(|concurrency| Arc::new(Limit::new(concurrency)));
        Ok(Self(Arc::new(Inner {
            places,
            members: ArcSwap::from_pointee(members),
            began: Instant::now(),
            turns: AtomicU64::new(0),
            budget: Mutex::new((Budget::new(settings.retry.budget), 0)),
            limit,
            settings,
        })))
    }

    /// How requests are spread.
    pub(crate) fn balance(&self) -> &Balance {
        &self.0.settings.balance
    }

    /// How the endpoints are.
    pub fn status(&self) -> UpstreamStatus {
        let now = self.0.began.elapsed();
        let endpoints = self.0.members.load().endpoints.iter().map(|endpoint| endpoint.status(now)).collect();
        UpstreamStatus { endpoints, concurrency: self.0.limit.as_ref().map(|limit| limit.status()) }
    }

    /// Sends a request to an endpoint, and once more where that is safe and affordable.
    pub(crate) async fn send(&self, request: Request<Body>, call: &Call) -> Result<Response<Body>, Failure> {
        let slot = match &self.0.limit {
            None => None,
            Some(limit) => Some(Arc::new(limit.enter()?)),
        };
        let turn = self.0.turns.fetch_add(1, Ordering::Relaxed);
        let job = Job { upstream: &self.0, call, slot, turn };
        let retry = &self.0.settings.retry;
        let sent = if retry.attempts > 1 || retry.hedge_after.is_some() {
            Box::pin(job.repeatedly(request)).await
        } else {
            let endpoint = job.choose(&[]).map_err(|unanswered| unanswered.failure)?;
            job.attempt(&endpoint, request, None).await
        };
        sent.map_err(|unanswered| unanswered.failure)
    }

    /// Asks the endpoints how they are, looks their names up again and closes idle connections, for as long as it is polled.
    pub async fn upkeep(self) {
        join3(self.check(), self.look_up(), self.sweep()).await;
    }

    async fn check(&self) {
        let Some(settings) = &self.0.settings.health else { return };
        loop {
            let members = self.0.members.load_full();
            health::check(&members.endpoints, settings).await;
            sleep(settings.interval).await;
        }
    }

    async fn look_up(&self) {
        if self.0.settings.addresses == Addresses::First || !self.0.places.has_name() {
            return;
        }
        loop {
            let members = self.0.members.load_full();
            let endpoints = self.0.places.addressed(&self.0.settings, &members.endpoints).await;
            let changed = endpoints.len() != members.endpoints.len()
                || endpoints.iter().zip(&members.endpoints).any(|(new, old)| !Arc::ptr_eq(new, old));
            if changed {
                self.0.members.store(Arc::new(Members::new(endpoints)));
            }
            sleep(self.0.settings.refresh).await;
        }
    }

    async fn sweep(&self) {
        loop {
            sleep(self.0.settings.pool.idle_timeout).await;
            for endpoint in &self.0.members.load_full().endpoints {
                endpoint.pool.sweep();
            }
        }
    }
}

/// One request on its way.
struct Job<'a> {
    upstream: &'a Inner,
    call: &'a Call,
    slot: Option<Arc<Slot>>,
    turn: u64,
}

impl Job<'_> {
    fn choose(&self, tried: &[Arc<Endpoint>]) -> Result<Arc<Endpoint>, Unanswered> {
        let settings = &self.upstream.settings;
        let choice = Choice {
            balance: &settings.balance,
            turn: self.turn.wrapping_add(tried.len() as u64),
            key: self.call.key,
            now: self.upstream.began.elapsed(),
            min_healthy: settings.min_healthy,
            tried,
        };
        let members = self.upstream.members.load();
        members.choose(&choice).cloned().ok_or_else(|| Unanswered::of(Failure::Nobody))
    }

    /// One try at one endpoint.
    async fn attempt(
        &self,
        endpoint: &Arc<Endpoint>,
        request: Request<Body>,
        most: Option<Duration>,
    ) -> Result<Response<Body>, Unanswered> {
        let trying = Trying { job: self, endpoint, began: Instant::now(), settled: false };
        let sending = endpoint.pool.send(request, Hold::new(endpoint, self.slot.clone()));
        let result = match most {
            None => sending.await,
            Some(most) => {
                let timed = tokio::time::timeout(most, sending).await;
                timed.unwrap_or_else(|_| Err(Unanswered::of(Failure::TryTimeout(most))))
            }
        };
        trying.settle(&result);
        result
    }

    /// As many tries as are allowed and useful.
    async fn repeatedly(&self, request: Request<Body>) -> Result<Response<Body>, Unanswered> {
        let retry = &self.upstream.settings.retry;
        let (mut request, repeat) = match is_idempotent(request.method()) {
            false => (request, None),
            true => Repeat::of(request).await.map_err(Unanswered::of)?,
        };
        // The time of a try runs while its request is sent, so that only a request that is here already can have one.
        let most = retry.try_timeout.filter(|_| repeat.is_some());
        let mut tried: Vec<Arc<Endpoint>> = Vec::new();
        loop {
            let endpoint = self.choose(&tried)?;
            let hedge = retry.hedge_after.filter(|_| tried.is_empty());
            tried.push(Arc::clone(&endpoint));
            let mut result = match (hedge, &repeat) {
                (Some(after), Some(repeat)) if repeat.is_read() => {
                    self.hedged(&mut tried, request, repeat, after, most).await
                }
                _ => self.attempt(&endpoint, request, most).await,
            };
            if tried.len() >= retry.attempts as usize || !self.may_repeat(&tried, &result) {
                return result;
            }
            let unsent = result.as_mut().err().and_then(|unanswered| unanswered.unsent.take());
            request = match (unsent, &repeat) {
                (Some(unsent), _) => *unsent,
                (None, Some(repeat)) => repeat.request(),
                (None, None) => return result,
            };
            if !self.upstream.may_spend(self.turn) {
                return result;
            }
            let now = self.upstream.began.elapsed();
            if !self.upstream.members.load().has_other(&tried, now) {
                sleep(self.backoff(tried.len())).await;
            }
        }
    }

    /// Asks a second endpoint when the first one takes long, and takes the first good answer.
    async fn hedged(
        &self,
        tried: &mut Vec<Arc<Endpoint>>,
        request: Request<Body>,
        repeat: &Repeat,
        after: Duration,
        most: Option<Duration>,
    ) -> Result<Response<Body>, Unanswered> {
        let Some(first) = tried.last().cloned() else { return Err(Unanswered::of(Failure::Nobody)) };
        let asked = std::pin::pin!(self.attempt(&first, request, most));
        let asked = match select(asked, std::pin::pin!(sleep(after))).await {
            Either::Left((result, _)) => return result,
            Either::Right(((), asked)) => asked,
        };
        let now = self.upstream.began.elapsed();
        if !self.upstream.members.load().has_other(tried, now) || !self.upstream.may_spend(self.turn) {
            return asked.await;
        }
        let second = self.choose(tried)?;
        tried.push(Arc::clone(&second));
        let also = std::pin::pin!(self.attempt(&second, repeat.request(), most));
        match select(asked, also).await {
            Either::Left((result, _)) | Either::Right((result, _)) if is_good(&result) => result,
            Either::Left((_, other)) => other.await,
            Either::Right((_, other)) => other.await,
        }
    }

    /// Whether another try could help and would not hurt.
    fn may_repeat(&self, tried: &[Arc<Endpoint>], result: &Result<Response<Body>, Unanswered>) -> bool {
        if self.call.until.as_ref().is_some_and(|until| until.left() < LEAST_TIME) {
            return false;
        }
        match result {
            Err(unanswered) => unanswered.failure.is_the_backends(),
            // Whoever asks to be left alone is; another endpoint may be asked.
            Ok(response) if is_unable(response.status()) => {
                let now = self.upstream.began.elapsed();
                !response.headers().contains_key(RETRY_AFTER) || self.upstream.members.load().has_other(tried, now)
            }
            Ok(_) => false,
        }
    }

    /// How long to wait before the same endpoint is asked again: longer each time, and not for all requests the same.
    fn backoff(&self, tries: usize) -> Duration {
        let most = FIRST_BACKOFF.saturating_mul(1 << tries.min(6));
        let share = u32::try_from(balance::mix(self.turn) % 512).unwrap_or_default();
        most * (512 + share) / 1024
    }
}

impl Inner {
    /// Takes one repetition out of the budget, if there is one.
    fn may_spend(&self, turn: u64) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let (account, seen) = &mut *budget;
        let requests = (turn + 1).saturating_sub(*seen);
        *seen = (*seen).max(turn + 1);
        account.withdraw(requests, self.began.elapsed())
    }

    fn note_failure(&self, endpoint: &Endpoint, reason: &str) {
        let now = self.began.elapsed();
        let members = self.members.load();
        let may = || {
            let out = members.endpoints.iter().filter(|endpoint| endpoint.is_ejected(now)).count();
            super::outlier::may_eject(out, members.endpoints.len(), self.settings.eject.max_ejected)
        };
        if endpoint.fail(&self.settings.eject, now, may) {
            tracing::warn!(endpoint = %endpoint.name, reason, "an endpoint has failed too often and is left out");
        }
    }
}

/// A try whose end is not known yet. When it is given up because the time is over, that was the endpoint's fault.
struct Trying<'a> {
    job: &'a Job<'a>,
    endpoint: &'a Endpoint,
    began: Instant,
    settled: bool,
}

impl Trying<'_> {
    fn settle(mut self, result: &Result<Response<Body>, Unanswered>) {
        self.settled = true;
        match result {
            Ok(response) => {
                self.answered();
                if is_unable(response.status()) {
                    self.job.upstream.note_failure(self.endpoint, response.status().as_str());
                    if let Some(rest) = rest(response) {
                        self.endpoint.rest(self.job.upstream.began.elapsed() + rest);
                    }
                } else {
                    self.endpoint.succeed();
                }
            }
            Err(unanswered) if unanswered.failure.is_the_backends() => {
                self.answered();
                self.job.upstream.note_failure(self.endpoint, &unanswered.failure.reason());
            }
            Err(_) => {}
        }
    }

    fn answered(&self) {
        if let Some(slot) = &self.job.slot {
            slot.answered(self.began.elapsed());
        }
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if !self.settled && self.job.call.until.as_ref().is_some_and(Until::is_over) {
            self.answered();
            self.job.upstream.note_failure(self.endpoint, "no answer in time");
        }
    }
}

/// Whether the backend, or what is in front of it, was not able to answer. An error of the program itself does not count:
/// a request that provokes one would provoke it everywhere, and could be sent to have all endpoints left out.
fn is_unable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

fn is_good(result: &Result<Response<Body>, Unanswered>) -> bool {
    result.as_ref().is_ok_and(|response| !is_unable(response.status()))
}

/// For how long the backend asks to be left alone, in the form that is a number of seconds.
fn rest(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_REST))
}

const FIRST_BACKOFF: Duration = Duration::from_millis(25);
const LEAST_TIME: Duration = Duration::from_millis(10);
/// A backend cannot put itself out of service for longer by one header.
const MOST_REST: Duration = Duration::from_secs(60);
