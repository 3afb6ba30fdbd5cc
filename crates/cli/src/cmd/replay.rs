//! `palisade replay`: which recorded requests would fare otherwise under a new configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use palisade_gateway::config::load;
use palisade_gateway::replay::{Replayed, read, replay};
use serde_json::{Value, json};

use super::explain::{Form, unusable};
use crate::output;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration before.
    #[arg(long)]
    old: PathBuf,
    /// The configuration after.
    #[arg(long)]
    new: PathBuf,
    /// The requests: a HAR file, or an event log, of which only method, path and client are known.
    #[arg(long, value_name = "EVENTS|HAR")]
    log: PathBuf,
    /// Exit 0 even when a verdict changes.
    #[arg(long)]
    allow: bool,
    /// The form of the result.
    #[arg(long, value_enum, default_value = "human")]
    format: Form,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let log = &arguments.log;
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read `{}`", log.display()))?;
    let (old, new) = match (load(&arguments.old), load(&arguments.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let problems: Vec<_> = [old.err(), new.err()].into_iter().flatten().flatten().collect();
            return Ok(unusable(&problems));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let replayed = match runtime.block_on(replay(&old, &new, read(&text))) {
        Ok(replayed) => replayed,
        Err(problems) => return Ok(unusable(&problems)),
    };
    match arguments.format {
        Form::Human => human(&replayed),
        Form::Json => output::say(&format!("{:#}", as_json(&replayed))),
    }
    Ok(match replayed.changes.is_empty() || arguments.allow {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(output::FINDINGS),
    })
}

fn human(replayed: &Replayed) {
    for (change, (count, first)) in &replayed.changes {
        output::say(&format!("{count:>6}  {}  {} -> {}", change.operation, change.old, change.new));
        output::say(&format!("        such as {first}"));
    }
    let changed: u64 = replayed.changes.values().map(|(count, _)| count).sum();
    output::talk(&format!("the verdict changes for {changed} requests; {} were judged in whole", replayed.whole));
    if replayed.up_to_operation > 0 {
        output::talk(&format!(
            "{} were judged up to the stage `operation`: the log has no query, headers, credentials and bodies",
            replayed.up_to_operation
        ));
    }
    for (why, count) in &replayed.left {
        output::talk(&format!("{count} not replayable: {why}"));
    }
}

fn as_json(replayed: &Replayed) -> Value {
    let change = |(change, (count, first)): (&palisade_gateway::replay::Change, &(u64, String))| {
        let palisade_gateway::replay::Change { operation, old, new } = change;
        json!({"operation": operation, "old": old, "new": new, "count": count, "first": first})
    };
    json!({
        "whole": replayed.whole,
        "up_to_operation": replayed.up_to_operation,
        "not_replayable": replayed.left,
        "changes": replayed.changes.iter().map(change).collect::<Vec<_>>(),
    })
}
