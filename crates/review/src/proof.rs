//! A proof is what has to be so again: when a finding's requests are repeated, its checks say whether it is still there.
//!
//! The checks are derived from what was seen when the finding was made: the class of every status, which answers were
//! alike, which marker came back, which header was there. Those of controls say whether the comparison still means
//! anything; those of attacks and verifications decide.

use serde_json::{Value, json};

use crate::exchange::Answer;
use crate::finding::{Label, RequestSummary};
use crate::likeness::likeness;

/// One thing that has to be so, of an exchange that is counted from zero.
///
/// ```
/// use palisade_review::Check;
///
/// let check = Check::Status { exchange: 2, class: 4 };
/// assert_eq!(check.to_json()["class"], 4);
/// assert_eq!(Check::from_json(&check.to_json()), Some(check));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The answer says the same as another one.
    Alike {
        /// Which.
        exchange: usize,
        /// As which.
        other: usize,
    },
    /// The answer does not say the same as another one.
    Differs {
        /// Which.
        exchange: usize,
        /// From which.
        other: usize,
    },
    /// The answer has a header with a value, or has no such header.
    Header {
        /// Which.
        exchange: usize,
        /// The header's name, in lower case.
        name: String,
        /// Its value; `None` when it must be absent.
        value: Option<String>,
    },
    /// The body holds a text.
    Holds {
        /// Which.
        exchange: usize,
        /// The text.
        text: String,
    },
    /// The status is of a class.
    Status {
        /// Which.
        exchange: usize,
        /// The first digit.
        class: u16,
    },
}

impl Check {
    /// The exchange that it is about.
    #[must_use]
    pub fn exchange(&self) -> usize {
        match self {
            Self::Alike { exchange, .. }
            | Self::Differs { exchange, .. }
            | Self::Header { exchange, .. }
            | Self::Holds { exchange, .. }
            | Self::Status { exchange, .. } => *exchange,
        }
    }

    /// As reports hold it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Alike { exchange, other } => json!({ "check": "alike", "exchange": exchange, "other": other }),
            Self::Differs { exchange, other } => json!({ "check": "differs", "exchange": exchange, "other": other }),
            Self::Header { exchange, name, value } => {
                json!({ "check": "header", "exchange": exchange, "name": name, "value": value })
            }
            Self::Holds { exchange, text } => json!({ "check": "holds", "exchange": exchange, "text": text }),
            Self::Status { exchange, class } => json!({ "check": "status", "exchange": exchange, "class": class }),
        }
    }

    /// Reads what [`Check::to_json`] wrote.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64().and_then(|number| usize::try_from(number).ok());
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let exchange = number("exchange")?;
        Some(match value.get("check")?.as_str()? {
            "alike" => Self::Alike { exchange, other: number("other")? },
            "differs" => Self::Differs { exchange, other: number("other")? },
            "header" => Self::Header { exchange, name: text("name")?, value: text("value") },
            "holds" => Self::Holds { exchange, text: text("text")? },
            "status" => Self::Status { exchange, class: u16::try_from(number("class")?).ok()? },
            _ => return None,
        })
    }

    /// Whether it is so among these answers; `None` stands for an exchange without one.
    pub(crate) fn holds(&self, answers: &[Option<&Answer>]) -> bool {
        let answer = |at: usize| answers.get(at).copied().flatten();
        let Some(own) = answer(self.exchange()) else { return false };
        match self {
            Self::Alike { other, .. } => answer(*other).is_some_and(|other| is_alike(own, other)),
            Self::Differs { other, .. } => answer(*other).is_some_and(|other| !is_alike(own, other)),
            Self::Header { name, value, .. } => own.header(name) == value.as_deref(),
            Self::Holds { text, .. } => own.text.contains(text.as_str()),
            Self::Status { class, .. } => own.status.as_u16() / 100 == *class,
        }
    }
}

/// One exchange as the proof is derived from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'s> {
    pub(crate) label: Label,
    pub(crate) request: &'s RequestSummary,
    pub(crate) answer: &'s Answer,
}

/// What was so when a finding was made.
pub(crate) fn derive(rule: &str, summary: &str, seen: &[Seen<'_>]) -> Vec<Check> {
    let mut checks = Vec::new();
    let first = seen.iter().position(|one| one.label == Label::Attack);
    let base = seen.iter().position(|one| one.label == Label::Control && one.answer.is_success());
    for (exchange, one) in seen.iter().enumerate().filter(|(_, one)| one.label != Label::Restore) {
        checks.push(Check::Status { exchange, class: one.answer.status.as_u16() / 100 });
        let decides = matches!(one.label, Label::Attack | Label::Verify);
        if !decides {
            continue;
        }
        if let Some((other, control)) = base.and_then(|at| seen.get(at).map(|control| (at, control)))
            && is_comparable(one.request, control.request)
            && one.answer.is_success()
        {
            checks.push(match is_alike(one.answer, control.answer) {
                true => Check::Alike { exchange, other },
                false => Check::Differs { exchange, other },
            });
        }
        // Of a condition the answers to its two values are compared, wherever it was put.
        if rule == "sql-injected"
            && let Some(other) = first.filter(|first| *first < exchange)
            && let Some(attack) = seen.get(other)
        {
            checks.push(match is_alike(one.answer, attack.answer) {
                true => Check::Alike { exchange, other },
                false => Check::Differs { exchange, other },
            });
        }
        let sent = seen.get(..=exchange).unwrap_or_default().iter().filter(|one| one.label == Label::Attack);
        if let Some(text) = sent.filter_map(|sent| returned(sent.request, one.answer)).next() {
            checks.push(Check::Holds { exchange, text });
        }
        checks.extend(evidence(rule, summary, exchange, *one));
    }
    let of_attack = |check: &&Check| {
        seen.get(check.exchange()).is_some_and(|one| matches!(one.label, Label::Attack | Label::Verify))
    };
    let is_more = |check: &Check| !matches!(check, Check::Status { .. });
    let decides = BY_STATUS.contains(&rule) || checks.iter().filter(of_attack).any(is_more);
    // A finding that only a witness could confirm, or a clock, is not confirmed by a status.
    if decides && !BY_WITNESS.contains(&rule) { checks } else { Vec::new() }
}

/// What of an attack came back in an answer: the whole text that was sent with a marker, else the marker.
fn returned(request: &RequestSummary, answer: &Answer) -> Option<String> {
    let body = request.body.as_deref().unwrap_or_default();
    let mut texts = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        texts_of(&value, &mut texts);
    }
    let marked = texts.into_iter().find(|text| markers(text).next().is_some() && answer.text.contains(text.as_str()));
    let marker = || markers(&request.url).chain(markers(body)).find(|marker| answer.text.contains(*marker));
    marked.or_else(|| marker().map(str::to_owned))
}

fn texts_of(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(members) => members.values().for_each(|member| texts_of(member, texts)),
        Value::String(text) => texts.push(text.clone()),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// What rules about single answers look at.
fn evidence(rule: &str, summary: &str, exchange: usize, one: Seen<'_>) -> Vec<Check> {
    let header = |name: &str| Check::Header {
        exchange,
        name: name.to_owned(),
        value: one.answer.header(name).map(str::to_owned),
    };
    match rule {
        "cors-reflected" => vec![header("access-control-allow-origin"), header("access-control-allow-credentials")],
        "headers-missing" => {
            let names = ["x-content-type-options", "content-security-policy", "x-frame-options"].into_iter();
            names
                .filter(|name| {
                    summary.to_ascii_lowercase().contains(&name.replace('-', " "))
                        || summary.to_ascii_lowercase().contains(name)
                })
                .map(header)
                .collect()
        }
        "property-exposed" | "verbose-error" => {
            // What the summary quotes is what was seen.
            let quoted = summary.split('`').skip(1).step_by(2).filter(|quoted| one.answer.text.contains(quoted));
            quoted.map(|quoted| Check::Holds { exchange, text: quoted.to_owned() }).collect()
        }
        "script-stored" if one.label == Label::Verify => vec![header("content-security-policy")],
        "version-disclosed" => {
            let names = ["server", "x-powered-by", "x-aspnet-version", "x-generator", "x-runtime"].into_iter();
            names.filter(|name| summary.contains(&format!("`{name}:"))).map(header).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether two requests ask for the same in different ways.
fn is_comparable(one: &RequestSummary, other: &RequestSummary) -> bool {
    let path = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    one.method == other.method && path(&one.url) == path(&other.url)
}

fn is_alike(one: &Answer, other: &Answer) -> bool {
    match (one.json(), other.json()) {
        (Some(one), Some(other)) => one == other || likeness(one, other) >= ALIKE,
        _ => one.text == other.text,
    }
}

/// The words of a text that the reviewer has made up.
fn markers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with(MARKER) && word.len() > MARKER.len() + 8)
}

const ALIKE: usize = 90;
/// Rules where being served is the weakness.
const BY_STATUS: [&str; 13] = [
    "authentication-missing",
    "flow-repeated",
    "flow-unbounded",
    "function-bypassed",
    "function-exposed",
    "object-written",
    "operation-undeclared",
    "session-outlives",
    "sql-error",
    "token-expired",
    "token-forged",
    "token-subject",
    "token-unsigned",
];
/// Rules that only a third party can confirm, or a comparison of times or of many requests.
const BY_WITNESS: [&str; 12] = [
    "account-enumerable",
    "entity-resolved",
    "guessing-unbounded",
    "partner-trusted",
    "pattern-exponential",
    "request-forged",
    "requests-unbounded",
    "sql-delayed",
    "tls-optional",
    "tls-outdated",
    "token-guessable",
    "token-unchecked",
];
/// How every marker of a run begins.
const MARKER: &str = "plsd";
