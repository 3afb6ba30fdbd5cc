//! `palisade check --drift`: how traffic departs from the contracts, as a table for people and an overlay for the contract.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use palisade_gateway::drift::{Drift, Row, drift};
use serde_json::{Value, json};

use crate::output::{self, Format};

/// Reads the log of a configuration and tells what departs. Exit 1 when anything does.
pub(super) fn run(config: &Path, log: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let file = File::open(log).with_context(|| format!("cannot read the event log `{}`", log.display()))?;
    let drift = match drift(config, BufReader::new(file)) {
        Ok(drift) => drift,
        Err(diagnostics) => {
            output::tell(&diagnostics);
            return Ok(ExitCode::from(output::FAILURE));
        }
    };
    match format {
        Format::Human => human(&drift),
        Format::Json => output::say(&format!("{:#}", as_json(&drift))),
        Format::Sarif => {
            anyhow::bail!("drift is told as `human` or `json`: it has no place in a file that SARIF could name")
        }
    }
    Ok(if drift.rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(output::FINDINGS) })
}

/// The table goes to standard error and the overlays to standard output, where they can be redirected into a file.
fn human(drift: &Drift) {
    let mut table = vec![["OPERATION", "WHERE", "RULE", "SEEN", "TIMES", "FIRST", "LAST", "WHO"].map(str::to_owned)];
    table.extend(drift.rows.iter().map(cells));
    let mut widths = [0; 8];
    for line in &table {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let notes = std::iter::once(None).chain(drift.rows.iter().map(|row| row.left));
    for (line, note) in table.iter().zip(notes).filter(|_| !drift.rows.is_empty()) {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        output::talk(cells.join("  ").trim_end());
        if let Some(note) = note {
            output::talk(&format!("    not in the overlay: {note}"));
        }
    }
    for overlay in drift.overlays.values() {
        output::say(&format!("{overlay:#}"));
    }
    output::talk(&format!("departures: {}, contracts to change: {}", drift.rows.len(), drift.overlays.len()));
    for (count, what) in [(drift.unreadable, "lines not read"), (drift.lost, "departures without room")] {
        if count > 0 {
            output::talk(&format!("{what}: {count}"));
        }
    }
}

fn cells(row: &Row) -> [String; 8] {
    let (entry, what) = (&row.entry, &row.entry.what);
    let place = match what.status {
        Some(status) => format!("{status} {}", what.at),
        None => what.at.clone(),
    };
    [
        entry.operation.clone(),
        place,
        what.rule.clone(),
        seen(row),
        entry.count.to_string(),
        entry.first.clone(),
        entry.last.clone(),
        entry.who.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
    ]
}

fn seen(row: &Row) -> String {
    let mut words: Vec<String> = row.entry.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    words.extend(row.entry.format.clone());
    words.extend(row.entry.length.map(|(least, most)| format!("{least}..{most}")));
    words.extend(row.entry.what.media.clone());
    words.join(" ")
}

fn as_json(drift: &Drift) -> Value {
    let row = |row: &Row| {
        let (entry, what) = (&row.entry, &row.entry.what);
        json!({
            "contract": row.contract,
            "operation": entry.operation,
            "in": what.side,
            "status": what.status,
            "media": what.media,
            "at": what.at,
            "rule": what.rule,
            "types": entry.kinds,
            "format": entry.format,
            "length": entry.length,
            "count": entry.count,
            "first": entry.first,
            "last": entry.last,
            "who": entry.who,
            "not_in_overlay": row.left,
        })
    };
    json!({
        "drift": drift.rows.iter().map(row).collect::<Vec<_>>(),
        "overlays": drift.overlays,
        "unreadable": drift.unreadable,
        "lost": drift.lost,
    })
}
