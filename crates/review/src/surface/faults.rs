//! Faults of a contract that do not keep it from being read: each is noted with its place.

use std::collections::BTreeSet;

use palisade_contract::Lines;
use serde_json::Value;

use crate::surface::Defect;
use crate::surface::read::target;

/// Collects the faults of one document.
pub(crate) struct Faults<'l> {
    lines: &'l Lines,
    found: Vec<Defect>,
}

impl<'l> Faults<'l> {
    /// Begins with what the text itself lacks.
    pub(crate) fn new(lines: &'l Lines, unread: Vec<(usize, String)>) -> Self {
        let defect = |(line, message)| Defect { pointer: String::new(), line: Some(line), message };
        Self { lines, found: unread.into_iter().map(defect).collect() }
    }

    pub(crate) fn note(&mut self, pointer: &str, message: impl Into<String>) {
        if self.found.len() < MAXIMUM {
            let line = self.lines.of(pointer);
            self.found.push(Defect { pointer: pointer.to_owned(), line, message: message.into() });
        }
    }

    pub(crate) fn into_defects(self) -> Vec<Defect> {
        self.found
    }

    /// Notes every reference that leads nowhere, once for each target.
    pub(crate) fn check_references(&mut self, root: &Value) {
        let mut seen = BTreeSet::new();
        self.below(root, root, "", &mut seen, 0);
    }

    fn below<'v>(
        &mut self,
        root: &'v Value,
        value: &'v Value,
        pointer: &str,
        seen: &mut BTreeSet<&'v str>,
        depth: usize,
    ) {
        if depth > DEPTH {
            return;
        }
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.below(root, item, &format!("{pointer}/{at}"), seen, depth + 1);
                }
            }
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                    && seen.insert(reference)
                    && target(reference).is_none_or(|target| root.pointer(&target).is_none())
                {
                    self.note(&format!("{pointer}/$ref"), format!("`{reference}` leads to nothing in this document"));
                }
                for (name, member) in members {
                    if member.is_object() || member.is_array() {
                        self.below(root, member, &join(pointer, name), seen, depth + 1);
                    }
                }
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// `pointer/name`, escaped.
pub(crate) fn join(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

const DEPTH: usize = 60;
const MAXIMUM: usize = 200;
