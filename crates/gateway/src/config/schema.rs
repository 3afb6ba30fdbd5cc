//! The JSON Schema of the file, for editors and for our own check of its shape.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema as _, Schema};
use serde_json::{Value, json};

use super::raw::RawConfig;

/// The JSON Schema (draft 7) of `palisade.toml`.
pub fn json_schema() -> Value {
    let mut settings = SchemaSettings::draft07();
    settings.inline_subschemas = true;
    let mut generator = settings.into_generator();
    let mut schema = RawConfig::json_schema(&mut generator);
    RecursiveTransform(without_null).transform(&mut schema);
    let mut root = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": "palisade.toml" });
    if let (Value::Object(root), Value::Object(schema)) = (&mut root, schema.to_value()) {
        root.extend(schema.into_iter().filter(|(key, _)| key != "title"));
    }
    root
}

/// TOML has no null: an optional key is simply absent.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    for list in ["anyOf", "enum"] {
        let Some(Value::Array(choices)) = object.get_mut(list) else { continue };
        choices.retain(|one| !one.is_null() && one.get("type") != Some(&"null".into()));
        if let ("anyOf", [Value::Object(only)]) = (list, choices.as_slice()) {
            let only = only.clone();
            object.remove(list);
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
}

/// The schemas of which one must fit: the members of `anyOf`, or the schema itself.
pub(crate) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let members = schema.get("anyOf").and_then(Value::as_array);
    let itself = members.is_none().then_some(schema);
    members.into_iter().flatten().chain(itself)
}

/// The JSON type that a schema asks for.
pub(crate) fn type_of(schema: &Value) -> &str {
    schema.get("type").and_then(Value::as_str).unwrap_or("string")
}

/// The keys that a table must have.
pub(crate) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The words that a text is chosen from, or none where any text will do.
pub(crate) fn words(schema: &Value) -> Vec<&str> {
    let list = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    list("enum").chain(list("oneOf").filter_map(|one| one.get("const"))).filter_map(Value::as_str).collect()
}

/// Whether the schema is of sections with names, as `[upstream.NAME]`.
pub(crate) fn is_section(schema: Option<&Value>) -> bool {
    schema
        .and_then(|schema| schema.get("additionalProperties"))
        .is_some_and(|others| type_of(others) == "object" && others.is_object())
}
