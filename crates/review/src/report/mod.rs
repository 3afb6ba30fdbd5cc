//! The report says what was tried, what was proved, and what could not be tested.

mod compared;
mod format;
mod har;
mod html;
mod json;
mod junit;
mod locate;
mod sarif;
mod schema;
mod text;

pub use format::{About, Format, UnknownFormat};
pub use schema::report_schema;

use std::cmp::Reverse;

use crate::ending::Ending;
use crate::finding::{Exchange, Finding};
use crate::plan::Mode;
use crate::row::Row;

/// What came out of a run.
///
/// ```
/// use palisade_review::{Ending, Report, Row};
///
/// let report = Report { rows: Vec::new(), requests: 0, operations: Vec::new(), ending: Ending::default() };
/// assert!(!report.proves(Row::Injection));
/// assert_eq!(report.to_json()["requests"], 0);
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    /// One result for every probe, in the order of the rows.
    pub rows: Vec<RowResult>,
    /// How many requests were made.
    pub requests: u32,
    /// Whether each operation of the contract could be reached by somebody who may.
    pub operations: Vec<OperationReach>,
    /// How the run ended.
    pub ending: Ending,
}

impl Report {
    /// Whether anything was proved in a row.
    #[must_use]
    pub fn proves(&self, row: Row) -> bool {
        self.rows.iter().any(|result| result.row == row && result.verdict == Verdict::Proved)
    }

    /// Every finding, in the order of the rows.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.rows.iter().flat_map(|result| &result.findings)
    }

    /// Every finding, what is proved and heaviest first.
    #[must_use]
    pub fn ranked(&self) -> Vec<&Finding> {
        let mut ranked: Vec<&Finding> = self.findings().collect();
        ranked.sort_by_key(|finding| (Reverse(finding.confidence), Reverse(finding.severity)));
        ranked
    }
}

/// What one probe came to.
#[derive(Clone, Debug)]
pub struct RowResult {
    /// The class that the probe is about.
    pub row: Row,
    /// The probe's name.
    pub probe: &'static str,
    /// What came out.
    pub verdict: Verdict,
    /// What was proved or suspected, one for each rule, operation and place.
    pub findings: Vec<Finding>,
    /// Attacks that did not get through, a few of each kind; each names the finding that it would have been.
    pub withstood: Vec<Exchange>,
}

/// What a probe came to.
///
/// ```
/// use palisade_review::Verdict;
///
/// let reason = "an object of somebody else is answered with 404".to_owned();
/// let verdict = Verdict::NotProved { reason, blocked_by: Some("object-forbidden".to_owned()) };
/// assert_eq!(verdict.slug(), "not-proved");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Attacks were made, their controls held, and none got through.
    NotProved {
        /// What happened instead.
        reason: String,
        /// The code of the problem that Palisade answered with, when it did.
        blocked_by: Option<String>,
    },
    /// An attack got through, with its controls and its verification.
    Proved,
    /// Nothing could be tested; this says nothing about the API.
    Skipped {
        /// Which control failed, or what the contract does not have.
        reason: String,
    },
}

impl Verdict {
    /// The verdict as reports spell it.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::NotProved { .. } => "not-proved",
            Self::Proved => "proved",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// Whether an operation could be reached by somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationReach {
    /// The operation.
    pub id: String,
    /// Whether a legitimate request was served.
    pub reached_2xx: bool,
    /// The status of the last answer; 0 when there was none.
    pub status: u16,
    /// The code of the problem that Palisade answered with, when it did.
    pub blocked_by: Option<String>,
    /// Who asked last; `None` for nobody in particular.
    pub identity: Option<String>,
}

/// A mode as reports spell it.
fn word_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Active => "active",
        Mode::Full => "full",
        Mode::Safe => "safe",
    }
}
