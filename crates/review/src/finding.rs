//! A finding is a weakness with its proof: the requests that anybody can repeat, and their answers.

use crate::exchange::Timing;
use crate::proof::Check;
use crate::row::Row;
use crate::rule::{Breadth, Remedy, Rule, Severity};

/// A weakness with its proof.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule it breaks.
    pub rule: &'static str,
    /// The class of the rule.
    pub row: Row,
    /// The rule's number in the Common Weakness Enumeration.
    pub cwe: u32,
    /// How much harm it usually does.
    pub severity: Severity,
    /// The requirement of OWASP's verification standard that it breaks.
    pub asvs: &'static str,
    /// The operation it was found in; a path where the contract has none.
    pub operation: String,
    /// Where in the request the attack was: `path/order_id`, `query/q`, `body/text`, `header/authorization`.
    pub insertion: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// What happened, in one sentence.
    pub summary: String,
    /// Where else the same cause shows.
    pub also: Vec<Place>,
    /// Controls, attack and verification, in the order they were made.
    pub transcript: Vec<Exchange>,
    /// What has to be so again for the finding to be still there.
    pub proof: Vec<Check>,
    /// The decisive request as a command, with placeholders for tokens.
    pub curl: String,
    /// The same in every run for the same rule, operation and insertion point, as far as one cause does not reach further.
    pub fingerprint: String,
    /// What can be done about it.
    pub remedy: Remedy,
}

impl Finding {
    /// A finding from the exchanges that prove it.
    pub(crate) fn new(rule: &Rule, site: Site<'_>, summary: String, transcript: Vec<Exchange>) -> Self {
        let decisive = transcript.iter().rev().find(|exchange| exchange.label == Label::Attack);
        let curl = decisive.or(transcript.last()).map(|exchange| exchange.request.curl()).unwrap_or_default();
        Self {
            rule: rule.slug,
            row: rule.row,
            cwe: rule.cwe,
            severity: rule.detail().severity,
            asvs: rule.detail().asvs,
            operation: site.operation.to_owned(),
            insertion: site.insertion.to_owned(),
            confidence: Confidence::Proved,
            summary,
            also: Vec::new(),
            transcript,
            proof: Vec::new(),
            curl,
            fingerprint: site.fingerprint(rule),
            remedy: rule.remedy,
        }
    }

    /// The same finding with what has to be so again.
    pub(crate) fn with_proof(mut self, proof: Vec<Check>) -> Self {
        self.proof = proof;
        self
    }

    /// Where it was found first.
    #[must_use]
    pub fn place(&self) -> Place {
        let (operation, insertion) = (self.operation.clone(), self.insertion.clone());
        Place { operation, insertion, summary: self.summary.clone() }
    }

    /// The same finding with less weight.
    pub(crate) fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }
}

/// One of several places where one cause shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The operation.
    pub operation: String,
    /// Where in the request.
    pub insertion: String,
    /// What happened there.
    pub summary: String,
}

/// Where an attack was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'s> {
    pub(crate) operation: &'s str,
    pub(crate) insertion: &'s str,
}

impl Site<'_> {
    /// The same in every run. What one cause has in common is left out, so that it is one finding.
    pub(crate) fn fingerprint(&self, rule: &Rule) -> String {
        match rule.detail().breadth {
            Breadth::Operation => fingerprint(&[rule.slug, self.operation, ""]),
            Breadth::Point => fingerprint(&[rule.slug, self.operation, self.insertion]),
            Breadth::Service => fingerprint(&[rule.slug, "", ""]),
        }
    }
}

/// How sure a finding is. Only what is proved should stop a release.
///
/// ```
/// use palisade_review::Confidence;
///
/// assert!(Confidence::Proved > Confidence::Suspect && Confidence::Suspect > Confidence::Question);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The contract does not say whether this is meant.
    Question,
    /// The signs are there, and something keeps it from being exploited or proved.
    Suspect,
    /// Exploited, with controls.
    Proved,
}

impl Confidence {
    /// The confidence as reports spell it.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Question => "question",
            Self::Suspect => "suspect",
        }
    }
}

/// What a request was made for.
///
/// ```
/// assert_eq!(palisade_review::Label::Attack.slug(), "attack");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// To do what should not be possible.
    Attack,
    /// To show that the service works, or that it can refuse.
    Control,
    /// To put back what the attack changed.
    Restore,
    /// To see what the attack did.
    Verify,
}

impl Label {
    /// The label as reports spell it.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Control => "control",
            Self::Restore => "restore",
            Self::Verify => "verify",
        }
    }
}

/// One request and its answer. Answers are the target's text: untrusted, and cut short.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What it was made for.
    pub label: Label,
    /// The request.
    pub request: RequestSummary,
    /// The status of the answer.
    pub status: u16,
    /// The beginning of the answer, secrets replaced.
    pub response: String,
    /// Its headers, secrets replaced.
    pub response_headers: Vec<(String, String)>,
    /// The code of the problem that Palisade answered with, when it did.
    pub blocked_by: Option<String>,
    /// How long it took.
    pub timing: Timing,
    /// Of an attack that was withstood: the fingerprint of the finding that it would have been.
    pub fingerprint: Option<String>,
    /// Of an attack that was withstood: what it was aimed at.
    pub aim: Option<Aim>,
}

/// What an attack was aimed at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aim {
    /// The rule that it would have broken.
    pub rule: &'static str,
    /// The operation.
    pub operation: String,
    /// Where in the request.
    pub insertion: String,
}

/// A request without its secrets.
///
/// ```
/// use palisade_review::RequestSummary;
///
/// let request = RequestSummary {
///     method: "GET".to_owned(),
///     url: "http://127.0.0.1:9000/v1/orders".to_owned(),
///     headers: vec![("authorization".to_owned(), "Bearer $ALICE_TOKEN".to_owned())],
///     body: None,
/// };
/// let expect = "curl -i --path-as-is -X GET 'http://127.0.0.1:9000/v1/orders' -H \"authorization: Bearer $ALICE_TOKEN\"";
/// assert_eq!(request.curl(), expect);
/// ```
#[derive(Clone, Debug)]
pub struct RequestSummary {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, tokens and passwords replaced.
    pub headers: Vec<(String, String)>,
    /// The body, passwords replaced.
    pub body: Option<String>,
}

impl RequestSummary {
    /// The request as a command for a shell.
    #[must_use]
    pub fn curl(&self) -> String {
        let mut command = format!("curl -i --path-as-is -X {} {}", self.method, single(&self.url));
        for (name, value) in &self.headers {
            // Double quotes, so that the shell puts the token in.
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`");
            command.push_str(&format!(" -H \"{name}: {value}\""));
        }
        if let Some(body) = &self.body {
            command.push_str(&format!(" --data-raw {}", single(body)));
        }
        command
    }
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// FNV-1a over the parts: stable across runs, machines and releases, and nothing depends on its strength.
fn fingerprint(parts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn fingerprints_are_stable_and_parts_do_not_run_into_each_other() {
        expect!["ab40d7820d408076"].assert_eq(&fingerprint(&["a", "b"]));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }

    #[test]
    fn a_command_survives_quotes_and_keeps_the_placeholder() {
        let request = RequestSummary {
            method: "GET".to_owned(),
            url: "http://a/?q='".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer $ALICE_TOKEN".to_owned())],
            body: Some("it's".to_owned()),
        };
        assert_eq!(
            request.curl(),
            r#"curl -i --path-as-is -X GET 'http://a/?q='\''' -H "authorization: Bearer $ALICE_TOKEN" --data-raw 'it'\''s'"#
        );
    }
}
