//! The contract as a tree of values: reading the text, and following references within it.

use std::ops::Range;

use palisade_core::diagnostic::{Diagnostic, Source};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::json;
use crate::report::Report;

/// A parsed contract.
#[derive(Debug)]
pub(crate) struct Document {
    /// The whole text.
    pub(crate) root: Value,
    /// The dialect of its schemas.
    pub(crate) dialect: Dialect,
}

/// The dialect of a contract's schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAPI 3.0: its own subset of JSON Schema.
    V30,
    /// OpenAPI 3.1: JSON Schema 2020-12.
    V31,
}

impl Document {
    /// Reads a text as JSON when it starts like it, else as YAML.
    pub(crate) fn read(source: &Source, report: &mut Report<'_>) -> Option<Self> {
        let text = source.text();
        if text.len() > MAX_BYTES {
            let message = format!("the contract is larger than {} MiB", MAX_BYTES / 1024 / 1024);
            let help = "describe the API in several documents, one for each route";
            report.add_at(None, Diagnostic::error("contract-unreadable", message).help(help));
            return None;
        }
        let read = if text.trim_start().starts_with('{') { read_json(text) } else { read_yaml(text) };
        let root = match read {
            Ok(root) => root,
            Err((place, message)) => {
                let help = "correct it and check again; nothing else of the document was looked at";
                report.add_at(place, Diagnostic::error("contract-unreadable", message).help(help));
                return None;
            }
        };
        let version =
            root.get("openapi").map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned));
        let dialect = match version.as_deref() {
            Some(version) if version == "3.0" || version.starts_with("3.0.") => Dialect::V30,
            Some(version) if version == "3.1" || version.starts_with("3.1.") => Dialect::V31,
            Some(version) => {
                let message = format!("OpenAPI version `{version}` is not supported");
                let diagnostic = Diagnostic::error("contract-version", message).help("use 3.0 or 3.1");
                report.add("/openapi", diagnostic);
                return None;
            }
            None => {
                let diagnostic =
                    Diagnostic::error("contract-version", "this is not an OpenAPI document: `openapi` is missing");
                report.add("", diagnostic.help("start it with `openapi: 3.1.0`; Swagger 2.0 must be converted first"));
                return None;
            }
        };
        Some(Self { root, dialect })
    }

    /// The value at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.root.pointer(pointer)
    }

    /// The value and pointer that a value stands for: itself, or what its `$ref` leads to in the end.
    pub(crate) fn resolve<'d>(&'d self, value: &'d Value, pointer: &str) -> (&'d Value, String) {
        let (mut value, mut pointer) = (value, pointer.to_owned());
        for _ in 0..MAX_HOPS {
            let Some(Ok(target)) = value.get("$ref").and_then(Value::as_str).map(target) else { break };
            let Some(next) = self.at(&target) else { break };
            (value, pointer) = (next, target);
        }
        (value, pointer)
    }

    /// What a value stands for, without its pointer.
    pub(crate) fn follow<'d>(&'d self, value: &'d Value) -> &'d Value {
        self.resolve(value, "").0
    }

    /// Reports every reference that leads out of the document, to nothing, or around in a circle.
    pub(crate) fn check_references(&self, report: &mut Report<'_>) {
        self.check_below(&self.root, "", report);
    }

    fn check_below(&self, value: &Value, pointer: &str, report: &mut Report<'_>) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.check_below(item, &format!("{pointer}/{at}"), report);
                }
            }
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    self.check_reference(value, reference, &format!("{pointer}/$ref"), report);
                }
                for (name, member) in members {
                    if !OPAQUE.contains(&name.as_str()) && !name.starts_with("x-") {
                        self.check_below(member, &join(pointer, name), report);
                    }
                }
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Reports one reference when it leads out of the document, to nothing, or around in a circle.
    pub(crate) fn check_reference(&self, value: &Value, reference: &str, pointer: &str, report: &mut Report<'_>) {
        let (code, message, help) = match target(reference) {
            Err(RefFault::External) => (
                "reference-external",
                format!("`{reference}` is in another document"),
                "bundle the contract into one file; Palisade never fetches anything",
            ),
            Err(RefFault::Unsupported) => (
                "reference-unresolved",
                format!("`{reference}` is not a JSON pointer"),
                "write it as `#/components/...`",
            ),
            Ok(target) if self.at(&target).is_none() => {
                ("reference-unresolved", format!("`{reference}` leads to nothing"), "check the name for a typo")
            }
            Ok(_) if self.follow(value).get("$ref").is_some_and(Value::is_string) => {
                let help = "one of them must say what the value is";
                ("reference-unresolved", format!("`{reference}` leads back to itself"), help)
            }
            Ok(_) => return,
        };
        report.add(pointer, Diagnostic::error(code, message).help(help));
    }
}

/// Why a reference cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefFault {
    /// It names another document.
    External,
    /// It is an anchor.
    Unsupported,
}

/// The JSON pointer that a reference such as `#/components/schemas/Pet` stands for.
pub(crate) fn target(reference: &str) -> Result<String, RefFault> {
    let fragment = reference.strip_prefix('#').ok_or(RefFault::External)?;
    let pointer = percent_decode_str(fragment).decode_utf8().map_err(|_| RefFault::Unsupported)?;
    if pointer.is_empty() || pointer.starts_with('/') { Ok(pointer.into_owned()) } else { Err(RefFault::Unsupported) }
}

/// `pointer/name`, escaped.
pub(crate) fn join(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of an object at a key; nothing when it is no object.
pub(crate) fn members<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// The items of an array at a key; nothing when it is no array.
pub(crate) fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a key is exactly `true`.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

/// How YAML is read: core-schema booleans only, so that a country code `no` stays a text, and no duplicate keys.
pub(crate) fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 200_000 },
        budget: serde_saphyr::budget! {
            max_depth: 100,
            max_documents: 1,
            max_events: 8_000_000,
            max_nodes: 4_000_000,
        },
    }
}

/// A document in YAML or JSON as it is written, for readers that are more tolerant than the compiler. Bounded in depth,
/// size and aliases like any contract.
pub fn read_tolerantly(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| read_yaml(text).ok())
}

pub(crate) type Unreadable = (Option<Range<usize>>, String);

pub(crate) fn read_yaml(text: &str) -> Result<Value, Unreadable> {
    serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error: serde_saphyr::Error| {
        let place = error.location().map(|location| offset(text, location.line(), location.column()));
        let message = error.without_snippet().to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.split(" at line ").next().unwrap_or_default();
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or_default();
        (place.map(|start| start..start.saturating_add(1)), format!("this is not valid YAML: {message}"))
    })
}

/// The byte at a line and a column, both from one.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let count = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = text.split_inclusive('\n').take(count(line)).map(str::len).sum();
    let within = text.get(before..).unwrap_or_default().chars().take(count(column)).map(char::len_utf8);
    before + within.sum::<usize>()
}

pub(crate) fn read_json(text: &str) -> Result<Value, Unreadable> {
    json::read(text.as_bytes(), &json::Caps::CONTRACT).map_err(|fault| match fault.kind {
        json::FaultKind::Duplicate => (None, format!("the key at `{}` is there twice", fault.pointer)),
        _ => {
            // Serde's own error knows the line; it says nothing when only our caps were hit.
            match serde_json::from_str::<Value>(text) {
                Ok(_) => (None, format!("the contract {fault}")),
                Err(error) => {
                    let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
                    let start = offset(text, line, u64::try_from(error.column()).unwrap_or(u64::MAX));
                    let message = error.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default();
                    (Some(start..start + 1), format!("this is not valid JSON: {message}"))
                }
            }
        }
    })
}

const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_HOPS: usize = 32;
/// Keys below which a `$ref` is somebody's data.
const OPAQUE: [&str; 5] = ["const", "default", "enum", "example", "examples"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_references() {
        assert_eq!(target("#/a/b%20c/~1d").as_deref(), Ok("/a/b c/~1d"));
        assert_eq!(target("other.yaml#/a"), Err(RefFault::External));
        assert_eq!(target("#anchor"), Err(RefFault::Unsupported));
    }

    #[test]
    fn yaml_keeps_texts_and_names_status_codes() {
        let value = read_yaml("country: no\nresponses:\n  200: {a: 1}\n").unwrap();
        assert_eq!(value, serde_json::json!({"country": "no", "responses": {"200": {"a": 1}}}));
        assert!(read_yaml("a: 1\na: 2\n").is_err());
    }
}
