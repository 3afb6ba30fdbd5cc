//! One departure from a contract, told without any value.

use std::fmt;

use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::infer::{Kind, Seen};
use crate::json::{self, Caps};
use crate::media::{Media, Reading};
use crate::parameter::pairs::split;
use crate::percent::decode_form;
use crate::violation::{Violation, child};

/// One departure: where, from which rule, and what was there instead.
///
/// ```
/// use palisade_contract::drift::{self, Kind, Observation, Seen, Side};
///
/// let line = r#"{"in":"request","at":"/query/limit","rule":"undeclared","type":"integer"}"#;
/// let seen = Seen { kind: Some(Kind::Integer), ..Seen::default() };
/// let (at, rule) = ("/query/limit".to_owned(), "undeclared".to_owned());
/// let observation = Observation { side: Side::Request, status: None, media: None, at, rule, seen };
/// assert_eq!(drift::read(line), Some(observation.clone()));
/// assert_eq!(observation.to_string(), line);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// In which direction.
    #[serde(rename = "in")]
    pub side: Side,
    /// The status of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The media type of a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// Where: `/query/limit`, `/body/items/*/cost`. `*` is any item, and any name that looks like data.
    pub at: String,
    /// The keyword that was broken; `undeclared`, `media` and `status` where something is not declared at all.
    pub rule: String,
    /// What was there.
    #[serde(flatten)]
    pub seen: Seen,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// On the way in.
    Request,
    /// On the way out.
    Response,
}

impl fmt::Display for Observation {
    /// One line of JSON, which [`read`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Reads what [`Observation`] displays.
pub fn read(line: &str) -> Option<Observation> {
    serde_json::from_str(line).ok()
}

/// What violations of parameters say about a contract. Those that are an attack or a mistake say nothing.
pub fn of_query(query: &str, violations: &[Violation]) -> Vec<Observation> {
    let place = Place { side: Side::Request, status: None, media: None };
    let pairs = split(query, "/query", &mut Vec::new());
    let seen = |violation: &Violation| {
        let mut sent = pairs.iter().filter(|pair| child("/query", &pair.name) == violation.pointer);
        match (sent.next(), sent.next()) {
            (Some(only), None) => decode_form(only.raw).map(|text| Seen::of_text(&text)).unwrap_or_default(),
            (Some(_), Some(_)) => Seen { kind: Some(Kind::Array), ..Seen::default() },
            (None, _) => Seen::default(),
        }
    };
    let told = violations.iter().filter(|violation| !violation.rule.is_empty()).take(MOST);
    told.map(|violation| place.observe(violation.pointer.clone(), violation.rule, seen(violation))).collect()
}

/// What violations of a request's body say about a contract.
pub fn of_body(content_type: Option<&HeaderValue>, body: &[u8], violations: &[Violation]) -> Vec<Observation> {
    let place = Place { side: Side::Request, status: None, media: essence(content_type) };
    let value = json_of(content_type, body);
    let mut found = Vec::new();
    for violation in violations.iter().filter(|violation| !violation.rule.is_empty()) {
        place.add(&violation.pointer, violation.rule, value.as_ref(), &mut found);
    }
    found
}

/// What an answer with a declared status and type says about a contract: what was `removed` and what is wrong.
pub fn of_answer(
    status: StatusCode,
    content_type: Option<&HeaderValue>,
    body: &[u8],
    removed: &[String],
    violations: &[Violation],
) -> Vec<Observation> {
    let place = Place { side: Side::Response, status: Some(status.as_u16()), media: essence(content_type) };
    let value = json_of(content_type, body);
    let mut found = Vec::new();
    for pointer in removed {
        place.add(&format!("{BODY}{pointer}"), "undeclared", value.as_ref(), &mut found);
    }
    for violation in violations.iter().filter(|violation| !violation.rule.is_empty()) {
        place.add(&violation.pointer, violation.rule, value.as_ref(), &mut found);
    }
    found
}

/// What an answer whose status (`rule` is `status`) or type (`media`) is not declared says about a contract.
pub fn of_undeclared_answer(
    status: StatusCode,
    content_type: Option<&HeaderValue>,
    body: &[u8],
    rule: &str,
) -> Vec<Observation> {
    let place = Place { side: Side::Response, status: Some(status.as_u16()), media: essence(content_type) };
    let value = json_of(content_type, body);
    let mut found = Vec::new();
    place.add(BODY, rule, value.as_ref(), &mut found);
    found
}

struct Place {
    side: Side,
    status: Option<u16>,
    media: Option<String>,
}

impl Place {
    fn observe(&self, at: String, rule: &str, seen: Seen) -> Observation {
        Observation { side: self.side, status: self.status, media: self.media.clone(), at, rule: rule.to_owned(), seen }
    }

    /// Adds what is at a pointer into a body and, where nothing of it is declared, all that is below.
    fn add(&self, pointer: &str, rule: &str, root: Option<&Value>, found: &mut Vec<Observation>) {
        let below = pointer.strip_prefix(BODY).unwrap_or_default();
        let (mut at, mut value) = (BODY.to_owned(), root);
        for name in below.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            let step = if matches!(value, Some(Value::Array(_))) { ANY } else { known(&name) };
            at = child(&at, step);
            value = match value {
                Some(Value::Array(items)) => name.parse().ok().and_then(|at: usize| items.get(at)),
                Some(Value::Object(members)) => members.get(&name),
                _ => None,
            };
        }
        let is_new = matches!(rule, "media" | "status" | "undeclared");
        self.push(at.clone(), rule, value, found);
        if let Some(value) = value.filter(|_| is_new) {
            self.add_below(&at, value, found, 0);
        }
    }

    fn add_below(&self, at: &str, value: &Value, found: &mut Vec<Observation>, depth: usize) {
        if depth == DEEPEST {
            return;
        }
        let mut step = |name: &str, value: &Value| {
            let at = child(at, name);
            self.push(at.clone(), "undeclared", Some(value), found);
            self.add_below(&at, value, found, depth + 1);
        };
        match value {
            Value::Array(items) => items.iter().take(MOST).for_each(|item| step(ANY, item)),
            Value::Object(members) => members.iter().take(MOST).for_each(|(name, value)| step(known(name), value)),
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn push(&self, at: String, rule: &str, value: Option<&Value>, found: &mut Vec<Observation>) {
        let observation = self.observe(at, rule, value.map(Seen::of).unwrap_or_default());
        if found.len() < MOST && !found.contains(&observation) {
            found.push(observation);
        }
    }
}

/// A name as a contract would have it. One that looks like data, such as an address or an id, is one of many.
fn known(name: &str) -> &str {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'$' | b'@'));
    let plain = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$' | b':'));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    if starts && plain && name.len() <= 64 && digits <= 6 { name } else { ANY }
}

fn json_of(content_type: Option<&HeaderValue>, body: &[u8]) -> Option<Value> {
    let media = content_type.and_then(Media::of)?;
    (media.reading() == Reading::Json).then(|| json::read(body, &Caps::MESSAGE).ok()).flatten()
}

/// The media type without parameters, where it is one.
fn essence(content_type: Option<&HeaderValue>) -> Option<String> {
    let text = content_type?.to_str().ok()?;
    Media::parse(text)?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    (essence.len() <= 100).then_some(essence)
}

const BODY: &str = "/body";
pub(super) const ANY: &str = "*";
/// How many departures one message tells.
const MOST: usize = 24;
const DEEPEST: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str, removed: &[&str]) -> Vec<String> {
        let removed: Vec<String> = removed.iter().map(|pointer| (*pointer).to_owned()).collect();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let seen = of_answer(StatusCode::OK, Some(&json), body.as_bytes(), &removed, &[]);
        seen.iter()
            .map(|seen| {
                assert_eq!(read(&seen.to_string()).as_ref(), Some(seen));
                format!("{} {} {:?}", seen.at, seen.seen.kind.map_or("-", Kind::as_str), seen.seen.length)
            })
            .collect()
    }

    #[test]
    fn tells_types_and_places_and_no_values() {
        let body =
            r#"{"items":[{"cost":3},{"cost":4,"by":{"mail":"a@b.example","tags":["x"]}}],"u@b.example":1,"a/b":2}"#;
        assert_eq!(
            of(body, &["/items/0/cost", "/items/1/cost", "/items/1/by", "/u@b.example", "/a~1b"]),
            [
                "/body/items/*/cost integer None",
                "/body/items/*/by object None",
                "/body/items/*/by/mail string Some(11)",
                "/body/items/*/by/tags array Some(1)",
                "/body/items/*/by/tags/* string Some(1)",
                "/body/* integer None",
            ]
        );
    }

    #[test]
    fn one_message_cannot_tell_without_end() {
        let members: Vec<String> = (0..100).map(|n| format!("\"x{n}\":{n}")).collect();
        assert_eq!(of(&format!("{{\"a\":{{{}}}}}", members.join(",")), &["/a"]).len(), MOST);
        let deep = format!("{}1{}", "{\"a\":".repeat(12), "}".repeat(12));
        assert_eq!(of(&deep, &["/a"]).len(), DEEPEST + 1);
    }
}
