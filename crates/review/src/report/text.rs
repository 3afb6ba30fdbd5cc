//! The report as text: the findings, the heaviest first, and what could not be tested.

use std::fmt::Write as _;

use crate::finding::{Confidence, Finding};
use crate::report::{About, Report, Verdict, word_of};
use crate::rule::{Rule, Severity};

/// The whole report.
pub(crate) fn write(report: &Report, about: &About) -> String {
    let mut text = String::new();
    let seed = report.ending.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "{} by {}, {} mode{seed}: {} requests, {}\n",
        clean(&about.target),
        clean(about.contract.name()),
        word_of(about.mode),
        report.requests,
        count(report)
    );
    for finding in report.ranked() {
        one(&mut text, finding);
    }
    coverage(&mut text, report);
    text
}

/// `2 findings (1 critical, 1 low)`.
fn count(report: &Report) -> String {
    let total = report.findings().count();
    let parts: Vec<String> = Severity::ALL
        .into_iter()
        .map(|severity| (severity, report.findings().filter(|finding| finding.severity == severity).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {}", severity.slug()))
        .collect();
    match total {
        0 => "no findings".to_owned(),
        1 => format!("1 finding ({})", parts.join(", ")),
        _ => format!("{total} findings ({})", parts.join(", ")),
    }
}

fn one(text: &mut String, finding: &Finding) {
    let title = Rule::named(finding.rule).map_or("", |rule| rule.detail().title);
    let doubt = match finding.confidence {
        Confidence::Proved => String::new(),
        Confidence::Question | Confidence::Suspect => format!(" ({})", finding.confidence.slug()),
    };
    let _ = writeln!(text, "{}{doubt} {}: {title}", finding.severity.slug().to_uppercase(), finding.rule);
    let _ = writeln!(text, "  {} {} in {}", clean(&finding.operation), clean(&finding.insertion), finding.row);
    let _ = writeln!(text, "  {}", clean(&finding.summary));
    for place in finding.also.iter().take(MAXIMUM_PLACES) {
        let _ = writeln!(text, "  also {} {}", clean(&place.operation), clean(&place.insertion));
    }
    if let Some(more) = finding.also.len().checked_sub(MAXIMUM_PLACES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more places");
    }
    for exchange in &finding.transcript {
        let request = format!("{} {}", exchange.request.method, exchange.request.url);
        let _ = writeln!(text, "    {:<7} {} -> {}", exchange.label.slug(), clean(&request), exchange.status);
    }
    let _ = writeln!(text, "  repeat:  {}", clean(&finding.curl));
    let _ = writeln!(text, "  policy:  {}", finding.remedy.policy);
    let _ = writeln!(text, "  code:    {}", finding.remedy.rust);
    let _ = writeln!(text, "  CWE-{}, ASVS {}, {}\n", finding.cwe, finding.asvs, finding.fingerprint);
}

/// What was reached and tested, and why the rest was not: a run that tested nothing must not look clean.
fn coverage(text: &mut String, report: &Report) {
    let reached = report.operations.iter().filter(|operation| operation.reached_2xx).count();
    let ending = &report.ending;
    if let Some(why) = &ending.incomplete {
        let _ = writeln!(text, "The run ended early: {}. What is missing here says nothing about the API.", clean(why));
    }
    for note in &ending.notes {
        let _ = writeln!(text, "Note: {}.", clean(note));
    }
    for who in &ending.locked_out {
        let _ = writeln!(text, "Note: `{}` could not sign in any more.", clean(who));
    }
    for operation in &ending.given_up {
        let _ = writeln!(text, "Note: `{}` was left alone, because it had not answered.", clean(operation));
    }
    let _ = writeln!(text, "{reached} of {} operations served a legitimate request.", report.operations.len());
    for operation in report.operations.iter().filter(|operation| !operation.reached_2xx) {
        let who = operation.identity.as_deref().unwrap_or("nobody in particular");
        let by = operation.blocked_by.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
        let status = if operation.status == 0 { "no answer".to_owned() } else { operation.status.to_string() };
        let _ = writeln!(text, "  not reached: {} ({status}{} as {})", clean(&operation.id), clean(&by), clean(who));
    }
    for coverage in ending.coverage.iter().filter(|coverage| coverage.tested_by.is_empty()) {
        let why = coverage.why_not.as_deref().unwrap_or("no probe is for operations of its kind");
        let _ = writeln!(text, "  not tested:  {}: {}", clean(&coverage.operation), clean(why));
    }
    let tested = report.rows.iter().filter(|result| !matches!(result.verdict, Verdict::Skipped { .. })).count();
    if tested == 0 {
        let _ = writeln!(text, "nothing was tested: this says nothing about the API.");
    } else {
        let _ = writeln!(text, "{tested} of {} probes could be made.", report.rows.len());
    }
    for result in &report.rows {
        match &result.verdict {
            Verdict::Skipped { reason } => {
                let _ = writeln!(text, "  not tested: {} {}: {}", result.row, result.probe, clean(reason));
            }
            Verdict::NotProved { reason, .. } if result.findings.is_empty() => {
                let _ = writeln!(text, "  withstood:  {} {}: {}", result.row, result.probe, clean(reason));
            }
            Verdict::NotProved { .. } | Verdict::Proved => {}
        }
    }
}

/// Text of the target without what would steer a terminal or turn the line around.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|character| if is_steering(character) { '\u{fffd}' } else { character }).collect()
}

/// Control characters, and those that change the direction of text (Unicode, annex 9) or cannot be seen.
pub(crate) fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

const MAXIMUM_PLACES: usize = 5;
