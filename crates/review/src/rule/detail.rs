//! What reports say about a rule besides its name: how much it weighs, what it means, and the lines that help.

use crate::row::Row;
use crate::rule::table::DETAILS;
use crate::rule::{Rule, Severity};

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
}
