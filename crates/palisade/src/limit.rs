//! Asks a store for budgets, and does what follows: pass, refuse, tell the caller what is left, go on without the store.
//!
//! 1. All limits of a request are asked at once: each must hold, and a refusal by one takes nothing from the others.
//! 2. A store that can answer at once is asked without waiting; another one has 100 milliseconds.
//! 3. When it fails or is late, each limit's own choice holds: refuse, count in this process, or let pass. For the next
//!    second it is not asked again; then one request tries.
//! 4. An outage makes an event at its beginning, every ten seconds, and at its end, not one for each request.
//!
//! What is left is told in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). There is no `pk`:
//! each caller hears of its own budget only, and how callers are told apart is nobody's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::{Limit, LimitBy, Operation};
use palisade_core::port::counter::{Acquired, Ask, Holder, Ipv6Prefix, LimitKey};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::stage::StageId;
use tokio::time::{Instant, timeout};

pub use palisade_core::operation::OnFailure;

use crate::facts::Facts;
use crate::stage::{Head, Stop, Verdict};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How long a store may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a store that has failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// How often an outage is told of.
const REPEAT: Duration = Duration::from_secs(10);

/// Where a stage counts.
#[derive(Clone)]
pub(crate) struct Counters {
    store: Arc<dyn CounterStore>,
    local: Option<Arc<dyn CounterStore>>,
    patience: Duration,
    prefix: Ipv6Prefix,
    outage: Arc<Outage>,
}

/// The limits that a request has to pass.
pub(crate) enum Rules<'r> {
    /// Those of an operation.
    Operation(Arc<Operation>),
    /// That of browsers' reports.
    Reports(&'r RouteRules),
    /// Those of a route.
    Route(&'r RouteRules),
}

/// The limits of a route, and what is told of them.
#[derive(Clone, Debug)]
pub(crate) struct RouteRules {
    limits: Vec<Limit>,
    /// How many of them, from the first, are the same budgets on every route.
    shared: usize,
    policy: Option<HeaderValue>,
}

impl RouteRules {
    /// The limits of one route behind those that all routes share.
    pub(crate) fn new(shared: &[Limit], own: &[Limit]) -> Self {
        let limits = [shared, own].concat();
        let policy = policy(StageId::Throttle, &limits);
        Self { limits, shared: shared.len(), policy }
    }

    /// The limit of browsers' reports.
    pub(crate) fn reports(limit: Limit) -> Self {
        let limits = vec![limit];
        let policy = policy(StageId::Report, &limits);
        Self { limits, shared: 0, policy }
    }

    pub(crate) fn limits(&self) -> &[Limit] {
        &self.limits
    }
}

impl Rules<'_> {
    fn limits(&self) -> &[Limit] {
        match self {
            Self::Operation(operation) => &operation.limits,
            Self::Reports(rules) | Self::Route(rules) => &rules.limits,
        }
    }

    fn stage(&self) -> StageId {
        match self {
            Self::Operation(_) => StageId::Quota,
            Self::Reports(_) => StageId::Report,
            Self::Route(_) => StageId::Throttle,
        }
    }

    fn code(&self) -> DenialCode {
        match self {
            Self::Operation(_) => DenialCode::QuotaExhausted,
            Self::Reports(_) | Self::Route(_) => DenialCode::Throttled,
        }
    }

    fn policy(&self) -> Option<HeaderValue> {
        match self {
            Self::Operation(operation) => policy(StageId::Quota, &operation.limits),
            Self::Reports(rules) | Self::Route(rules) => rules.policy.clone(),
        }
    }

    /// What is asked of the store for one of the limits.
    fn ask<'k>(&'k self, index: usize, limit: &Limit, facts: &'k Facts, prefix: Ipv6Prefix) -> Ask<'k> {
        let route = facts.route.as_ref().map_or("-", |route| route.name.as_str());
        let rule = match self {
            Self::Operation(operation) => ["quota", route, operation.id.as_str()],
            Self::Reports(_) => ["report", "", ""],
            Self::Route(rules) if index < rules.shared => ["throttle", "", "everywhere"],
            Self::Route(_) => ["throttle", route, ""],
        };
        let key = LimitKey { rule, index, holder: holder(limit.by, facts, prefix) };
        Ask { algorithm: limit.algorithm, cost: limit.units(), ..Ask::new(key, limit.rate()) }
    }
}

/// Whose budget it is.
fn holder(by: LimitBy, facts: &Facts, prefix: Ipv6Prefix) -> Holder<'_> {
    let principal = &facts.principal;
    match (by, principal.tenant()) {
        (LimitBy::All, _) => Holder::All,
        (LimitBy::Tenant, Some(tenant)) => Holder::Tenant(tenant),
        (LimitBy::Principal | LimitBy::Tenant, tenant) if principal.subject().id().is_some() => {
            Holder::Principal(tenant, principal.subject())
        }
        _ => Holder::client(facts.client, prefix),
    }
}

impl Counters {
    pub(crate) fn new(store: Arc<dyn CounterStore>) -> Self {
        Self { store, local: None, patience: PATIENCE, prefix: Ipv6Prefix::default(), outage: Arc::default() }
    }

    pub(crate) fn local(self, local: Arc<dyn CounterStore>) -> Self {
        Self { local: Some(local), ..self }
    }

    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn prefix(self, prefix: Ipv6Prefix) -> Self {
        Self { prefix, ..self }
    }

    /// Takes what the request needs out of all its budgets, or says why it goes no further.
    pub(crate) fn spend<'a>(&'a self, head: &'a mut Head, rules: Rules<'a>) -> Verdict<'a> {
        // The common case: one limit, and a store that answers at once. Nothing is allocated for the question.
        if let [limit] = rules.limits() {
            let mut ask = rules.ask(0, limit, &head.facts, self.prefix);
            if let Some(Ok(())) = self.store.acquire_all_now(std::slice::from_mut(&mut ask), head.facts.received) {
                let outcome = [(0, ask.outcome)];
                return Verdict::Now(settle(head, &rules, &outcome));
            }
        } else if rules.limits().is_empty() {
            return Verdict::PASS;
        } else {
            let mut asks = self.asks(&rules, &head.facts, |_| true);
            if let Some(Ok(())) = self.store.acquire_all_now(&mut asks, head.facts.received) {
                let outcomes = outcomes(&asks);
                return Verdict::Now(settle(head, &rules, &outcomes));
            }
        }
        Verdict::Later(Box::pin(self.wait(head, rules)))
    }

    async fn wait(&self, head: &mut Head, rules: Rules<'_>) -> Result<(), Stop> {
        if !self.outage.may_ask() {
            return self.without_store(head, &rules, "the store has failed a moment ago");
        }
        let mut asks = self.asks(&rules, &head.facts, |_| true);
        let error = match timeout(self.patience, self.store.acquire_all(&mut asks, head.facts.received)).await {
            Ok(Ok(())) => {
                let outcomes = outcomes(&asks);
                if let Some(missed) = self.outage.end() {
                    tell_outage(head, rules.stage(), "the store answers again", "recovered", missed);
                }
                return settle(head, &rules, &outcomes);
            }
            Ok(Err(error)) => error,
            Err(_) => StoreError::Unreachable { reason: format!("no answer within {:?}", self.patience) },
        };
        drop(asks);
        self.outage.begin();
        self.without_store(head, &rules, &error.to_string())
    }

    /// Each limit's own choice.
    fn without_store(&self, head: &mut Head, rules: &Rules<'_>, error: &str) -> Result<(), Stop> {
        let has = |choice| rules.limits().iter().any(|limit| limit.on_failure == choice);
        let local = self.local.as_ref().filter(|_| has(OnFailure::Local));
        if has(OnFailure::Deny) || (has(OnFailure::Local) && local.is_none()) {
            return Err(Denial::new(DenialCode::Unavailable, rules.stage()).because("error", error).into());
        }
        let effect = if has(OnFailure::Allow) { "allowed" } else { "counted_locally" };
        if let Some(missed) = self.outage.miss() {
            tell_outage(head, rules.stage(), error, effect, missed);
        }
        let Some(local) = local else { return Ok(()) };
        let mut asks = self.asks(rules, &head.facts, |limit| limit.on_failure == OnFailure::Local);
        match local.acquire_all_now(&mut asks, head.facts.received) {
            Some(Ok(())) => {
                let outcomes = outcomes(&asks);
                settle(head, rules, &outcomes)
            }
            _ => Err(Denial::new(DenialCode::Unavailable, rules.stage()).because("error", error).into()),
        }
    }

    fn asks<'k>(&self, rules: &'k Rules<'_>, facts: &'k Facts, which: impl Fn(&Limit) -> bool) -> Vec<Ask<'k>> {
        let limits = rules.limits().iter().enumerate().filter(|(_, limit)| which(limit));
        limits.map(|(index, limit)| rules.ask(index, limit, facts, self.prefix)).collect()
    }
}

/// What came of each ask, by the place of its limit.
fn outcomes(asks: &[Ask<'_>]) -> Vec<(usize, Acquired)> {
    asks.iter().map(|ask| (ask.key.index, ask.outcome)).collect()
}

/// What follows from the store's answers.
fn settle(head: &mut Head, rules: &Rules<'_>, outcomes: &[(usize, Acquired)]) -> Result<(), Stop> {
    let stage = rules.stage();
    let waits = outcomes.iter().filter_map(|(index, outcome)| match outcome {
        Acquired::Granted { .. } => None,
        Acquired::Refused { retry_after } => Some((*retry_after, *index)),
    });
    // All have to be waited for, so the longest counts.
    let longest = waits.max();
    let refused = longest.is_some();
    let mut state = Items::default();
    for (index, outcome) in outcomes {
        let (remaining, reset) = match outcome {
            Acquired::Granted { remaining, reset } if !refused => (*remaining, *reset),
            // Nothing was taken here after all; what is left is not worth a second question.
            Acquired::Granted { .. } => continue,
            Acquired::Refused { retry_after } => (0, *retry_after),
        };
        state.item(stage, *index);
        state.member(";r=", remaining.into());
        state.member(";t=", secs(reset));
    }
    if let (Some(policy), Some(state)) = (rules.policy(), state.header()) {
        head.plan.list(RATELIMIT_POLICY, policy);
        head.plan.list(RATELIMIT, state);
    }
    let Some((retry_after, index)) = longest else { return Ok(()) };
    let denial = Denial::new(rules.code(), stage).retry_after(retry_after);
    Err(match rules.limits().get(index) {
        None => denial,
        Some(limit) => denial.because("limit", describe(limit)),
    }
    .into())
}

/// `"throttle";q=100;w=1, "throttle-2";q=1000;w=3600`.
fn policy(stage: StageId, limits: &[Limit]) -> Option<HeaderValue> {
    let mut policy = Items::default();
    for (index, limit) in limits.iter().enumerate() {
        policy.item(stage, index);
        policy.member(";q=", limit.requests.into());
        policy.member(";w=", secs(limit.per).max(1));
    }
    policy.header()
}

/// A list of items with parameters (RFC 9651 section 3.1), in the making.
#[derive(Default)]
struct Items(String);

impl Items {
    /// Begins the item of a stage's limit.
    fn item(&mut self, stage: StageId, index: usize) {
        if self.0.is_empty() {
            self.0.reserve(48);
        } else {
            self.0.push_str(", ");
        }
        self.0.push('"');
        self.0.push_str(stage.as_str());
        if index > 0 {
            self.member("-", index as u64 + 1);
        }
        self.0.push('"');
    }

    /// A parameter whose value is a whole number.
    fn member(&mut self, name: &str, value: u64) {
        self.0.push_str(name);
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    /// The list, unless it is empty.
    fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok().filter(|value| !value.is_empty())
    }
}

/// Seconds, rounded up: who waits less comes too early.
fn secs(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_millis() > 0)
}

fn describe(limit: &Limit) -> String {
    let by = match limit.by {
        LimitBy::All => "all",
        LimitBy::Client => "client",
        LimitBy::Principal => "principal",
        LimitBy::Tenant => "tenant",
    };
    format!("{} in {:?} by {by}", limit.requests, limit.per)
}

fn tell_outage(head: &mut Head, stage: StageId, error: &str, effect: &str, missed: u64) {
    let missed = missed.to_string();
    let evidence = [("stage", stage.as_str()), ("error", error), ("effect", effect), ("requests", missed.as_str())];
    head.facts.note(EventKind::ServiceFailed, &evidence);
}

/// Whether the store is out of order, and what has been told of it.
#[derive(Debug, Default)]
struct Outage {
    /// Looked at for every request; the rest only when it is set.
    lasts: AtomicBool,
    state: Mutex<OutageState>,
}

#[derive(Debug, Default)]
struct OutageState {
    /// When one request may try again.
    retry_at: Option<Instant>,
    /// When it was told of.
    told: Option<Instant>,
    /// Requests that passed without the store since then.
    missed: u64,
}

impl Outage {
    fn state(&self) -> std::sync::MutexGuard<'_, OutageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request may ask the store: in an outage one in a while.
    fn may_ask(&self) -> bool {
        if !self.lasts.load(Ordering::Relaxed) {
            return true;
        }
        let (mut state, now) = (self.state(), Instant::now());
        let may = state.retry_at.is_none_or(|at| now >= at);
        if may {
            state.retry_at = Some(now + PAUSE);
        }
        may
    }

    fn begin(&self) {
        self.state().retry_at = Some(Instant::now() + PAUSE);
        self.lasts.store(true, Ordering::Relaxed);
    }

    /// Counts a request that passes without the store. How many there were, if it is time to tell.
    fn miss(&self) -> Option<u64> {
        let (mut state, now) = (self.state(), Instant::now());
        state.missed += 1;
        if state.told.is_some_and(|told| now < told + REPEAT) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.missed))
    }

    /// The store has answered. How many requests had passed without it and were not told of, if there was an outage that
    /// was told of.
    fn end(&self) -> Option<u64> {
        if !self.lasts.swap(false, Ordering::Relaxed) {
            return None;
        }
        let state = std::mem::take(&mut *self.state());
        state.told.map(|_| state.missed)
    }
}
