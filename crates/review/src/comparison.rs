//! A comparison puts two runs of one plan side by side: against the service, and through the gateway before it.
//!
//! Each line is one operation and one class of weakness: what the contract declares there, what was attacked, what got
//! through without the gateway, and what answered the same attacks with it. A rule that nothing attacked shows, because
//! nobody knows whether it works; an attack that no rule answers shows, because nobody said that it should not.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Confidence, Exchange};
use crate::plan::Plan;
use crate::report::Report;
use crate::row::Row;
use crate::rule::Rule;

/// Two runs side by side.
///
/// ```
/// use palisade_review::{Comparison, Report};
///
/// let empty = Report { rows: Vec::new(), requests: 0, operations: Vec::new(), ending: Default::default() };
/// assert!(Comparison::new(&empty, &empty).lines.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The lines, by row and operation.
    pub lines: Vec<Line>,
}

/// One operation and one class of weakness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The operation.
    pub operation: String,
    /// The class.
    pub row: Row,
    /// What the contract declares about it, such as `roles` or `owner`.
    pub declared: Vec<&'static str>,
    /// The rules whose attacks were made, in either run.
    pub attacked: Vec<&'static str>,
    /// What came of them without the gateway.
    pub bare: Outcome,
    /// What came of them with it.
    pub through: Outcome,
    /// The denial codes with which the gateway answered.
    pub codes: Vec<String>,
}

/// What came of the attacks on one operation.
///
/// ```
/// use palisade_review::Outcome;
///
/// assert!(Outcome::Exploited > Outcome::Withstood, "one attack that gets through is enough");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No attack was made.
    NotAttacked,
    /// None got through.
    Withstood,
    /// One may have got through.
    Suspect,
    /// One got through, with its proof.
    Exploited,
}

impl Outcome {
    /// The outcome as reports spell it.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Exploited => "exploited",
            Self::NotAttacked => "not-attacked",
            Self::Suspect => "suspect",
            Self::Withstood => "withstood",
        }
    }
}

/// What a line says about the rule and the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It got through without the gateway, and a rule of the gateway refuses it.
    Stopped,
    /// It got through without the gateway, and is answered with nothing that should not be there.
    Cleaned,
    /// It gets through the gateway as well.
    Open,
    /// The service withstands it alone.
    Sound,
    /// It got through without the gateway, and was not tried with it.
    Untried,
    /// The contract declares a rule, and nothing attacked it.
    RuleWithoutAttack,
}

impl Standing {
    /// The standing as reports spell it.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Cleaned => "cleaned",
            Self::Open => "open",
            Self::RuleWithoutAttack => "rule-without-attack",
            Self::Sound => "sound",
            Self::Stopped => "stopped",
            Self::Untried => "untried",
        }
    }
}

impl Line {
    /// What it says.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.bare, self.through) {
            (Outcome::NotAttacked, Outcome::NotAttacked) => Standing::RuleWithoutAttack,
            (_, Outcome::Exploited | Outcome::Suspect) => Standing::Open,
            (Outcome::Exploited | Outcome::Suspect, Outcome::NotAttacked) => Standing::Untried,
            (Outcome::Exploited | Outcome::Suspect, Outcome::Withstood) if self.codes.is_empty() => Standing::Cleaned,
            (Outcome::Exploited | Outcome::Suspect, Outcome::Withstood) => Standing::Stopped,
            (Outcome::NotAttacked | Outcome::Withstood, Outcome::NotAttacked | Outcome::Withstood) => Standing::Sound,
        }
    }

    /// Whether the gateway answered the attack although nothing declares a rule for it, or answered with no rule at all.
    #[must_use]
    pub fn is_without_rule(&self) -> bool {
        self.declared.is_empty() && self.codes.is_empty() && self.bare > Outcome::Withstood
    }
}

impl Comparison {
    /// Two runs of one plan.
    #[must_use]
    pub fn new(bare: &Report, through: &Report) -> Self {
        let mut lines = Lines::default();
        lines.add(bare, |line, outcome, _| line.bare = line.bare.max(outcome));
        lines.add(through, |line, outcome, code| {
            line.through = line.through.max(outcome);
            if let Some(code) = code.filter(|code| !line.codes.iter().any(|known| known == code)) {
                line.codes.push(code.to_owned());
            }
        });
        Self { lines: lines.0.into_values().collect() }
    }

    /// The same with what the contract declares, attacked or not.
    #[must_use]
    pub fn with_rules(self, plan: &Plan) -> Self {
        let mut lines = Lines(self.lines.into_iter().map(|line| ((line.row, line.operation.clone()), line)).collect());
        for (operation, row, word) in declared(plan) {
            let line = lines.at(operation, row);
            if !line.declared.contains(&word) {
                line.declared.push(word);
            }
        }
        Self { lines: lines.0.into_values().collect() }
    }

    /// How many lines have a standing.
    #[must_use]
    pub fn count(&self, standing: Standing) -> usize {
        self.lines.iter().filter(|line| line.standing() == standing).count()
    }

    /// The denial codes that stopped attacks of a row, without the lines where nothing had got through.
    #[must_use]
    pub fn codes(&self, row: Row) -> BTreeSet<&str> {
        let lines = self.lines.iter().filter(|line| line.row == row && line.bare > Outcome::Withstood);
        lines.flat_map(|line| line.codes.iter().map(String::as_str)).collect()
    }
}

#[derive(Default)]
struct Lines(BTreeMap<(Row, String), Line>);

impl Lines {
    fn at(&mut self, operation: &str, row: Row) -> &mut Line {
        self.0.entry((row, operation.to_owned())).or_insert_with(|| Line {
            operation: operation.to_owned(),
            row,
            declared: Vec::new(),
            attacked: Vec::new(),
            bare: Outcome::NotAttacked,
            through: Outcome::NotAttacked,
            codes: Vec::new(),
        })
    }

    fn add(&mut self, report: &Report, note: impl Fn(&mut Line, Outcome, Option<&str>)) {
        let mut attack = |operation: &str, rule: &'static str, row: Row, outcome: Outcome, code: Option<&str>| {
            let line = self.at(operation, Rule::named(rule).map_or(row, |rule| rule.row));
            if !line.attacked.contains(&rule) {
                line.attacked.push(rule);
            }
            note(line, outcome, code);
        };
        for result in &report.rows {
            for finding in &result.findings {
                let outcome =
                    if finding.confidence == Confidence::Proved { Outcome::Exploited } else { Outcome::Suspect };
                let places = finding.also.iter().map(|place| place.operation.as_str());
                for operation in std::iter::once(finding.operation.as_str()).chain(places) {
                    attack(operation, finding.rule, finding.row, outcome, None);
                }
            }
            for Exchange { aim, blocked_by, .. } in &result.withstood {
                if let Some(aim) = aim {
                    attack(&aim.operation, aim.rule, result.row, Outcome::Withstood, blocked_by.as_deref());
                }
            }
        }
    }
}

/// What the contract says about each operation, and the class it protects from.
fn declared(plan: &Plan) -> Vec<(&str, Row, &'static str)> {
    let mut rules = Vec::new();
    for endpoint in &plan.surface.endpoints {
        let says = [
            (!endpoint.is_public, Row::Authentication, "credential"),
            (!endpoint.roles.is_empty(), Row::FunctionAuthorization, "roles"),
            (endpoint.is_owned(), Row::ObjectAuthorization, "owner"),
            (endpoint.is_limited() && endpoint.is_public, Row::ResourceConsumption, "limit"),
            (endpoint.is_limited() && !endpoint.is_public, Row::BusinessFlow, "limit"),
            (endpoint.is_third_party, Row::UnsafeConsumption, "third_party"),
        ];
        let said = says.into_iter().filter(|(is_said, ..)| *is_said);
        rules.extend(said.map(|(_, row, word)| (endpoint.id.as_str(), row, word)));
    }
    rules
}
