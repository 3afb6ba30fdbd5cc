//! Hears which tokens were taken back, and tells the verifiers.

mod behind;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use palisade::preset::World;
use palisade::token::revocation::Revocations;
use palisade::token::revocation_feed::{FeedError, RevocationFeed};
use palisade_core::diagnostic::Diagnostic;
use palisade_core::port::Clock;
use palisade_core::time::Timestamp;
use palisade_store::records::Records;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::config::Loaded;
use crate::reload::Live;
use crate::stores;
use behind::Behind;

/// Reads the log that the configuration names, if it names one.
pub(crate) struct Revoked {
    feed: Option<Arc<RevocationFeed>>,
    clock: Arc<dyn Clock>,
}

impl Revoked {
    /// Opens the log and reads all that matters: no token is taken before that.
    pub(crate) async fn open(loaded: &Loaded, world: &World, records: Option<&Records>) -> Result<Self, Diagnostic> {
        let clock = Arc::clone(&world.clock);
        let found = stores::revocations(loaded, records).await?;
        let Some((log, at)) = found else { return Ok(Self { feed: None, clock }) };
        let feed = RevocationFeed::new(log, Arc::default(), Arc::clone(&clock));
        let help = "the gateway does not start before it knows which tokens were taken back";
        feed.catch_up().await.map_err(|error| stores::unusable(loaded, &error, help, &at))?;
        Ok(Self { feed: Some(Arc::new(feed)), clock })
    }

    /// The list that verifiers ask.
    pub(crate) fn list(&self) -> Arc<Revocations> {
        self.feed.as_ref().map(|feed| Arc::clone(feed.revocations())).unwrap_or_default()
    }

    /// What is read on, for those who look how far behind it is.
    pub(crate) fn feed(&self) -> Option<Arc<RevocationFeed>> {
        self.feed.clone()
    }

    /// Reads on for ever, and tells operators, once a minute, while that does not work. When it has not for some seconds
    /// that is an event, and so is its end.
    pub(crate) async fn follow(self, live: &Live) -> Infallible {
        let Some(feed) = self.feed else { return pending().await };
        let mut told: Option<Timestamp> = None;
        let tell = |error: FeedError| {
            let now = self.clock.now();
            if told.is_none_or(|told| now.since(told) >= AGAIN) {
                told = Some(now);
                let behind = feed.behind(now).as_secs();
                warn!(%error, behind, "revocations cannot be read: what is revoked now passes until it expires");
            }
        };
        tokio::select! {
            () = feed.run(tell) => pending().await,
            never = observe(&feed, live) => never,
        }
    }
}

/// Makes events of what becomes of the feed. A store that neither answers nor fails is seen as well.
async fn observe(feed: &RevocationFeed, live: &Live) -> Infallible {
    let mut behind = Behind::default();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = live.world.clock.now();
        if let Some(change) = behind.look(feed.behind(now)) {
            live.world.events.emit(change.event(&live.policy.load().version, now));
        }
    }
}

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often the same trouble is told of.
const AGAIN: Duration = Duration::from_secs(60);
