//! Reads an event log and says how traffic departs from the contracts, and which change of a contract would agree.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use palisade_contract::drift::{Entry, Ledger, Observation, Seen, patch, read};
use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::config::load;
use crate::inventory::general;

/// How traffic departs from the contracts of a configuration.
#[derive(Debug, Default)]
pub struct Drift {
    /// One row for each departure.
    pub rows: Vec<Row>,
    /// For each contract that should change, by its file: an OpenAPI Overlay.
    pub overlays: BTreeMap<String, Value>,
    /// Lines of the log that are no events of this version.
    pub unreadable: u64,
    /// Departures that there was no room for.
    pub lost: u64,
}

/// One departure.
#[derive(Clone, Debug)]
pub struct Row {
    /// The contract's file.
    pub contract: String,
    /// The departure, as often as it was seen.
    pub entry: Entry,
    /// Why no change is offered for it; absent where the overlay has one.
    pub left: Option<&'static str>,
}

/// Reads the log and compares it with the configuration's contracts. `Err` when one of them cannot be used.
pub fn drift(config: &Path, log: impl BufRead) -> Result<Drift, Vec<Diagnostic>> {
    let loaded = load(config)?;
    let mut drift = Drift::default();
    let mut ledgers: BTreeMap<&str, Ledger> = BTreeMap::new();
    let mut undeclared = Ledger::default();
    for line in log.lines() {
        let event = line.ok().and_then(|line| serde_json::from_str::<Value>(&line).ok());
        let text = |key: &str| event.as_ref().and_then(|event| event.get(key)).and_then(Value::as_str);
        let (Some(kind), at) = (text("kind"), text("at").unwrap_or_default()) else {
            drift.unreadable += 1;
            continue;
        };
        let who = text("who").unwrap_or("anonymous");
        if kind == "undeclared_requested" {
            let asked = format!("{} {}", text("method").unwrap_or("-"), general(text("path").unwrap_or("-")));
            undeclared.add(&asked, not_declared(), at, who);
            continue;
        }
        let route =
            text("route").and_then(|name| loaded.settings.routes.iter().find(|route| route.name.as_str() == name));
        let (Some(route), Some(operation), "would_deny") = (route, text("operation"), kind) else { continue };
        let ledger = ledgers.entry(&route.contract).or_default();
        for told in facts(event.as_ref(), "drift") {
            match read(told) {
                Some(observation) => ledger.add(operation, observation, at, who),
                None => drift.unreadable += 1,
            }
        }
    }
    for (name, ledger) in ledgers {
        let Some(contract) = loaded.settings.contract(name) else { continue };
        let patch = patch(&contract.source, &ledger)?;
        let file = contract.source.name().to_owned();
        drift.lost += ledger.lost();
        drift.rows.extend(ledger.entries().enumerate().map(|(number, entry)| Row {
            contract: file.clone(),
            entry: entry.clone(),
            left: patch.left.iter().find(|(left, _)| *left == number).map(|(_, why)| *why),
        }));
        if patch.overlay.get("actions").and_then(Value::as_array).is_some_and(|actions| !actions.is_empty()) {
            drift.overlays.insert(file, patch.overlay);
        }
    }
    drift.lost += undeclared.lost();
    let why = "nobody has said who may call it: declare it by hand, or find out who asks";
    let rows =
        undeclared.entries().map(|entry| Row { contract: "-".to_owned(), entry: entry.clone(), left: Some(why) });
    drift.rows.extend(rows);
    Ok(drift)
}

fn not_declared() -> Observation {
    let side = palisade_contract::drift::Side::Request;
    let (at, rule) = ("-".to_owned(), "undeclared".to_owned());
    Observation { side, status: None, media: None, at, rule, seen: Seen::default() }
}

/// All values of a fact of an event's evidence.
fn facts<'e>(event: Option<&'e Value>, fact: &str) -> Vec<&'e str> {
    match event.and_then(|event| event.get("evidence")?.get(fact)) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(value)) => vec![value],
        _ => Vec::new(),
    }
}
