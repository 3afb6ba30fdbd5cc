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
use crate::probe::gift;
use crate::probe::holding::{held, pairs};
use crate::probe::point::{Base, changes_credentials, plain};
use crate::probe::secret::secrets;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::read::items;
use crate::surface::schema::text_of;
use crate::surface::{Endpoint, Surface};
use crate::throwaway::is_registration;

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
        let makers = endpoints.iter().filter(|one| is_creation(&plan.surface, one)).count();
        count(reads + makers * 3 + endpoints.iter().filter(|one| is_change(one)).count() * 16)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for endpoint in
            context.surface().endpoints.iter().filter(|endpoint| endpoint.is_read() && !endpoint.is_limited())
        {
            shows(context, docket, endpoint).await?;
        }
        if context.plan.mode > Mode::Safe {
            let surface = context.surface();
            let is_safe = |one: &&Endpoint| !changes_credentials(surface, one);
            for endpoint in surface.endpoints.iter().filter(|one| is_change(one)).filter(is_safe) {
                assigns(context, docket, endpoint).await?;
            }
            for endpoint in surface.endpoints.iter().filter(|one| is_creation(surface, one)).filter(is_safe) {
                creates(context, docket, endpoint).await?;
                gift::give(context, docket, endpoint).await?;
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
    let free = Value::Null;
    let schema = endpoint.success("application/json").map_or(&free, |form| &form.schema);
    let served = context.memory.served(&endpoint.id).find_map(|served| Some((served, served.body.as_ref()?)));
    let Some((served, body)) = served else { return Ok(()) };
    let mut extra = Vec::new();
    undeclared(context.surface(), schema, body, &mut extra);
    let site = Site { operation: &endpoint.id, insertion: "response" };
    let mut trail = Trail::default();
    let call = context.call(endpoint, &served.values, None, served.session);
    let answer = context.send(&mut trail, Label::Attack, &call).await?;
    let mut again = Vec::new();
    undeclared(context.surface(), schema, answer.json().unwrap_or(&Value::Null), &mut again);
    if !is_about_secrets(endpoint) {
        let mut held = Vec::new();
        secrets(answer.json().unwrap_or(&Value::Null), &mut held);
        if !held.is_empty() {
            let mut names: Vec<String> =
                held.iter().chain(again.iter().map(|one| &one.name)).map(|name| format!("`{name}`")).collect();
            names.sort();
            names.dedup();
            let summary = format!("the answer holds {}, which nobody needs to read", names.join(", "));
            docket.prove(&rule::PROPERTY_EXPOSED, site, summary, trail);
            return Ok(());
        }
    }
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
    let Some((reader, body)) = reader_of(context, endpoint).or_else(|| me(context)).zip(endpoint.body.as_ref()) else {
        return Ok(());
    };
    let Some(session) = pairs(context, endpoint).first().map(|(_, attacker)| *attacker).or(context.caller(endpoint))
    else {
        return Ok(());
    };
    let mut controls = Trail::default();
    let mut found = None;
    let own = held(context, endpoint, session).into_iter().chain([context.surface().sample_values(endpoint)]);
    for values in own.take(MAXIMUM_OWN) {
        let look = context.call(reader, &values, None, Some(session));
        let before = context.send(&mut controls, Label::Control, &look).await?;
        if before.is_success() && before.json().is_some_and(Value::is_object) {
            found = Some((values, look, before));
            break;
        }
    }
    let Some((values, look, before)) = found else {
        docket.skip(format!("`{}` does not show what `{}` changes", reader.id, endpoint.id));
        return Ok(());
    };
    // Some services put the object into an envelope.
    let Some(original) = before.json().and_then(record) else {
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
        if after.json().and_then(|body| record(body)?.get(&name)) != Some(&value) {
            let reason = format!("setting `{name}` is answered with {}", answer.meaning().as_u16());
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

/// The object itself, in an envelope or not.
pub(super) fn record(body: &Value) -> Option<&Map<String, Value>> {
    let members = body.as_object()?;
    let envelope = ["data", "user", "result", "item", "profile", "account", "order"].iter();
    let mut within = envelope.filter_map(|name| members.get(*name)?.as_object()).filter(|_| members.len() <= ENVELOPE);
    Some(within.next().unwrap_or(members))
}

/// The read that shows who asks.
fn me<'c>(context: &Context<'c>) -> Option<&'c Endpoint> {
    context.surface().endpoints.iter().find(|one| {
        let last = plain(one.template.rsplit('/').next().unwrap_or_default());
        one.is_read() && !one.is_limited() && ["me", "profile", "account", "whoami", "self"].contains(&last.as_str())
    })
}

fn is_creation(surface: &Surface, endpoint: &Endpoint) -> bool {
    endpoint.method == Method::POST
        && endpoint.body.is_some()
        && !endpoint.is_public
        && !endpoint.is_limited()
        && !is_registration(surface, endpoint)
        && !is_about_secrets(endpoint)
}

/// Makes something with more than the request offers, and looks at what was made.
async fn creates(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(body) = endpoint.body.as_ref() else { return Ok(()) };
    let base = Base::of(context, endpoint);
    let mut controls = Trail::default();
    let made = context.send(&mut controls, Label::Control, &base.call(context, endpoint)).await?;
    let Some(original) = made.json().filter(|_| made.is_success()).and_then(record) else { return Ok(()) };
    let schema = endpoint.success("application/json").map_or(&Value::Null, |form| &form.schema);
    let targets = targets(context.surface(), original, schema, &body.schema);
    if targets.is_empty() {
        return Ok(());
    }
    // All at once first; where one that is refused hides the others, each alone.
    let all = Wish { endpoint, base: &base, wishes: targets.clone(), trail: controls.clone() };
    if wish(context, docket, all).await? == Reaction::Refused {
        for target in targets {
            let one = Wish { endpoint, base: &base, wishes: vec![target], trail: controls.clone() };
            if wish(context, docket, one).await? == Reaction::Taken {
                break;
            }
        }
    }
    Ok(())
}

/// What became of a wish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaction {
    Ignored,
    Refused,
    Taken,
}

/// Something to be made, with more than the request has.
struct Wish<'w> {
    endpoint: &'w Endpoint,
    base: &'w Base,
    wishes: Vec<(String, Value)>,
    trail: Trail,
}

/// Makes it.
async fn wish(context: &Context<'_>, docket: &mut Docket, wish: Wish<'_>) -> Result<Reaction, SendError> {
    let Wish { endpoint, base, wishes: targets, mut trail } = wish;
    let mut greedy = base.clone();
    if let Some(Value::Object(members)) = &mut greedy.body {
        members.extend(targets.iter().cloned());
    }
    let answer = context.send(&mut trail, Label::Attack, &greedy.call(context, endpoint)).await?;
    let new = answer.json().filter(|_| answer.is_success()).and_then(record);
    let set: Vec<&String> = targets
        .iter()
        .filter(|(name, value)| new.and_then(|new| new.get(name)) == Some(value))
        .map(|(name, _)| name)
        .collect();
    let site = Site { operation: &endpoint.id, insertion: "body" };
    let Some((first, new)) = set.first().zip(new) else {
        let reason = format!("a body with more than it has is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::PROPERTY_ASSIGNED, site, reason, trail);
        return Ok(if answer.is_success() { Reaction::Ignored } else { Reaction::Refused });
    };
    // The answer may be an echo of the request; what is stored is read back.
    let insertion = format!("body/{first}");
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    let summary = format!("a new object sets its own `{first}`, which the request does not have");
    match stored(context, &mut trail, endpoint, base, new).await? {
        Some(body) if holds(&body, new, first) => docket.prove(&rule::PROPERTY_ASSIGNED, site, summary, trail),
        Some(_) => docket.withstand(&rule::PROPERTY_ASSIGNED, site, "the answer shows what is not stored", trail),
        None => docket.suspect(&rule::PROPERTY_ASSIGNED, site, format!("{summary}, as far as its answer says"), trail),
    }
    Ok(Reaction::Taken)
}

/// What a read of the object or of its collection shows.
async fn stored(
    context: &Context<'_>,
    trail: &mut Trail,
    endpoint: &Endpoint,
    base: &Base,
    new: &Map<String, Value>,
) -> Result<Option<Value>, SendError> {
    let Some(id) = new.iter().find(|(name, _)| plain(name) == "id" || plain(name) == "uuid").map(|(_, id)| text_of(id))
    else {
        return Ok(None);
    };
    for reader in context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited()) {
        let sample = context.surface().sample_values(reader);
        let values = match reader.path_parameters().last() {
            Some(last) if reader.template == format!("{}/{{{}}}", endpoint.template, last.name) => {
                sample.with_path(&last.name, &id)
            }
            _ if reader.template == endpoint.template => base.values.clone(),
            _ => continue,
        };
        let answer = context.send(trail, Label::Verify, &context.call(reader, &values, None, base.session)).await?;
        if let Some(body) = answer.json().filter(|_| answer.is_success()) {
            return Ok(Some(body.clone()));
        }
    }
    Ok(None)
}

/// Whether the object is somewhere in an answer with this property.
fn holds(body: &Value, new: &Map<String, Value>, name: &str) -> bool {
    match body {
        Value::Array(items) => items.iter().any(|item| holds(item, new, name)),
        Value::Object(members) => {
            let is_it = new.iter().any(|(key, id)| plain(key) == "id" && members.get(key) == Some(id));
            is_it && members.get(name) == new.get(name) || members.values().any(|member| holds(member, new, name))
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// Operations whose answers are credentials by design.
fn is_about_secrets(endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    ["login", "signin", "token", "register", "signup", "refresh", "apikey", "keys", "jwks", "session"]
        .iter()
        .any(|word| path.contains(word))
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
        &[
            "role",
            "admin",
            "balance",
            "credit",
            "verified",
            "owner",
            "permission",
            "scope",
            "status",
            "plan",
            "tier",
            "total",
        ],
    )
}

fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "id" || name.ends_with("_id") || has_word(&name, &["username", "login", "email", "password", "uuid"])
}

const MAXIMUM_ITEMS: usize = 20;
const MAXIMUM_TARGETS: usize = 4;
const MAXIMUM_OWN: usize = 4;
/// An envelope holds the object, a message, a flag, a code.
const ENVELOPE: usize = 4;
