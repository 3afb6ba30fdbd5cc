//! Diagnostics as SARIF 2.1.0 (OASIS), which code-scanning services take.

use std::collections::BTreeSet;

use palisade_core::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};

/// One run with its rules and results.
pub(super) fn log(diagnostics: &[Diagnostic]) -> Value {
    let rules: BTreeSet<&str> = diagnostics.iter().map(Diagnostic::code).collect();
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({"id": id})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "palisade", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": diagnostics.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(diagnostic: &Diagnostic) -> Value {
    let text = match diagnostic.advice() {
        None => diagnostic.message().to_owned(),
        Some(help) => format!("{} ({help})", diagnostic.message()),
    };
    let region = diagnostic.position().zip(diagnostic.end_position()).map(|(start, end)| {
        json!({"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column})
    });
    let location = diagnostic.file().map(|file| match region {
        None => json!({"physicalLocation": {"artifactLocation": {"uri": file}}}),
        Some(region) => json!({"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}),
    });
    json!({
        "ruleId": diagnostic.code(),
        "level": level(diagnostic.severity()),
        "message": {"text": text},
        "locations": location.into_iter().collect::<Vec<_>>(),
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
