//! The matrix: each risk, the request that proves it without the gateway, and the rule that stops it with the gateway.

use palisade_review::{Comparison, Finding, OperationReach, Report, Row, RowResult, Standing, Verdict};

use crate::output;

/// Prints the matrix and what it means for legitimate requests.
pub(super) fn print(unprotected: &Report, protected: &Report, reached: &[OperationReach]) {
    let width = Row::ALL.iter().map(|row| row.title().len()).max().unwrap_or(0);
    output::say(&format!("{:<10} {:width$}  {:<12} {}", "", "Risk", "Unprotected", "Stopped by Palisade with"));
    for row in Row::ALL {
        let before = if unprotected.proves(row) { "EXPLOITED" } else { "not proved" };
        let after = outcome(unprotected, protected, row);
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

/// What became of a row behind the gateway: the codes that answered the attacks which had got through without it.
fn outcome(unprotected: &Report, protected: &Report, row: Row) -> String {
    if protected.proves(row) {
        return "EXPLOITED".to_owned();
    }
    let was_proved = |result: &&RowResult| {
        let mut same = unprotected.rows.iter().filter(|known| known.probe == result.probe);
        result.row == row && same.any(|known| known.verdict == Verdict::Proved)
    };
    let untested = protected.rows.iter().filter(was_proved).find_map(|result| match &result.verdict {
        Verdict::Skipped { reason } => Some(reason),
        Verdict::NotProved { .. } | Verdict::Proved => None,
    });
    if let Some(reason) = untested {
        return format!("not tested: {reason}");
    }
    let comparison = Comparison::new(unprotected, protected);
    let lines: Vec<_> = comparison.lines.iter().filter(|line| line.row == row).collect();
    let mut words: Vec<&str> = comparison.codes(row).into_iter().collect();
    if lines.iter().any(|line| line.standing() == Standing::Cleaned) {
        words.push("a clean answer");
    }
    words.join(", ")
}

/// The code with which the gateway answered the same attack.
fn answer<'r>(protected: &'r Report, attacked: &RowResult, finding: &Finding) -> Option<&'r str> {
    let same = protected.rows.iter().find(|result| result.probe == attacked.probe)?;
    let attack = same.withstood.iter().find(|exchange| exchange.fingerprint.as_deref() == Some(&*finding.fingerprint));
    attack.and_then(|exchange| exchange.blocked_by.as_deref())
}

fn proof(row: Row, finding: &Finding, stopped: Option<&str>) {
    output::say(&format!("{} {}: {}", row.id(), finding.rule, finding.summary));
    output::say(&format!("  {}", finding.curl));
    output::say(&format!(
        "  behind Palisade: {}\n",
        stopped.unwrap_or("answered, with nothing that should not be there")
    ));
}
