//! Property authorization: whether answers show, or requests set, more of an object than the contract says.

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::memory::declared;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::craft::{reader_of, with_property};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::read::items;
use crate::surface::{Endpoint, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct Property;

#[async_trait]
impl Probe for Property {
    fn id(&self) -> &'static str {
        "property-authorization"
    }

    fn row(&self) -> Row {
        Row::PropertyAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let endpoints = &plan.surface.endpoints;
        let reads = endpoints.iter().filter(|one| one.is_read()).count();
        count(reads + endpoints.iter().filter(|one| is_change(one)).count() * 16)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for endpoint in
            context.surface().endpoints.iter().filter(|endpoint| endpoint.is_read() && !endpoint.is_limited())
        {
            shows(context, docket, endpoint).await?;
        }
        if context.plan.mode > Mode::Safe {
            for endpoint in context.surface().endpoints.iter().filter(|endpoint| is_change(endpoint)) {
                assigns(context, docket, endpoint).await?;
            }
        }
        Ok(())
    }
}

fn is_change(endpoint: &Endpoint) -> bool {
    matches!(endpoint.method, Method::PATCH | Method::PUT) && !endpoint.is_public && !endpoint.is_limited()
}

/// Looks for undeclared properties where legitimate use has seen any.
async fn shows(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(form) = endpoint.success("application/json") else { return Ok(()) };
    let served = context.memory.served(&endpoint.id).find_map(|served| Some((served, served.body.as_ref()?)));
    let Some((served, body)) = served else { return Ok(()) };
    let mut extra = Vec::new();
    undeclared(context.surface(), &form.schema, body, &mut extra);
    let site = Site { operation: &endpoint.id, insertion: "response" };
    let mut trail = Trail::default();
    let call = context.call(endpoint, &served.values, None, served.session);
    let answer = context.send(&mut trail, Label::Attack, &call).await?;
    let mut again = Vec::new();
    undeclared(context.surface(), &form.schema, answer.json().unwrap_or(&Value::Null), &mut again);
    let kept: Vec<&Extra> = again.iter().filter(|one| extra.contains(one)).collect();
    let Some(first) = kept.first() else {
        docket.withstand(&rule::PROPERTY_EXPOSED, site, "answers hold declared properties only", trail);
        return Ok(());
    };
    let names: Vec<String> = kept.iter().map(|one| format!("`{}`", one.name)).collect();
    let summary = format!("the answer holds {}, which the contract does not declare", names.join(", "));
    if first.is_excluded || kept.iter().any(|one| is_secret(&one.name)) {
        docket.prove(&rule::PROPERTY_EXPOSED, site, summary, trail);
    } else {
        docket.suspect(&rule::PROPERTY_EXPOSED, site, summary, trail);
    }
    Ok(())
}

/// Sets properties of an own object that the request's schema does not have, and looks whether they changed.
async fn assigns(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((reader, body)) = reader_of(context, endpoint).zip(endpoint.body.as_ref()) else { return Ok(()) };
    let Some(session) = context.peers(endpoint).first().map(|(_, attacker)| *attacker).or(context.caller(endpoint))
    else {
        return Ok(());
    };
    let Some(values) = context.values_of(endpoint, session).into_iter().next() else { return Ok(()) };
    let mut controls = Trail::default();
    let look = context.call(reader, &values, None, Some(session));
    let before = context.send(&mut controls, Label::Control, &look).await?;
    let Some(Value::Object(original)) = before.json().filter(|_| before.is_success()) else {
        docket.skip(format!("`{}` does not show what `{}` changes", reader.id, endpoint.id));
        return Ok(());
    };
    let shown = reader.success("application/json").map_or(&Value::Null, |form| &form.schema);
    for (name, value) in targets(context.surface(), original, shown, &body.schema) {
        let mut trail = controls.clone();
        let body = with_property(context, endpoint, &name, value.clone());
        let attack = context.call(endpoint, &values, Some(body), Some(session));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let after = context.send(&mut trail, Label::Verify, &look).await?;
        let insertion = format!("body/{name}");
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        if after.json().and_then(|body| body.get(&name)) != Some(&value) {
            let reason = format!("setting `{name}` is answered with {}", answer.status.as_u16());
            docket.withstand(&rule::PROPERTY_ASSIGNED, site, reason, trail);
            continue;
        }
        if let Some(old) = original.get(&name) {
            let body = with_property(context, endpoint, &name, old.clone());
            let restore = context.call(endpoint, &values, Some(body), Some(session));
            context.send(&mut trail, Label::Restore, &restore).await?;
        }
        let summary = format!("{} sets the own `{name}`, which the request does not have", context.name(Some(session)));
        docket.prove(&rule::PROPERTY_ASSIGNED, site, summary, trail);
    }
    Ok(())
}

/// Properties that are shown but not taken, with another value; those that mean power first. What an account is known
/// by is left alone, or the reviewer would lock itself out.
fn targets(surface: &Surface, shown: &Map<String, Value>, schema: &Value, taken: &Value) -> Vec<(String, Value)> {
    let mut targets: Vec<(bool, String, Value)> = Vec::new();
    for (name, value) in shown {
        if declared(surface, taken, name).is_some() || is_key(name) {
            continue;
        }
        let schema = declared(surface, schema, name).map_or(&Value::Null, |schema| surface.resolve(schema));
        let other = match value {
            Value::Bool(is_set) => Some(Value::Bool(!is_set)),
            Value::Number(number) => number.as_i64().and_then(|number| number.checked_add(1_000)).map(Value::from),
            Value::String(text) => {
                let listed = items(schema, "enum").find(|one| *one != value).cloned();
                listed.or_else(|| schema.get("enum").is_none().then(|| Value::from(format!("{text} x"))))
            }
            Value::Array(_) | Value::Null | Value::Object(_) => None,
        };
        if let Some(other) = other {
            targets.push((!is_power(name), name.clone(), other));
        }
    }
    targets.sort_by_key(|(is_harmless, _, _)| *is_harmless);
    targets.into_iter().take(MAXIMUM_TARGETS).map(|(_, name, value)| (name, value)).collect()
}

/// A property that the contract does not declare.
#[derive(Debug, PartialEq, Eq)]
struct Extra {
    name: String,
    /// Whether the schema says that there is nothing else.
    is_excluded: bool,
}

fn undeclared(surface: &Surface, schema: &Value, value: &Value, extra: &mut Vec<Extra>) {
    let schema = surface.resolve(schema);
    match value {
        Value::Array(list) => {
            let of_item = schema.get("items").unwrap_or(&Value::Null);
            list.iter().take(MAXIMUM_ITEMS).for_each(|item| undeclared(surface, of_item, item, extra));
        }
        Value::Object(members) => {
            let properties = surface.properties(schema);
            // An object without any declared property is a map, about which the contract says nothing.
            if properties.is_empty() {
                return;
            }
            for (name, member) in members {
                match properties.iter().find(|(known, _)| known == name) {
                    Some((_, schema)) => undeclared(surface, schema, member, extra),
                    None => {
                        let one = Extra { name: name.clone(), is_excluded: surface.is_closed(schema) };
                        if !extra.contains(&one) {
                            extra.push(one);
                        }
                    }
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn has_word(name: &str, words: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    words.iter().any(|word| name.contains(word))
}

fn is_secret(name: &str) -> bool {
    has_word(
        name,
        &["password", "passwd", "hash", "secret", "token", "internal", "ssn", "salt", "private", "iban", "card"],
    )
}

fn is_power(name: &str) -> bool {
    has_word(
        name,
        &["role", "admin", "balance", "credit", "verified", "owner", "permission", "scope", "status", "plan", "tier"],
    )
}

fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "id" || name.ends_with("_id") || has_word(&name, &["username", "login", "email", "password", "uuid"])
}

const MAXIMUM_ITEMS: usize = 20;
const MAXIMUM_TARGETS: usize = 4;
