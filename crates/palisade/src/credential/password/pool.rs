//! A fixed number of threads, each with memory of its own, in which passwords are hashed.
//!
//! A hash of a password is meant to cost memory and time, so whoever may ask for one may use up a server. Here at most
//! as many run at once as there are threads, in memory that was there from the start; as many more wait as the queue
//! holds; and everybody else is told at once to come again. A caller who goes away does not free a place: the thread is
//! busy until the hash is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Block;
use tokio::sync::oneshot;

/// No hash was run, because others are waiting already.
///
/// ```
/// use std::time::Duration;
/// use palisade::credential::password::Busy;
///
/// /// What a face puts into `Retry-After`.
/// fn header(busy: Busy) -> String {
///     busy.retry_after.as_secs().to_string()
/// }
/// assert_eq!(header(Busy { retry_after: Duration::from_secs(2) }), "2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy {
    /// When it is worth to ask again: whole seconds, at least one.
    pub retry_after: Duration,
}

type Job = Box<dyn FnOnce(&mut [Block]) + Send>;

/// The threads. They end when this is dropped and what was asked of them is done.
pub(super) struct Pool {
    jobs: SyncSender<Job>,
    state: Arc<State>,
    threads: usize,
    /// How many may run and wait together.
    places: usize,
}

#[derive(Default)]
struct State {
    /// Asked for and not done yet.
    waiting: AtomicUsize,
    /// Run since the start.
    done: AtomicU64,
    /// What the last one took, in microseconds.
    took: AtomicU64,
}

impl Pool {
    /// Starts `threads` with `blocks` of 1 KiB each; `queue` jobs may wait beside those that run.
    pub(super) fn start(threads: usize, blocks: usize, queue: usize) -> std::io::Result<Self> {
        let places = threads + queue;
        let (jobs, receiver) = sync_channel::<Job>(places);
        let receiver = Arc::new(Mutex::new(receiver));
        let state = Arc::new(State::default());
        for number in 0..threads {
            let (receiver, state) = (Arc::clone(&receiver), Arc::clone(&state));
            let mut arena = vec![Block::new(); blocks];
            std::thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || serve(&receiver, &state, &mut arena))?;
        }
        Ok(Self { jobs, state, threads, places })
    }

    /// Runs `work` in one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut [Block]) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |arena| {
            // Nobody waits any more, and nothing of it has begun.
            if !reply.is_closed() {
                drop(reply.send(work(arena)));
            }
        });
        // Places are counted here: how many jobs the threads have taken off the queue depends on when they last ran.
        let place = |waiting| (waiting < self.places).then_some(waiting + 1);
        if self.state.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place).is_err() {
            return Err(self.busy());
        }
        if self.jobs.try_send(job).is_err() {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(self.busy());
        }
        answer.await.map_err(|_| self.busy())
    }

    /// How many were run since the start.
    pub(super) fn done(&self) -> u64 {
        self.state.done.load(Ordering::Relaxed)
    }

    /// How long those who wait will take.
    fn busy(&self) -> Busy {
        let waiting = u64::try_from(self.state.waiting.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        let threads = u64::try_from(self.threads).unwrap_or(1).max(1);
        let micros = self.state.took.load(Ordering::Relaxed).saturating_mul(waiting) / threads;
        Busy { retry_after: Duration::from_secs(micros.div_ceil(1_000_000).clamp(1, 60)) }
    }
}

fn serve(jobs: &Mutex<Receiver<Job>>, state: &State, arena: &mut [Block]) {
    loop {
        // One thread at a time waits for a job, the others for the lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let begun = Instant::now();
        // A job that panics answers nobody, and its thread goes on with the next.
        let _ = catch_unwind(AssertUnwindSafe(|| job(arena)));
        state.took.store(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        state.done.fetch_add(1, Ordering::Relaxed);
        state.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use tokio::task::JoinSet;

    use super::*;

    /// A flood: a thousand at once on two threads with four places to wait. Nobody is done before all have asked.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_uses_the_memory_of_the_pool_and_no_more() {
        let pool = Arc::new(Pool::start(2, 64, 4).unwrap());
        let (arenas, gate) = (Arc::new(Mutex::new(HashSet::new())), Arc::new(Barrier::new(3)));
        let mut flood = JoinSet::new();
        for _ in 0..1_000 {
            let (pool, arenas, gate) = (Arc::clone(&pool), Arc::clone(&arenas), Arc::clone(&gate));
            flood.spawn(async move {
                let work = move |arena: &mut [Block]| {
                    arenas.lock().unwrap().insert((arena.as_ptr().addr(), arena.len()));
                    gate.wait();
                };
                pool.run(work).await
            });
        }
        // Two run, four wait, and the rest is told to come again.
        for _ in 0..994 {
            assert!(flood.join_next().await.unwrap().unwrap().is_err());
        }
        // Six, in pairs.
        for _ in 0..3 {
            gate.wait();
        }
        while let Some(answer) = flood.join_next().await {
            assert_eq!(answer.unwrap(), Ok(()));
        }
        let arenas = arenas.lock().unwrap().clone();
        assert!(arenas.len() == 2 && arenas.iter().all(|(_, blocks)| *blocks == 64), "{arenas:?}");
        assert_eq!(pool.run(|_| 7).await, Ok(7), "the next one is served");
    }

    #[tokio::test]
    async fn who_goes_away_frees_no_place_while_the_work_runs() {
        let pool = Arc::new(Pool::start(1, 8, 1).unwrap());
        let (begin, end) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let slow = |begin: &Arc<Barrier>, end: &Arc<Barrier>| {
            let (pool, begin, end) = (Arc::clone(&pool), Arc::clone(begin), Arc::clone(end));
            async move {
                let work = move |_: &mut [Block]| {
                    begin.wait();
                    end.wait();
                };
                pool.run(work).await
            }
        };
        let mut tasks = JoinSet::new();
        let gone = tasks.spawn(slow(&begin, &end));
        tokio::task::yield_now().await;
        begin.wait();
        gone.abort();
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        // Its thread is still at work: one may wait, the next is told to come again.
        let skipped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&skipped);
        let other = Arc::clone(&pool);
        let waits = tasks.spawn(async move {
            let _ = other.run(move |_| count.fetch_add(1, Ordering::SeqCst)).await;
            Ok(())
        });
        tokio::task::yield_now().await;
        assert_eq!(pool.run(|_| ()).await, Err(Busy { retry_after: Duration::from_secs(1) }));
        waits.abort();
        while tasks.join_next().await.is_some() {}
        end.wait();
        // Whoever went away before their turn costs nothing.
        while pool.run(|_| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(skipped.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_answers_its_caller_and_harms_nobody_else() {
        let pool = Pool::start(1, 8, 1).unwrap();
        assert!(pool.run(|_| panic!("a test")).await.is_err());
        assert_eq!(pool.run(|_| 1).await, Ok(1));
    }
}
