//! Progress is what a run tells while it is under way, for whoever waits for it.

use crate::report::Verdict;
use crate::row::Row;

/// Listens to a run. The methods are called from the run's own task and must not block it.
///
/// ```
/// use palisade_review::{Progress, ProgressEvent};
///
/// struct Names;
///
/// impl Progress for Names {
///     fn event(&self, event: ProgressEvent<'_>) {
///         if let ProgressEvent::ProbeStarted { probe, row } = event {
///             println!("{row} {probe}");
///         }
///     }
/// }
/// ```
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: ProgressEvent<'_>);
}

/// Silence.
impl Progress for () {
    fn event(&self, _: ProgressEvent<'_>) {}
}

/// One step of a run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ProgressEvent<'e> {
    /// Every identity has signed in, and the controls hold.
    PreflightDone {
        /// How many identities there are.
        identities: usize,
        /// How many operations the contract has.
        operations: usize,
    },
    /// A probe begins.
    ProbeStarted {
        /// Its name.
        probe: &'static str,
        /// What it is about.
        row: Row,
    },
    /// A probe is done.
    ProbeFinished {
        /// Its name.
        probe: &'static str,
        /// What it is about.
        row: Row,
        /// What came out.
        verdict: &'e Verdict,
        /// How many requests the run has made so far.
        requests: u32,
    },
}
