//! Schemas as an attacker reads them: which properties there are, which text is free, what a valid value looks like.

use serde_json::{Map, Value};

use crate::surface::read::{items, object};
use crate::surface::{Endpoint, Parameter, Place, Surface, Values};

impl Surface {
    /// What a value stands for: itself, or what its `$ref` leads to in this document.
    pub(crate) fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        let mut value = value;
        for _ in 0..MAXIMUM_HOPS {
            let target = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            let Some(next) = target.and_then(|pointer| self.root.pointer(pointer)) else { break };
            value = next;
        }
        value
    }

    /// The properties that a schema and the parts of its `allOf` declare.
    pub(crate) fn properties<'v>(&'v self, schema: &'v Value) -> Vec<(&'v str, &'v Value)> {
        let mut found = Vec::new();
        self.collect(schema, &mut found, 0);
        found
    }

    fn collect<'v>(&'v self, schema: &'v Value, found: &mut Vec<(&'v str, &'v Value)>, depth: usize) {
        let schema = self.resolve(schema);
        found.extend(object(schema, "properties").map(|(name, member)| (name.as_str(), member)));
        if depth < MAXIMUM_HOPS {
            for part in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| items(schema, key)) {
                self.collect(part, found, depth + 1);
            }
        }
    }

    /// Whether undeclared properties are excluded by the schema itself.
    pub(crate) fn is_closed(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| schema.get(*key) == Some(&Value::Bool(false)))
    }

    /// Whether a text of the schema may hold anything a person writes.
    pub(crate) fn is_free_text(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        let is_bound = ["pattern", "enum", "const", "format"].iter().any(|key| schema.get(*key).is_some());
        let is_roomy = schema.get("maxLength").and_then(Value::as_u64).is_none_or(|maximum| maximum >= ROOM);
        self.is_string(schema) && !is_bound && is_roomy
    }

    pub(crate) fn is_string(&self, schema: &Value) -> bool {
        self.resolve(schema).get("type").is_some_and(|kind| kind == "string")
    }

    pub(crate) fn is_url(&self, schema: &Value) -> bool {
        let format = self.resolve(schema).get("format").and_then(Value::as_str);
        matches!(format, Some("iri" | "uri" | "uri-reference" | "url"))
    }

    /// A value that a schema allows, as far as that is easy to find.
    pub(crate) fn value_for(&self, schema: &Value) -> Value {
        self.value_at(schema, 0)
    }

    fn value_at(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        let given = ["example", "default", "const"].iter().find_map(|key| schema.get(*key));
        let listed = || ["examples", "enum"].iter().find_map(|key| items(schema, key).next());
        if let Some(value) = given.or_else(listed) {
            return value.clone();
        }
        if depth > MAXIMUM_HOPS {
            return Value::Null;
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("array") => {
                let item = schema.get("items").map(|item| self.value_at(item, depth + 1));
                Value::Array(item.into_iter().collect())
            }
            Some("boolean") => Value::Bool(true),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(1)),
            Some("string") => Value::from(text_for(schema)),
            _ => {
                let required: Vec<&str> = items(schema, "required").filter_map(Value::as_str).collect();
                let properties = self.properties(schema);
                let chosen = properties.into_iter().filter(|(name, _)| required.contains(name));
                Value::Object(
                    chosen
                        .map(|(name, member)| (name.to_owned(), self.value_at(member, depth + 1)))
                        .collect::<Map<_, _>>(),
                )
            }
        }
    }

    /// The example of a parameter, or a value made for it.
    pub(crate) fn sample(&self, parameter: &Parameter) -> String {
        text_of(&parameter.example.clone().unwrap_or_else(|| self.value_for(&parameter.schema)))
    }

    /// Samples for everything the path and the query need.
    pub(crate) fn sample_values(&self, endpoint: &Endpoint) -> Values {
        let mut values = Values::default();
        for parameter in &endpoint.parameters {
            match parameter.place {
                Place::Path => values.path.push((parameter.name.clone(), self.sample(parameter))),
                Place::Query if parameter.is_required => {
                    values.query.push((parameter.name.clone(), self.sample(parameter)));
                }
                Place::Header | Place::Query => {}
            }
        }
        values
    }

    /// The example of a body, or one made for it.
    pub(crate) fn sample_body(&self, endpoint: &Endpoint) -> Option<Value> {
        let body = endpoint.body.as_ref()?;
        Some(body.example.clone().unwrap_or_else(|| self.value_for(&body.schema)))
    }
}

/// A scalar as it is written in a path or a query.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn text_for(schema: &Value) -> String {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("email") => "someone@example.com",
        Some("uri" | "url" | "iri") => "https://example.com/",
        Some("uuid") => "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        _ => "sample",
    };
    let minimum = schema.get("minLength").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let missing = minimum.unwrap_or_default().min(LONGEST).saturating_sub(text.len());
    format!("{text}{}", "a".repeat(missing))
}

const MAXIMUM_HOPS: usize = 16;
/// A text with room for a payload.
const ROOM: u64 = 60;
const LONGEST: usize = 4_096;
