//! Rate limits in Redis: the script takes the steps, and what it has found makes the answers.

use async_trait::async_trait;
use palisade_core::port::counter::{Algorithm, Ask, Tally};
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;

use super::RedisStore;
use crate::digest;

#[async_trait]
impl CounterStore for RedisStore {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        if asks.is_empty() {
            return Ok(());
        }
        let mut call = self.acquire.prepare_invoke();
        call.arg(self.moment.named(now).map_or_else(String::new, |now| now.as_millis().to_string()));
        for ask in asks.iter() {
            call.key(format!("palisade:count:{}", digest::of_ask(ask)));
            let interval = ask.rate.interval_nanos();
            let window = interval * u64::from(ask.rate.burst.get());
            let increment = interval.saturating_mul(ask.cost.get().into());
            call.arg(match ask.algorithm {
                Algorithm::Gcra => "g",
                Algorithm::SlidingWindow => "w",
            });
            call.arg(ask.rate.per_millis()).arg(ask.rate.burst.get()).arg(ask.cost.get());
            for nanos in [window, increment] {
                call.arg(nanos / MILLISECOND).arg(nanos % MILLISECOND);
            }
        }
        let reply: Vec<String> = self.call(&call).await?;
        answer(asks, &reply).ok_or_else(|| StoreError::Damaged { reason: format!("an answer that is none: {reply:?}") })
    }
}

/// Writes the outcomes. `None` if the answer cannot be understood, or says something else than the steps do.
fn answer(asks: &mut [Ask<'_>], reply: &[String]) -> Option<()> {
    let [verdict, now, kept @ ..] = reply else { return None };
    let now = Timestamp::from_millis(now.parse().ok()?);
    if kept.len() != asks.len() {
        return None;
    }
    for (ask, kept) in asks.iter_mut().zip(kept) {
        let kept = if kept.is_empty() { None } else { Some(tally(kept, ask.algorithm)?) };
        ask.outcome = ask.step(kept, now).outcome;
    }
    let is_granted = asks.iter().all(|ask| ask.outcome.is_granted());
    (is_granted == (verdict == "granted")).then_some(())
}

/// What the script has kept: three numbers, for GCRA the first two of them one moment.
fn tally(text: &str, algorithm: Algorithm) -> Option<Tally> {
    let mut numbers = text.split(' ').map(str::parse::<u64>);
    let (Some(Ok(first)), Some(Ok(second)), Some(Ok(third)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    match algorithm {
        Algorithm::Gcra => Some(Tally { at: first.checked_mul(MILLISECOND)?.checked_add(second)?, ..Tally::default() }),
        Algorithm::SlidingWindow => {
            Some(Tally { at: first, previous: second.try_into().ok()?, current: third.try_into().ok()? })
        }
    }
}

/// A millisecond in nanoseconds.
const MILLISECOND: u64 = 1_000_000;
