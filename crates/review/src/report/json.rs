//! The report as JSON, for machines.

use serde_json::{Value, json};

use crate::finding::{Exchange, Finding};
use crate::report::{OperationReach, Report, RowResult, Verdict};

impl Report {
    /// The report as JSON. Answers in it are the target's text: untrusted, and cut short.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "version": 1,
            "requests": self.requests,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "ending": self.ending.to_json(),
            "operations": self.operations.iter().map(operation).collect::<Vec<_>>(),
        })
    }
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
    json!({
        "rule": finding.rule,
        "row": finding.row.id(),
        "cwe": finding.cwe,
        "operation": finding.operation,
        "insertion": finding.insertion,
        "confidence": finding.confidence.slug(),
        "summary": finding.summary,
        "curl": finding.curl,
        "fingerprint": finding.fingerprint,
        "remedy": { "policy": finding.remedy.policy, "rust": finding.remedy.rust },
        "transcript": finding.transcript.iter().map(exchange).collect::<Vec<_>>(),
    })
}

fn exchange(exchange: &Exchange) -> Value {
    let headers = exchange.request.headers.iter().map(|(name, value)| json!([name, value]));
    json!({
        "label": exchange.label.slug(),
        "method": exchange.request.method,
        "url": exchange.request.url,
        "headers": headers.collect::<Vec<_>>(),
        "body": exchange.request.body,
        "status": exchange.status,
        "response": exchange.response,
        "blocked_by": exchange.blocked_by,
        "fingerprint": exchange.fingerprint,
    })
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
