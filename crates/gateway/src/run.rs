//! From a configuration to a running gateway, and back down without losing a request.
//!
//! Everything that can fail happens before the first connection is accepted: files, keys, contracts, stores and
//! addresses. A gateway either starts whole or not at all.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use palisade::facts::{Malformed, Transport};
use palisade::observe::{JsonLines, Sink};
use palisade::preset::World;
use palisade_core::diagnostic::Diagnostic;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;

use crate::admin::{self, Door, Office};
use crate::config::Loaded;
use crate::config::settings::Events;
use crate::inventory::{Observed, Seen};
use crate::listen::handover::{self, Offer, Predecessor};
use crate::listen::{Bounds, Connection, Drained, Handler, Inherited, Listener, bind, serve};
use crate::reload::{Kept, Live, Policy, Reloaded, Reloader};
use crate::revoked::Revoked;
use crate::stores;
use crate::upstream::Forward;

/// A gateway whose sockets are bound and which will serve when it is run.
pub struct Gateway {
    listeners: Vec<Listener>,
    live: Arc<Live>,
    office: Option<(Door, Arc<Office>)>,
    bounds: Bounds,
    diagnostics: Vec<Diagnostic>,
    revoked: Revoked,
    predecessor: Option<Predecessor>,
    offer: Option<Offer>,
}

impl Gateway {
    /// Prepares everything. All problems are told at once: `Err` when at least one is an error, and then nothing is
    /// left open.
    pub async fn prepare(loaded: &Loaded) -> Result<Self, Vec<Diagnostic>> {
        Self::prepare_with(loaded, Inherited::default()).await
    }

    /// The same with sockets that somebody else has opened.
    pub async fn prepare_with(loaded: &Loaded, inherited: Inherited) -> Result<Self, Vec<Diagnostic>> {
        let (world, seen) = observed(world(loaded).await.map_err(|diagnostic| vec![diagnostic])?, loaded);
        let records = stores::records(loaded).await.map_err(|diagnostic| vec![diagnostic])?;
        let revoked = Revoked::open(loaded, &world, records.as_ref()).await.map_err(|diagnostic| vec![diagnostic])?;
        let policy = Policy::make(loaded.clone(), &world, Kept::knowing(revoked.list(), records))?;
        let diagnostics = policy.diagnostics.clone();
        let (inherited, predecessor) = handover::take_over(loaded, inherited).await?;
        let listeners = bind(loaded, inherited).await?;
        let offer = handover::offer(loaded, &listeners)?;
        let door = admin::open(loaded).await?;
        let bounds = Bounds::of(&loaded.settings);
        let live = Arc::new(Live::new(policy, world, &listeners));
        if let Some(feed) = revoked.feed() {
            // It is the first.
            let _ = live.feed.set(feed);
        }
        let office = door.map(|door| {
            let token = loaded.settings.admin.as_ref().and_then(|admin| admin.token.clone());
            let (open, by_file) = (bounds.open.clone(), matches!(door, Door::Unix(..)));
            let office = Office::new(Arc::clone(&live), seen, open, token.map(|token| token.0), by_file);
            (door, Arc::new(office))
        });
        Ok(Self { listeners, live, office, bounds, diagnostics, revoked, predecessor, offer })
    }

    /// Warnings and notes about the configuration and its contracts.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The name and address of each listener; a port that was zero has its number.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.listeners.iter().map(|listener| (Arc::clone(listener.name()), listener.local())).collect()
    }

    /// Where operators can look at the gateway, as people write it.
    pub fn admin(&self) -> Option<String> {
        self.office.as_ref().map(|(door, _)| door.name())
    }

    /// The end of the chain in force, which knows how the upstreams are.
    pub fn forward(&self) -> Forward {
        self.live.policy.load().forward.clone()
    }

    /// What replaces the policy while the gateway runs.
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.live))
    }

    /// Lets somebody hear of every reload, whether it succeeded or not.
    pub fn on_reload(&self, report: impl Fn(&Result<Reloaded, Vec<Diagnostic>>) + Send + Sync + 'static) {
        self.live.report_to(Box::new(report));
    }

    /// Serves until `shutdown` is ready and the connections have drained. Dropping the future cuts everything off.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Drained {
        let Self { listeners, live, office, bounds, revoked, predecessor, offer, .. } = self;
        let (door, office) = office.unzip();
        let delay = live.policy.load().loaded.settings.server.drain_delay;
        let leaving = async {
            predecessor.into_iter().for_each(Predecessor::dismiss);
            tokio::select! {
                () = shutdown => {}
                // The successor has the sockets already: nobody has to be waited for.
                () = handover::succeeded(offer) => return,
            }
            // Load balancers are told before the sockets close, and requests are taken until they have noticed.
            if let Some(office) = &office {
                office.leave();
            }
            tokio::time::sleep(delay).await;
        };
        let serving = serve(listeners, Arc::new(Behind(Arc::clone(&live))), bounds, leaving);
        tokio::select! {
            drained = serving => drained,
            never = live.watch() => match never {},
            never = live.tend() => match never {},
            never = revoked.follow(&live) => match never {},
            never = attend(door, office.clone()) => match never {},
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// Answers operators, where there is a door for them.
async fn attend(door: Option<Door>, office: Option<Arc<Office>>) -> Infallible {
    match (door, office) {
        (Some(door), Some(office)) => door.serve(office).await,
        _ => std::future::pending().await,
    }
}

/// The world in which events are counted as well, where somebody can look at the counts.
fn observed(world: World, loaded: &Loaded) -> (World, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let events: Arc<dyn Sink> = match &loaded.settings.admin {
        None => world.events,
        Some(_) => Arc::new(Observed { next: world.events, seen: Arc::clone(&seen) }),
    };
    (World { events, ..world }, seen)
}

/// The policy in force behind the listeners.
struct Behind(Arc<Live>);

impl Behind {
    fn answer(
        &self,
        request: Request<Body>,
        connection: &Arc<Connection>,
        malformed: Option<Malformed>,
    ) -> BoxFuture<'static, Response<Body>> {
        // The request keeps the policy of this moment to its end.
        let guarded = self.0.policy.load().guarded.clone();
        let connection = Arc::clone(connection);
        Box::pin(async move {
            guarded
                .serve(request, |head| {
                    head.facts.peer = Some(connection.peer);
                    head.facts.listener = connection.index;
                    head.facts.certificate = connection.certificate.clone();
                    head.facts.malformed = malformed;
                    head.facts.transport = match connection.secure {
                        true => Transport::Encrypted,
                        false => Transport::Clear,
                    };
                })
                .await
        })
    }
}

impl Handler for Behind {
    fn handle(&self, request: Request<Body>, connection: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        self.answer(request, connection, None)
    }

    fn refuse(
        &self,
        malformed: Malformed,
        request: Request<Body>,
        connection: &Arc<Connection>,
    ) -> BoxFuture<'static, Response<Body>> {
        self.answer(request, connection, Some(malformed))
    }
}

/// The system's clock and randomness, the configured store, and the configured place for events.
async fn world(loaded: &Loaded) -> Result<World, Diagnostic> {
    let (counters, once) = stores::open(loaded).await?;
    let events: Arc<dyn Sink> = match &loaded.settings.events {
        Events::File(path) => Arc::new(JsonLines::new(append(path).map_err(|error| {
            let message = format!("the event log `{}` cannot be opened: {error}", path.display());
            let help = "name a file in a folder that exists and that this user may write to";
            loaded.locate(Diagnostic::error("events-unusable", message).help(help), &["events", "output"])
        })?)),
        Events::Stderr => Arc::new(JsonLines::new(io::stderr())),
        Events::Stdout => Arc::new(JsonLines::new(io::stdout())),
    };
    Ok(World { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), counters, events, once: Some(once) })
}

/// Opens a log for appending. It names users and addresses, so that only its owner may read it.
fn append(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
