//! `palisade schema`: the JSON Schemas, for editors and for those who read events.

use std::process::ExitCode;

use crate::output;

/// Which schema.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What it describes.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// The configuration, `palisade.toml`.
    Config,
    /// One line of the event log.
    Event,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let schema = match arguments.of {
        Of::Config => palisade_gateway::config::json_schema(),
        Of::Event => palisade_gateway::event_schema(),
    };
    output::say(&format!("{schema:#}"));
    Ok(ExitCode::SUCCESS)
}
