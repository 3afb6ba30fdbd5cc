//! The report as JSON, for machines.

use serde_json::{Value, json};

use crate::comparison::Comparison;
use crate::finding::{Aim, Confidence, Exchange, Finding, Place};
use crate::proof::Check;
use crate::report::{About, OperationReach, Report, RowResult, Verdict, word_of};
use crate::rule::{Rule, Severity};

/// The report with what a reader has to know besides.
pub(crate) fn write(report: &Report, about: &About) -> String {
    write_compared(report, about, None)
}

/// The same with a comparison.
pub(crate) fn write_compared(report: &Report, about: &About, comparison: Option<&Comparison>) -> String {
    let mut value = report.to_json();
    if let Some(members) = value.as_object_mut() {
        let about = json!({
            "target": about.target,
            "contract": about.contract.name(),
            "mode": word_of(about.mode),
            "seed": report.ending.seed,
            "started": about.started.to_string(),
            "reviewer": env!("CARGO_PKG_VERSION"),
        });
        members.insert("about".to_owned(), about);
        if let Some(comparison) = comparison {
            members.insert("comparison".to_owned(), comparison.to_json());
        }
    }
    format!("{value:#}\n")
}

impl Report {
    /// The report as JSON. Answers in it are the target's text: untrusted, and cut short.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "version": 1,
            "requests": self.requests,
            "summary": summary(self),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "ending": self.ending.to_json(),
            "operations": self.operations.iter().map(operation).collect::<Vec<_>>(),
        })
    }
}

/// The counts that a gate or a chart wants.
fn summary(report: &Report) -> Value {
    let of = |severity: Severity| report.findings().filter(|finding| finding.severity == severity).count();
    let severities = Severity::ALL.into_iter().map(|severity| (severity.slug().to_owned(), Value::from(of(severity))));
    let is_tested = |result: &&RowResult| !matches!(result.verdict, Verdict::Skipped { .. });
    json!({
        "findings": report.findings().count(),
        "proved": report.findings().filter(|finding| finding.confidence == Confidence::Proved).count(),
        "severities": severities.collect::<serde_json::Map<_, _>>(),
        "operations": report.operations.len(),
        "reached": report.operations.iter().filter(|operation| operation.reached_2xx).count(),
        "probes": report.rows.len(),
        "tested": report.rows.iter().filter(is_tested).count(),
    })
}

fn row(result: &RowResult) -> Value {
    let (reason, blocked_by) = match &result.verdict {
        Verdict::NotProved { reason, blocked_by } => (Some(reason), blocked_by.as_ref()),
        Verdict::Proved => (None, None),
        Verdict::Skipped { reason } => (Some(reason), None),
    };
    json!({
        "row": result.row.id(),
        "title": result.row.title(),
        "probe": result.probe,
        "verdict": result.verdict.slug(),
        "reason": reason,
        "blocked_by": blocked_by,
        "findings": result.findings.iter().map(finding).collect::<Vec<_>>(),
        "withstood": result.withstood.iter().map(exchange).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    let detail = Rule::named(finding.rule).map(Rule::detail);
    json!({
        "rule": finding.rule,
        "row": finding.row.id(),
        "cwe": finding.cwe,
        "severity": finding.severity.slug(),
        "asvs": finding.asvs,
        "operation": finding.operation,
        "insertion": finding.insertion,
        "confidence": finding.confidence.slug(),
        "summary": finding.summary,
        "also": finding.also.iter().map(place).collect::<Vec<_>>(),
        "proof": finding.proof.iter().map(Check::to_json).collect::<Vec<_>>(),
        "curl": finding.curl,
        "fingerprint": finding.fingerprint,
        "remedy": {
            "policy": finding.remedy.policy,
            "rust": finding.remedy.rust,
            "code": Rule::named(finding.rule).map_or("", Rule::code),
            "contract": detail.map_or("", |detail| detail.contract),
            "config": detail.map_or("", |detail| detail.config),
        },
        "transcript": finding.transcript.iter().map(exchange).collect::<Vec<_>>(),
    })
}

fn exchange(exchange: &Exchange) -> Value {
    json!({
        "label": exchange.label.slug(),
        "method": exchange.request.method,
        "url": exchange.request.url,
        "headers": pairs(&exchange.request.headers),
        "body": exchange.request.body,
        "status": exchange.status,
        "response": exchange.response,
        "response_headers": pairs(&exchange.response_headers),
        "blocked_by": exchange.blocked_by,
        "fingerprint": exchange.fingerprint,
        "aim": exchange.aim.as_ref().map(aim),
    })
}

fn aim(aim: &Aim) -> Value {
    json!({ "rule": aim.rule, "operation": aim.operation, "insertion": aim.insertion })
}

fn pairs(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!([name, value])).collect()
}

fn place(place: &Place) -> Value {
    json!({ "operation": place.operation, "insertion": place.insertion, "summary": place.summary })
}

fn operation(reach: &OperationReach) -> Value {
    json!({
        "id": reach.id,
        "reached": reach.reached_2xx,
        "status": reach.status,
        "blocked_by": reach.blocked_by,
        "identity": reach.identity,
    })
}
