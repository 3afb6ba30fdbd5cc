//! Puts recorded requests through two configurations and tells which of them would fare otherwise.
//!
//! 1. Both configurations answer through their real chains ([`crate::explain`]), at the moment when the request was made.
//! 2. A HAR file has whole requests. An entry whose body was not recorded is told to be not replayable.
//! 3. An event log has method, host, path and client and nothing else: no query, headers, credential or body. Such a
//!    request is judged up to the stage `operation`: whether it is refused until there, or which route and operation it
//!    reaches. What later stages would say is not guessed. Where a route is for one host, a line without a host, from an
//!    older log or of a request that was refused for it, cannot be replayed.
//! 4. Requests are not counted against limits, and answers of the backend are not judged.

mod har;
mod log;

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade::chain::ORDER;
use palisade::watch::Said;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;

use crate::config::Loaded;
use crate::explain::{Asked, Explained, Explainer};

/// A request that was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The request.
    pub asked: Asked,
    /// From where it came.
    pub from: IpAddr,
    /// When.
    pub at: Timestamp,
    /// How much of it was recorded.
    pub extent: Extent,
}

/// How much of a request was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Method, path and client, for whatever host.
    HostUnknown,
    /// Method, host, path and client: enough for the stages up to `operation`.
    UpToOperation,
    /// All of it.
    Whole,
}

/// What was read from a recording.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The requests, in their order.
    pub requests: Vec<Recorded>,
    /// Why others cannot be replayed, and how many.
    pub left: BTreeMap<&'static str, u64>,
}

/// What came of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// How many requests were judged in whole.
    pub whole: u64,
    /// How many were judged up to the stage `operation`.
    pub up_to_operation: u64,
    /// Why others were not, and how many.
    pub left: BTreeMap<&'static str, u64>,
    /// The changes, each with how often it happens and the first request that it happens to.
    pub changes: BTreeMap<Change, (u64, String)>,
}

/// How the verdict about a request changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The operation by the old configuration, else by the new one, else `-`.
    pub operation: String,
    /// The old verdict: a code, `forwarded to NAME`, or `reaches ROUTE/OPERATION`.
    pub old: String,
    /// The new verdict.
    pub new: String,
}

/// Reads a recording: a HAR file where the text is one JSON object with a `log`, else an event log.
pub fn read(text: &str) -> Recording {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) if value.pointer("/log/entries").is_some() => har::read(&value),
        _ => log::read(text),
    }
}

/// Puts a recording through both configurations.
pub async fn replay(old: &Loaded, new: &Loaded, recording: Recording) -> Result<Replayed, Vec<Diagnostic>> {
    let needs_host = [old, new].iter().any(|loaded| loaded.settings.routes.iter().any(|route| route.host.is_some()));
    let (mut before, mut after) = (Explainer::new(old)?, Explainer::new(new)?);
    let mut replayed = Replayed { left: recording.left, ..Replayed::default() };
    for recorded in recording.requests {
        match recorded.extent {
            Extent::Whole => replayed.whole += 1,
            Extent::HostUnknown if needs_host => {
                *replayed.left.entry(HOST_UNKNOWN).or_default() += 1;
                continue;
            }
            Extent::HostUnknown | Extent::UpToOperation => replayed.up_to_operation += 1,
        }
        let Recorded { asked, from, at, extent } = recorded;
        let request = format!("{} {}", asked.request.method(), asked.request.uri());
        let old = before.explain(asked.clone(), from, at).await;
        let new = after.explain(asked, from, at).await;
        let (before, after) = (verdict(&old, extent), verdict(&new, extent));
        if before != after {
            let operation = operation(&old).or_else(|| operation(&new)).unwrap_or("-").to_owned();
            let change = Change { operation, old: before, new: after };
            replayed.changes.entry(change).or_insert((0, request)).0 += 1;
        }
    }
    Ok(replayed)
}

/// What can be said about a request of which so much is known.
fn verdict(explained: &Explained, extent: Extent) -> String {
    if extent == Extent::Whole {
        return match &explained.forwarded {
            Some(forwarded) => format!("forwarded to {}", forwarded.upstream),
            None => explained.verdict(),
        };
    }
    let place = |stage: StageId| ORDER.iter().position(|id| *id == stage);
    let mut early = explained.steps.iter().filter(|step| place(step.stage) <= place(StageId::Operation));
    let stopped = early.find_map(|step| match &step.said {
        Said::Denied(denial) if place(denial.stage()) <= place(StageId::Operation) => Some(denial.code().to_string()),
        Said::Answered(_) => Some("answered".to_owned()),
        Said::Denied(_) | Said::Passed => None,
    });
    stopped.unwrap_or_else(|| {
        let route = found(explained, "route").unwrap_or("-");
        format!("reaches {route}/{}", operation(explained).unwrap_or("-"))
    })
}

fn operation(explained: &Explained) -> Option<&str> {
    found(explained, "operation")
}

fn found<'e>(explained: &'e Explained, wanted: &str) -> Option<&'e str> {
    let mut facts = explained.steps.iter().flat_map(|step| &step.found);
    facts.find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
}

const HOST_UNKNOWN: &str = "a route is for one host, and the line does not say for which host the request was";
