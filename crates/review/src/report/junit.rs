//! The report as JUnit's XML: one test for each operation and rule that was tested, a failure for each that was proved.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::finding::{Aim, Confidence, Finding};
use crate::report::{About, Report, RowResult, Verdict};

/// One suite for each probe.
pub(crate) fn write(report: &Report, about: &About) -> String {
    let suites: Vec<Suite> = report.rows.iter().map(suite).collect();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"palisade review\" tests=\"{}\" failures=\"{}\" \
         errors=\"0\" time=\"0\">\n",
        suites.iter().map(|suite| suite.tests).sum::<usize>(),
        suites.iter().map(|suite| suite.failures).sum::<usize>(),
    );
    // JUnit knows moments without fractions and zones.
    let started = about.started.to_string();
    let started = started.split('.').next().unwrap_or_default();
    for (id, suite) in suites.iter().enumerate() {
        let _ = write!(
            xml,
            "  <testsuite name=\"{}\" package=\"palisade.review\" id=\"{id}\" timestamp=\"{started}\" \
             hostname=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"0\">\n{}  </testsuite>\n",
            escape(&suite.name),
            escape(host(&about.target)),
            suite.tests,
            suite.failures,
            suite.skipped,
            suite.cases
        );
    }
    xml.push_str("</testsuites>\n");
    xml
}

struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    skipped: usize,
    cases: String,
}

/// The cases of a probe: what was found, what was withstood, or that nothing could be tested.
fn suite(result: &RowResult) -> Suite {
    let mut suite = Suite {
        name: format!("{} {}", result.row, result.probe),
        tests: 0,
        failures: 0,
        skipped: 0,
        cases: String::new(),
    };
    let begin = |suite: &mut Suite, operation: &str, name: &str| {
        suite.tests += 1;
        let class = if operation.is_empty() { result.probe } else { operation };
        let _ =
            write!(suite.cases, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", escape(class), escape(name));
    };
    for finding in &result.findings {
        begin(&mut suite, &finding.operation, &format!("{} ({})", finding.rule, finding.insertion));
        if finding.confidence == Confidence::Proved {
            suite.failures += 1;
            let _ = write!(
                suite.cases,
                ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                finding.severity.slug(),
                escape(&finding.summary),
                escape(&explain(finding))
            );
        } else {
            let told = format!("{}: {}", finding.confidence.slug(), explain(finding));
            let _ = write!(suite.cases, ">\n      <system-out>{}</system-out>\n    </testcase>\n", escape(&told));
        }
    }
    let withstood: BTreeSet<&Aim> = result.withstood.iter().filter_map(|exchange| exchange.aim.as_ref()).collect();
    for aim in withstood.into_iter().filter(|aim| !result.findings.iter().any(|finding| is_at(finding, aim))) {
        begin(&mut suite, &aim.operation, &format!("{} ({})", aim.rule, aim.insertion));
        suite.cases.push_str("/>\n");
    }
    if suite.tests == 0 {
        begin(&mut suite, "", "could be tested");
        match &result.verdict {
            Verdict::Skipped { reason } => {
                suite.skipped += 1;
                let _ = write!(suite.cases, ">\n      <skipped>{}</skipped>\n    </testcase>\n", escape(reason));
            }
            Verdict::NotProved { .. } | Verdict::Proved => suite.cases.push_str("/>\n"),
        }
    }
    suite
}

fn explain(finding: &Finding) -> String {
    let also: String =
        finding.also.iter().map(|place| format!("also {} {}\n", place.operation, place.insertion)).collect();
    format!(
        "{}\n{also}{}\npolicy: {}\ncode: {}\nCWE-{}, {}, fingerprint {}",
        finding.summary,
        finding.curl,
        finding.remedy.policy,
        finding.remedy.rust,
        finding.cwe,
        finding.row,
        finding.fingerprint
    )
}

/// Whether an attack is one of a finding, so that it is told already.
fn is_at(finding: &Finding, aim: &Aim) -> bool {
    finding.rule == aim.rule && finding.operation == aim.operation && finding.insertion == aim.insertion
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Text in an element or an attribute. What XML 1.0 cannot hold at all (section 2.2) is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}
