//! Limits that are taken in batches: fewer questions to a shared store, for a bound that is a little looser.
//!
//! A gateway takes a batch of a budget at once and grants requests from it until it is used up; what it has not used
//! after one window lapses. With `n` gateways, of which none holds more than one batch of a budget,
//!
//! - in any span of time at most `n` batches more are granted than the limit says: those that were taken before it;
//! - a caller may be refused while the other gateways still hold up to `n - 1` batches.
//!
//! A batch is a share of the limit's burst. Nothing is lent for sliding windows, whose promise is exact, for requests that
//! cost a batch or more, and when the budget has no whole batch left: those are asked one by one. A refusal is remembered
//! until the moment that it names, so that a flood of refused requests does not reach the store.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::counter::{Acquired, Algorithm, Ask, Rate};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;

/// Counts in batches that it takes from another store.
///
/// ```
/// use std::{num::NonZeroU32, sync::Arc, time::Duration};
/// use palisade_core::port::counter::Rate;
/// use palisade_store::{lease::Leased, memory::MemoryCounters};
///
/// // Twenty gateways let at most 20 x 50 requests more pass than the thousand of an hour.
/// let leased = Leased::new(Arc::new(MemoryCounters::default()), 5);
/// let rate = Rate { burst: NonZeroU32::new(1000).unwrap(), per: Duration::from_secs(3600) };
/// assert_eq!(leased.batch(rate).get(), 50);
/// ```
pub struct Leased {
    store: Arc<dyn CounterStore>,
    percent: u32,
    parts: [Mutex<Part>; PARTS],
    hashers: [RandomState; 2],
}

#[derive(Debug, Default)]
struct Part {
    leases: HashMap<u128, Lease>,
    /// When lapsed leases may be looked for again.
    swept: Timestamp,
}

/// What this gateway holds of one budget, and knows of it.
#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    /// Units that may be granted here.
    left: u32,
    /// When they lapse.
    until: Timestamp,
    /// What the store had left, and when its budget would be full.
    rest: (u32, Duration),
    /// A batch is on its way: another is not taken.
    is_asked: bool,
    /// Until when the budget has no whole batch.
    scarce_until: Timestamp,
    /// Until when the budget has nothing, and for which cost that was said.
    refused: Option<(Timestamp, NonZeroU32)>,
}

/// How one ask is answered.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// By the store, for what the request costs.
    Exact,
    /// By the store, for a batch.
    Fetch(NonZeroU32),
    /// From the lease.
    Here(Acquired),
    /// Not at all: it was refused a moment ago.
    Refused(Duration),
}

impl Leased {
    /// Takes this share of each limit at once, in percent, at most half of it.
    pub fn new(store: Arc<dyn CounterStore>, percent: u32) -> Self {
        Self {
            store,
            percent: percent.clamp(1, 50),
            parts: std::array::from_fn(|_| Mutex::default()),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// How many units of a limit are taken at once.
    pub fn batch(&self, rate: Rate) -> NonZeroU32 {
        let share = u64::from(rate.burst.get()) * u64::from(self.percent) / 100;
        u32::try_from(share).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    fn digest(&self, ask: &Ask<'_>) -> u128 {
        let named = (ask.key, ask.rate.burst, ask.rate.per);
        let [high, low] = &self.hashers;
        u128::from(high.hash_one(named)) << 64 | u128::from(low.hash_one(named))
    }

    #[expect(clippy::indexing_slicing, reason = "the index is a remainder by PARTS")]
    fn part(&self, digest: u128) -> MutexGuard<'_, Part> {
        // Every change below is complete before the next statement that could panic, so a poisoned part is still whole.
        self.parts[(digest % PARTS as u128) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides how an ask is answered, and takes what it needs from the lease.
    fn turn(&self, digest: u128, ask: &Ask<'_>, now: Timestamp) -> Turn {
        let batch = self.batch(ask.rate);
        if ask.algorithm != Algorithm::Gcra || batch <= ask.cost {
            return Turn::Exact;
        }
        let mut part = self.part(digest);
        let Some(lease) = part.lease(digest, now) else { return Turn::Exact };
        // A clock that was set back must not lock a key for longer than one window.
        let at_most = now.plus(ask.rate.per);
        if lease.until <= now || lease.until > at_most {
            lease.left = 0;
        }
        if let Some(left) = lease.left.checked_sub(ask.cost.get()) {
            lease.left = left;
            let (remaining, reset) = lease.rest;
            return Turn::Here(Acquired::Granted { remaining: remaining.saturating_add(left), reset });
        }
        match lease.refused {
            Some((until, cost)) if until > now && until <= at_most && cost <= ask.cost => {
                return Turn::Refused(until.since(now));
            }
            _ => {}
        }
        if lease.is_asked || (lease.scarce_until > now && lease.scarce_until <= at_most) {
            return Turn::Exact;
        }
        lease.is_asked = true;
        Turn::Fetch(batch)
    }

    fn turns<'l>(&'l self, asks: &[Ask<'_>], now: Timestamp) -> Held<'l> {
        let mut held = Held { leased: self, turns: Vec::with_capacity(asks.len()), is_kept: false };
        for ask in asks {
            let digest = self.digest(ask);
            let turn = self.turn(digest, ask, now);
            held.turns.push((digest, turn, ask.cost.get(), self.batch(ask.rate).get()));
        }
        held
    }
}

impl std::fmt::Debug for Leased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leased").field("percent", &self.percent).finish_non_exhaustive()
    }
}

impl Part {
    /// The lease of a key. `None` if there is no room for a new one.
    fn lease(&mut self, digest: u128, now: Timestamp) -> Option<&mut Lease> {
        if self.leases.len() >= KEYS && !self.leases.contains_key(&digest) {
            if self.swept <= now && now <= self.swept.plus(SWEEP) {
                return None;
            }
            self.swept = now;
            let is_refused = |lease: &Lease| lease.refused.is_some_and(|(until, _)| until > now);
            self.leases.retain(|_, lease| {
                lease.is_asked || (lease.left > 0 && lease.until > now) || lease.scarce_until > now || is_refused(lease)
            });
            if self.leases.len() >= KEYS {
                return None;
            }
        }
        Some(self.leases.entry(digest).or_default())
    }
}

/// What the asks of one call have taken from their leases. Unless it is kept it goes back, also when the call is given up.
struct Held<'l> {
    leased: &'l Leased,
    /// The lease, the turn, the cost, and the size of a batch.
    turns: Vec<(u128, Turn, u32, u32)>,
    is_kept: bool,
}

impl Held<'_> {
    /// Whether the call can be answered without the store; the outcomes are written then.
    fn answers(&mut self, asks: &mut [Ask<'_>]) -> bool {
        let is_refused = self.turns.iter().any(|(_, turn, ..)| matches!(turn, Turn::Refused(_)));
        let is_here = self.turns.iter().all(|(_, turn, ..)| matches!(turn, Turn::Here(_)));
        for (ask, (_, turn, ..)) in asks.iter_mut().zip(&self.turns) {
            ask.outcome = match turn {
                Turn::Here(outcome) => *outcome,
                Turn::Refused(retry_after) => Acquired::Refused { retry_after: *retry_after },
                // Not asked, because another one is refused: nothing stands against it, and nothing is taken.
                Turn::Exact | Turn::Fetch(_) => Acquired::Granted { remaining: 0, reset: Duration::ZERO },
            };
        }
        self.is_kept = is_here;
        is_here || is_refused
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for (digest, turn, cost, batch) in &self.turns {
            let mut part = self.leased.part(*digest);
            let Some(lease) = part.leases.get_mut(digest) else { continue };
            match turn {
                Turn::Fetch(_) => lease.is_asked = false,
                // A lease is never more than one batch: what was lent meanwhile comes first.
                Turn::Here(_) if !self.is_kept => lease.left = lease.left.saturating_add(*cost).min(*batch),
                Turn::Exact | Turn::Here(_) | Turn::Refused(_) => {}
            }
        }
    }
}

#[async_trait]
impl CounterStore for Leased {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        let mut held = self.turns(asks, now);
        if held.answers(asks) {
            return Ok(());
        }
        let is_here = |turn: &Turn| matches!(turn, Turn::Here(_));
        let mut open: Vec<(usize, Ask<'_>)> = Vec::with_capacity(asks.len());
        for (index, (ask, (_, turn, ..))) in asks.iter().zip(&held.turns).enumerate() {
            match turn {
                Turn::Fetch(batch) => open.push((index, Ask { cost: *batch, ..*ask })),
                turn if is_here(turn) => {}
                _ => open.push((index, *ask)),
            }
        }
        let mut batches: Vec<Ask<'_>> = open.iter().map(|(_, ask)| *ask).collect();
        self.store.acquire_all(&mut batches, now).await?;
        let has_fetched = batches.iter().all(|ask| ask.outcome.is_granted());
        let has_batch = held.turns.iter().any(|(_, turn, ..)| matches!(turn, Turn::Fetch(_)));
        let mut answered = batches;
        if !has_fetched && has_batch {
            // The budget has no whole batch: for a while it is asked for what is needed.
            for ((index, _), batch) in open.iter().zip(&mut answered) {
                let (Some(ask), Some((digest, turn, ..))) = (asks.get(*index), held.turns.get(*index)) else {
                    continue;
                };
                if let (Turn::Fetch(_), Acquired::Refused { retry_after }) = (turn, batch.outcome)
                    && let Some(lease) = self.part(*digest).leases.get_mut(digest)
                {
                    lease.scarce_until = now.plus(retry_after.min(ask.rate.per));
                }
                *batch = *ask;
            }
            self.store.acquire_all(&mut answered, now).await?;
        }
        let is_granted = answered.iter().all(|ask| ask.outcome.is_granted());
        for ((index, _), answer) in open.iter().zip(&answered) {
            let (Some(ask), Some((digest, turn, ..))) = (asks.get_mut(*index), held.turns.get(*index)) else {
                continue;
            };
            ask.outcome = answer.outcome;
            let mut part = self.part(*digest);
            let Some(lease) = part.leases.get_mut(digest) else { continue };
            match (turn, answer.outcome) {
                (Turn::Fetch(batch), Acquired::Granted { remaining, reset }) if has_fetched => {
                    let gained = batch.get().saturating_sub(ask.cost.get());
                    lease.left = lease.left.saturating_add(gained).min(batch.get());
                    lease.until = now.plus(ask.rate.per);
                    lease.rest = (remaining, reset);
                    lease.refused = None;
                    ask.outcome = Acquired::Granted { remaining: remaining.saturating_add(lease.left), reset };
                }
                (_, Acquired::Refused { retry_after }) if ask.algorithm == Algorithm::Gcra => {
                    lease.refused = Some((now.plus(retry_after), ask.cost));
                }
                _ => {}
            }
        }
        held.is_kept = is_granted;
        Ok(())
    }

    fn acquire_all_now(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Option<Result<(), StoreError>> {
        if let [ask] = asks {
            // The common case, without a list.
            let digest = self.digest(ask);
            let turn = self.turn(digest, ask, now);
            ask.outcome = match turn {
                Turn::Here(outcome) => outcome,
                Turn::Refused(retry_after) => Acquired::Refused { retry_after },
                Turn::Exact => return None,
                Turn::Fetch(_) => {
                    self.part(digest).leases.entry(digest).or_default().is_asked = false;
                    return None;
                }
            };
            return Some(Ok(()));
        }
        self.turns(asks, now).answers(asks).then_some(Ok(()))
    }
}

/// How many locks there are.
const PARTS: usize = 16;

/// For how many keys one part lends: more are asked one by one.
const KEYS: usize = 4096;

/// How long a full part is left alone after lapsed leases were looked for.
const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
