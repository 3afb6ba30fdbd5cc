//! Puts a new policy in the place of the one in force, whole or not at all, while requests go on.
//!
//! 1. The configuration and every file that it names are read and built anew beside what runs. If anything is wrong the
//!    policy in force stays, and the problems are told.
//! 2. What cannot change while the gateway runs is refused by name, and the rest of the file with it.
//! 3. A request is judged by one policy from its first stage to its last: whoever is under way keeps the old one, and so
//!    does an answer that streams. New connections get the new certificates.
//! 4. What was counted, the connections to backends, their circuits and fetched keys stay: see [`Kept`].
//!
//! Files are compared once in half a second by what the system says of them, and read again when they have been the same
//! for that long. Being told by the system instead would come a moment sooner, and miss what happens on file systems of
//! a network, behind links that are turned, and beyond the number of watches that a user may have.

mod event;
mod fixed;
mod kept;

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
pub(crate) use kept::Kept;
use palisade::chain::Guarded;
use palisade::preset::World;
use palisade::token::revocation_feed::RevocationFeed;
use palisade_contract::Contract;
use palisade_core::diagnostic::{Diagnostic, Severity};
use palisade_core::id::PolicyVersion;
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;
use rustls::ServerConfig;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::build::build_after;
use crate::config::settings::Reload;
use crate::config::{Loaded, Watched, load_watched};
use crate::listen::Listener;
use crate::upstream::Forward;

/// What is in force, with what it was made of.
pub(crate) struct Policy {
    pub(crate) guarded: Guarded<Forward>,
    pub(crate) forward: Forward,
    pub(crate) loaded: Loaded,
    pub(crate) contracts: Vec<Arc<Contract>>,
    pub(crate) stages: Vec<StageId>,
    pub(crate) dangers: Vec<String>,
    pub(crate) version: PolicyVersion,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) kept: Kept,
    pub(crate) since: Timestamp,
}

impl Policy {
    /// Makes a policy beside the one in force. Nothing has changed when it fails.
    pub(crate) fn make(loaded: Loaded, world: &World, before: Kept) -> Result<Self, Vec<Diagnostic>> {
        let built = build_after(&loaded, world, before)?;
        let stages = built.chain.ids();
        let dangers = built.chain.dangers();
        let (contracts, version, kept) = (built.contracts.clone(), built.version.clone(), built.kept.clone());
        let forward = built.forward.clone();
        let mut diagnostics = loaded.diagnostics.clone();
        diagnostics.extend(built.diagnostics.iter().cloned());
        let guarded = built.guard().map_err(|error| vec![Diagnostic::error("chain-incomplete", error.to_string())])?;
        let since = world.clock.now();
        Ok(Self { guarded, forward, loaded, contracts, stages, dangers, version, diagnostics, kept, since })
    }
}

/// What a reload has led to.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The name of the rules that are in force now.
    pub version: PolicyVersion,
    /// Warnings about them.
    pub diagnostics: Vec<Diagnostic>,
}

/// How it went, for those who look at the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// When the last attempt was, and what was wrong with it.
    pub(crate) last: Option<(Timestamp, Vec<Diagnostic>)>,
}

/// Who hears of every attempt.
type Report = dyn Fn(&Result<Reloaded, Vec<Diagnostic>>) + Send + Sync;

/// The policy in force, and how it is replaced.
pub(crate) struct Live {
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) world: World,
    /// What each listener accepts with, by its place in the configuration.
    certificates: Vec<Arc<ArcSwapOption<ServerConfig>>>,
    desk: Mutex<Desk>,
    history: Mutex<History>,
    report: OnceLock<Box<Report>>,
    /// Where the gateway hears which tokens were taken back, if anywhere.
    pub(crate) feed: OnceLock<Arc<RevocationFeed>>,
    replaced: Notify,
}

/// What an attempt starts from. Whoever holds it is the only one who replaces the policy.
struct Desk {
    files: Vec<Watched>,
}

impl Live {
    pub(crate) fn new(policy: Policy, world: World, listeners: &[Listener]) -> Self {
        let files = policy.loaded.files.clone();
        let certificates = listeners.iter().map(Listener::tls_slot).collect();
        Self {
            policy: ArcSwap::from_pointee(policy),
            world,
            certificates,
            desk: Mutex::new(Desk { files }),
            history: Mutex::default(),
            report: OnceLock::new(),
            feed: OnceLock::new(),
            replaced: Notify::new(),
        }
    }

    /// What has happened so far.
    pub(crate) fn history(&self) -> History {
        lock(&self.history).clone()
    }

    /// Lets somebody hear of every attempt; the first one who asks.
    pub(crate) fn report_to(&self, report: Box<Report>) {
        let _ = self.report.set(report);
    }

    /// Reads everything anew and puts it in force, or changes nothing. It takes as long as building a policy does.
    fn reload(&self) -> Result<Reloaded, Vec<Diagnostic>> {
        let mut desk = lock(&self.desk);
        let outcome = self.replace(&mut desk);
        let problems = match &outcome {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics.clone(),
        };
        let mut history = lock(&self.history);
        match &outcome {
            Ok(reloaded) => {
                history.succeeded += 1;
                info!(policy = reloaded.version.as_str(), "reloaded");
            }
            Err(diagnostics) => {
                history.failed += 1;
                let errors = diagnostics.iter().filter(|one| one.severity() == Severity::Error).count();
                warn!(errors, "not reloaded: the policy before stays in force");
            }
        }
        let now = self.world.clock.now();
        self.world.events.emit(event::of(&outcome, &self.policy.load(), now));
        history.last = Some((now, problems));
        drop(history);
        if let Some(report) = self.report.get() {
            report(&outcome);
        }
        outcome
    }

    fn replace(&self, desk: &mut Desk) -> Result<Reloaded, Vec<Diagnostic>> {
        let current = self.policy.load_full();
        let Some(file) = current.loaded.file.as_deref() else {
            let message = "this configuration was not read from a file";
            return Err(vec![Diagnostic::error("reload-impossible", message)]);
        };
        let loaded = read(file, desk)?;
        let impossible = fixed::changes(&current.loaded.settings, &loaded);
        if !impossible.is_empty() {
            return Err(impossible);
        }
        let policy = Policy::make(loaded, &self.world, current.kept.clone())?;
        let reloaded = Reloaded { version: policy.version.clone(), diagnostics: policy.diagnostics.clone() };
        for (listen, accepting) in policy.loaded.settings.listen.iter().zip(&self.certificates) {
            accepting.store(listen.tls.clone());
        }
        self.policy.store(Arc::new(policy));
        self.replaced.notify_one();
        Ok(reloaded)
    }

    /// Looks after the backends of the policy in force. Never ends.
    pub(crate) async fn tend(&self) -> Infallible {
        loop {
            let forward = self.policy.load().forward.clone();
            tokio::select! {
                () = forward.upkeep() => {}
                () = self.replaced.notified() => {}
            }
        }
    }

    /// Reloads whenever a file has changed and has then stayed the same. Never ends.
    pub(crate) async fn watch(self: &Arc<Self>) -> Infallible {
        let is_wanted = self.policy.load().loaded.settings.server.reload == Reload::Watch;
        if !is_wanted || self.policy.load().loaded.file.is_none() {
            return std::future::pending().await;
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before: Option<Vec<Watched>> = None;
        loop {
            ticks.tick().await;
            let known = lock(&self.desk).files.clone();
            let Ok((known, now)) = tokio::task::spawn_blocking(move || {
                let now = known.iter().map(Watched::again).collect::<Vec<_>>();
                (known, now)
            })
            .await
            else {
                continue;
            };
            if now == known {
                before = None;
            } else if before.as_ref() == Some(&now) {
                // Whatever comes of it, these files have been read: only a further change is a reason to try again.
                before = None;
                let _ = self.reload_aside().await;
            } else {
                before = Some(now);
            }
        }
    }

    async fn reload_aside(self: &Arc<Self>) -> Result<Reloaded, Vec<Diagnostic>> {
        let live = Arc::clone(self);
        let ended = tokio::task::spawn_blocking(move || live.reload()).await;
        ended.unwrap_or_else(|_| Err(vec![Diagnostic::error("reload-failed", "the attempt did not come to its end")]))
    }
}

/// Reads the configuration, and remembers which files it was made of even when they cannot be used: to mend one of them
/// is a reason to try again.
fn read(file: &Path, desk: &mut Desk) -> Result<Loaded, Vec<Diagnostic>> {
    let mut files = Vec::new();
    let loaded = load_watched(file, &mut files);
    if loaded.is_err() {
        // A file that was not come to, because of an error before it, is still one to look at.
        let missed = desk.files.iter().filter(|old| !files.iter().any(|new| new.path() == old.path()));
        let missed: Vec<Watched> = missed.map(Watched::again).collect();
        files.extend(missed);
    }
    desk.files = files;
    loaded
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces the policy of a running gateway.
#[derive(Clone)]
pub struct Reloader(pub(crate) Arc<Live>);

impl Reloader {
    /// Reads everything anew and puts it in force. `Err` when something is wrong: then nothing has changed.
    pub async fn reload(&self) -> Result<Reloaded, Vec<Diagnostic>> {
        self.0.reload_aside().await
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloader")
    }
}

const TICK: Duration = Duration::from_millis(500);
