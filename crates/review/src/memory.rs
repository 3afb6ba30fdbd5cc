//! The memory holds what legitimate requests have shown: which ids exist, and who has seen them.

use serde_json::Value;

use crate::surface::schema::text_of;
use crate::surface::{Endpoint, Parameter, Surface, Values};

/// What legitimate requests have shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    known: Vec<Known>,
    pub(crate) served: Vec<Served>,
}

/// A value in an answer.
#[derive(Clone, Debug)]
struct Known {
    /// The `$ref` of its schema.
    reference: Option<String>,
    name: String,
    /// Of the operation that showed it.
    template: String,
    value: String,
    session: Option<usize>,
}

/// A legitimate request that was answered with success.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) endpoint: String,
    pub(crate) session: Option<usize>,
    pub(crate) values: Values,
    pub(crate) body: Option<Value>,
}

impl Memory {
    /// Remembers an answer and every scalar in it.
    pub(crate) fn learn(&mut self, surface: &Surface, endpoint: &Endpoint, served: Served) {
        if let (Some(body), Some(form)) = (&served.body, endpoint.success("application/json")) {
            let mut walk = Walk { surface, found: Vec::new() };
            walk.enter(&form.schema, body, 0);
            for (reference, name, value) in walk.found {
                let template = endpoint.template.clone();
                self.known.push(Known { reference, name, template, value, session: served.session });
            }
        }
        self.served.push(served);
    }

    /// The values that a session has seen for a parameter, first seen first.
    pub(crate) fn seen_by(&self, session: usize, endpoint: &Endpoint, parameter: &Parameter) -> Vec<String> {
        values(self.known.iter().filter(|known| known.session == Some(session)), endpoint, parameter)
    }

    /// The values that anybody has seen for a parameter, first seen first.
    pub(crate) fn seen(&self, endpoint: &Endpoint, parameter: &Parameter) -> Vec<String> {
        values(self.known.iter(), endpoint, parameter)
    }

    /// Whether an operation has been served to anybody, and how.
    pub(crate) fn served(&self, endpoint: &str) -> impl Iterator<Item = &Served> {
        self.served.iter().filter(move |served| served.endpoint == endpoint)
    }
}

fn values<'k>(known: impl Iterator<Item = &'k Known>, endpoint: &Endpoint, parameter: &Parameter) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for known in known.filter(|known| known.fits(endpoint, parameter)) {
        if !values.contains(&known.value) {
            values.push(known.value.clone());
        }
    }
    values
}

impl Known {
    /// The same schema, the same name, or the `id` in an answer of the collection.
    fn fits(&self, endpoint: &Endpoint, parameter: &Parameter) -> bool {
        let reference = parameter.schema.get("$ref").and_then(Value::as_str);
        if reference.is_some() && self.reference.as_deref() == reference {
            return true;
        }
        let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
        let collection = endpoint.template.split(&format!("/{{{}}}", parameter.name)).next();
        plain(&self.name) == plain(&parameter.name)
            || self.name == "id" && reference.is_none() && collection == Some(self.template.as_str())
    }
}

/// An operation whose answer names what a parameter of another operation takes.
#[derive(Clone, Copy)]
pub(crate) struct Link<'l> {
    pub(crate) surface: &'l Surface,
    pub(crate) creator: &'l Endpoint,
    pub(crate) user: &'l Endpoint,
    pub(crate) parameter: &'l Parameter,
}

impl Link<'_> {
    /// Whether the contract says that there is such a name.
    pub(crate) fn exists(&self) -> bool {
        let Some(form) = self.creator.success("application/json") else { return false };
        self.surface.properties(&form.schema).into_iter().any(|(name, schema)| {
            let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
            name != self.parameter.name && self.fits(reference, name, String::new())
        })
    }

    /// The name in an answer.
    pub(crate) fn id_in(&self, body: &Value) -> Option<String> {
        let form = self.creator.success("application/json")?;
        let mut walk = Walk { surface: self.surface, found: Vec::new() };
        walk.enter(&form.schema, body, 0);
        let fits = |(reference, name, value): &Found| self.fits(reference.clone(), name, value.clone());
        walk.found.into_iter().find(fits).map(|(_, _, value)| value)
    }

    fn fits(&self, reference: Option<String>, name: &str, value: String) -> bool {
        let template = self.creator.template.clone();
        let known = Known { reference, name: name.to_owned(), template, value, session: None };
        known.fits(self.user, self.parameter)
    }
}

type Found = (Option<String>, String, String);

/// Goes through an answer and its schema side by side, and collects every scalar.
struct Walk<'w> {
    surface: &'w Surface,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn enter(&mut self, schema: &Value, value: &Value, depth: usize) {
        if depth > MAXIMUM_DEPTH {
            return;
        }
        match value {
            Value::Array(items) => {
                let of_item = self.surface.resolve(schema).get("items").unwrap_or(&Value::Null);
                for item in items.iter().take(MAXIMUM_ITEMS) {
                    self.enter(of_item, item, depth + 1);
                }
            }
            Value::Object(members) => {
                let surface = self.surface;
                let declared = surface.properties(schema);
                for (name, member) in members {
                    let known = declared.iter().find(|(known, _)| known == name);
                    let schema = known.map_or(&Value::Null, |(_, schema)| schema);
                    if member.is_object() || member.is_array() {
                        self.enter(schema, member, depth + 1);
                    } else {
                        let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
                        self.found.push((reference, name.clone(), text_of(member)));
                    }
                }
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// How many leaves of two values are the same, of a hundred.
pub(crate) fn likeness(left: &Value, right: &Value) -> usize {
    let (mut same, mut all) = (0, 0);
    compare(left, right, &mut same, &mut all);
    (same * 100).checked_div(all).unwrap_or(0)
}

fn compare(left: &Value, right: &Value, same: &mut usize, all: &mut usize) {
    match (left, right) {
        (Value::Object(members), Value::Object(_)) => {
            *all += object_len(right).saturating_sub(members.len());
            for (name, member) in members {
                compare(member, right.get(name).unwrap_or(&Value::Null), same, all);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            *all += right.len().saturating_sub(left.len());
            for (at, item) in left.iter().enumerate() {
                compare(item, right.get(at).unwrap_or(&Value::Null), same, all);
            }
        }
        _ => {
            *all += 1;
            *same += usize::from(left == right);
        }
    }
}

fn object_len(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

/// Every text in a value.
pub(crate) fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::String(text) => found.push(text),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// The longest list in a value.
pub(crate) fn longest_list(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => items.iter().filter_map(longest_list).chain([items.len()]).max(),
        Value::Object(members) => members.values().filter_map(longest_list).max(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    }
}

/// The schema of a property that an object's schema declares.
pub(crate) fn declared<'v>(surface: &'v Surface, schema: &'v Value, name: &str) -> Option<&'v Value> {
    surface.properties(schema).into_iter().find(|(known, _)| *known == name).map(|(_, schema)| schema)
}

const MAXIMUM_DEPTH: usize = 8;
const MAXIMUM_ITEMS: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn likeness_counts_leaves() {
        let check =
            |left: Value, right: Value, expect: usize| assert_eq!(likeness(&left, &right), expect, "{left} {right}");
        check(json!({ "a": 1, "b": [1, 2] }), json!({ "a": 1, "b": [1, 2] }), 100);
        check(json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }), 50);
        check(json!({ "a": 1 }), json!({ "a": 1, "b": 3 }), 50);
        check(json!({}), json!({}), 0);
        check(json!([1]), json!({ "a": 1 }), 0);
    }

    #[test]
    fn the_longest_list_may_be_anywhere() {
        assert_eq!(longest_list(&json!({ "a": [1], "b": { "c": [1, 2, 3] } })), Some(3));
        assert_eq!(longest_list(&json!({ "a": 1 })), None);
    }
}
