//! What is granted out of leases, and how far beyond the limit that can be.

use std::sync::atomic::{AtomicUsize, Ordering};

use palisade_core::port::counter::LimitKey;
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::*;
use crate::memory::MemoryCounters;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

/// A store that counts its calls.
#[derive(Default)]
struct Counted(MemoryCounters, AtomicUsize);

#[async_trait]
impl CounterStore for Counted {
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.acquire_all(asks, now).await
    }
}

fn rate(burst: u32, per: u64) -> Rate {
    Rate { burst: burst.try_into().unwrap(), per: Duration::from_millis(per) }
}

fn gateways(percent: u32) -> (Arc<Counted>, [Leased; 3]) {
    let store = Arc::new(Counted::default());
    let leased = std::array::from_fn(|_| Leased::new(Arc::<Counted>::clone(&store), percent));
    (store, leased)
}

fn ask(gateway: &Leased, asks: &mut [Ask<'_>], now: Timestamp) {
    if gateway.acquire_all_now(asks, now).is_none() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(gateway.acquire_all(asks, now)).unwrap();
    }
}

proptest! {
    #[test]
    fn three_gateways_grant_three_batches_too_many_at_most(
        calls in prop::collection::vec((0_usize..3, 0_u64..120, 1_u32..5, any::<bool>()), 1..300),
        burst in 10_u32..60, percent in 1_u32..50,
    ) {
        let (_, gateways) = gateways(percent);
        let (rate, mut now, mut granted) = (rate(burst, 1_000), NOW.as_millis(), Vec::new());
        // A second limit, which refuses now and then, so that what was taken for the first goes back.
        let strict = Rate { burst: 3.try_into().unwrap(), per: Duration::from_millis(200) };
        for (gateway, gap, cost, is_paired) in calls {
            now += gap;
            let cost = NonZeroU32::new(cost).unwrap();
            let first = Ask { cost, ..Ask::new(LimitKey::new("r", "a"), rate) };
            let second = Ask::new(LimitKey::new("r", "b"), strict);
            let mut asks = if is_paired { vec![first, second] } else { vec![first] };
            ask(&gateways[gateway], &mut asks, Timestamp::from_millis(now));
            if asks.iter().all(|ask| ask.outcome.is_granted()) {
                granted.push((now, u64::from(cost.get())));
            }
            for gateway in &gateways {
                for part in &gateway.parts {
                    for lease in part.lock().unwrap().leases.values() {
                        prop_assert!(lease.left <= gateway.batch(rate).get() && !lease.is_asked);
                    }
                }
            }
        }
        let surplus = 3 * u64::from(gateways[0].batch(rate).get());
        for (index, (from, _)) in granted.iter().enumerate() {
            let mut units = 0;
            for (to, cost) in &granted[index..] {
                units += cost;
                let nanos = (units.saturating_sub(surplus)) * rate.interval_nanos();
                let window = rate.interval_nanos() * u64::from(burst);
                prop_assert!(nanos <= window + (to - from) * 1_000_000, "{units} units in {} ms", to - from);
            }
        }
    }
}

#[test]
fn a_limit_is_used_up_exactly_and_seldom_asked_for() {
    let (store, gateways) = gateways(5);
    let mut granted = 0;
    for turn in 0..3_000 {
        let mut asks = [Ask::new(LimitKey::new("r", "a"), rate(1_000, 3_600_000))];
        ask(&gateways[turn % 3], &mut asks, NOW);
        granted += usize::from(asks[0].outcome.is_granted());
    }
    assert_eq!(granted, 1_000);
    // Twenty batches, and for each gateway one in vain, one for what it needs, and none for the flood after that.
    let calls = store.1.load(Ordering::SeqCst);
    assert!((20..=26).contains(&calls), "{calls}");
}

#[test]
fn what_is_not_used_lapses_after_a_window() {
    let (store, [gateway, ..]) = gateways(50);
    let one = |now| {
        let mut asks = [Ask::new(LimitKey::new("r", "a"), rate(10, 60_000))];
        ask(&gateway, &mut asks, now);
        assert!(asks[0].outcome.is_granted());
        store.1.load(Ordering::SeqCst)
    };
    assert_eq!((one(NOW), one(NOW)), (1, 1));
    assert_eq!(one(NOW.plus(Duration::from_millis(59_999))), 1);
    assert_eq!(one(NOW.plus(Duration::from_secs(60))), 2);
}

#[test]
fn a_call_that_is_given_up_gives_back_what_it_took() {
    let (_, [gateway, ..]) = gateways(50);
    let asks =
        || [Ask::new(LimitKey::new("r", "a"), rate(10, 60_000)), Ask::new(LimitKey::new("r", "b"), rate(10, 60_000))];
    let mut first = [asks()[0]];
    ask(&gateway, &mut first, NOW);
    drop(gateway.turns(&asks(), NOW));
    let left = |ask: &Ask<'_>| gateway.part(gateway.digest(ask)).leases[&gateway.digest(ask)];
    assert_eq!(left(&asks()[0]).left, 4);
    assert!(!left(&asks()[1]).is_asked);
}

#[test]
fn windows_are_counted_exactly() {
    let (store, [gateway, ..]) = gateways(50);
    for _ in 0..10 {
        let windowed =
            Ask { algorithm: Algorithm::SlidingWindow, ..Ask::new(LimitKey::new("r", "a"), rate(100, 60_000)) };
        ask(&gateway, &mut [windowed], NOW);
    }
    assert_eq!(store.1.load(Ordering::SeqCst), 10);
}
