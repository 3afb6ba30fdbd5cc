//! The keys an issuer publishes at an address, kept fresh without asking for them in the middle of every request.
//!
//! A set is fetched by one task at a time, and that task outlives the request that started it: a caller who hangs up
//! cannot keep new keys from arriving. While the issuer does not answer, keys that were good go on being used for a
//! day; whoever takes a key back in a hurry should therefore also call [`super::jwt::Verifier::revoke_all`] and restart
//! or reconfigure, not only publish.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use palisade_core::port::Clock;
use palisade_core::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::jwks::{KeySet, KeySource, KeySourceError};

/// Gets the published set. Whoever implements this owns the socket: TLS, the allowed addresses, and a limit on the body
/// of [`MAX_BODY`] bytes.
///
/// ```
/// use bytes::Bytes;
/// use palisade::token::remote::{Fetch, MAX_BODY};
///
/// /// Keys that a sidecar writes to a file whenever they change.
/// struct Mounted(std::path::PathBuf);
///
/// #[async_trait::async_trait]
/// impl Fetch for Mounted {
///     async fn fetch(&self) -> Result<Bytes, String> {
///         let text = tokio::fs::read(&self.0).await.map_err(|error| error.to_string())?;
///         if text.len() > MAX_BODY { Err("the key set is too long".to_owned()) } else { Ok(text.into()) }
///     }
/// }
/// # let _ = Mounted("/etc/keys.json".into());
/// ```
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The body of the answer, or why there is none.
    async fn fetch(&self) -> Result<Bytes, String>;
}

/// The largest set that is read, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// How fresh keys are kept. The defaults suit issuers that publish a key some minutes before they use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// After this long the set is asked for again: ten minutes.
    pub max_age: Duration,
    /// For this long a set is used while the issuer does not answer: one day.
    pub stale_limit: Duration,
    /// At most this often is asked because of an unknown key: every thirty seconds.
    pub cool_down: Duration,
    /// At most this often is asked after a failure: every five seconds.
    pub retry: Duration,
    /// An answer that takes longer is none: five seconds.
    pub deadline: Duration,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(10 * 60),
            stale_limit: Duration::from_secs(24 * 60 * 60),
            cool_down: Duration::from_secs(30),
            retry: Duration::from_secs(5),
            deadline: Duration::from_secs(5),
        }
    }
}

/// Keys that are published at an address. Must be used within a Tokio runtime.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::{sync::Arc, time::Duration};
/// use palisade::testing::StillClock;
/// use palisade::token::jwks::KeySource;
/// use palisade::token::remote::{Fetch, RemoteKeys, RemoteSettings};
///
/// struct Down;
///
/// #[async_trait::async_trait]
/// impl Fetch for Down {
///     async fn fetch(&self) -> Result<bytes::Bytes, String> {
///         Err("connection refused".to_owned())
///     }
/// }
///
/// let settings = RemoteSettings { deadline: Duration::from_secs(2), ..RemoteSettings::default() };
/// let keys = RemoteKeys::new(Arc::new(Down), Arc::new(StillClock::default()), settings);
/// // Without keys there is no verdict about a token: requests are refused as unavailable.
/// assert!(keys.keys().await.is_err());
/// # });
/// ```
pub struct RemoteKeys {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// What requests and the fetching task have in common.
struct Shared {
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    settings: RemoteSettings,
    state: Mutex<State>,
    landings: watch::Sender<u64>,
}

impl RemoteKeys {
    /// Keys that `fetch` gets. Nothing is fetched before the first call of [`KeySource::keys`]; make one at start.
    pub fn new(fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>, settings: RemoteSettings) -> Self {
        let (state, landings) = (Mutex::default(), watch::Sender::new(0));
        let shared = Arc::new(Shared { fetch, clock, settings, state, landings });
        Self { shared, tasks: Mutex::default() }
    }

    async fn obtain(&self, want: Want) -> Result<Arc<KeySet>, KeySourceError> {
        let mut landing = match self.begin(want) {
            Begun::Done(outcome) => return outcome,
            Begun::Wait(landing) => landing,
        };
        // An error means that the task is gone, which is as good as landed.
        let _ = landing.changed().await;
        let now = self.shared.clock.now();
        self.shared.state().outcome(&self.shared.settings, now)
    }

    fn begin(&self, want: Want) -> Begun {
        let shared = &self.shared;
        let now = shared.clock.now();
        let mut state = shared.state();
        let step = state.step(want, &shared.settings, now);
        match step {
            Step::Fetch | Step::UseAndFetch(_) => {
                state.flying = true;
                state.asked = Some(now);
                self.spawn();
            }
            Step::Refuse(_) | Step::Use(_) | Step::Wait => {}
        }
        match step {
            // INVARIANT: subscribed under the lock that the landing task needs, so that its signal cannot be missed.
            Step::Fetch | Step::Wait => Begun::Wait(shared.landings.subscribe()),
            Step::Refuse(error) => Begun::Done(Err(error)),
            Step::Use(keys) | Step::UseAndFetch(keys) => Begun::Done(Ok(keys)),
        }
    }

    fn spawn(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(fly(self.shared.clone()));
    }
}

#[async_trait]
impl KeySource for RemoteKeys {
    /// Starts to ask the issuer where it is time to.
    fn current(&self) -> Option<Arc<KeySet>> {
        match self.begin(Want::Any) {
            Begun::Done(outcome) => outcome.ok(),
            Begun::Wait(_) => None,
        }
    }

    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.obtain(Want::Any).await
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.obtain(Want::Newer).await
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches once and notes what came of it.
async fn fly(shared: Arc<Shared>) {
    let landing = Landing(&shared);
    let outcome = match tokio::time::timeout(shared.settings.deadline, shared.fetch.fetch()).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(reason)) => Err(KeySourceError::new(reason)),
        Err(_) => Err(KeySourceError::new("the issuer did not answer in time")),
    };
    let now = shared.clock.now();
    shared.state().land(outcome, now);
    drop(landing);
}

/// Ends a flight however the task ends, so that a panic cannot leave everybody waiting.
struct Landing<'a>(&'a Shared);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.state().flying = false;
        self.0.landings.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// How a call goes on.
enum Begun {
    Done(Result<Arc<KeySet>, KeySourceError>),
    Wait(watch::Receiver<u64>),
}

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Any,
    Newer,
}

/// What to do for a caller.
#[derive(Debug)]
enum Step {
    Fetch,
    Refuse(KeySourceError),
    Use(Arc<KeySet>),
    UseAndFetch(Arc<KeySet>),
    Wait,
}

/// What is known about the keys; a pure state machine over it decides.
#[derive(Default)]
struct State {
    held: Option<Held>,
    asked: Option<Timestamp>,
    flying: bool,
    failure: Option<KeySourceError>,
}

/// A set, the body it was read from, and when that came.
struct Held {
    keys: Arc<KeySet>,
    body: Bytes,
    at: Timestamp,
}

impl State {
    fn step(&self, want: Want, settings: &RemoteSettings, now: Timestamp) -> Step {
        let may_ask = |pause| self.asked.is_none_or(|asked| now < asked || now.since(asked) >= pause);
        match (want, self.usable(settings, now)) {
            (Want::Any, Some((keys, true))) => Step::Use(keys),
            (Want::Any, Some((keys, false))) if self.flying || !may_ask(settings.retry) => Step::Use(keys),
            (Want::Any, Some((keys, false))) => Step::UseAndFetch(keys),
            (_, _) if self.flying => Step::Wait,
            (Want::Newer, Some((keys, _))) if !may_ask(settings.cool_down) => Step::Use(keys),
            (_, None) if !may_ask(settings.retry) => Step::Refuse(self.failure()),
            (_, _) => Step::Fetch,
        }
    }

    /// The keys for a caller who has waited.
    fn outcome(&self, settings: &RemoteSettings, now: Timestamp) -> Result<Arc<KeySet>, KeySourceError> {
        self.usable(settings, now).map(|(keys, _)| keys).ok_or_else(|| self.failure())
    }

    /// The keys, and whether they are fresh. A set from the future is one from before the clock was set back.
    fn usable(&self, settings: &RemoteSettings, now: Timestamp) -> Option<(Arc<KeySet>, bool)> {
        let held = self.held.as_ref()?;
        let age = now.since(held.at);
        let fresh = held.at <= now && age < settings.max_age;
        (age < settings.stale_limit).then(|| (held.keys.clone(), fresh))
    }

    fn land(&mut self, outcome: Result<Bytes, KeySourceError>, now: Timestamp) {
        // The same body gives the same set, so that what was proven with it stays proven.
        let same = |body: &Bytes| self.held.as_ref().filter(|held| held.body == *body).map(|held| held.keys.clone());
        match outcome.and_then(|body| Ok((same(&body).map_or_else(|| published(&body), Ok)?, body))) {
            Ok((keys, body)) => {
                self.held = Some(Held { keys, body, at: now });
                self.failure = None;
            }
            Err(error) => self.failure = Some(error),
        }
        self.asked = Some(now);
    }

    fn failure(&self) -> KeySourceError {
        self.failure.clone().unwrap_or_else(|| KeySourceError::new("the keys have not been fetched"))
    }
}

/// Reads a published set. One with shared secrets is refused: whoever can read it can sign.
fn published(body: &Bytes) -> Result<Arc<KeySet>, KeySourceError> {
    if body.len() > MAX_BODY {
        return Err(KeySourceError::new("the set is too large"));
    }
    let keys = KeySet::parse(body).map_err(KeySourceError::new)?;
    if keys.is_symmetric() {
        return Err(KeySourceError::new("the set publishes shared secrets"));
    }
    Ok(Arc::new(keys))
}

#[cfg(test)]
mod tests;
