//! Crafting is making requests that are valid but for one thing, from what the contract says.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::memory::declared;
use crate::surface::Endpoint;

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
    let readable = &reader_of(context, endpoint)?.success("application/json")?.schema;
    let free =
        |(name, schema): &(&str, &Value)| surface.is_free_text(schema) && declared(surface, readable, name).is_some();
    surface.properties(&body.schema).into_iter().find(free).map(|(name, _)| name.to_owned())
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

#[cfg(test)]
mod tests {
    use super::absent;

    #[test]
    fn absent_ids_keep_their_form() {
        for (id, expect) in [("o-1001", "o-9999"), ("u-alice", "u-alzqx"), ("7", "9"), ("ab", "zqx")] {
            assert_eq!(absent(id), expect, "{id}");
        }
    }
}
