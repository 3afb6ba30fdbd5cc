//! Namings are the places outside the path where a request names a thing or its owner: query, header and body.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::exchange::Call;
use crate::infer::is_shared;
use crate::probe::holding::{facts, is_listed_for_one, is_personal, names_owner};
use crate::probe::point::{Point, Spot, places, plain};
use crate::surface::schema::text_of;
use crate::surface::template::stem;
use crate::surface::{Endpoint, Parameter, Place};

/// A place outside the path where a request names a thing, or somebody.
pub(crate) struct Naming<'n> {
    pub(crate) point: Point<'n>,
    parameter: Parameter,
    /// Whether it names somebody, and not a thing.
    pub(crate) is_of_account: bool,
}

/// The places of an operation that name something.
pub(crate) fn namings<'n>(context: &Context<'n>, endpoint: &'n Endpoint) -> Vec<Naming<'n>> {
    let outside = places(context, endpoint).into_iter().filter(|point| point.spot != Spot::Path);
    outside.filter_map(Naming::of).collect()
}

impl<'n> Naming<'n> {
    fn of(point: Point<'n>) -> Option<Self> {
        let name = point.name.rsplit('/').next().unwrap_or_default().to_owned();
        // A header of one's own often says so: `X-Parcel-Id`.
        let name = name.strip_prefix("X-").or_else(|| name.strip_prefix("x-")).unwrap_or(&name).to_owned();
        let bare = plain(&name);
        let is_of_account = ACCOUNTS.iter().any(|word| bare.contains(word));
        let is_naming = stem(&name).is_some() || ["id", "uuid", "guid"].contains(&bare.as_str()) || is_of_account;
        let parameter =
            Parameter { name, place: Place::Query, is_required: true, schema: point.schema.clone(), example: None };
        is_naming.then_some(Self { point, parameter, is_of_account })
    }

    /// The place as a parameter, for what is known about it.
    pub(crate) fn parameter(&self) -> &Parameter {
        &self.parameter
    }

    /// What kind of thing it names.
    pub(crate) fn noun(&self) -> String {
        self.point.endpoint.noun_of(&self.parameter.name)
    }

    /// What a session would name there of its own, the likeliest first.
    pub(crate) fn ids(&self, context: &Context<'_>, session: usize) -> Vec<String> {
        let mut found = Vec::new();
        if self.is_of_account {
            let (name, facts) = (plain(&self.parameter.name), facts(context, session));
            let fits = facts.iter().filter(|(known, _)| name.ends_with(known.as_str()));
            found.extend(fits.map(|(_, value)| value.clone()));
            found.extend(facts.iter().map(|(_, value)| value.clone()));
        }
        found.extend(context.memory.seen_by(session, self.point.endpoint, &self.parameter));
        let mut distinct: Vec<String> = Vec::new();
        for id in found {
            if !distinct.contains(&id) {
                distinct.push(id);
            }
        }
        distinct
    }

    /// The operation's request with this id, made by a session or by nobody.
    pub(crate) fn call(&self, context: &Context<'_>, id: &str, session: Option<usize>) -> Call {
        self.point.call_by(context, &context.surface().typed(self.point.schema, id), session)
    }

    /// Whether what was answered for an id is one session's own and not the other's.
    pub(crate) fn is_of(&self, context: &Context<'_>, id: &str, body: &Value, pair: (usize, usize)) -> bool {
        let (victim, attacker) = pair;
        let (noun, about) = (self.noun(), self.point.endpoint.noun());
        let is_listed = |noun: &str, id: &str| {
            !noun.is_empty() && !is_shared(noun) && is_listed_for_one(context, noun, id, victim, attacker)
        };
        let mut ids = Vec::new();
        ids_in(body, &mut ids, 0);
        !self.is_of_account && is_listed(&noun, id)
            || ids.iter().any(|id| is_listed(&about, id))
            || is_personal(context, &without_counts(body), victim, self.is_of_account)
                && !names_owner(context, body, attacker)
    }
}

/// The requests by which a session can look at a thing: by its id wherever it goes, and in lists.
pub(crate) fn looks(context: &Context<'_>, noun: &str, id: &str, session: usize) -> Vec<Call> {
    let surface = context.surface();
    let reads = || surface.endpoints.iter().filter(|one| one.is_read() && !one.is_limited() && one.roles.is_empty());
    let mut calls = Vec::new();
    for endpoint in reads() {
        let named: Vec<&Parameter> = endpoint.path_parameters().collect();
        if let [only] = named.as_slice()
            && endpoint.noun_of(&only.name) == noun
        {
            let values = surface.sample_values(endpoint).with_path(&only.name, id);
            calls.push(context.call(endpoint, &values, None, Some(session)));
        }
    }
    for naming in reads().flat_map(|endpoint| namings(context, endpoint)).filter(|one| one.noun() == noun) {
        calls.push(naming.call(context, id, Some(session)));
    }
    for endpoint in reads().filter(|one| one.path_parameters().next().is_none() && one.noun() == noun) {
        calls.push(context.call(endpoint, &surface.sample_values(endpoint), None, Some(session)));
    }
    calls
}

/// The object with an id in an answer.
pub(crate) fn object_with<'v>(body: &'v Value, id: &str) -> Option<&'v Map<String, Value>> {
    match body {
        Value::Array(items) => items.iter().find_map(|item| object_with(item, id)),
        Value::Object(members) => {
            let is_it = members.iter().any(|(name, value)| is_id(name) && is_scalar(value) && text_of(value) == id);
            if is_it { Some(members) } else { members.values().find_map(|member| object_with(member, id)) }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    }
}

fn ids_in(body: &Value, found: &mut Vec<String>, depth: usize) {
    match body {
        Value::Array(items) => items.iter().take(MAXIMUM_ITEMS).for_each(|item| ids_in(item, found, depth + 1)),
        Value::Object(members) => {
            for (name, value) in members {
                if is_id(name) && is_scalar(value) && stem(name).is_none_or(|stem| !ACCOUNTS.contains(&stem.as_str())) {
                    found.push(text_of(value));
                } else if depth < MAXIMUM_DEPTH {
                    ids_in(value, found, depth + 1);
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_id(name: &str) -> bool {
    stem(name).is_some() || ["id", "uuid", "guid", "slug", "key", "code", "number"].contains(&plain(name).as_str())
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// An answer without how many there are: the `total` of a list is nobody's secret.
fn without_counts(body: &Value) -> Value {
    match body {
        Value::Object(members) => {
            let has_list = members.values().any(Value::is_array);
            let kept =
                members.iter().filter(|(name, value)| !has_list || value.is_array() || !plain(name).contains("total"));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_counts(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_counts).collect()),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => body.clone(),
    }
}

const MAXIMUM_DEPTH: usize = 3;
const MAXIMUM_ITEMS: usize = 20;
const ACCOUNTS: [&str; 10] =
    ["account", "customer", "email", "login", "member", "owner", "patient", "person", "tenant", "user"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_found_by_its_id_wherever_it_is() {
        let body = json!({ "data": [{ "id": 1, "parent_id": 9 }, { "parcelId": 7, "label": "a" }], "count": 7 });
        assert_eq!(object_with(&body, "7").map(|object| &object["label"]), Some(&json!("a")));
        assert!(object_with(&body, "8").is_none());
    }

    #[test]
    fn a_total_beside_a_list_is_left_out() {
        assert_eq!(without_counts(&json!({ "total": 3, "items": [] })), json!({ "items": [] }));
        assert_eq!(without_counts(&json!({ "total": 3, "id": 1 })), json!({ "total": 3, "id": 1 }));
    }
}
