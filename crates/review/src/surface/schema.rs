//! Schemas as an attacker reads them: which properties there are, which text is free, what a valid value looks like.

use std::cell::Cell;

use palisade_contract::sample::meet_pattern;
use serde_json::{Map, Value};

use crate::surface::read::{flag, follow, items, object};
use crate::surface::template::plain;
use crate::surface::{Endpoint, Parameter, Place, Surface, Values, dictionary};

impl Surface {
    /// What a value stands for: itself, or what its `$ref` leads to in this document.
    pub(crate) fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        follow(&self.root, value)
    }

    /// The properties that a schema and its parts declare, each once.
    pub(crate) fn properties<'v>(&'v self, schema: &'v Value) -> Vec<(&'v str, &'v Value)> {
        let mut found: Vec<(&str, &Value)> = Vec::new();
        for part in self.parts(schema, &["allOf", "anyOf", "oneOf"]) {
            for (name, member) in object(part, "properties") {
                if !found.iter().any(|(known, _)| known == name) {
                    found.push((name.as_str(), member));
                }
            }
        }
        found
    }

    /// A schema and what it is composed of, each part once.
    fn parts<'v>(&'v self, schema: &'v Value, keys: &[&str]) -> Vec<&'v Value> {
        let mut parts = vec![self.resolve(schema)];
        let mut at = 0;
        while let Some(part) = parts.get(at).copied() {
            for inner in keys.iter().flat_map(|key| items(part, key)) {
                let inner = self.resolve(inner);
                if parts.len() < MAXIMUM_PARTS && !parts.iter().any(|known| std::ptr::eq(*known, inner)) {
                    parts.push(inner);
                }
            }
            at += 1;
        }
        parts
    }

    /// The names that a schema and the parts of its `allOf` require.
    pub(crate) fn required<'v>(&'v self, schema: &'v Value) -> Vec<&'v str> {
        let parts = self.parts(schema, &["allOf"]).into_iter();
        parts.flat_map(|part| items(part, "required")).filter_map(Value::as_str).collect()
    }

    /// The type of a schema: what it says, or what its other words imply; empty when it may be anything.
    pub(crate) fn kind<'v>(&'v self, schema: &'v Value) -> &'v str {
        let said = self.parts(schema, &["allOf", "oneOf", "anyOf"]).into_iter().find_map(|part| {
            let kind = match part.get("type")? {
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")?,
                kind => kind.as_str()?,
            };
            Some(kind)
        });
        let has = |keys: &[&str]| keys.iter().any(|key| self.resolve(schema).get(*key).is_some());
        said.unwrap_or_else(|| match () {
            () if !self.properties(schema).is_empty() => "object",
            () if has(&["items"]) => "array",
            () if has(&["pattern", "format", "minLength", "maxLength"]) => "string",
            () if has(&["minimum", "maximum"]) => "number",
            () => "",
        })
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
        self.kind(schema) == "string"
    }

    pub(crate) fn is_url(&self, schema: &Value) -> bool {
        let format = self.resolve(schema).get("format").and_then(Value::as_str);
        matches!(format, Some("iri" | "uri" | "uri-reference" | "url"))
    }

    /// A value that a schema allows, as far as that is easy to find.
    pub(crate) fn value_for(&self, schema: &Value) -> Value {
        self.value_named(schema, "")
    }

    /// The same for a property or parameter of a name.
    pub(crate) fn value_named(&self, schema: &Value, name: &str) -> Value {
        self.value_at(schema, name, 0, &Cell::new(MAXIMUM_VALUES))
    }

    fn value_at(&self, written: &Value, name: &str, depth: usize, left: &Cell<usize>) -> Value {
        let schema = self.resolve(written);
        let given = ["example", "x-example", "default", "const"].iter().find_map(|key| schema.get(*key));
        let listed = || ["examples", "enum"].iter().find_map(|key| items(schema, key).find(|one| !one.is_null()));
        if let Some(value) = given.or_else(listed) {
            return value.clone();
        }
        left.set(left.get().saturating_sub(1));
        if depth > MAXIMUM_DEPTH || left.get() == 0 {
            return Value::Null;
        }
        let alternative =
            || ["oneOf", "anyOf"].iter().find_map(|key| items(schema, key).find(|one| !self.is_null(one)));
        if schema.get("properties").is_none()
            && schema.get("type").is_none()
            && let Some(one) = alternative()
        {
            return self.value_at(one, name, depth + 1, left);
        }
        match self.kind(schema) {
            "array" => {
                let item = schema.get("items").map(|item| self.value_at(item, name, depth + 1, left));
                Value::Array(item.filter(|item| !item.is_null()).into_iter().collect())
            }
            "boolean" => Value::Bool(true),
            "integer" | "number" => number_for(schema, name),
            "object" => self.object_at(schema, depth, left),
            "null" => Value::Null,
            "string" => Value::from(text_for(schema, name)),
            _ if name.is_empty() => self.object_at(schema, depth, left),
            _ => Value::from(text_for(schema, name)),
        }
    }

    /// What is required; everything that can be set where nothing is said to be required.
    fn object_at(&self, schema: &Value, depth: usize, left: &Cell<usize>) -> Value {
        let required = self.required(schema);
        let properties = self.properties(schema);
        let is_meant = |name: &str, member: &Value| match required.is_empty() {
            true => depth < MAXIMUM_WISHED && plain(name) != "id" && !flag(self.resolve(member), "readOnly"),
            false => required.contains(&name),
        };
        let chosen = properties.into_iter().filter(|(name, member)| is_meant(name, member));
        let chosen = chosen.take(MAXIMUM_PROPERTIES);
        let members = chosen.map(|(name, member)| (name.to_owned(), self.value_at(member, name, depth + 1, left)));
        Value::Object(members.collect::<Map<_, _>>())
    }

    fn is_null(&self, schema: &Value) -> bool {
        self.resolve(schema).get("type").is_some_and(|kind| kind == "null")
    }

    /// The example of a parameter, or a value made for it.
    pub(crate) fn sample(&self, parameter: &Parameter) -> String {
        let made = || self.value_named(&parameter.schema, &parameter.name);
        match parameter.example.clone().unwrap_or_else(made) {
            // A list in a path or a query is its first item, or its items with commas between them.
            Value::Array(list) => list.iter().map(text_of).collect::<Vec<_>>().join(","),
            value => text_of(&value),
        }
    }

    /// Samples for everything the path, the query and the headers need.
    pub(crate) fn sample_values(&self, endpoint: &Endpoint) -> Values {
        let mut values = Values::default();
        for parameter in &endpoint.parameters {
            match parameter.place {
                Place::Path => values.path.push((parameter.name.clone(), self.sample(parameter))),
                Place::Query if parameter.is_required => {
                    values.query.push((parameter.name.clone(), self.sample(parameter)));
                }
                Place::Header if parameter.is_required => {
                    values.headers.push((parameter.name.clone(), self.sample(parameter)));
                }
                Place::Cookie if parameter.is_required => {
                    let cookie = format!("{}={}", parameter.name, self.sample(parameter));
                    match values.headers.iter_mut().find(|(name, _)| name == "cookie") {
                        Some((_, cookies)) => *cookies = format!("{cookies}; {cookie}"),
                        None => values.headers.push(("cookie".to_owned(), cookie)),
                    }
                }
                Place::Cookie | Place::Header | Place::Query => {}
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

fn text_for(schema: &Value, name: &str) -> String {
    let bound = |key: &str, other: usize| {
        schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok()).unwrap_or(other)
    };
    let (minimum, maximum) = (bound("minLength", 0).min(LONGEST), bound("maxLength", usize::MAX));
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && let Some(text) = meet_pattern(pattern, minimum, maximum)
    {
        return text;
    }
    let format = schema.get("format").and_then(Value::as_str).and_then(dictionary::by_format);
    let text = format.or_else(|| dictionary::text(name)).unwrap_or("sample");
    let missing = minimum.saturating_sub(text.chars().count());
    text.chars().chain(std::iter::repeat_n('a', missing)).take(maximum).collect()
}

fn number_for(schema: &Value, name: &str) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let usual = dictionary::number(name);
    let Some(value) = usual.as_f64() else { return usual };
    let above = |key: &str| bound(key).map(|least| least.floor() + 1.0);
    let least = bound("minimum").or_else(|| above("exclusiveMinimum"));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.ceil() - 1.0));
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let raised = least.map_or(value, |least| value.max(least));
    let stepped = step.map_or(raised, |step| (raised / step).ceil() * step);
    let bounded = most.map_or(stepped, |most| stepped.min(most));
    // A bound is taken as it is written, so that a whole number stays one.
    let written = ["minimum", "maximum"].iter().filter_map(|key| schema.get(*key));
    let same = written.into_iter().find(|one| one.as_f64() == Some(bounded)).cloned();
    let whole = || format!("{bounded:.0}").parse::<i64>().ok().filter(|_| bounded.fract() == 0.0).map(Value::from);
    same.or_else(whole).unwrap_or_else(|| Value::from(bounded))
}

/// A list of objects in a body is two steps in.
const MAXIMUM_WISHED: usize = 3;
const MAXIMUM_DEPTH: usize = 8;
const MAXIMUM_PARTS: usize = 40;
const MAXIMUM_PROPERTIES: usize = 20;
const MAXIMUM_VALUES: usize = 200;
/// A text with room for a payload.
const ROOM: u64 = 60;
const LONGEST: usize = 4_096;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_meet_their_schemas() {
        let surface = Surface { root: Value::Null, endpoints: Vec::new(), base: None, defects: Vec::new() };
        let check = |name: &str, schema: Value, expect: Value| {
            assert_eq!(surface.value_named(&schema, name), expect, "{name} {schema}");
        };
        check("n", json!({ "type": "integer", "minimum": 5, "multipleOf": 4 }), json!(8));
        check("n", json!({ "type": "number", "exclusiveMaximum": 1 }), json!(0));
        check("n", json!({ "type": ["null", "integer"], "minimum": 3 }), json!(3));
        check("code", json!({ "type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$" }), json!("AAA-11"));
        check("mail", json!({ "type": "string" }), json!("someone@example.com"));
        check("a", json!({ "type": "string", "maxLength": 3 }), json!("sam"));
        check("a", json!({ "oneOf": [{ "type": "null" }, { "type": "boolean" }] }), json!(true));
        check(
            "",
            json!({ "properties": { "id": {}, "name": {}, "at": { "readOnly": true } } }),
            json!({ "name": "sample" }),
        );
        let parts = json!({ "allOf": [{ "required": ["a"], "properties": { "a": { "enum": [null, 2] } } }, { "properties": { "b": {} } }] });
        check("", parts, json!({ "a": 2 }));
        check("tags", json!({ "type": "array", "items": { "type": "string" } }), json!(["sample"]));
    }
}
