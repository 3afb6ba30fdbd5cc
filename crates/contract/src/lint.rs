//! What works but protects less than its author may think.

use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::document::join;
use crate::report::Report;
use crate::schema::definition::Definition;
use crate::schema::mode::Mode;
use crate::schema::rewrite::names_type;

/// What was noticed while the operations were compiled: names and places.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Operations without an effective `security`.
    pub(crate) unsecured: Vec<(String, String)>,
    /// Operations whose success has a body of which nothing is said.
    pub(crate) undescribed: Vec<(String, String)>,
    /// Deprecated operations of which nobody says since when.
    pub(crate) undated: Vec<(String, String)>,
    /// Writes whose owner is known only from the response, when it is too late.
    pub(crate) owner_late: Vec<(String, String)>,
}

/// Reports what is weak about a contract.
pub(crate) fn contract(facts: &Facts, definitions: &[Definition], report: &mut Report<'_>) {
    if let Some((_, place)) = facts.unsecured.first() {
        let message =
            format!("{} without `security`: {}", count(facts.unsecured.len(), "operation"), first(&facts.unsecured));
        let help =
            "they are treated as needing a credential; state `security`, or `security: []` where everyone may call";
        report.add(place, Diagnostic::warning("security-missing", message).help(help));
    }
    if let Some((_, place)) = facts.undescribed.first() {
        let message = format!(
            "{} with a success of whose content nothing is said: {}",
            count(facts.undescribed.len(), "operation"),
            first(&facts.undescribed)
        );
        let help = "declare its `content`, so that undeclared properties can be taken out; until then all passes";
        report.add(place, Diagnostic::warning("response-undescribed", message).help(help));
    }
    if let Some((_, place)) = facts.undated.first() {
        let number = count(facts.undated.len(), "deprecated operation");
        let message = format!("{number} without a date: {}", first(&facts.undated));
        let help = "add `deprecated_since` (and `sunset`) under `x-palisade`, so that its answers can say so";
        report.add(place, Diagnostic::note("deprecation-undated", message).help(help));
    }
    for (id, place) in &facts.owner_late {
        let message = format!("the owner of `{id}` is known only after it has acted");
        let help = "add `owner.request` with a parameter that equals a claim, or check ownership in the backend";
        report.add(
            &format!("{place}/x-palisade/owner"),
            Diagnostic::warning("write-owner-unchecked", message).help(help),
        );
    }
    let mut unbounded = Vec::new();
    for definition in definitions.iter().filter(|definition| matches!(definition.mode, Mode::Closed | Mode::Part)) {
        collect_unbounded(&definition.schema, &definition.pointer, &mut unbounded);
    }
    // A component that is compiled in two modes has its strings in both.
    unbounded.sort_unstable();
    unbounded.dedup();
    if let Some(place) = unbounded.first() {
        let message = format!("{} of requests without `maxLength`", count(unbounded.len(), "string"));
        let help = "give each a `maxLength`, so that the request's size is not the only limit";
        report.add(place, Diagnostic::note("string-unbounded", message).help(help));
    }
    let mut open = Vec::new();
    for definition in definitions.iter().filter(|definition| matches!(definition.mode, Mode::Closed | Mode::Part)) {
        collect_unanchored(&definition.schema, &definition.pointer, &mut open);
    }
    open.sort_unstable();
    open.dedup();
    if let Some(place) = open.first() {
        let message = format!("{} that only a part of the text must match", count(open.len(), "pattern"));
        let help = "begin it with `^` and end it with `$`, or any text around a match is accepted";
        report.add(place, Diagnostic::note("pattern-unanchored", message).help(help));
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn first(named: &[(String, String)]) -> String {
    let names: Vec<String> = named.iter().take(3).map(|(id, _)| format!("`{id}`")).collect();
    let rest = named.len() - names.len();
    if rest == 0 { names.join(", ") } else { format!("{} and {rest} more", names.join(", ")) }
}

fn collect_unbounded(schema: &Value, pointer: &str, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                collect_unbounded(item, &format!("{pointer}/{at}"), found);
            }
        }
        Value::Object(object) => {
            let counted = |part: &Value| part.get("maxLength").is_some();
            let is_string = object.get("type").is_some_and(|kind| names_type(kind, "string"));
            let format = object.get("format").and_then(Value::as_str);
            let bounded = ["maxLength", "enum", "const"].iter().any(|key| object.contains_key(*key))
                || object.get("allOf").and_then(Value::as_array).is_some_and(|parts| parts.iter().any(counted))
                || format.is_some_and(|format| BOUNDED_FORMATS.contains(&format))
                || object.get("pattern").and_then(Value::as_str).is_some_and(is_bounded);
            if is_string && !bounded {
                found.push(pointer.to_owned());
            }
            for (key, value) in object.iter().filter(|(key, _)| !matches!(key.as_str(), "const" | "enum")) {
                collect_unbounded(value, &join(pointer, key), found);
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect_unanchored(schema: &Value, pointer: &str, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                collect_unanchored(item, &format!("{pointer}/{at}"), found);
            }
        }
        Value::Object(object) => {
            for (key, value) in object.iter().filter(|(key, _)| !matches!(key.as_str(), "const" | "enum" | "not")) {
                let place = join(pointer, key);
                match (key.as_str(), value) {
                    ("pattern", Value::String(pattern)) if !is_anchored(pattern) => found.push(place),
                    _ => collect_unanchored(value, &place, found),
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether each alternative of a pattern is held at both ends, as far as can be seen.
fn is_anchored(pattern: &str) -> bool {
    let (mut depth, mut escaped, mut from) = (0_u32, false, 0);
    let mut parts = Vec::new();
    for (at, letter) in pattern.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                parts.push(pattern.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(pattern.get(from..).unwrap_or_default());
    parts.iter().all(|part| part.starts_with('^') && part.ends_with('$') && !part.ends_with("\\$"))
}

/// Whether a pattern certainly limits the length: anchored at both ends and without open repetition.
fn is_bounded(pattern: &str) -> bool {
    let open = pattern.contains(['*', '+', '|']) || pattern.contains(",}");
    pattern.starts_with('^') && pattern.ends_with('$') && !open
}

const BOUNDED_FORMATS: [&str; 9] = ["binary", "date", "date-time", "duration", "email", "ipv4", "ipv6", "time", "uuid"];
