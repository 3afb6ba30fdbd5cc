//! What a review tells on the way, before it begins, and about how it ended.

use std::io::{IsTerminal, stderr};

use palisade_review::{Plan, PlannedOperation, Progress, ProgressEvent, Report};

use super::{Attack, word};
use crate::output;

/// Progress: one line that changes on a terminal, and a line for each step elsewhere.
pub(super) struct Shown {
    what: &'static str,
    is_terminal: bool,
}

impl Shown {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, is_terminal: stderr().is_terminal() }
    }

    fn step(&self, text: &str) {
        match self.is_terminal {
            true => output::progress(&format!("{}: {text}", self.what)),
            false => output::talk(&format!("{}: {text}", self.what)),
        }
    }
}

impl Progress for Shown {
    fn event(&self, event: ProgressEvent<'_>) {
        match event {
            ProgressEvent::PreflightDone { identities, operations } => {
                self.step(&format!("{identities} identities signed in, {operations} operations"));
            }
            ProgressEvent::ProbeStarted { probe, row } if self.is_terminal => self.step(&format!("{row} {probe}")),
            ProgressEvent::ProbeFinished { probe, row, verdict, requests } => {
                self.step(&format!("{row} {probe}: {}, {requests} requests so far", verdict.slug()));
            }
            _ => {}
        }
    }
}

/// What a run would do.
pub(super) fn forecast(plan: &Plan, arguments: &Attack) {
    let estimate = plan.estimate();
    let mode = word(arguments.mode);
    output::say(&format!("{} operations at {}, in {mode} mode:\n", estimate.operations, arguments.base_url));
    for operation in plan.operations() {
        output::say(&format!("  {:<7} {}  {}", operation.method, operation.template, remark(&operation)));
    }
    output::say(&format!(
        "\n{:>6} requests at most, roughly, of a budget of {}:\n",
        estimate.requests, arguments.budget
    ));
    for probe in &estimate.probes {
        output::say(&format!("  {:>5}  {:<10} {}", probe.requests, probe.row.id(), probe.probe));
    }
    let missing = plan.missing();
    if !missing.is_empty() {
        output::say("\nwhat keeps it from testing more:\n");
        missing.iter().for_each(|what| output::say(&format!("  {what}")));
    }
    output::talk("dry run: nothing was sent");
}

fn remark(operation: &PlannedOperation) -> String {
    let mut remarks = Vec::new();
    if operation.is_public {
        remarks.push("public");
    }
    if operation.is_reset {
        remarks.push("never: it could reset the target");
    } else if operation.is_protected {
        remarks.push("only with throw-away accounts");
    } else if operation.method == http::Method::DELETE {
        remarks.push("destructive");
    } else if !operation.is_read {
        remarks.push("writes");
    }
    match remarks.is_empty() {
        true => operation.id.clone(),
        false => format!("{} ({})", operation.id, remarks.join(", ")),
    }
}

/// How the run ended.
pub(super) fn ending(report: &Report) {
    let ending = &report.ending;
    for route in &ending.given_up {
        output::talk(&format!("left alone: `{route}` had not answered several times in a row"));
    }
    for identity in &ending.locked_out {
        output::talk(&format!("warning: `{identity}` cannot sign in any more"));
    }
    ending.notes.iter().for_each(|note| output::talk(&format!("note: {note}")));
    if let Some(why) = &ending.incomplete {
        output::talk(&format!("incomplete: {why}; what is not in the report was not tested"));
    }
}
