//! A baseline names findings that somebody has looked at and accepted, each with a reason and an end.
//!
//! ```toml
//! [[accepted]]
//! fingerprint = "aa5729417b929c4e"
//! rule = "object-written"
//! reason = "the shared notebook is meant to be changed by everybody"
//! expires = 2027-01-31
//! by = "erika@example.com"
//! ```
//!
//! An acceptance that has expired accepts nothing, and one that matches nothing is told, so that the file does not
//! become a heap of forgotten exceptions.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::time::Timestamp;
use toml::{Spanned, Table, Value};

use crate::finding::{Confidence, Finding};
use crate::report::Report;

/// What was accepted.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_review::Baseline;
///
/// let text = "[[accepted]]\nfingerprint = 'aa57'\nreason = 'it is meant'\nexpires = 2027-01-31\n";
/// assert_eq!(Baseline::read(&Source::new("baseline.toml", text)).unwrap().accepted[0].expires, "2027-01-31");
/// let text = "[[accepted]]\nfingerprint = 'aa57'\nexpires = 2027-01-31\n";
/// let problems = Baseline::read(&Source::new("baseline.toml", text)).unwrap_err();
/// assert_eq!(problems[0].message(), "an acceptance needs a `reason`");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The entries, in the order of the file.
    pub accepted: Vec<Accepted>,
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Which.
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// The last day on which it is accepted, as `2027-01-31`.
    pub expires: String,
    /// Who accepted it.
    pub by: Option<String>,
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its line.
    pub fn read(source: &Source) -> Result<Self, Vec<Diagnostic>> {
        let table: Table = toml::from_str(source.text()).map_err(|error| {
            let diagnostic = Diagnostic::error(CODE, error.message().to_owned());
            vec![placed(diagnostic, source, error.span())]
        })?;
        let mut problems = Vec::new();
        for key in table.keys().filter(|key| *key != "accepted") {
            let message = format!("unknown key `{key}`");
            problems.push(Diagnostic::error(CODE, message).in_source(source).help("the entries are `[[accepted]]`"));
        }
        let starts = entries(source.text());
        let mut baseline = Self::default();
        let list = table.get("accepted").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (at, entry) in list.iter().enumerate() {
            match accepted(entry) {
                Ok(one) if baseline.accepted.iter().any(|known| known.fingerprint == one.fingerprint) => {
                    let message = format!("`{}` is accepted twice", one.fingerprint);
                    let problem = Diagnostic::error(CODE, message).help("keep one of the entries");
                    problems.push(placed(problem, source, starts.get(at).cloned()));
                }
                Ok(one) => baseline.accepted.push(one),
                Err(problem) => problems.push(placed(problem, source, starts.get(at).cloned())),
            }
        }
        if problems.is_empty() { Ok(baseline) } else { Err(problems) }
    }
}

/// Where the entries begin.
fn entries(text: &str) -> Vec<Range<usize>> {
    let list = toml::from_str::<std::collections::BTreeMap<String, Vec<Spanned<Table>>>>(text).unwrap_or_default();
    list.get("accepted").into_iter().flatten().map(Spanned::span).collect()
}

fn placed(diagnostic: Diagnostic, source: &Source, span: Option<Range<usize>>) -> Diagnostic {
    match span {
        Some(span) => diagnostic.at(source, span),
        None => diagnostic.in_source(source),
    }
}

fn accepted(entry: &Value) -> Result<Accepted, Diagnostic> {
    let wrong = |message: String, help: &str| Diagnostic::error(CODE, message).help(help);
    let Some(entry) = entry.as_table() else {
        return Err(wrong("an acceptance is a table".to_owned(), "begin it with `[[accepted]]`"));
    };
    if let Some(key) = entry.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(wrong(format!("unknown key `{key}`"), "known keys are fingerprint, rule, reason, expires and by"));
    }
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let needed = |key: &str, help: &str| {
        text(key).map(str::to_owned).ok_or_else(|| wrong(format!("an acceptance needs a `{key}`"), help))
    };
    let fingerprint = needed("fingerprint", "it is in every report, beside the finding")?;
    let reason = needed("reason", "say why the finding does no harm, for whoever reads this next year")?;
    let date = entry.get("expires").and_then(Value::as_datetime).and_then(|moment| moment.date);
    let expires = date.map(|date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day));
    let help = "write the last day on which it is accepted, such as `expires = 2027-01-31`";
    let expires = expires.ok_or_else(|| wrong("an acceptance needs a date in `expires`".to_owned(), help))?;
    Ok(Accepted { fingerprint, reason, expires, by: text("by").map(str::to_owned) })
}

/// What a baseline leaves of a report.
#[derive(Clone, Debug)]
pub struct Gate<'r> {
    /// Findings that nobody has accepted, the heaviest first; an expired acceptance is none.
    pub new: Vec<&'r Finding>,
    /// Findings that are accepted.
    pub accepted: Vec<(&'r Finding, &'r Accepted)>,
    /// Acceptances whose last day has passed, with findings that are still there.
    pub expired: Vec<&'r Accepted>,
    /// Acceptances of what was not found any more.
    pub unmatched: Vec<&'r Accepted>,
}

impl Gate<'_> {
    /// Whether a release should stop: something is proved, and nobody has accepted it.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.new.iter().any(|finding| finding.confidence == Confidence::Proved)
    }
}

impl Report {
    /// What a baseline leaves of it on a day.
    ///
    /// ```
    /// use palisade_core::time::Timestamp;
    /// use palisade_review::{Baseline, Report};
    ///
    /// let report = Report { rows: Vec::new(), requests: 0, operations: Vec::new(), ending: Default::default() };
    /// assert!(!report.gate(&Baseline::default(), Timestamp::from_secs(0)).stops());
    /// ```
    #[must_use]
    pub fn gate<'r>(&'r self, baseline: &'r Baseline, today: Timestamp) -> Gate<'r> {
        let today = day_of(today);
        let mut gate = Gate { new: Vec::new(), accepted: Vec::new(), expired: Vec::new(), unmatched: Vec::new() };
        for finding in self.ranked() {
            let entry = baseline.accepted.iter().find(|entry| entry.fingerprint == finding.fingerprint);
            match entry {
                Some(entry) if entry.expires >= today => gate.accepted.push((finding, entry)),
                Some(entry) => {
                    gate.expired.push(entry);
                    gate.new.push(finding);
                }
                None => gate.new.push(finding),
            }
        }
        let is_found = |entry: &&Accepted| self.findings().any(|finding| finding.fingerprint == entry.fingerprint);
        gate.unmatched = baseline.accepted.iter().filter(|entry| !is_found(entry)).collect();
        gate
    }

    /// A baseline with every proved finding, for a quarter of a year. The reasons are left open on purpose: the file is
    /// refused until somebody has written them.
    #[must_use]
    pub fn to_baseline(&self, today: Timestamp) -> String {
        let expires = day_of(today.plus(QUARTER));
        let mut text =
            "# Findings that were looked at and accepted. Each needs a reason; after the last day it counts again.\n"
                .to_owned();
        for finding in self.ranked().into_iter().filter(|finding| finding.confidence == Confidence::Proved) {
            let told = format!("{} ({})", finding.summary, finding.operation);
            let told: String =
                told.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
            let _ = write!(
                text,
                "\n# {told}\n[[accepted]]\nfingerprint = \"{}\"\nrule = \"{}\"\nreason = \"\"\nexpires = {expires}\n",
                finding.fingerprint, finding.rule
            );
        }
        text
    }
}

/// The day of a moment, in UTC.
fn day_of(moment: Timestamp) -> String {
    moment.to_string().split('T').next().unwrap_or_default().to_owned()
}

const CODE: &str = "baseline-invalid";
const KEYS: [&str; 5] = ["by", "expires", "fingerprint", "reason", "rule"];
const QUARTER: Duration = Duration::from_secs(91 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_with_its_line() {
        let check = |text: &str, line: usize, expect: &str| {
            let problems = Baseline::read(&Source::new("b.toml", text)).unwrap_err();
            let told = problems.first().map(|one| (one.message().to_owned(), one.position().map(|at| at.line)));
            assert_eq!(told, Some((expect.to_owned(), Some(line))), "{text}");
        };
        let entry = "\n[[accepted]]\nfingerprint = 'a'\nreason = 'r'\nexpires = 2027-01-31\n";
        check("[[accepted]]\nfingerprint = 'a'\nexpires = 2027-01-31\n", 1, "an acceptance needs a `reason`");
        check("[[accepted]]\nfingerprint = 'a'\nreason = ' '\n", 1, "an acceptance needs a `reason`");
        check("\n\n[[accepted]]\nreason = 'r'\n", 3, "an acceptance needs a `fingerprint`");
        check(
            "[[accepted]]\nfingerprint = 'a'\nreason = 'r'\nexpires = 'soon'\n",
            1,
            "an acceptance needs a date in `expires`",
        );
        check("[[accepted]]\nuntil = 1\n", 1, "unknown key `until`");
        check(&format!("{entry}{entry}"), 7, "`a` is accepted twice");
        let problems = Baseline::read(&Source::new("b.toml", "[[accepted]\n")).unwrap_err();
        assert_eq!(problems.first().and_then(Diagnostic::position).map(|at| at.line), Some(1));
        let problems = Baseline::read(&Source::new("b.toml", "accept = 1\n")).unwrap_err();
        assert_eq!(problems.first().map(Diagnostic::message), Some("unknown key `accept`"));
    }
}
