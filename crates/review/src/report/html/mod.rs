//! The report as one page for a browser: no script, nothing fetched, readable on a phone, on paper and in the dark.
//!
//! Everything that came from the target or its contract is hostile here: it was made by whoever attacks the service, and
//! somebody opens it in a browser. So it goes through [`escape::Text`] and nowhere else, a policy in the page forbids
//! every script and every request, and long texts are cut.

mod chart;
mod escape;
mod findings;
mod matrix;

use std::fmt::Write as _;

use crate::comparison::Comparison;
use crate::report::compared::told;
use crate::report::{About, Report, Verdict, word_of};
use crate::rule::Severity;
use escape::{Prose, Text};

/// The whole page.
pub(crate) fn write(report: &Report, about: &About) -> String {
    write_compared(report, about, None)
}

/// The same with a comparison.
pub(crate) fn write_compared(report: &Report, about: &About, comparison: Option<&Comparison>) -> String {
    let mut page = String::new();
    let target = Text(&about.target);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"content-security-policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Review of {target}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    head(&mut page, report, about);
    chart::write(&mut page, report);
    findings::write(&mut page, report);
    if let Some(comparison) = comparison {
        compared(&mut page, comparison);
    }
    matrix::write(&mut page, report);
    coverage(&mut page, report);
    page.push_str("</body>\n</html>\n");
    page
}

fn head(page: &mut String, report: &Report, about: &About) {
    let seed = report.ending.seed.map(|seed| format!("<dt>Seed</dt><dd>{seed}</dd>")).unwrap_or_default();
    let _ = write!(
        page,
        "<header>\n<p class=\"brand\">palisade review</p>\n<h1>{}</h1>\n<dl class=\"facts\"><dt>Contract</dt><dd>{}</dd>\
         <dt>Mode</dt><dd>{}</dd><dt>Started</dt><dd>{}</dd><dt>Requests</dt><dd>{}</dd>{seed}</dl>\n<ul class=\"tiles\">",
        Text(&about.target),
        Text(about.contract.name()),
        word_of(about.mode),
        about.started,
        report.requests
    );
    for severity in Severity::ALL {
        let count = report.findings().filter(|finding| finding.severity == severity).count();
        let slug = severity.slug();
        let empty = if count == 0 { " none" } else { "" };
        let _ = write!(page, "<li class=\"{slug}{empty}\"><b>{count}</b> {slug}</li>");
    }
    page.push_str("</ul>\n</header>\n");
}

/// What the gateway changed, line by line.
fn compared(page: &mut String, comparison: &Comparison) {
    page.push_str(
        "<section>\n<h2>Before and after</h2>\n<p>The same attacks against the service, and through the gateway.</p>\n\
         <div class=\"wide\"><table>\n<thead><tr><th>Standing</th><th>Row</th><th>Operation</th><th>Without</th>\
         <th>With</th><th>By</th></tr></thead>\n<tbody>\n",
    );
    for line in comparison.ranked() {
        let standing = line.standing().slug();
        let _ = writeln!(
            page,
            "<tr><td class=\"{standing}\">{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            standing.replace('-', " "),
            line.row,
            Text(&line.operation),
            line.bare.slug().replace('-', " "),
            line.through.slug().replace('-', " "),
            Text(&told(line))
        );
    }
    page.push_str("</tbody></table></div>\n</section>\n");
}

/// What was not reached or not tested, with the reason: an untested API must not look clean.
fn coverage(page: &mut String, report: &Report) {
    let reached = report.operations.iter().filter(|operation| operation.reached_2xx).count();
    let tested = report.rows.iter().filter(|result| !matches!(result.verdict, Verdict::Skipped { .. })).count();
    let _ = write!(
        page,
        "<section>\n<h2>What was tested</h2>\n<p>{reached} of {} operations served a legitimate request; {tested} of {} \
         probes could be made.{}</p>\n<div class=\"wide\"><table>\n<thead><tr><th>Row</th><th>Probe</th><th>Came to</th>\
         <th>Because</th></tr></thead>\n<tbody>\n",
        report.operations.len(),
        report.rows.len(),
        if tested == 0 { " <strong>Nothing was tested: this says nothing about the API.</strong>" } else { "" }
    );
    for result in &report.rows {
        let (reason, code) = match &result.verdict {
            Verdict::NotProved { reason, blocked_by } => (reason.as_str(), blocked_by.as_deref()),
            Verdict::Proved => ("", None),
            Verdict::Skipped { reason } => (reason.as_str(), None),
        };
        let code = code.map(|code| format!(" <code>{}</code>", Text(code))).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}{code}</td></tr>",
            result.row,
            result.probe,
            result.verdict.slug(),
            result.verdict.slug().replace('-', " "),
            Text(reason)
        );
    }
    page.push_str("</tbody></table></div>\n");
    let mut missed = report.operations.iter().filter(|operation| !operation.reached_2xx).peekable();
    if missed.peek().is_some() {
        page.push_str("<h3>Not reached</h3>\n<ul class=\"plain\">\n");
        for operation in missed {
            let status = if operation.status == 0 { "no answer".to_owned() } else { operation.status.to_string() };
            let who = operation.identity.as_deref().unwrap_or("nobody in particular");
            let _ = writeln!(page, "<li><code>{}</code> {status} as {}</li>", Text(&operation.id), Text(who));
        }
        page.push_str("</ul>\n");
    }
    endings(page, report);
    page.push_str("</section>\n");
}

/// How the run ended, and by what each operation was tested.
fn endings(page: &mut String, report: &Report) {
    let ending = &report.ending;
    if let Some(why) = &ending.incomplete {
        let _ = writeln!(
            page,
            "<p><strong>The run ended early: {}. What is missing here says nothing about the API.</strong></p>",
            Text(why)
        );
    }
    for note in &ending.notes {
        let _ = writeln!(page, "<p>{}</p>", Prose(note));
    }
    for who in &ending.locked_out {
        let _ = writeln!(page, "<p><strong>{} could not sign in any more.</strong></p>", Text(who));
    }
    for operation in &ending.given_up {
        let _ = writeln!(page, "<p><code>{}</code> was left alone, because it had not answered.</p>", Text(operation));
    }
    if ending.coverage.is_empty() {
        return;
    }
    page.push_str("<h3>Each operation</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>Operation</th><th>Tested by</th></tr></thead>\n<tbody>\n");
    for coverage in &ending.coverage {
        let by = match coverage.tested_by.is_empty() {
            false => coverage.tested_by.join(", "),
            true => format!("nothing: {}", coverage.why_not.as_deref().unwrap_or("no probe is for its kind")),
        };
        let _ = writeln!(page, "<tr><td><code>{}</code></td><td>{}</td></tr>", Text(&coverage.operation), Text(&by));
    }
    page.push_str("</tbody></table></div>\n");
}

/// Nothing runs and nothing is fetched; only the page's own styles apply.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");
