//! Small rules by which schemas are rewritten, each without knowledge of the document.

use serde_json::{Map, Value, json};

use crate::document::{items, members};

/// Adds a schema that must hold as well.
pub(crate) fn and(out: &mut Map<String, Value>, part: Value) {
    match out.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(parts) => parts.push(part),
        other => *other = json!([part]),
    }
}

/// OpenAPI 3.0's `nullable`: the schema, or null. A list of allowed values then includes null, which the specification
/// wants written and authors leave out.
pub(crate) fn nullable(mut out: Map<String, Value>) -> Value {
    let composed = ["$ref", "allOf", "anyOf", "oneOf", "not"].iter().any(|key| out.contains_key(*key));
    match out.get("type") {
        Some(Value::String(kind)) if !composed => {
            let kinds = json!([kind, "null"]);
            out.insert("type".to_owned(), kinds);
            if let Some(Value::Array(values)) = out.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
            Value::Object(out)
        }
        _ => json!({"anyOf": [Value::Object(out), {"type": "null"}]}),
    }
}

/// The least and the greatest integer of a format. Formats are about strings in JSON Schema; OpenAPI and schemas that are
/// made from types give integers a width by them.
pub(crate) fn integer_bounds(format: &str) -> Option<(Value, Value)> {
    match format {
        "int8" => Some((json!(i8::MIN), json!(i8::MAX))),
        "int16" => Some((json!(i16::MIN), json!(i16::MAX))),
        "int32" => Some((json!(i32::MIN), json!(i32::MAX))),
        "int64" => Some((json!(i64::MIN), json!(i64::MAX))),
        "uint8" => Some((json!(u8::MIN), json!(u8::MAX))),
        "uint16" => Some((json!(u16::MIN), json!(u16::MAX))),
        "uint32" => Some((json!(u32::MIN), json!(u32::MAX))),
        "uint64" => Some((json!(u64::MIN), json!(u64::MAX))),
        _ => None,
    }
}

/// The values by which a discriminator names a reference: the name of the schema, and what is mapped to it.
pub(crate) fn discriminator_values(reference: &str, discriminator: &Value) -> Vec<String> {
    let name = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    let mut values = vec![name(reference)];
    for (value, mapped) in members(discriminator, "mapping") {
        let mapped = mapped.as_str().unwrap_or_default();
        if mapped == reference || mapped == name(reference) {
            values.push(value.clone());
        }
    }
    values
}

/// Whether a value that meets the schema can be an object, as far as can be seen without following references.
pub(crate) fn may_be_object(schema: &Value) -> bool {
    may_be_object_below(schema, 0)
}

/// Whether a `type` keyword names a type.
pub(crate) fn names_type(kind: &Value, name: &str) -> bool {
    match kind {
        Value::String(kind) => kind == name,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => false,
    }
}

fn may_be_object_below(schema: &Value, depth: usize) -> bool {
    let Some(object) = schema.as_object() else { return false };
    if depth > MAX_PARTS {
        return true;
    }
    if let Some(kind) = object.get("type") {
        return names_type(kind, "object");
    }
    if object.keys().any(|key| OBJECT_WORDS.contains(&key.as_str())) {
        return true;
    }
    ["allOf", "anyOf", "oneOf"]
        .iter()
        .flat_map(|key| items(schema, key))
        .any(|part| may_be_object_below(part, depth + 1))
}

const MAX_PARTS: usize = 16;
const OBJECT_WORDS: [&str; 8] = [
    "$ref",
    "dependentRequired",
    "dependentSchemas",
    "maxProperties",
    "minProperties",
    "patternProperties",
    "properties",
    "required",
];
