//! What a connection is doing: requests under way, the place between two of them, writes that nobody takes.
//!
//! The parts of a connection write it down as they go, without a lock or a clock, and its driver looks from time to time
//! ([`super::http`]): so a request costs a few counts, and a connection is found idle a moment late.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What one connection is doing. All of it happens in tasks that one worker runs, so that no order has to be kept.
#[derive(Debug, Default)]
pub(super) struct Activity {
    under_way: AtomicUsize,
    begun: AtomicU64,
    is_between: AtomicBool,
    is_last: AtomicBool,
    is_blocked: AtomicBool,
    written: AtomicU64,
    debts: AtomicU64,
    owed: Mutex<Vec<(u64, Instant)>>,
}

impl Activity {
    /// Counts a request as under way until the result is dropped, by whatever end.
    pub(super) fn begin(self: &Arc<Self>) -> Begun {
        self.under_way.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        Begun(Arc::clone(self))
    }

    /// How many requests there have been.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Whether a request is under way; one is until the last of its answer has been handed on.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.load(Relaxed) > 0
    }

    /// Says whether all bytes that have come belong to requests that are complete.
    pub(super) fn set_between(&self, is_between: bool) {
        self.is_between.store(is_between, Relaxed);
    }

    /// Whether there is nothing of a request that has not been read, and nothing of an answer that has not been sent.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_busy() && self.is_between.load(Relaxed) && !self.is_blocked.load(Relaxed)
    }

    /// Says that the next answer is to be the last of the connection.
    pub(super) fn make_last(&self) {
        self.is_last.store(true, Relaxed);
    }

    /// Whether the next answer is to be the last.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.load(Relaxed)
    }

    /// Says that the client takes no bytes.
    pub(super) fn blocked(&self) {
        self.is_blocked.store(true, Relaxed);
    }

    /// Says that it took some.
    pub(super) fn written(&self) {
        self.is_blocked.store(false, Relaxed);
        self.written.fetch_add(1, Relaxed);
    }

    /// How often the client took some bytes, if it takes none now.
    pub(super) fn stuck(&self) -> Option<u64> {
        self.is_blocked.load(Relaxed).then(|| self.written.load(Relaxed))
    }

    /// Says that there is more of the body `id` as soon as the client has room for it.
    fn owe(&self, id: u64) {
        let now = Instant::now();
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        match owed.iter_mut().find(|(other, _)| *other == id) {
            Some((_, since)) => *since = now,
            None => owed.push((id, now)),
        }
    }

    fn settle(&self, id: u64) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.retain(|(other, _)| *other != id);
    }

    /// Whether the client has had no room for a body for so long.
    pub(super) fn is_starved(&self, patience: Duration) -> bool {
        let owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.iter().any(|(_, since)| since.elapsed() >= patience)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Begun(Arc<Activity>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

/// A body that waits for its client, for connections with many of them. Between two pieces it is owed to the client,
/// unless it is itself that has none.
#[derive(Debug)]
pub(super) struct Debt {
    activity: Arc<Activity>,
    id: u64,
}

impl Debt {
    /// There is something for the client.
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        let id = activity.debts.fetch_add(1, Relaxed);
        activity.owe(id);
        Self { activity: Arc::clone(activity), id }
    }

    /// There is something again.
    pub(super) fn renew(&self) {
        self.activity.owe(self.id);
    }

    /// There is nothing for now.
    pub(super) fn settle(&self) {
        self.activity.settle(self.id);
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_rests_when_nothing_is_left_of_requests_and_answers() {
        let activity = Arc::new(Activity::default());
        assert!(!activity.is_at_rest(), "nothing has come");
        let begun = activity.begin();
        activity.set_between(true);
        assert!(!activity.is_at_rest(), "the answer is missing");
        activity.blocked();
        drop(begun);
        assert!(!activity.is_at_rest() && activity.stuck().is_some(), "the client does not take it");
        activity.written();
        assert!(activity.is_at_rest() && activity.stuck().is_none());
        activity.set_between(false);
        assert!(!activity.is_at_rest(), "the next request has begun to come");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_owed_only_while_the_client_has_no_room() {
        let (activity, patience) = (Arc::new(Activity::default()), Duration::from_secs(30));
        let (one, other) = (Debt::new(&activity), Debt::new(&activity));
        tokio::time::advance(Duration::from_secs(20)).await;
        one.renew();
        other.settle();
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!activity.is_starved(patience));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(activity.is_starved(patience));
        drop(one);
        assert!(!activity.is_starved(patience));
    }
}
