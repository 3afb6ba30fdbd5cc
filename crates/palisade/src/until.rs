//! How long a request has, for whoever waits on its behalf.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::body::Broken;

/// When a request is given up. Whoever waits for somebody else is dropped at this moment, and can tell then whether that
/// was the other one's fault: the caller may have gone before, or may himself be slow in sending the body.
///
/// ```
/// use palisade::chain::Permitted;
///
/// /// What a service behind a chain may spend.
/// fn budget<T>(permitted: &Permitted<T>) -> Option<std::time::Duration> {
///     permitted.until.as_ref().map(|until| until.left() / 2)
/// }
/// # let _ = budget::<()>;
/// ```
#[derive(Clone)]
pub struct Until {
    at: Instant,
    sender: Broken,
    /// For how long each piece of an endless body puts the end off, and until when at most.
    after: Option<(Duration, Option<Instant>)>,
}

impl Until {
    pub(crate) fn new(at: Instant, sender: Broken) -> Self {
        Self { at, sender, after: None }
    }

    /// The same for an endless body: its end is so long after the last piece that has come, and at most `last`.
    pub(crate) fn after_each(self, pause: Duration, last: Option<Instant>) -> Self {
        Self { after: Some((pause, last)), ..self }
    }

    /// When that is, as far as it is known by now.
    pub(crate) fn end(&self) -> Instant {
        let Some((pause, last)) = self.after else { return self.at };
        let Some(end) = self.sender.moved().and_then(|moved| moved.checked_add(pause)) else { return self.at };
        last.map_or(end, |last| last.min(end)).max(self.at)
    }

    /// How long there is.
    pub fn left(&self) -> Duration {
        self.end().saturating_duration_since(Instant::now())
    }

    /// Whether the time is up, and not because the sender of the body was waited for.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end() && !self.sender.is_waiting()
    }
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("at", &self.at).finish_non_exhaustive()
    }
}
