//! `palisade review replay`: sends the requests of one finding again, and says whether it is still there.

use std::path::PathBuf;
use std::process::ExitCode;

use palisade_core::diagnostic::Diagnostic;
use palisade_review::{Recorded, ReplayError, Replayed, replay};

use super::connection::Connection;
use super::{failure, prepare, refuse};
use crate::output;

/// What to send again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The finding: its fingerprint, or enough of its beginning.
    id: String,
    /// The report in JSON that has it.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Where the API is.
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// Who to be, as for the review.
    #[arg(long, value_name = "FILE")]
    identities: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.report.display().to_string();
    let unusable = |message: String| Diagnostic::error("review-report", message).in_file(&name);
    let text = match std::fs::read_to_string(&arguments.report) {
        Ok(text) => text,
        Err(error) => return Ok(refuse(&[unusable(error.to_string()).help("make one with `--format json`")])),
    };
    let target = prepare::trust(arguments.connection.ca.as_deref())
        .and_then(|trust| prepare::target(&arguments.base_url, &trust));
    let (target, identities) = match (target, prepare::identities(&arguments.identities)) {
        (Ok(target), Ok(identities)) => (arguments.connection.apply(target), identities),
        (target, identities) => {
            let problems = target.err().into_iter().chain(identities.err().unwrap_or_default());
            return Ok(refuse(&problems.collect::<Vec<_>>()));
        }
    };
    let replayed = match Recorded::read(&text, &arguments.id) {
        Ok(finding) => {
            output::talk(&format!("{}: {}", finding.rule, finding.summary));
            replay(&finding, &target, &identities).await
        }
        Err(error) => Err(error),
    };
    match replayed {
        Ok(replayed) => Ok(told(&replayed)),
        Err(ReplayError::Run(error)) => Ok(refuse(&[failure(&error, &arguments.identities)])),
        Err(error) => Ok(refuse(&[unusable(error.to_string()).help("every report names its findings by fingerprint")])),
    }
}

fn told(replayed: &Replayed) -> ExitCode {
    let slug = replayed.slug();
    match replayed {
        Replayed::CannotSay { reason } => {
            output::say(&format!("{slug}: {reason}"));
            ExitCode::from(output::FAILURE)
        }
        Replayed::Gone { reason } => {
            output::say(&format!("{slug}: {reason}"));
            ExitCode::SUCCESS
        }
        Replayed::StillPresent => {
            output::say(slug);
            ExitCode::from(output::FINDINGS)
        }
    }
}
