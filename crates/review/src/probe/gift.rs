//! A gift is made by one user in the name of another: the property that says whose it is was not for the caller to set.
//!
//! What counts is that the other one then reads it as an own thing; an answer that repeats what was sent proves nothing.

use serde_json::{Value, json};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::infer::is_owner;
use crate::memory::declared;
use crate::probe::craft::shown;
use crate::probe::holding::{facts, holds, pairs};
use crate::probe::object_auth::id_of;
use crate::probe::point::{Base, plain};
use crate::probe::property::record;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;
use crate::surface::schema::text_of;

/// Makes something that says that it is somebody else's.
pub(super) async fn give(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let pair = pairs(context, endpoint).into_iter().next();
    let Some(((receiver, giver), body)) = pair.zip(endpoint.body.as_ref()) else { return Ok(()) };
    let base = Base { session: Some(giver), ..Base::of(context, endpoint) };
    let mut controls = Trail::default();
    let made = context.send(&mut controls, Label::Control, &base.call(context, endpoint)).await?;
    let Some(own) = made.json().filter(|_| made.is_success()).and_then(record) else { return Ok(()) };
    let (of_giver, of_receiver) = (facts(context, giver), facts(context, receiver));
    // What the request offers may be meant so: a message has an addressee.
    let is_hidden =
        |name: &str| is_owner(&plain(name), "") && declared(context.surface(), &body.schema, name).is_none();
    let wishes = own.iter().filter(|(name, _)| is_hidden(name)).filter_map(|(name, value)| {
        let known = of_giver.iter().find(|(_, fact)| *fact == text_of(value))?;
        let other = of_receiver.iter().find(|(kind, fact)| *kind == known.0 && *fact != known.1)?;
        let number = other.1.parse::<i64>().ok().filter(|_| value.is_number());
        Some((name.clone(), number.map_or_else(|| json!(other.1), Value::from)))
    });
    for (name, value) in wishes.collect::<Vec<_>>() {
        let mut trail = controls.clone();
        let mut greedy = base.clone();
        if let Some(Value::Object(members)) = &mut greedy.body {
            members.insert(name.clone(), value.clone());
        }
        let answer = context.send(&mut trail, Label::Attack, &greedy.call(context, endpoint)).await?;
        let new = answer.json().filter(|_| answer.is_success());
        let is_taken = new.and_then(|new| shown(new, &name)) == Some(&value);
        let insertion = format!("body/{name}");
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        let id = new.and_then(|new| id_of(new, "id"));
        let Some(id) = id.filter(|_| is_taken) else {
            let reason = format!("setting `{name}` is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::PROPERTY_ASSIGNED, site, reason, trail);
            continue;
        };
        let (from, to) = (context.name(Some(giver)), context.name(Some(receiver)));
        let summary = format!("{from} makes something whose `{name}` is {to}, which the request does not have");
        if is_received(context, &mut trail, endpoint, &Gift { id, name, value, receiver }).await? {
            docket.prove(&rule::PROPERTY_ASSIGNED, site, summary, trail);
        } else {
            docket.suspect(&rule::PROPERTY_ASSIGNED, site, format!("{summary}, as far as its answer says"), trail);
        }
    }
    Ok(())
}

/// What was made, and for whom.
struct Gift {
    id: String,
    name: String,
    value: Value,
    receiver: usize,
}

/// Whether the other one is shown it as an own thing: in a list, or by its id.
async fn is_received(
    context: &Context<'_>,
    trail: &mut Trail,
    endpoint: &Endpoint,
    gift: &Gift,
) -> Result<bool, SendError> {
    for reader in context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited()) {
        let sample = context.surface().sample_values(reader);
        let by_id = reader
            .path_parameters()
            .last()
            .filter(|last| reader.template == format!("{}/{{{}}}", endpoint.template.trim_end_matches('/'), last.name));
        let values = match by_id {
            Some(last) => sample.with_path(&last.name, &gift.id),
            None if reader.template == endpoint.template => sample,
            None => continue,
        };
        let call = context.call(reader, &values, None, Some(gift.receiver));
        let answer = context.send(trail, Label::Verify, &call).await?;
        let body = answer.json().filter(|_| answer.is_success());
        let is_own = body.is_some_and(|body| match by_id {
            Some(_) => shown(body, &gift.name) == Some(&gift.value),
            None => is_listed(body, gift),
        });
        if is_own {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an entry of a list is it.
fn is_listed(body: &Value, gift: &Gift) -> bool {
    match body {
        Value::Array(entries) => entries.iter().any(|entry| is_listed(entry, gift)),
        Value::Object(members) => {
            let is_it = members.get(&gift.name) == Some(&gift.value) && holds(body, &gift.id);
            is_it || members.values().any(|member| is_listed(member, gift))
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}
