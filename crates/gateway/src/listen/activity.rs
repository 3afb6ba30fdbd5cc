//! Knows whether a connection has a request under way, and when it has had none for too long.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Activity(watch::Sender<Count>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    under_way: usize,
    begun: u64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Count::default()))
    }

    /// Counts a request as under way until the result is dropped, by whatever end.
    pub(super) fn begin(&self) -> Begun {
        self.0.send_modify(|count| {
            count.under_way += 1;
            count.begun += 1;
        });
        Begun(self.clone())
    }

    /// Whether there has been a request.
    pub(super) fn has_begun(&self) -> bool {
        self.0.borrow().begun > 0
    }

    /// Ready once there has been no request under way for `idle`, or none at all within `first`.
    pub(super) async fn expired(&self, first: Duration, idle: Duration) {
        let mut counts = self.0.subscribe();
        loop {
            let Count { under_way, begun } = *counts.borrow_and_update();
            if under_way > 0 {
                // The sender is in `self`, so that waiting cannot fail.
                let _ = counts.changed().await;
                continue;
            }
            let limit = if begun == 0 { first } else { idle };
            if timeout(limit, counts.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Begun(Activity);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| count.under_way = count.under_way.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_keeps_the_connection() {
        let activity = Activity::new();
        let (first, idle) = (Duration::from_secs(1), Duration::from_secs(5));
        let begun = activity.begin();
        let mut expired = Box::pin(activity.expired(first, idle));
        assert!(timeout(Duration::from_secs(100), &mut expired).await.is_err());
        drop(begun);
        assert!(timeout(Duration::from_secs(4), &mut expired).await.is_err());
        assert!(timeout(Duration::from_secs(2), &mut expired).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_early() {
        let activity = Activity::new();
        let expired = activity.expired(Duration::from_secs(1), Duration::from_secs(5));
        assert!(timeout(Duration::from_secs(2), expired).now_or_never().is_none());
        let expired = activity.expired(Duration::from_secs(1), Duration::from_secs(5));
        assert!(timeout(Duration::from_secs(2), expired).await.is_ok());
    }
}
