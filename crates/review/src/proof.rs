//! A proof is what has to be so again: when a finding's requests are repeated, its checks say whether it is still there.
//!
//! The checks are derived from what was seen when the finding was made: the class of every status, which answers were
//! alike, which marker came back, which header was there. Those of controls say whether the comparison still means
//! anything; those of attacks and verifications decide.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::exchange::Answer;
use crate::finding::{Label, RequestSummary};
use crate::likeness::{ALIKE, says_same};

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
    /// The request is made so many times in a row, and never turned away.
    Burst {
        /// Which.
        exchange: usize,
        /// How often.
        times: u32,
    },
    /// The target asks the reviewer's own server for a path that only this request has named.
    CalledBack {
        /// Which.
        exchange: usize,
        /// The port of the server then.
        port: u16,
        /// The path, without its slash.
        token: String,
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
            | Self::Burst { exchange, .. }
            | Self::CalledBack { exchange, .. }
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
            Self::Burst { exchange, times } => json!({ "check": "burst", "exchange": exchange, "times": times }),
            Self::CalledBack { exchange, port, token } => {
                json!({ "check": "called-back", "exchange": exchange, "port": port, "token": token })
            }
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
            "burst" => Self::Burst { exchange, times: u32::try_from(number("times")?).ok()? },
            "called-back" => {
                Self::CalledBack { exchange, port: u16::try_from(number("port")?).ok()?, token: text("token")? }
            }
            "differs" => Self::Differs { exchange, other: number("other")? },
            "header" => Self::Header { exchange, name: text("name")?, value: text("value") },
            "holds" => Self::Holds { exchange, text: text("text")? },
            "status" => Self::Status { exchange, class: u16::try_from(number("class")?).ok()? },
            _ => return None,
        })
    }

    /// Whether it is so among these answers, of which some were followed by a call back; `None` stands for an exchange
    /// without an answer. A burst is not one of the answers, and never holds here.
    pub(crate) fn holds(&self, answers: &[Option<&Answer>], called_back: &[usize]) -> bool {
        let answer = |at: usize| answers.get(at).copied().flatten();
        let Some(own) = answer(self.exchange()) else { return false };
        match self {
            Self::Alike { other, .. } => answer(*other).is_some_and(|other| is_alike(own, other)),
            Self::Burst { .. } => false,
            Self::CalledBack { exchange, .. } => called_back.contains(exchange),
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
    if BY_CALL.contains(&rule) {
        return witnessed(seen);
    }
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

/// What a finding says that the reviewer's own server has seen: the last attack called back, or showed a file.
fn witnessed(seen: &[Seen<'_>]) -> Vec<Check> {
    let Some((exchange, one)) = seen.iter().enumerate().rfind(|(_, one)| one.label == Label::Attack) else {
        return Vec::new();
    };
    let texts = [Some(one.request.url.as_str()), one.request.body.as_deref()];
    let call = texts.into_iter().flatten().find_map(called);
    match call {
        Some((port, token)) => vec![Check::CalledBack { exchange, port, token }],
        None if one.answer.text.contains(PASSWD) => vec![Check::Holds { exchange, text: PASSWD.to_owned() }],
        None => Vec::new(),
    }
}

/// The port and the path of an address of the reviewer's own in a text, plain or encoded.
fn called(text: &str) -> Option<(u16, String)> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    markers(&text).find_map(|marker| {
        let before = text.split(marker).next()?.strip_suffix('/')?;
        let (_, port) = before.rsplit_once(':')?;
        Some((port.parse().ok()?, marker.to_owned()))
    })
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
    says_same(one, other, ALIKE)
}

/// The words of a text that the reviewer has made up.
fn markers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with(MARKER) && word.len() > MARKER.len() + 8)
}

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
const BY_WITNESS: [&str; 10] = [
    "account-enumerable",
    "guessing-unbounded",
    "partner-trusted",
    "pattern-exponential",
    "requests-unbounded",
    "sql-delayed",
    "tls-optional",
    "tls-outdated",
    "token-guessable",
    "token-unchecked",
];
/// Rules that the reviewer's own server proves.
const BY_CALL: [&str; 2] = ["entity-resolved", "request-forged"];
/// What every file of accounts has in its first line.
const PASSWD: &str = ":0:0:";
/// How every marker of a run begins.
const MARKER: &str = "plsd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_reviewer_is_found_plain_and_encoded() {
        let check = |text: &str, expect: Option<(u16, &str)>| {
            let found = called(text);
            assert_eq!(found.as_ref().map(|(port, token)| (*port, token.as_str())), expect, "{text}");
        };
        check(r#"{"url":"http://127.0.0.1:4711/plsd00000007a14"}"#, Some((4711, "plsd00000007a14")));
        check(
            "http://shop/fetch?url=http%3A%2F%2F2130706433%3A4711%2Fplsd00000007a14",
            Some((4711, "plsd00000007a14")),
        );
        check("http://shop/fetch?host=localhost:99999/plsd00000007a14", None);
        check("http://shop/plsd00000007a14", None);
        check("http://127.0.0.1:4711/", None);
    }

    #[test]
    fn every_check_is_read_back_as_it_was_written() {
        for check in [
            Check::Alike { exchange: 1, other: 0 },
            Check::Burst { exchange: 0, times: 30 },
            Check::CalledBack { exchange: 2, port: 4711, token: "plsd".to_owned() },
            Check::Differs { exchange: 1, other: 0 },
            Check::Header { exchange: 1, name: "server".to_owned(), value: None },
            Check::Holds { exchange: 1, text: "x".to_owned() },
            Check::Status { exchange: 1, class: 2 },
        ] {
            assert_eq!(Check::from_json(&check.to_json()), Some(check));
        }
    }
}
