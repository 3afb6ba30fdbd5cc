//! The workers: a thread each, with sockets of its own for every listener, so that a connection never changes threads.
//!
//! With one worker all is done where [`serve`] is called. With more, every worker has a thread and a runtime that runs
//! nothing else, and the caller's runtime is left for what is done in the background. A runtime ends with the last of
//! them, because a connection to a backend may be driven by another worker than the one that uses it.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{debug, error, info, warn};

use super::clients::Clients;
use super::socket::{Door, Listener};
use super::{Bounds, Handler, tcp};
use crate::worker;

/// What became of the connections that were open when the shutdown began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// How many were cut off because a request had not finished in time.
    pub cut_off: usize,
}

/// Serves until `shutdown` is ready and the connections have drained. Dropping the future cuts everything off at once.
pub async fn serve(
    listeners: Vec<Listener>,
    handler: Arc<dyn Handler>,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let (phase, phases) = watch::channel(Phase::Serving);
    let slots = Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS)));
    let clients = Arc::new(Clients::new(bounds.per_client, bounds.ipv6_prefix));
    let shared = Arc::new(Shared { handler, slots, clients, bounds, phases });
    let mut shares: Vec<Vec<Door>> = Vec::new();
    for listener in listeners {
        info!(listener = %listener.name(), address = %listener.local(), secure = listener.is_secure(), "listening");
        for (worker, doors) in listener.into_doors().into_iter().enumerate() {
            if shares.len() <= worker {
                shares.push(Vec::new());
            }
            if let Some(share) = shares.get_mut(worker) {
                share.extend(doors);
            }
        }
    }
    let (report, mut reports) = mpsc::unbounded_channel();
    let (mut threads, mut here) = (Vec::new(), JoinSet::new());
    let is_alone = shares.len() == 1;
    for (number, doors) in shares.into_iter().enumerate() {
        let shared = Arc::clone(&shared);
        match if is_alone { None } else { runtime(number) } {
            None => drop(here.spawn(work(doors, shared))),
            Some(runtime) => threads.extend(start(number, runtime, doors, shared, report.clone())),
        }
    }
    drop((report, shared));
    shutdown.await;
    phase.send_replace(Phase::Draining);
    let mut drained = Drained::default();
    while let Some(finished) = here.join_next().await {
        drained.cut_off += finished.unwrap_or_default();
    }
    for _ in &threads {
        // A thread that ended without a report has panicked; there is nobody to cut off any more.
        drained.cut_off += reports.recv().await.unwrap_or_default();
    }
    drop(phase);
    let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
    // A worker's panic has been told by then.
    let _ = spawn_blocking(join).await;
    if drained.cut_off > 0 {
        warn!(connections = drained.cut_off, "cut off requests that did not finish in time");
    }
    drained
}

fn runtime(number: usize) -> Option<Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.inspect_err(|error| error!(worker = number, %error, "no thread of its own for a worker")).ok()
}

/// Starts a worker's thread, which reports how many connections were cut off.
fn start(
    number: usize,
    runtime: Runtime,
    doors: Vec<Door>,
    shared: Arc<Shared>,
    report: mpsc::UnboundedSender<usize>,
) -> Option<thread::JoinHandle<()>> {
    let phases = shared.phases.clone();
    let run = move || {
        worker::enter(number);
        runtime.block_on(async move {
            tokio::select! {
                biased;
                () = is_over(phases.clone()) => return,
                // If nobody listens to the report, all is over anyway.
                cut_off = work(doors, shared) => drop(report.send(cut_off)),
            }
            is_over(phases).await;
        });
        runtime.shutdown_background();
    };
    let started = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
    started.inspect_err(|error| error!(worker = number, %error, "a worker could not be started")).ok()
}

/// Accepts at these doors until the shutdown, and waits for the connections. How many were cut off.
async fn work(doors: Vec<Door>, shared: Arc<Shared>) -> usize {
    debug!(worker = worker::current(), doors = doors.len(), "accepting");
    let mut accepting = JoinSet::new();
    for door in doors {
        accepting.spawn(tcp::accept(door, Arc::clone(&shared)));
    }
    let mut cut_off = 0;
    while let Some(finished) = accepting.join_next().await {
        cut_off += finished.unwrap_or_default();
    }
    cut_off
}

/// Where in its life the gateway is; the end is that nobody says it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Draining,
    Serving,
}

async fn is_over(mut phases: watch::Receiver<Phase>) {
    while phases.changed().await.is_ok() {}
}

/// What all connections have in common.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) clients: Arc<Clients>,
    pub(super) bounds: Bounds,
    phases: watch::Receiver<Phase>,
}

impl Shared {
    /// Ready once the shutdown has begun; also if `serve` was dropped.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phases = self.phases.clone();
        async move {
            // An error is the end, too.
            let _ = phases.wait_for(|phase| *phase == Phase::Draining).await;
        }
    }
}
