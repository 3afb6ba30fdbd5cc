//! Crafting is making requests that are valid but for one thing, from what the contract says.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::memory::{declared, is_envelope};
use crate::surface::{Endpoint, Surface};

/// The read that shows what an operation changes: of the same path, or by the same last parameter.
pub(crate) fn reader_of<'c>(context: &Context<'c>, endpoint: &Endpoint) -> Option<&'c Endpoint> {
    let last = endpoint.path_parameters().last()?;
    let reads = || context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited());
    let same = reads().find(|one| one.template == endpoint.template);
    same.or_else(|| {
        reads().find(|one| {
            one.path_parameters().count() == 1 && one.path_parameters().any(|known| known.name == last.name)
        })
    })
}

/// A property of the body that takes any text and can be read back.
pub(crate) fn free_property(context: &Context<'_>, endpoint: &Endpoint) -> Option<String> {
    let surface = context.surface();
    let body = endpoint.body.as_ref()?;
    let reader = reader_of(context, endpoint)?;
    let readable = reader.success("application/json").map(|form| &form.schema);
    let is_seen = |name: &str| {
        readable.is_some_and(|schema| declares(surface, schema, name, 0))
            || context
                .memory
                .served(&reader.id)
                .any(|served| served.body.as_ref().and_then(|body| shown(body, name)).is_some_and(Value::is_string))
    };
    let free = |(name, schema): &(&str, &Value)| surface.is_free_text(schema) && is_seen(name);
    surface.properties(&body.schema).into_iter().find(free).map(|(name, _)| name.to_owned())
}

/// Whether a schema has a property, in an envelope or not.
fn declares(surface: &Surface, schema: &Value, name: &str, depth: usize) -> bool {
    declared(surface, schema, name).is_some()
        || depth < MAXIMUM_DEPTH
            && surface
                .properties(schema)
                .into_iter()
                .any(|(within, schema)| is_wrapping(within) && declares(surface, schema, name, depth + 1))
}

/// A property of the object that an answer is about, in an envelope or not.
pub(crate) fn shown<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    within(body, name, 0)
}

fn within<'v>(body: &'v Value, name: &str, depth: usize) -> Option<&'v Value> {
    let members = body.as_object()?;
    let wrapped = || {
        let is_only = members.len() == 1;
        let objects = members.iter().filter(|(known, value)| value.is_object() && (is_only || is_wrapping(known)));
        objects.map(|(_, value)| value).find_map(|value| within(value, name, depth + 1))
    };
    members.get(name).or_else(|| wrapped().filter(|_| depth < MAXIMUM_DEPTH))
}

fn is_wrapping(name: &str) -> bool {
    is_envelope(name) || ["item", "object", "record", "resource"].contains(&name.to_ascii_lowercase().as_str())
}

/// What the schema requires, and one property more.
pub(crate) fn with_property(context: &Context<'_>, endpoint: &Endpoint, name: &str, value: Value) -> Value {
    let schema = endpoint.body.as_ref().map(|body| &body.schema);
    let required = schema.map(|schema| context.surface().resolve(schema).get("required").cloned().unwrap_or_default());
    let required = required.unwrap_or_default();
    let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let sample = context.surface().sample_body(endpoint).unwrap_or_default();
    let members = sample.as_object().into_iter().flatten().filter(|(name, _)| is_required(name));
    let mut members: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    members.insert(name.to_owned(), value);
    Value::Object(members)
}

pub(crate) fn parameters_of(endpoint: &Endpoint) -> String {
    let names: Vec<&str> = endpoint.path_parameters().map(|parameter| parameter.name.as_str()).collect();
    format!("path/{}", names.join("+"))
}

/// An id of the same form that nothing has.
pub(crate) fn absent(id: &str) -> String {
    if id.chars().any(|character| character.is_ascii_digit()) {
        return id.chars().map(|character| if character.is_ascii_digit() { '9' } else { character }).collect();
    }
    let keep = id.chars().count().saturating_sub(ABSENT.len());
    id.chars().take(keep).chain(ABSENT.chars()).collect()
}

const ABSENT: &str = "zqx";
const MAXIMUM_DEPTH: usize = 2;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{absent, shown};

    #[test]
    fn a_property_is_found_in_envelopes_and_not_in_other_objects() {
        let check = |body: serde_json::Value, expect: Option<&str>| {
            assert_eq!(shown(&body, "title").and_then(|value| value.as_str()), expect, "{body}");
        };
        check(json!({ "title": "a" }), Some("a"));
        check(json!({ "data": { "title": "a" }, "meta": {} }), Some("a"));
        check(json!({ "result": { "cart": { "title": "a" } } }), Some("a"));
        check(json!({ "id": 1, "author": { "title": "Dr" } }), None);
        check(json!([{ "title": "a" }]), None);
    }

    #[test]
    fn absent_ids_keep_their_form() {
        for (id, expect) in [("o-1001", "o-9999"), ("u-alice", "u-alzqx"), ("7", "9"), ("ab", "zqx")] {
            assert_eq!(absent(id), expect, "{id}");
        }
    }
}
