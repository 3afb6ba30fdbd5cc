//! The report as SARIF 2.1.0 (OASIS), for code-scanning services.
//!
//! Such services show a result at a line of a file, so each result points at its operation in the contract, and they
//! follow a result over time by its fingerprint.

use serde_json::{Value, json};

use crate::finding::{Confidence, Finding};
use crate::report::locate::line_of;
use crate::report::{About, Report, word_of};
use crate::rule::{Rule, Severity};

/// The log, with one run.
pub(crate) fn write(report: &Report, about: &About) -> String {
    let rules: Vec<&Rule> =
        Rule::ALL.iter().filter(|rule| report.findings().any(|finding| finding.rule == rule.slug)).collect();
    let results: Vec<Value> = report.ranked().into_iter().map(|finding| result(finding, &rules, about)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "palisade review",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.iter().map(|rule| self::rule(rule)).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": about.started.to_string(),
            }],
            "artifacts": [{ "location": { "uri": uri(about.contract.name()) } }],
            "columnKind": "unicodeCodePoints",
            "properties": { "target": about.target, "mode": word_of(about.mode), "requests": report.requests },
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(rule: &Rule) -> Value {
    let detail = rule.detail();
    let help = format!("{}\n\nIn the policy: {}\n\nIn the code: {}", detail.help, rule.remedy.policy, rule.remedy.rust);
    json!({
        "id": rule.slug,
        "shortDescription": { "text": detail.title },
        "fullDescription": { "text": detail.help },
        "help": { "text": help, "markdown": format!("{help}\n\n```rust\n{}```\n", rule.code()) },
        "helpUri": format!("{}/blob/main/docs/reference/rules.md#{}", env!("CARGO_PKG_REPOSITORY"), rule.slug),
        "defaultConfiguration": { "level": level(detail.severity, Confidence::Proved) },
        "properties": {
            "security-severity": detail.severity.score(),
            "precision": "very-high",
            "tags": ["security", rule.row.id(), format!("external/cwe/cwe-{:03}", rule.cwe), detail.asvs],
        },
    })
}

fn result(finding: &Finding, rules: &[&Rule], about: &About) -> Value {
    let at = |operation: &str| {
        let line = line_of(&about.contract, operation).unwrap_or(1);
        json!({
            "physicalLocation": {
                "artifactLocation": { "uri": uri(about.contract.name()), "index": 0 },
                "region": { "startLine": line },
            },
            "logicalLocations": [{ "name": operation, "kind": "function" }],
        })
    };
    let also: Vec<Value> = finding.also.iter().map(|place| at(&place.operation)).collect();
    let text = format!("{} ({}, {})", finding.summary, finding.operation, finding.insertion);
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| rule.slug == finding.rule),
        "kind": if finding.confidence == Confidence::Proved { "fail" } else { "review" },
        // Only what failed has a level (SARIF 2.1.0 section 3.27.10).
        "level": level(finding.severity, finding.confidence),
        "message": { "text": text },
        "locations": [at(&finding.operation)],
        "relatedLocations": also,
        "partialFingerprints": { "palisade/v1": finding.fingerprint },
        "properties": {
            "confidence": finding.confidence.slug(),
            "severity": finding.severity.slug(),
            "insertion": finding.insertion,
            "curl": finding.curl,
        },
    })
}

fn level(severity: Severity, confidence: Confidence) -> &'static str {
    match (confidence, severity) {
        (Confidence::Question | Confidence::Suspect, _) => "none",
        (Confidence::Proved, Severity::Critical | Severity::High) => "error",
        (Confidence::Proved, Severity::Medium) => "warning",
        (Confidence::Proved, Severity::Info | Severity::Low) => "note",
    }
}

/// A path as a relative reference (RFC 3986 section 4.2).
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let encoded = percent_encoding::utf8_percent_encode(&path, UNSAFE).to_string();
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

const UNSAFE: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');
