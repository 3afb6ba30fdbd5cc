//! What came out of a review: written where it was asked for, judged by the baseline, and turned into an exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use palisade_review::{About, Comparison, Format, Gate, Report};

use super::prepare::Prepared;
use super::{Attack, show};
use crate::output;

/// Tells it all. The exit code is 1 when something is proved that nobody has accepted, 2 when the run could not be
/// finished and proved nothing, else 0.
pub(super) fn tell(
    arguments: &Attack,
    prepared: &Prepared,
    report: &Report,
    through: Option<&Report>,
) -> anyhow::Result<ExitCode> {
    let about = About {
        target: arguments.base_url.clone(),
        contract: prepared.contract.clone(),
        mode: arguments.mode.into(),
        started: prepared.started,
    };
    let comparison = through.map(|through| Comparison::new(report, through).with_rules(&prepared.plan));
    let render = |format: Format| match &comparison {
        Some(comparison) => report.render_compared(format, &about, comparison),
        None => report.render(format, &about),
    };
    match &arguments.output {
        None => {
            let format = arguments.format.first().copied().unwrap_or(Format::Text);
            output::say(render(format).trim_end());
        }
        Some(path) => {
            for format in &arguments.format {
                let path = match arguments.format.len() {
                    1 => path.clone(),
                    _ => PathBuf::from(format!("{}.{}", path.display(), format.extension())),
                };
                write(&path, &render(*format))?;
            }
            output::say(render(Format::Text).trim_end());
        }
    }
    if let Some(path) = &arguments.write_baseline {
        write(path, &report.to_baseline(prepared.started))?;
    }
    // Behind a gateway it is the gateway's answer that counts.
    let judged = through.unwrap_or(report);
    let gate = judged.gate(&prepared.baseline, prepared.started);
    told(&gate);
    show::ending(judged);
    let is_incomplete = [Some(report), through].into_iter().flatten().any(|report| report.ending.incomplete.is_some());
    Ok(match (gate.stops(), is_incomplete) {
        (true, _) => ExitCode::from(output::FINDINGS),
        (false, true) => ExitCode::from(output::FAILURE),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// What the baseline has done.
fn told(gate: &Gate<'_>) {
    if !gate.accepted.is_empty() {
        output::talk(&format!("{} findings are accepted by the baseline", gate.accepted.len()));
    }
    for entry in &gate.expired {
        output::talk(&format!("the acceptance of `{}` ended on {}: it counts again", entry.fingerprint, entry.expires));
    }
    for entry in &gate.unmatched {
        output::talk(&format!("`{}` was not found any more: take it out of the baseline", entry.fingerprint));
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
