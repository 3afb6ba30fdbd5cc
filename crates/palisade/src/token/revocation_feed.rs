//! Carries revocations from a store to every process that checks tokens, within a second.
//!
//! Whoever revokes appends to the log; each process reads what is new every half second. A process that begins reads all
//! that still matters first. While the store does not answer, tokens that were revoked meanwhile pass until they expire,
//! which is why they live for minutes; [`RevocationFeed::behind`] says for how long that has been so.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use palisade::core::port::revocation::{Revoked, What};
//! use palisade::core::port::Clock;
//! use palisade::testing::StillClock;
//! use palisade::token::{revocation::Revocations, revocation_feed::RevocationFeed};
//! use palisade_store::memory::MemoryRevocations;
//!
//! let (log, clock) = (Arc::new(MemoryRevocations::default()), Arc::new(StillClock::default()));
//! let here = RevocationFeed::new(log.clone(), Arc::default(), clock.clone());
//! let there = RevocationFeed::new(log, Arc::<Revocations>::default(), clock.clone());
//!
//! let (at, until) = (clock.now(), clock.now().plus(std::time::Duration::from_secs(300)));
//! let what = What::Subject("u-alice".into());
//! here.revoke(&Revoked { issuer: "https://id.example.com".into(), what, at, until }).await?;
//! assert_eq!(there.catch_up().await?, 1);
//! assert_eq!(there.revocations().len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use palisade_core::port::revocation::{Revoked, What};
use palisade_core::port::{Clock, RevocationLog, StoreError};
use palisade_core::time::Timestamp;

use super::revocation::{Full, Revocations, SLACK};

/// Reads one log into one list.
pub struct RevocationFeed {
    log: Arc<dyn RevocationLog>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    place: AtomicU64,
    read_at: AtomicU64,
}

impl RevocationFeed {
    /// From the beginning of `log`.
    pub fn new(log: Arc<dyn RevocationLog>, revocations: Arc<Revocations>, clock: Arc<dyn Clock>) -> Self {
        let read_at = AtomicU64::new(clock.now().as_millis());
        Self { log, revocations, clock, place: AtomicU64::new(0), read_at }
    }

    /// The list that verifiers ask.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Revokes everywhere: here at once, elsewhere when it is read. An error says that others may not hear of it.
    pub async fn revoke(&self, revoked: &Revoked) -> Result<(), FeedError> {
        self.apply(revoked)?;
        // A verifier that begins later has to hear of it for as long as it would take what it revokes.
        let kept = Revoked { until: revoked.until.plus(SLACK), ..revoked.clone() };
        self.log.append(&kept, self.clock.now()).await?;
        Ok(())
    }

    /// Reads what is new, and says how much that was.
    pub async fn catch_up(&self) -> Result<usize, FeedError> {
        let mut count = 0;
        loop {
            let now = self.clock.now();
            let new = self.log.after(self.place.load(Ordering::Acquire), now).await?;
            if new.is_empty() {
                self.read_at.store(now.as_millis(), Ordering::Release);
                return Ok(count);
            }
            for entry in &new {
                // What cannot be remembered is not stepped over.
                self.apply(&entry.revoked)?;
                self.place.fetch_max(entry.place, Ordering::AcqRel);
            }
            count += new.len();
        }
    }

    /// For how long the log could not be read.
    pub fn behind(&self, now: Timestamp) -> Duration {
        now.since(Timestamp::from_millis(self.read_at.load(Ordering::Acquire)))
    }

    /// Reads every half second, and tells of what goes wrong. It ends when it is dropped.
    pub async fn run(&self, mut told: impl FnMut(FeedError)) {
        loop {
            if let Err(error) = self.catch_up().await {
                told(error);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn apply(&self, revoked: &Revoked) -> Result<(), Full> {
        let Revoked { issuer, what, at, until } = revoked;
        let now = self.clock.now();
        match what {
            What::Session(session) => self.revocations.revoke_session(issuer, session, *until, now),
            What::Subject(subject) => self.revocations.revoke_subject(issuer, subject, *at, until.since(*at)),
            What::Token(id) => self.revocations.revoke_token(issuer, id, *until, now),
        }
    }
}

impl fmt::Debug for RevocationFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationFeed").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why revocations did not arrive.
///
/// ```
/// use palisade::token::{revocation::Full, revocation_feed::FeedError};
///
/// assert_eq!(FeedError::Full(Full).to_string(), "more than 100000 revocations are in force");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// More is revoked than is remembered.
    #[error("{0}")]
    Full(#[from] Full),
    /// The store does not answer.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// How often the log is read.
const EVERY: Duration = Duration::from_millis(500);
