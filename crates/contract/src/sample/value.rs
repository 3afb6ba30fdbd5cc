//! A value that a schema accepts.

use std::cell::Cell;

use serde_json::{Map, Number, Value, json};

use crate::document::{Document, flag, items, members};
use crate::parameter::example;
use crate::sample::pattern;

/// Makes a value for a schema as it is written in either dialect.
pub(crate) fn of(schema: &Value, document: &Document) -> Value {
    Maker { document, left: Cell::new(MAX_VALUES) }.make(schema, 0)
}

struct Maker<'d> {
    document: &'d Document,
    /// How many schemas may still be read: a contract whose objects require each other would never end.
    left: Cell<usize>,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, depth: usize) -> Value {
        match self.left.get().checked_sub(1) {
            None => return Value::Null,
            Some(left) => self.left.set(left),
        }
        let schema = self.flatten(schema, depth);
        let given = example(&schema).or_else(|| schema.get("default")).or_else(|| schema.get("const"));
        if let Some(value) = given.or_else(|| items(&schema, "enum").find(|value| !value.is_null())) {
            return value.clone();
        }
        match kind(&schema) {
            "array" => self.array(&schema, depth),
            "boolean" => json!(true),
            "integer" => json!(whole(&schema)),
            "null" => Value::Null,
            "number" => number(&schema),
            "object" => self.object(&schema, depth),
            _ => Value::String(text(&schema)),
        }
    }

    /// One schema object for a schema with references and compositions: all of `allOf`, and the first alternative.
    fn flatten(&self, schema: &Value, depth: usize) -> Value {
        let mut flat = Map::new();
        self.merge(schema, &mut flat, depth);
        Value::Object(flat)
    }

    fn merge(&self, schema: &Value, flat: &mut Map<String, Value>, depth: usize) {
        let left = self.left.get();
        if depth > MAX_DEPTH || left == 0 {
            return;
        }
        self.left.set(left - 1);
        if schema.get("$ref").is_some() {
            self.merge(self.document.follow(schema), flat, depth + 1);
        }
        for part in items(schema, "allOf") {
            self.merge(part, flat, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            let is_null = |part: &Value| part.get("type").is_some_and(|kind| kind == "null");
            if let Some(part) = items(schema, key).find(|part| !is_null(part)) {
                self.merge(part, flat, depth + 1);
                let name = schema.get("discriminator").and_then(|d| d.get("propertyName")).and_then(Value::as_str);
                let target = part.get("$ref").and_then(Value::as_str);
                if let (Some(name), Some(target)) = (name, target) {
                    let mapped = schema.get("discriminator").into_iter().flat_map(|d| members(d, "mapping"));
                    let mapped = mapped.filter(|(_, to)| to.as_str() == Some(target)).map(|(value, _)| value.as_str());
                    let value = mapped.chain(target.rsplit('/').next()).next().unwrap_or_default();
                    combine(flat, "properties", &json!({name: {"const": value}}));
                    combine(flat, "required", &json!([name]));
                }
            }
        }
        for (key, value) in schema.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "$ref" | "allOf" | "anyOf" | "oneOf") {
                combine(flat, key, value);
            }
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, member) in members(schema, "properties") {
            let required = items(schema, "required").any(|required| required == name);
            let flat = self.flatten(member, depth);
            let wanted = required || (depth < 2 && example(&flat).is_some());
            if wanted && !flag(&flat, "readOnly") && depth < MAX_DEPTH {
                object.insert(name.clone(), self.make(member, depth + 1));
            }
        }
        let fewest = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        for (name, member) in members(schema, "properties") {
            let enough = u64::try_from(object.len()).is_ok_and(|count| count >= fewest);
            if !enough && !object.contains_key(name) && !flag(&self.flatten(member, depth), "readOnly") {
                object.insert(name.clone(), self.make(member, depth + 1));
            }
        }
        // Names that are required but not described can have any value that is allowed for them.
        for name in items(schema, "required").filter_map(Value::as_str) {
            let described = schema.get("properties").and_then(|properties| properties.get(name)).is_some();
            if !described {
                let member = schema.get("additionalProperties").filter(|member| member.is_object());
                object.insert(name.to_owned(), member.map_or(json!("a"), |member| self.make(member, depth + 1)));
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let most = bound("maxItems").unwrap_or(MAX_ITEMS).min(MAX_ITEMS);
        let least = bound("minItems").unwrap_or(usize::from(depth < 3)).min(most);
        let mut list: Vec<Value> = items(schema, "prefixItems").map(|item| self.make(item, depth + 1)).collect();
        let one = schema.get("items").map(|item| self.make(item, depth + 1));
        let choices: Vec<Value> = schema
            .get("items")
            .map(|item| self.flatten(item, depth))
            .map_or_else(Vec::new, |item| items(&item, "enum").cloned().collect());
        while list.len() < least {
            let mut item = one.clone().unwrap_or_else(|| json!("a"));
            if flag(schema, "uniqueItems") {
                item = choices.get(list.len()).cloned().unwrap_or_else(|| distinct(&item, list.len()));
            }
            list.push(item);
        }
        Value::Array(list)
    }
}

/// Adds a keyword to those that are there: names are united, of two bounds the later one holds.
fn combine(flat: &mut Map<String, Value>, key: &str, value: &Value) {
    match (flat.get_mut(key), value) {
        (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => {
            for (name, member) in more {
                match known.get_mut(name) {
                    Some(before) => *before = json!({"allOf": [before.take(), member]}),
                    None => {
                        known.insert(name.clone(), member.clone());
                    }
                }
            }
        }
        (Some(Value::Array(known)), Value::Array(more)) if key == "required" => {
            known.extend(more.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>());
        }
        _ => {
            flat.insert(key.to_owned(), value.clone());
        }
    }
}

fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").or(Some("null"))
        }
        _ => None,
    };
    named.unwrap_or_else(|| {
        let has = |keys: &[&str]| keys.iter().any(|key| schema.get(key).is_some());
        if has(&["properties", "required", "additionalProperties"]) {
            "object"
        } else if has(&["items", "minItems"]) {
            "array"
        } else if has(&["minimum", "maximum", "multipleOf"]) {
            "number"
        } else {
            "string"
        }
    })
}

/// The smallest and greatest allowed value, with both writings of exclusive bounds.
fn bounds(schema: &Value) -> (Option<f64>, bool, Option<f64>, bool) {
    let of = |inclusive: &str, exclusive: &str| {
        let bound = schema.get(inclusive).and_then(Value::as_f64);
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => (bound, true),
            Some(Value::Number(number)) => (number.as_f64(), true),
            _ => (bound, false),
        }
    };
    let (low, open_low) = of("minimum", "exclusiveMinimum");
    let (high, open_high) = of("maximum", "exclusiveMaximum");
    (low, open_low, high, open_high)
}

#[expect(clippy::cast_possible_truncation, reason = "a sample beyond 64 bits is of no use; the cast saturates")]
fn whole(schema: &Value) -> i64 {
    let (low, open_low, high, open_high) = bounds(schema);
    let low = low.map(|low| low.ceil() as i64 + i64::from(open_low && low.fract() == 0.0));
    let high = high.map(|high| high.floor() as i64 - i64::from(open_high && high.fract() == 0.0));
    let step = schema.get("multipleOf").and_then(Value::as_i64).filter(|step| *step > 0).unwrap_or(1);
    let start = low.unwrap_or_else(|| high.map_or(1, |high| high.min(1)));
    let up = start.checked_add((step - start.rem_euclid(step)) % step).unwrap_or(start);
    high.map_or(up, |high| if up > high { high } else { up })
}

fn number(schema: &Value) -> Value {
    let (low, open_low, high, open_high) = bounds(schema);
    if let Some(step) = schema.get("multipleOf").and_then(Value::as_f64) {
        let start = low.unwrap_or(step);
        let value = (start / step).ceil() * step;
        let value = if open_low && low == Some(value) { value + step } else { value };
        return Number::from_f64(value).map_or(json!(1), Value::Number);
    }
    let value = match (low, high) {
        (Some(low), _) if !open_low => low,
        (_, Some(high)) if !open_high => high,
        (Some(low), Some(high)) => f64::midpoint(low, high),
        (Some(low), None) => low + 1.0,
        (None, Some(high)) => high - 1.0,
        (None, None) => 1.5,
    };
    Number::from_f64(value).map_or(json!(1), Value::Number)
}

fn text(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength").unwrap_or(usize::MAX));
    if let Some(text) = schema.get("pattern").and_then(Value::as_str).and_then(|p| pattern::meet(p, least, most)) {
        return text;
    }
    if let Some(host) = items(schema, "x-palisade-destinations").find_map(Value::as_str) {
        return format!("https://{host}/");
    }
    let text = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "byte" => "YQ==",
        "date" => "2026-01-02",
        "date-time" => "2026-01-02T03:04:05Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "sample@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "93.184.216.34",
        "ipv6" => "2606:2800:220:1::1",
        "json-pointer" => "/a",
        "regex" => "^a$",
        "time" => "03:04:05Z",
        "iri" | "iri-reference" | "uri" | "uri-reference" | "url" => "https://example.com/",
        "uuid" => "123e4567-e89b-42d3-a456-426614174000",
        _ => "sample",
    };
    let mut text: String = text.chars().take(most).collect();
    while text.chars().count() < least {
        text.push('a');
    }
    text
}

/// Another value of the same kind.
fn distinct(value: &Value, number: usize) -> Value {
    match (value, number) {
        (value, 0) => value.clone(),
        (Value::Number(known), n) => known
            .as_i64()
            .zip(i64::try_from(n).ok())
            .and_then(|(a, b)| a.checked_add(b))
            .map_or(value.clone(), Value::from),
        (Value::String(text), n) => Value::String(format!("{text}{n}")),
        (value, _) => value.clone(),
    }
}

const MAX_DEPTH: usize = 12;
const MAX_ITEMS: usize = 64;
const MAX_VALUES: usize = 10_000;
