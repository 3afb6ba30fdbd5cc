//! What reports say about a rule besides its name: how much it weighs, what it means, and the lines that help.

use crate::row::Row;
use crate::rule::table::DETAILS;
use crate::rule::{Rule, Severity, code};

/// What is known about a rule.
///
/// ```
/// use palisade_review::{Rule, Severity};
///
/// let rule = Rule::ALL.iter().find(|rule| rule.slug == "sql-injected").unwrap();
/// assert_eq!((rule.detail().severity, rule.detail().asvs), (Severity::Critical, "v5.0.0-1.2.4"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The rule's name.
    pub slug: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// How much harm it usually does.
    pub severity: Severity,
    /// The requirement of the OWASP Application Security Verification Standard 5.0 that it breaks.
    pub asvs: &'static str,
    /// How far one cause reaches.
    pub breadth: Breadth,
    /// How it is proved, and what it means that it is.
    pub help: &'static str,
    /// What to write into the contract, at the operation or into the schema of a property; empty where that does not help.
    pub contract: &'static str,
    /// What to write into `palisade.toml`; empty where nothing needs to be.
    pub config: &'static str,
}

/// How far one cause reaches, so that it is one finding with several places.
///
/// ```
/// use palisade_review::{Breadth, Rule};
///
/// let rule = Rule::ALL.iter().find(|rule| rule.slug == "headers-missing").unwrap();
/// assert_eq!(rule.detail().breadth, Breadth::Service, "one server sends the headers of all answers");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// The handler of one operation, wherever the attack goes in.
    Operation,
    /// One value of one operation.
    Point,
    /// What all operations have in common.
    Service,
}

impl Rule {
    /// The rule with a name.
    #[must_use]
    pub fn named(slug: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|rule| rule.slug == slug)
    }

    /// The lines of Rust that help, as a whole: they compile in the tests of this crate.
    #[must_use]
    pub fn code(&self) -> &'static str {
        code::of(self.slug)
    }

    /// What is known about it.
    #[must_use]
    pub fn detail(&self) -> &'static Detail {
        DETAILS.iter().find(|detail| detail.slug == self.slug).unwrap_or_else(|| general(self.row))
    }
}

/// What can be said about a rule of a row that has no entry of its own.
fn general(row: Row) -> &'static Detail {
    let like = match row {
        Row::Authentication => "token-forged",
        Row::BusinessFlow => "flow-unbounded",
        Row::FunctionAuthorization => "function-exposed",
        Row::Injection => "sql-error",
        Row::Inventory => "operation-undeclared",
        Row::Misconfiguration => "verbose-error",
        Row::ObjectAuthorization => "object-read",
        Row::PropertyAuthorization => "property-exposed",
        Row::ResourceConsumption => "page-unbounded",
        Row::ServerSideRequestForgery => "request-forged",
        Row::UnsafeConsumption => "partner-trusted",
    };
    DETAILS.iter().find(|detail| detail.slug == like).unwrap_or(&UNKNOWN)
}

const UNKNOWN: Detail = Detail {
    slug: "",
    title: "a weakness",
    severity: Severity::Medium,
    asvs: "v5.0.0-2.2.1",
    breadth: Breadth::Point,
    help: "",
    contract: "",
    config: "",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_entry() {
        for rule in Rule::ALL {
            assert_eq!(rule.detail().slug, rule.slug);
        }
        assert!(DETAILS.windows(2).all(|pair| pair[0].slug < pair[1].slug), "in alphabetical order");
    }

    #[test]
    fn every_requirement_is_one_of_the_standard() {
        let check = |id: &str| {
            let mut numbers = id.strip_prefix("v5.0.0-")?.split('.').map(|number| number.parse::<u32>().ok());
            let [chapter, section, last] = [numbers.next()??, numbers.next()??, numbers.next()??];
            let (.., count) = *REQUIREMENTS.iter().find(|(known, of, _)| (*known, *of) == (chapter, section))?;
            (numbers.next().is_none() && (1..=count).contains(&last)).then_some(())
        };
        for detail in DETAILS {
            assert!(check(detail.asvs).is_some(), "{} {}", detail.slug, detail.asvs);
        }
        for none in ["v5.0.0-1.2.11", "v5.0.0-1.2", "v5.0.0-1.2.4.1", "v5.0.0-9.3.1", "1.2.4", "v5.0.0-1.2.0"] {
            assert!(check(none).is_none(), "{none}");
        }
    }

    /// How many requirements each section of ASVS 5.0.0 has: chapter, section, number. Those on OAuth are left out.
    const REQUIREMENTS: [(u32, u32, u32); 61] = [
        (1, 1, 2),
        (1, 2, 10),
        (1, 3, 12),
        (1, 4, 3),
        (1, 5, 3),
        (2, 1, 3),
        (2, 2, 3),
        (2, 3, 5),
        (2, 4, 2),
        (3, 1, 1),
        (3, 2, 3),
        (3, 3, 5),
        (3, 4, 8),
        (3, 5, 8),
        (3, 6, 1),
        (3, 7, 5),
        (4, 1, 5),
        (4, 2, 5),
        (4, 3, 2),
        (4, 4, 4),
        (5, 1, 1),
        (5, 2, 6),
        (5, 3, 3),
        (5, 4, 3),
        (6, 1, 3),
        (6, 2, 12),
        (6, 3, 8),
        (6, 4, 6),
        (6, 5, 8),
        (6, 6, 4),
        (6, 7, 2),
        (6, 8, 4),
        (7, 1, 3),
        (7, 2, 4),
        (7, 3, 2),
        (7, 4, 5),
        (7, 5, 3),
        (7, 6, 2),
        (8, 1, 4),
        (8, 2, 4),
        (8, 3, 3),
        (8, 4, 2),
        (9, 1, 3),
        (9, 2, 4),
        (11, 2, 5),
        (11, 5, 2),
        (11, 6, 2),
        (12, 1, 5),
        (12, 2, 2),
        (12, 3, 5),
        (13, 1, 4),
        (13, 2, 6),
        (13, 3, 4),
        (13, 4, 7),
        (14, 1, 2),
        (14, 2, 8),
        (14, 3, 3),
        (15, 1, 5),
        (15, 2, 5),
        (15, 3, 7),
        (16, 5, 4),
    ];
}
