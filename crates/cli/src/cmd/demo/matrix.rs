//! The matrix: each risk, the request that proves it without the gateway, and the rule that stops it with the gateway.

use palisade_review::{Finding, Label, OperationReach, Report, Row, RowResult, Verdict};

use crate::output;

/// Prints the matrix and what it means for legitimate requests.
pub(super) fn print(unprotected: &Report, protected: &Report, reached: &[OperationReach]) {
    let width = Row::ALL.iter().map(|row| row.title().len()).max().unwrap_or(0);
    output::say(&format!("{:<10} {:width$}  {:<12} {}", "", "Risk", "Unprotected", "Behind Palisade"));
    for row in Row::ALL {
        let before = if unprotected.proves(row) { "EXPLOITED" } else { "not proved" };
        let after = outcome(protected, row);
        output::say(&format!("{:<10} {:width$}  {before:<12} {after}", row.id(), row.title()));
    }
    output::say("\nThe request that proves each flaw without Palisade, and what answers it with Palisade:\n");
    for result in &unprotected.rows {
        for finding in result.findings.iter().filter(|_| result.verdict == Verdict::Proved).take(2) {
            proof(result.row, finding, answer(protected, result, finding));
        }
    }
    let served = reached.iter().filter(|operation| operation.reached_2xx).count();
    output::say(&format!("{served} of {} operations served a legitimate request through the gateway.", reached.len()));
    for operation in reached.iter().filter(|operation| !operation.reached_2xx) {
        let by = operation.blocked_by.as_deref().unwrap_or("the backend");
        output::say(&format!("  NOT served: {} (status {}, by {by})", operation.id, operation.status));
    }
}

/// What became of a row behind the gateway.
fn outcome(report: &Report, row: Row) -> String {
    if report.proves(row) {
        return "EXPLOITED".to_owned();
    }
    let mut codes: Vec<&str> = Vec::new();
    let mut skipped = None;
    for result in report.rows.iter().filter(|result| result.row == row) {
        match &result.verdict {
            Verdict::NotProved { blocked_by, .. } => codes.extend(blocked_by.as_deref()),
            Verdict::Skipped { reason } => skipped = Some(reason),
            Verdict::Proved => {}
        }
        codes.extend(result.withstood.iter().filter_map(|exchange| exchange.blocked_by.as_deref()));
    }
    codes.sort_unstable();
    codes.dedup();
    match (skipped, codes.is_empty()) {
        (Some(reason), _) => format!("not tested: {reason}"),
        (None, true) => "stopped: nothing left to exploit in the answer".to_owned(),
        (None, false) => format!("stopped by {}", codes.join(", ")),
    }
}

/// The code with which the gateway answered the same probe on the same operation, or else on any.
fn answer<'r>(protected: &'r Report, attacked: &RowResult, finding: &Finding) -> Option<&'r str> {
    let same = protected.rows.iter().find(|result| result.probe == attacked.probe)?;
    let wanted = finding.transcript.iter().find(|exchange| exchange.label == Label::Attack)?;
    let path = |url: &str| url.splitn(4, '/').nth(3).unwrap_or("").split(['?', '/']).take(2).collect::<Vec<_>>().join("/");
    let near = same.withstood.iter().find(|exchange| {
        exchange.request.method == wanted.request.method && path(&exchange.request.url) == path(&wanted.request.url)
    });
    let stopped = near.and_then(|exchange| exchange.blocked_by.as_deref());
    stopped.or(match &same.verdict {
        Verdict::NotProved { blocked_by, .. } => blocked_by.as_deref(),
        Verdict::Proved | Verdict::Skipped { .. } => None,
    })
}

fn proof(row: Row, finding: &Finding, stopped: Option<&str>) {
    output::say(&format!("{} {}: {}", row.id(), finding.rule, finding.summary));
    output::say(&format!("  {}", finding.curl));
    output::say(&format!("  behind Palisade: {}\n", stopped.unwrap_or("answered, with nothing that should not be there")));
}
