//! What a report in JSON says about one finding, as far as it is needed to send its requests again.

use serde_json::Value;

use crate::finding::Label;
use crate::proof::Check;
use crate::replay::{ReplayError, text};

/// A finding of a report.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The rule.
    pub rule: String,
    /// What happened then.
    pub summary: String,
    pub(super) proof: Vec<Check>,
    pub(super) exchanges: Vec<Past>,
    /// The base URL that was attacked then.
    pub(super) base: String,
    /// What accounts of the run's own were made from.
    pub(super) seed: Option<u64>,
}

/// One request, and the answer to it then.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) label: Label,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) status: u64,
    pub(super) response: String,
}

impl Recorded {
    /// Finds a finding in a report by its fingerprint or the beginning of it.
    ///
    /// ```
    /// use palisade_review::{Recorded, ReplayError};
    ///
    /// assert_eq!(Recorded::read("[]", "aa57").unwrap_err(), ReplayError::NoReport);
    /// let report = r#"{ "version": 1, "about": { "target": "http://127.0.0.1" }, "rows": [] }"#;
    /// assert_eq!(Recorded::read(report, "aa57").unwrap_err(), ReplayError::NoFinding("aa57".to_owned()));
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is no report, or has not exactly one such finding.
    pub fn read(report: &str, id: &str) -> Result<Self, ReplayError> {
        let report: Value = serde_json::from_str(report).map_err(|_| ReplayError::NoReport)?;
        let rows = report.get("rows").and_then(Value::as_array).ok_or(ReplayError::NoReport)?;
        let base = report.pointer("/about/target").and_then(Value::as_str).unwrap_or_default();
        let findings = rows.iter().filter_map(|row| row.get("findings")?.as_array()).flatten();
        let mut meant = findings.filter(|finding| !id.is_empty() && text(finding, "fingerprint").starts_with(id));
        let finding = meant.next().ok_or_else(|| ReplayError::NoFinding(id.to_owned()))?;
        if meant.next().is_some() {
            return Err(ReplayError::Several(id.to_owned()));
        }
        let list = |name: &str| finding.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let proof: Option<Vec<Check>> = list("proof").iter().map(Check::from_json).collect();
        let exchanges: Option<Vec<Past>> = list("transcript").iter().map(Past::read).collect();
        Ok(Self {
            fingerprint: text(finding, "fingerprint"),
            rule: text(finding, "rule"),
            summary: text(finding, "summary"),
            proof: proof.ok_or(ReplayError::NoReport)?,
            exchanges: exchanges.ok_or(ReplayError::NoReport)?,
            base: base.trim_end_matches('/').to_owned(),
            seed: report.pointer("/about/seed").and_then(Value::as_u64),
        })
    }
}

impl Past {
    fn read(exchange: &Value) -> Option<Self> {
        let labels = [Label::Attack, Label::Control, Label::Restore, Label::Verify];
        let slug = text(exchange, "label");
        let pair = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
        Some(Self {
            label: labels.into_iter().find(|label| label.slug() == slug)?,
            method: text(exchange, "method"),
            url: text(exchange, "url"),
            headers: exchange.get("headers")?.as_array()?.iter().map(pair).collect::<Option<_>>()?,
            body: exchange.get("body").and_then(Value::as_str).map(str::to_owned),
            status: exchange.get("status").and_then(Value::as_u64).unwrap_or_default(),
            response: text(exchange, "response"),
        })
    }
}
