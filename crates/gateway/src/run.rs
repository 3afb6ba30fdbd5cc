//! From a configuration to a running gateway, and back down without losing a request.
//!
//! Everything that can fail happens before the first connection is accepted: files, keys, contracts, stores and
//! addresses. A gateway either starts whole or not at all.

use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use palisade::chain::Guarded;
use palisade::facts::{Malformed, Transport};
use palisade::observe::{JsonLines, Sink};
use palisade::preset::World;
use palisade_core::diagnostic::Diagnostic;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;

use crate::build::build;
use crate::config::Loaded;
use crate::config::settings::Events;
use crate::listen::handover::{self, Offer, Predecessor};
use crate::listen::{Bounds, Connection, Drained, Handler, Inherited, Listener, bind, serve};
use crate::stores;
use crate::upstream::Forward;

/// A gateway whose sockets are bound and which will serve when it is run.
pub struct Gateway {
    listeners: Vec<Listener>,
    handler: Arc<dyn Handler>,
    forward: Forward,
    bounds: Bounds,
    diagnostics: Vec<Diagnostic>,
    predecessor: Option<Predecessor>,
    offer: Option<Offer>,
}

impl Gateway {
    /// Prepares everything. All problems are told at once: `Err` when at least one is an error, and then nothing is
    /// left open.
    pub async fn prepare(loaded: &Loaded) -> Result<Self, Vec<Diagnostic>> {
        Self::prepare_with(loaded, Inherited::none()).await
    }

    /// The same, with sockets that a service manager has opened.
    pub async fn prepare_with(loaded: &Loaded, inherited: Inherited) -> Result<Self, Vec<Diagnostic>> {
        let world = world(loaded).await.map_err(|diagnostic| vec![diagnostic])?;
        let built = build(loaded, &world)?;
        let diagnostics = built.diagnostics.clone();
        let forward = built.forward.clone();
        let guarded = built.guard().map_err(|error| vec![Diagnostic::error("chain-incomplete", error.to_string())])?;
        let (inherited, predecessor) = handover::take_over(loaded, inherited).await?;
        let listeners = bind(loaded, inherited).await?;
        let offer = handover::offer(loaded, &listeners)?;
        let (bounds, handler) = (Bounds::of(&loaded.settings), Arc::new(Behind(guarded)));
        Ok(Self { listeners, handler, forward, bounds, diagnostics, predecessor, offer })
    }

    /// Warnings and notes about the configuration and its contracts.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The name and address of each listener; a port that was zero has its number.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.listeners.iter().map(|listener| (Arc::clone(listener.name()), listener.local())).collect()
    }

    /// The end of the chain, which knows how the upstreams are.
    pub fn forward(&self) -> &Forward {
        &self.forward
    }

    /// Serves until `shutdown` is ready and the connections have drained.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Drained {
        let (predecessor, offer) = (self.predecessor, self.offer);
        let end = async {
            predecessor.into_iter().for_each(Predecessor::dismiss);
            tokio::select! {
                () = shutdown => {}
                () = handover::succeeded(offer) => {}
            }
        };
        tokio::select! {
            drained = serve(self.listeners, self.handler, self.bounds, end) => drained,
            // Never ready: it looks after the upstreams for as long as somebody is served.
            () = self.forward.upkeep() => Drained { cut_off: 0 },
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// The chain behind the listeners.
struct Behind(Guarded<Forward>);

impl Behind {
    fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<Connection>,
        malformed: Option<Malformed>,
    ) -> BoxFuture<'static, Response<Body>> {
        let guarded = self.0.clone();
        let connection = Arc::clone(connection);
        Box::pin(async move {
            guarded
                .serve(request.map(Body::new), |head| {
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
    fn handle(&self, request: Request<Incoming>, connection: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        self.answer(request, connection, None)
    }

    fn refuse(
        &self,
        malformed: Malformed,
        request: Request<Incoming>,
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
