//! Which definitions name which, and those that demand themselves of the same value: checking one would never end.

use std::collections::HashMap;

use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::report::Report;
use crate::schema::definition::{Definition, DefinitionId};

/// Reports every such schema; whether there is none.
pub(crate) fn check(definitions: &[Definition], report: &mut Report<'_>) -> bool {
    let parts: Vec<Vec<DefinitionId>> = definitions
        .iter()
        .map(|definition| {
            let mut found = Vec::new();
            collect_parts(&definition.schema, &mut found);
            found
        })
        .collect();
    // Depth-first with three colors: absent, open (false), done (true).
    let mut color: HashMap<DefinitionId, bool> = HashMap::new();
    let mut sound = true;
    for start in 0..definitions.len() {
        let mut stack = vec![(start, false)];
        while let Some((id, leaving)) = stack.pop() {
            if leaving {
                color.insert(id, true);
                continue;
            }
            match color.get(&id) {
                Some(_) => continue,
                None => color.insert(id, false),
            };
            stack.push((id, true));
            for part in parts.get(id).into_iter().flatten() {
                match color.get(part) {
                    None => stack.push((*part, false)),
                    Some(true) => {}
                    Some(false) => {
                        sound = false;
                        let pointer = definitions.get(*part).map_or("", |definition| &definition.pointer);
                        let diagnostic =
                            Diagnostic::error("schema-invalid", "the schema demands itself of the same value");
                        report
                            .add(pointer, diagnostic.help("let it refer to itself only below `properties` or `items`"));
                    }
                }
            }
        }
    }
    sound
}

/// Every definition that a schema names by a keyword, anywhere within it.
pub(crate) fn collect_named(schema: &Value, keyword: &str, found: &mut Vec<DefinitionId>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect_named(item, keyword, found)),
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(id) if key == keyword => {
                        found.extend(id.rsplit('/').next().and_then(|id| id.parse::<DefinitionId>().ok()));
                    }
                    _ if matches!(key.as_str(), "const" | "enum") => {}
                    _ => collect_named(value, keyword, found),
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// The definitions that speak about the same value as this schema.
fn collect_parts(schema: &Value, found: &mut Vec<DefinitionId>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                found.extend(reference.rsplit('/').next().and_then(|id| id.parse::<DefinitionId>().ok()));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter().for_each(|part| collect_parts(part, found))
            }
            ("dependentSchemas", Value::Object(parts)) => parts.values().for_each(|part| collect_parts(part, found)),
            ("if" | "then" | "else" | "not", part) => collect_parts(part, found),
            _ => {}
        }
    }
}
