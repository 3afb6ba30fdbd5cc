//! The ending of a run: whether it went to its end, what it gave up, and whether the identities are as they were.

use serde_json::{Value, json};

/// How a run ended.
///
/// ```
/// let ending = palisade_review::Ending::default();
/// assert!(ending.incomplete.is_none() && ending.locked_out.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// What the markers of the run were made from: with the same seed, a target that is made anew gets the same requests.
    pub seed: Option<u64>,
    /// Why the run ended early, when it did: what is missing in the report says nothing about the API.
    pub incomplete: Option<String>,
    /// Operations that were left alone because they had not answered.
    pub given_up: Vec<String>,
    /// Identities whose sign-in stopped working during the run.
    pub locked_out: Vec<String>,
    /// How many accounts the run has made for itself.
    pub throwaways: usize,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// By what each operation was tested, in the order of the contract.
    pub coverage: Vec<Coverage>,
}

/// By what an operation was tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The operation.
    pub operation: String,
    /// The probes that tried something on it.
    pub tested_by: Vec<&'static str>,
    /// Why there are none, when there are none.
    pub why_not: Option<String>,
}

impl Ending {
    /// The ending as JSON.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "incomplete": self.incomplete,
            "given_up": self.given_up,
            "locked_out": self.locked_out,
            "throwaways": self.throwaways,
            "notes": self.notes,
            "coverage": self.coverage.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

fn one(coverage: &Coverage) -> Value {
    json!({
        "operation": coverage.operation,
        "tested_by": coverage.tested_by,
        "why_not": coverage.why_not,
    })
}
