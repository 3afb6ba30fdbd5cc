//! Objects named outside the path: whether one user reads, changes or deletes what is another's by an id in the query, a
//! header or the body.
//!
//! A read is proved by five answers beside the attack's: the owner gets the object, nobody in particular does not, the
//! attacker does not get it for an id that does not exist, nor for one of the attacker's own, and it is the owner's by
//! what legitimate use has shown. A parameter that is ignored fails these controls. A change is proved by the owner's
//! own look at the object afterwards.

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call, Payload};
use crate::finding::{Label, Site};
use crate::likeness::likeness;
use crate::memory::Link;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::action::ACTIONS;
use crate::probe::craft::absent;
use crate::probe::holding::{facts, pairs};
use crate::probe::naming::{Naming, looks, namings, object_with};
use crate::probe::object_auth::id_of;
use crate::probe::point::{changes_credentials, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::{SendError, is_dangerous};
use crate::surface::schema::text_of;
use crate::surface::template::{singular, stem};
use crate::surface::{BodyForm, Endpoint, Place, Surface};
use crate::throwaway::is_registration;

/// The probe.
#[derive(Debug)]
pub(crate) struct ObjectNamed;

#[async_trait]
impl Probe for ObjectNamed {
    fn id(&self) -> &'static str {
        "named-object-authorization"
    }

    fn row(&self) -> Row {
        Row::ObjectAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let named = plan.surface.endpoints.iter().filter(|one| is_candidate(one) && has_naming(&plan.surface, one));
        count(named.count() * 7)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        let is_written = context.plan.mode > Mode::Safe;
        let candidates = || surface.endpoints.iter().filter(|one| is_candidate(one));
        for endpoint in candidates().filter(|one| one.is_read() || is_written && is_asking(one)) {
            for naming in namings(context, endpoint) {
                read(context, docket, &naming).await?;
            }
        }
        if !is_written {
            return Ok(());
        }
        let is_change = |one: &&Endpoint| {
            !one.is_read()
                && !is_asking(one)
                && !changes_credentials(surface, one)
                && !is_registration(surface, one)
                && !is_dangerous(one)
        };
        for endpoint in candidates().filter(is_change) {
            // A thing has one name; what else a request names is not what is changed.
            let Some(naming) = namings(context, endpoint).into_iter().find(|one| is_subject(one)) else { continue };
            if is_ending(endpoint) {
                end(context, docket, &naming).await?;
            } else {
                change(context, docket, &naming).await?;
            }
        }
        Ok(())
    }
}

fn is_candidate(endpoint: &Endpoint) -> bool {
    !endpoint.is_public && !endpoint.is_limited() && endpoint.roles.is_empty() && endpoint.graphql.is_none()
}

fn has_naming(surface: &Surface, endpoint: &Endpoint) -> bool {
    let outside = endpoint.parameters.iter().filter(|one| one.place != Place::Path).map(|one| one.name.as_str());
    let body = endpoint.body.as_ref().map(|body| surface.properties(&body.schema)).unwrap_or_default();
    outside.chain(body.into_iter().map(|(name, _)| name)).any(|name| stem(name).is_some() || plain(name) == "id")
}

/// Whether something is posted only to be shown.
fn is_asking(endpoint: &Endpoint) -> bool {
    let last = last_of(endpoint);
    endpoint.method == Method::POST && ASKING.iter().any(|word| last.starts_with(word) || last.ends_with(word))
}

/// Whether it deletes the thing, or does what can be done once.
fn is_ending(endpoint: &Endpoint) -> bool {
    let last = last_of(endpoint);
    let is_named = ["delete", "remove"].iter().chain(&ACTIONS).any(|word| last.starts_with(word));
    endpoint.method == Method::DELETE || endpoint.method == Method::POST && is_named
}

/// Whether the thing that is named is the one that is changed: an account or a recipient is not.
fn is_subject(naming: &Naming<'_>) -> bool {
    let name = naming.point.plain_name();
    let is_target = ["to", "dest", "recipient", "target", "parent"].iter().any(|word| name.starts_with(word));
    !is_target && !naming.is_of_account && naming.point.endpoint.path_parameters().next().is_none()
}

fn last_of(endpoint: &Endpoint) -> String {
    plain(endpoint.template.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
}

async fn read(context: &Context<'_>, docket: &mut Docket, naming: &Naming<'_>) -> Result<(), SendError> {
    let endpoint = naming.point.endpoint;
    let insertion = naming.point.insertion();
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    for (victim, attacker) in pairs(context, endpoint).into_iter().take(MAXIMUM_PAIRS) {
        let own = naming.ids(context, attacker);
        let foreign = naming.ids(context, victim).into_iter().filter(|id| !own.contains(id));
        for id in foreign.take(MAXIMUM_IDS) {
            let mut trail = Trail::default();
            let control = context.send(&mut trail, Label::Control, &naming.call(context, &id, Some(victim))).await?;
            let Some(body) = control.json().filter(|body| control.is_success() && !is_empty(body)).cloned() else {
                continue;
            };
            let mut controls = vec![(id.clone(), None), (absent(&id), Some(attacker))];
            controls.extend(own.first().map(|own| (own.clone(), Some(attacker))));
            let mut is_told_apart = true;
            for (other, session) in controls {
                let call = naming.call(context, &other, session);
                let answer = context.send(&mut trail, Label::Control, &call).await?;
                is_told_apart &= !is_like((&control, &id), (&answer, &other));
            }
            if !is_told_apart {
                docket.skip(format!("`{}` answers anybody, or whatever `{}` is", endpoint.id, naming.point.name));
                return Ok(());
            }
            let answer = context.send(&mut trail, Label::Attack, &naming.call(context, &id, Some(attacker))).await?;
            let (reader, owner) = (context.name(Some(attacker)), context.name(Some(victim)));
            let name = &naming.point.name;
            if !is_like((&control, &id), (&answer, &id)) {
                let reason = format!("an id of somebody else is answered with {}", answer.meaning().as_u16());
                docket.withstand(&rule::OBJECT_READ, site, reason, trail);
            } else if naming.is_of(context, &id, &body, (victim, attacker)) {
                let summary = format!("{reader} reads what belongs to {owner} by naming its id in `{name}`");
                docket.prove(&rule::OBJECT_READ, site, summary, trail);
            } else {
                let summary = format!("{reader} reads what {owner} does by `{name}`; nothing says whose it is");
                docket.suspect(&rule::OBJECT_READ, site, summary, trail);
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Writes a marker into a text of the victim's thing.
async fn change(context: &Context<'_>, docket: &mut Docket, naming: &Naming<'_>) -> Result<(), SendError> {
    let endpoint = naming.point.endpoint;
    let insertion = naming.point.insertion();
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    for (victim, attacker) in pairs(context, endpoint).into_iter().take(MAXIMUM_PAIRS) {
        let own = naming.ids(context, attacker);
        let foreign = naming.ids(context, victim).into_iter().filter(|id| !own.contains(id));
        for id in foreign.take(MAXIMUM_IDS) {
            let mut trail = Trail::default();
            let Some((look, before)) = look_at(context, &mut trail, &naming.noun(), &id, victim).await? else {
                continue;
            };
            let Some((property, original)) = free_text(context, naming, &before) else { continue };
            let marker = context.marker();
            let attack = with_member(naming.call(context, &id, Some(attacker)), &property, &marker);
            let answer = context.send(&mut trail, Label::Attack, &attack).await?;
            let after = context.send(&mut trail, Label::Verify, &look).await?;
            let shown = after.json().and_then(|body| object_with(body, &id)).and_then(|object| object.get(&property));
            if shown != Some(&Value::from(marker)) {
                let reason =
                    format!("a change of what is somebody else's is answered with {}", answer.meaning().as_u16());
                docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
                return Ok(());
            }
            let restore = with_member(naming.call(context, &id, Some(victim)), &property, &original);
            context.send(&mut trail, Label::Restore, &restore).await?;
            let is_own = naming.is_of(context, &id, &Value::Object(before), (victim, attacker));
            let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
            let summary = format!("{attacker} changes `{property}` of what is {victim}'s, who reads the new value");
            if is_own {
                docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
            } else {
                docket.suspect(&rule::OBJECT_WRITTEN, site, format!("{summary}; nothing says whose it is"), trail);
            }
            return Ok(());
        }
    }
    docket.skip(format!("no text that `{}` changes can be read back", endpoint.id));
    Ok(())
}

/// Deletes, or does once for all, what the victim has just made.
async fn end(context: &Context<'_>, docket: &mut Docket, naming: &Naming<'_>) -> Result<(), SendError> {
    let endpoint = naming.point.endpoint;
    let insertion = naming.point.insertion();
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    let (surface, noun) = (context.surface(), naming.noun());
    let is_maker = |one: &&Endpoint| {
        one.method == Method::POST
            && !one.is_limited()
            && one.path_parameters().next().is_none()
            && one.template.rsplit('/').next().is_some_and(|last| singular(last) == noun)
    };
    let maker = surface.endpoints.iter().find(is_maker);
    let Some((creator, (victim, attacker))) = maker.zip(pairs(context, endpoint).into_iter().next()) else {
        docket.skip(format!("nothing that `{}` ends can be made for the purpose", endpoint.id));
        return Ok(());
    };
    let mut trail = Trail::default();
    let body = context.body_for(creator, Some(victim));
    let create = context.call(creator, &surface.sample_values(creator), body, Some(victim));
    let made = context.send(&mut trail, Label::Control, &create).await?;
    let link = Link { surface, creator, user: endpoint, parameter: naming.parameter() };
    let id = made.json().filter(|_| made.is_success());
    let id = id.and_then(|body| link.id_in(body).or_else(|| id_of(body, &naming.parameter().name)));
    let is_account = |id: &String| {
        (0..context.sessions.len()).any(|session| facts(context, session).iter().any(|(_, value)| value == id))
    };
    let Some(id) = id.filter(|id| !is_account(id)) else {
        docket.skip(format!("`{}` made nothing that `{}` could end", creator.id, endpoint.id));
        return Ok(());
    };
    let Some((look, before)) = look_at(context, &mut trail, &noun, &id, victim).await? else {
        docket.skip(format!("nothing shows what `{}` made", creator.id));
        return Ok(());
    };
    let is_hidden = look_at(context, &mut trail, &noun, &id, attacker).await?.is_none();
    let answer = context.send(&mut trail, Label::Attack, &naming.call(context, &id, Some(attacker))).await?;
    let after = context.send(&mut trail, Label::Verify, &look).await?;
    let left = after.json().and_then(|body| object_with(body, &id)).filter(|_| after.is_success());
    if left == Some(&before) || after.status.is_server_error() {
        let reason = format!("ending what is somebody else's is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        return Ok(());
    }
    let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
    let what = if left.is_none() { "deletes" } else { "changes" };
    let summary = format!("{attacker} {what} what {victim} has made, by naming its id in `{}`", naming.point.name);
    if is_hidden || endpoint.method == Method::DELETE {
        docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
    } else {
        docket.suspect(&rule::OBJECT_WRITTEN, site, format!("{summary}; nothing says that others may not"), trail);
    }
    Ok(())
}

/// The first look that shows a thing to a session, and what it shows; the same twice.
async fn look_at(
    context: &Context<'_>,
    trail: &mut Trail,
    noun: &str,
    id: &str,
    session: usize,
) -> Result<Option<(Call, Map<String, Value>)>, SendError> {
    for look in looks(context, noun, id, session).into_iter().take(MAXIMUM_LOOKS) {
        let answer = context.send(trail, Label::Control, &look).await?;
        if let Some(object) = answer.json().filter(|_| answer.is_success()).and_then(|body| object_with(body, id)) {
            let again = context.send(trail, Label::Control, &look).await?;
            if again.json().and_then(|body| object_with(body, id)) == Some(object) {
                return Ok(Some((look, object.clone())));
            }
        }
    }
    Ok(None)
}

/// A free text that the operation takes and the thing shows.
fn free_text(context: &Context<'_>, naming: &Naming<'_>, shown: &Map<String, Value>) -> Option<(String, String)> {
    let surface = context.surface();
    let body = naming.point.endpoint.body.as_ref().filter(|body| body.form == BodyForm::Json)?;
    surface.properties(&body.schema).into_iter().find_map(|(name, schema)| {
        let original = shown.get(name).and_then(Value::as_str)?;
        let is_free = surface.is_free_text(schema) && name != naming.point.name;
        is_free.then(|| (name.to_owned(), original.to_owned()))
    })
}

fn with_member(mut call: Call, name: &str, value: &str) -> Call {
    if let Some(Payload::Json(Value::Object(members))) = &mut call.body {
        members.insert(name.to_owned(), Value::from(value));
    }
    call
}

/// Whether two answers are the same success, whatever they say of the ids that were sent.
fn is_like(own: (&Answer, &str), other: (&Answer, &str)) -> bool {
    let bare = |(answer, id): (&Answer, &str)| answer.json().map(|body| without(body, id));
    let is_same =
        bare(own).zip(bare(other)).is_some_and(|(one, other)| one == other || likeness(&one, &other) >= ALIKE);
    own.0.is_success() && other.0.is_success() && is_same
}

fn without(body: &Value, id: &str) -> Value {
    match body {
        Value::Array(items) => items.iter().map(|item| without(item, id)).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), without(value, id))).collect(),
        Value::Number(_) | Value::String(_) if text_of(body) == id => Value::Null,
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => body.clone(),
    }
}

/// Whether there is nothing in an answer that could be anybody's.
fn is_empty(body: &Value) -> bool {
    match body {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members
            .values()
            .all(|member| member.is_null() || member.is_boolean() || member.as_array().is_some_and(Vec::is_empty)),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

const ALIKE: usize = 90;
const MAXIMUM_IDS: usize = 2;
const MAXIMUM_LOOKS: usize = 3;
const MAXIMUM_PAIRS: usize = 2;
const ASKING: [&str; 14] = [
    "detail", "download", "fetch", "filter", "find", "get", "info", "lookup", "query", "read", "search", "show",
    "status", "view",
];
