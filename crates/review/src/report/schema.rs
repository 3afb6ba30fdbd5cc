//! The JSON Schema of a report, for whoever reads reports by program.

use serde_json::{Value, json};

use crate::row::Row;
use crate::rule::{Rule, Severity};

/// The schema of [`Format::Json`](crate::Format::Json), of version 1. Later versions of the program may add members.
///
/// ```
/// assert_eq!(palisade_review::report_schema()["$defs"]["severity"]["enum"][0], "critical");
/// ```
#[must_use]
pub fn report_schema() -> Value {
    let severities = Severity::ALL.map(Severity::slug);
    let count = json!({ "type": "integer", "minimum": 0 });
    let counts = severities.iter().map(|slug| ((*slug).to_owned(), count.clone()));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://palisade.example/schema/review-report.schema.json",
        "title": "Report of a review",
        "description": "What `palisade review --format json` writes. Texts of answers are the target's: untrusted and cut short.",
        "type": "object",
        "required": ["version", "about", "requests", "summary", "rows", "operations", "ending"],
        "properties": {
            "version": { "const": 1 },
            "about": object(&["target", "contract", "mode", "started", "reviewer"], json!({
                "target": { "type": "string" },
                "contract": { "type": "string" },
                "mode": { "enum": ["active", "full", "safe"] },
                "seed": { "type": ["integer", "null"], "minimum": 0 },
                "started": { "type": "string", "format": "date-time" },
                "reviewer": { "type": "string" },
            })),
            "requests": count,
            "summary": object(&["findings", "proved", "severities", "operations", "reached", "probes", "tested"], json!({
                "findings": count,
                "proved": count,
                "severities": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": counts.collect::<serde_json::Map<_, _>>(),
                },
                "operations": count,
                "reached": count,
                "probes": count,
                "tested": count,
            })),
            "rows": { "type": "array", "items": { "$ref": "#/$defs/row" } },
            "operations": { "type": "array", "items": { "$ref": "#/$defs/operation" } },
            "ending": object(&["incomplete", "given_up", "locked_out", "throwaways", "notes", "coverage"], json!({
                "incomplete": { "type": ["string", "null"] },
                "given_up": { "type": "array", "items": { "type": "string" } },
                "locked_out": { "type": "array", "items": { "type": "string" } },
                "throwaways": count,
                "notes": { "type": "array", "items": { "type": "string" } },
                "coverage": { "type": "array", "items": { "$ref": "#/$defs/coverage" } },
            })),
            "comparison": { "type": "array", "items": { "$ref": "#/$defs/line" } },
        },
        "$defs": definitions(&severities),
    })
}

fn definitions(severities: &[&str]) -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let pairs = json!({
        "type": "array",
        "items": { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 },
    });
    let outcome = json!({ "enum": ["exploited", "not-attacked", "suspect", "withstood"] });
    json!({
        "severity": { "enum": severities },
        "rule": { "enum": Rule::ALL.iter().map(|rule| rule.slug).collect::<Vec<_>>() },
        "class": { "enum": Row::ALL.map(Row::id) },
        "place": object(&["operation", "insertion", "summary"], json!({
            "operation": text, "insertion": text, "summary": text,
        })),
        "row": object(&["row", "title", "probe", "verdict", "findings", "withstood"], json!({
            "row": { "$ref": "#/$defs/class" },
            "title": text,
            "probe": text,
            "verdict": { "enum": ["not-proved", "proved", "skipped"] },
            "reason": maybe,
            "blocked_by": maybe,
            "findings": { "type": "array", "items": { "$ref": "#/$defs/finding" } },
            "withstood": { "type": "array", "items": { "$ref": "#/$defs/exchange" } },
        })),
        "finding": object(
            &["rule", "row", "cwe", "severity", "asvs", "operation", "insertion", "confidence", "summary", "also", "proof",
                "curl", "fingerprint", "remedy", "transcript"],
            json!({
                "rule": { "$ref": "#/$defs/rule" },
                "row": { "$ref": "#/$defs/class" },
                "cwe": { "type": "integer", "minimum": 1 },
                "severity": { "$ref": "#/$defs/severity" },
                "asvs": { "type": "string", "pattern": "^v5\\.0\\.0-[0-9]+(\\.[0-9]+){2}$" },
                "operation": text,
                "insertion": text,
                "confidence": { "enum": ["proved", "question", "suspect"] },
                "summary": text,
                "also": { "type": "array", "items": { "$ref": "#/$defs/place" } },
                "proof": { "type": "array", "items": { "$ref": "#/$defs/check" } },
                "curl": text,
                "fingerprint": { "type": "string", "pattern": "^[0-9a-f]{16}$" },
                "remedy": object(&["policy", "rust", "code", "contract", "config"], json!({
                    "policy": text, "rust": text, "code": text, "contract": text, "config": text,
                })),
                "transcript": { "type": "array", "items": { "$ref": "#/$defs/exchange" } },
            }),
        ),
        "exchange": object(&["label", "method", "url", "headers", "status", "response"], json!({
            "label": { "enum": ["attack", "control", "restore", "verify"] },
            "method": text,
            "url": text,
            "headers": pairs,
            "body": maybe,
            "status": { "type": "integer", "minimum": 100, "maximum": 999 },
            "response": text,
            "response_headers": pairs,
            "blocked_by": maybe,
            "fingerprint": maybe,
            "aim": {
                "type": ["object", "null"],
                "required": ["rule", "operation", "insertion"],
                "properties": { "rule": text, "operation": text, "insertion": text },
            },
        })),
        "check": {
            "type": "object",
            "required": ["check", "exchange"],
            "properties": {
                "check": { "enum": ["alike", "burst", "called-back", "differs", "header", "holds", "status"] },
                "exchange": { "type": "integer", "minimum": 0 },
            },
        },
        "operation": object(&["id", "reached", "status"], json!({
            "id": text,
            "reached": { "type": "boolean" },
            "status": { "type": "integer", "minimum": 0, "maximum": 999 },
            "blocked_by": maybe,
            "identity": maybe,
        })),
        "coverage": object(&["operation", "tested_by"], json!({
            "operation": text,
            "tested_by": { "type": "array", "items": text },
            "why_not": maybe,
        })),
        "line": object(&["operation", "row", "declared", "attacked", "bare", "through", "codes", "standing"], json!({
            "operation": text,
            "row": { "$ref": "#/$defs/class" },
            "declared": { "type": "array", "items": text },
            "attacked": { "type": "array", "items": { "$ref": "#/$defs/rule" } },
            "bare": outcome,
            "through": outcome,
            "codes": { "type": "array", "items": text },
            "standing": { "enum": ["cleaned", "open", "rule-without-attack", "sound", "stopped", "untried"] },
        })),
    })
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut object = json!({ "type": "object", "required": required });
    if let Some(members) = object.as_object_mut() {
        members.insert("properties".to_owned(), properties);
    }
    object
}
