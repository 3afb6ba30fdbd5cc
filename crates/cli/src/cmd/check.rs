//! `palisade check`: what is wrong with a configuration, in which order it works, and what it lets whom do.

mod drift;

use std::path::PathBuf;
use std::process::ExitCode;

use palisade_core::diagnostic::Severity;
use palisade_core::stage::StageId;
use palisade_gateway::check::{Checked, check};
use serde_json::{Map, Value, json};

use crate::output::{self, Format};

/// What to check and how to say it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(long, default_value = "palisade.toml")]
    config: PathBuf,
    /// Print the stages in the order in which they run.
    #[arg(long)]
    chain: bool,
    /// Print the rules in force, for every operation.
    #[arg(long)]
    explain: bool,
    /// Read an event log and print how traffic departs from the contracts: a table on standard error, and on standard
    /// output the OpenAPI Overlay that would declare it. Exit 1 when anything departs.
    #[arg(long, value_name = "EVENTS", conflicts_with_all = ["chain", "explain"])]
    drift: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(log) = &arguments.drift {
        return drift::run(&arguments.config, log, arguments.format);
    }
    let checked = check(&arguments.config);
    match arguments.format {
        Format::Human => human(arguments, &checked),
        Format::Json => output::say(&format!("{:#}", as_json(arguments, &checked))),
        Format::Sarif => output::say(&format!("{:#}", output::to_sarif(&checked.diagnostics))),
    }
    Ok(if checked.has(Severity::Error) {
        ExitCode::from(output::FAILURE)
    } else if checked.has(Severity::Warning) {
        ExitCode::from(output::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn human(arguments: &Arguments, checked: &Checked) {
    output::tell(&checked.diagnostics);
    if arguments.chain {
        checked.chain.iter().enumerate().for_each(|(index, stage)| output::say(&line(index, *stage)));
    }
    if arguments.explain && !checked.explanation.is_empty() {
        output::say(checked.explanation.trim_end());
    }
    let count = |severity| output::count(&checked.diagnostics, severity);
    let counted = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| match count(severity) {
        1 => format!("1 {}", severity.as_str()),
        many => format!("{many} {}s", severity.as_str()),
    });
    output::talk(&format!("{}: {}", arguments.config.display(), counted.join(", ")));
}

/// One stage of the chain, for people.
fn line(index: usize, stage: StageId) -> String {
    format!("{:>2}  {:<13} {:<6} {}", index + 1, stage.as_str(), stage.kind().as_str(), stage.does())
}

fn as_json(arguments: &Arguments, checked: &Checked) -> Value {
    let mut result = Map::new();
    result.insert("diagnostics".to_owned(), output::to_json(&checked.diagnostics));
    if arguments.chain {
        let stage =
            |stage: &StageId| json!({"stage": stage.as_str(), "kind": stage.kind().as_str(), "does": stage.does()});
        result.insert("chain".to_owned(), checked.chain.iter().map(stage).collect());
    }
    if arguments.explain {
        result.insert("explanation".to_owned(), checked.explanation.lines().collect());
    }
    Value::Object(result)
}
