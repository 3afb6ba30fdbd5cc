//! Object authorization: whether one user can read, change or delete what belongs to another of the same role.
//!
//! A read is proved by five answers: the owner gets the object, nobody in particular does not, the attacker does not
//! get an object that does not exist, and the attacker gets the owner's, with the same content. A change is proved by
//! the owner's own look at the object afterwards; a status proves nothing.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::likeness::likeness;
use crate::memory::Link;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::action::{act, is_action};
use crate::probe::craft::{absent, free_property, parameters_of, reader_of, shown, with_property};
use crate::probe::holding::{facts, held, is_listed_for_one, is_personal, names_account, names_owner, pairs};
use crate::probe::point::{changes_credentials, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::schema::text_of;
use crate::surface::template::singular;
use crate::surface::{Endpoint, Parameter, Values};

/// The probe.
#[derive(Debug)]
pub(crate) struct ObjectAuth;

#[async_trait]
impl Probe for ObjectAuth {
    fn id(&self) -> &'static str {
        "object-authorization"
    }

    fn row(&self) -> Row {
        Row::ObjectAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let owned = plan.surface.endpoints.iter().filter(|endpoint| is_candidate(endpoint)).count();
        count(owned * 8)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let candidates = || context.surface().endpoints.iter().filter(|endpoint| is_candidate(endpoint));
        for endpoint in candidates().filter(|endpoint| endpoint.is_read()) {
            read(context, docket, endpoint).await?;
        }
        if context.plan.mode > Mode::Safe {
            let surface = context.surface();
            let changes = |one: &&Endpoint| {
                matches!(one.method, Method::PATCH | Method::PUT) && !changes_credentials(surface, one)
            };
            for endpoint in candidates().filter(changes) {
                change(context, docket, endpoint).await?;
            }
            for endpoint in candidates().filter(|endpoint| is_action(endpoint)) {
                act(context, docket, endpoint).await?;
            }
            for endpoint in candidates().filter(|endpoint| endpoint.method == Method::DELETE) {
                delete(context, docket, endpoint).await?;
            }
        }
        Ok(())
    }
}

fn is_candidate(endpoint: &Endpoint) -> bool {
    endpoint.path_parameters().next().is_some()
        && !endpoint.is_public
        && !endpoint.is_limited()
        && endpoint.roles.is_empty()
}

/// Why an object is somebody's own, so that another who gets it gets what is not meant for everybody.
pub(super) fn is_somebodys(
    context: &Context<'_>,
    endpoint: &Endpoint,
    values: &Values,
    body: &Value,
    pair: (usize, usize),
) -> bool {
    let (victim, attacker) = pair;
    let is_about_account = endpoint.path_parameters().any(|parameter| names_account(endpoint, parameter));
    endpoint.is_owned()
        || endpoint.path_parameters().filter(|one| !names_somebody(context, endpoint, one, victim, values)).any(|one| {
            let noun = endpoint.noun_of(&one.name);
            values.in_path(&one.name).is_some_and(|value| is_listed_for_one(context, &noun, value, victim, attacker))
        })
        || is_personal(context, body, victim, is_about_account) && !names_owner(context, body, attacker)
}

/// Whether a parameter names a person: an account of a bank, say, is not what its holder is known by.
fn names_somebody(
    context: &Context<'_>,
    endpoint: &Endpoint,
    parameter: &Parameter,
    victim: usize,
    values: &Values,
) -> bool {
    let is_thing = singular(&endpoint.noun_of(&parameter.name)) == "account"
        && context.surface().endpoints.iter().any(|list| {
            let below = format!("{}/{{{}}}", list.template, parameter.name);
            list.is_read() && endpoint.template.starts_with(&below)
        });
    let value = values.in_path(&parameter.name).unwrap_or_default();
    let is_name = || context.sessions.get(victim).is_some_and(|session| session.names().iter().any(|one| one == value));
    names_account(endpoint, parameter) && (!is_thing || value.parse::<u64>().is_err() && is_name())
}

async fn read(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(parameter) = endpoint.path_parameters().last() else { return Ok(()) };
    for (victim, attacker) in pairs(context, endpoint).into_iter().take(MAXIMUM_PAIRS) {
        for values in held(context, endpoint, victim) {
            let mut trail = Trail::default();
            let owned = context.call(endpoint, &values, None, Some(victim));
            let control = context.send(&mut trail, Label::Control, &owned).await?;
            if !is_object_of(context, endpoint, &control, victim) {
                continue;
            }
            let anonymous =
                context.send(&mut trail, Label::Control, &context.call(endpoint, &values, None, None)).await?;
            let nowhere = values.in_path(&parameter.name).map(absent).unwrap_or_default();
            let nowhere = values.clone().with_path(&parameter.name, &nowhere);
            let nowhere = context.call(endpoint, &nowhere, None, Some(attacker));
            let missing = context.send(&mut trail, Label::Control, &nowhere).await?;
            if is_like(&control, &anonymous) || is_like(&control, &missing) {
                docket.skip(format!("`{}` answers anybody, or for objects that do not exist", endpoint.id));
                return Ok(());
            }
            let attack = context.call(endpoint, &values, None, Some(attacker));
            let answer = context.send(&mut trail, Label::Attack, &attack).await?;
            let is_own =
                control.json().is_some_and(|body| is_somebodys(context, endpoint, &values, body, (victim, attacker)));
            let insertion = format!("path/{}", parameter.name);
            let site = Site { operation: &endpoint.id, insertion: &insertion };
            let (reader, owner) = (context.name(Some(attacker)), context.name(Some(victim)));
            if is_like(&control, &answer) && is_own {
                let summary = format!("{reader} reads what belongs to {owner} by naming its id");
                docket.prove(&rule::OBJECT_READ, site, summary, trail);
            } else if is_like(&control, &answer) {
                let summary = format!("{reader} reads what {owner} does by naming its id; nothing says whose it is");
                docket.suspect(&rule::OBJECT_READ, site, summary, trail);
            } else {
                let reason = format!("an object of somebody else is answered with {}", answer.meaning().as_u16());
                docket.withstand(&rule::OBJECT_READ, site, reason, trail);
            }
            return Ok(());
        }
    }
    docket.skip(format!("no object of two users with the same role was found for `{}`", endpoint.id));
    Ok(())
}

/// Whether an answer is an object that the contract calls the session's own.
fn is_object_of(context: &Context<'_>, endpoint: &Endpoint, answer: &Answer, session: usize) -> bool {
    let Some(body) = answer.json().filter(|_| answer.is_success()) else { return false };
    endpoint.owner.response.iter().all(|owner| {
        let claim = context.sessions.get(session).and_then(|session| session.claim(&owner.claim));
        let found = owner.pointer.resolve(body).unwrap_or_default();
        !found.is_empty() && found.iter().all(|value| claim.as_ref().is_some_and(|claim| text_of(value) == *claim))
    })
}

/// Whether two answers are the same success.
fn is_like(own: &Answer, other: &Answer) -> bool {
    let is_same = match (own.json(), other.json()) {
        (Some(own), Some(other)) => likeness(own, other) >= ALIKE,
        _ => own.text == other.text,
    };
    own.is_success() && other.is_success() && is_same
}

async fn change(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((reader, property)) = reader_of(context, endpoint).zip(free_property(context, endpoint)) else {
        docket.skip(format!("`{}` has no free text that can be read back", endpoint.id));
        return Ok(());
    };
    let mut tries = Vec::new();
    for (victim, attacker) in pairs(context, endpoint).into_iter().take(MAXIMUM_PAIRS) {
        tries.extend(held(context, endpoint, victim).into_iter().take(2).map(|values| (victim, attacker, values)));
    }
    for (victim, attacker, values) in tries {
        let mut trail = Trail::default();
        let look = context.call(reader, &values, None, Some(victim));
        let before = context.send(&mut trail, Label::Control, &look).await?;
        let Some(original) = before.json().filter(|_| before.is_success()).and_then(|body| shown(body, &property))
        else {
            continue;
        };
        let marker = context.marker();
        let body = with_property(context, endpoint, &property, Value::from(marker.as_str()));
        let attack = context.call(endpoint, &values, Some(body), Some(attacker));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let after = context.send(&mut trail, Label::Verify, &look).await?;
        let is_changed = after.json().and_then(|body| shown(body, &property)) == Some(&Value::from(marker));
        let insertion = parameters_of(endpoint);
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        if is_changed {
            let before = before.json().unwrap_or(&Value::Null);
            let is_own = is_somebodys(context, endpoint, &values, before, (victim, attacker))
                || names_owner(context, before, victim) && !names_owner(context, before, attacker);
            let body = with_property(context, endpoint, &property, original.clone());
            let restore = context.call(endpoint, &values, Some(body), Some(victim));
            context.send(&mut trail, Label::Restore, &restore).await?;
            let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
            let summary = format!("{attacker} changes `{property}` of {victim}, who reads the new value");
            if is_own {
                docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
            } else {
                docket.suspect(&rule::OBJECT_WRITTEN, site, format!("{summary}; nothing says whose it is"), trail);
            }
        } else {
            let reason = format!("a change of somebody else's object is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        }
        return Ok(());
    }
    docket.skip(format!("no two users with the same role can be compared for `{}`", endpoint.id));
    Ok(())
}

async fn delete(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(parameter) = endpoint.path_parameters().last() else { return Ok(()) };
    let ours: Vec<String> = (0..context.sessions.len())
        .flat_map(|session| facts(context, session).into_iter().map(|(_, value)| value))
        .collect();
    let links = context.surface().endpoints.iter().map(|creator| Link {
        surface: context.surface(),
        creator,
        user: endpoint,
        parameter,
    });
    let is_usable =
        |link: &Link<'_>| link.creator.method == Method::POST && !link.creator.is_limited() && is_maker(link);
    let link = links.into_iter().find(is_usable);
    let Some((link, reader)) = link.zip(reader_of(context, endpoint)) else {
        docket.skip(format!("nothing that `{}` deletes can be made for the purpose", endpoint.id));
        return Ok(());
    };
    let Some((victim, attacker)) = pairs(context, endpoint).into_iter().next() else {
        docket.skip(format!("no two users with the same role can be compared for `{}`", endpoint.id));
        return Ok(());
    };
    let creator = link.creator;
    for scheme in [Scheme::AllForeign, Scheme::OwnParent] {
        let holder = if scheme == Scheme::AllForeign { victim } else { attacker };
        let bound: Vec<&Parameter> =
            endpoint.path_parameters().filter(|one| endpoint.owning_claim(&one.name).is_some()).collect();
        if scheme == Scheme::OwnParent && (bound.is_empty() || bound.iter().any(|one| one.name == parameter.name)) {
            continue;
        }
        let mut trail = Trail::default();
        let values = context.surface().sample_values(creator);
        let create = context.call(creator, &values, context.surface().sample_body(creator), Some(victim));
        let made = context.send(&mut trail, Label::Control, &create).await?;
        let made = made.json().filter(|_| made.is_success());
        // What was made may name its maker: an account of the reviewer's own is never deleted.
        let id = made.and_then(|body| link.id_in(body).or_else(|| id_of(body, &parameter.name)));
        let id = id.filter(|id| !ours.contains(id));
        let fallback = || Some(context.surface().sample_values(endpoint)).filter(|_| !endpoint.is_owned());
        let (Some(id), Some(values)) = (id, held(context, endpoint, holder).into_iter().next().or_else(fallback))
        else {
            docket.skip(format!("`{}` made nothing that `{}` could delete", creator.id, endpoint.id));
            continue;
        };
        let values = values.with_path(&parameter.name, &id);
        let look = context.call(reader, &values, None, Some(victim));
        let before = context.send(&mut trail, Label::Control, &look).await?;
        if !before.is_success() {
            docket.skip(format!("`{}` does not show what `{}` made", reader.id, creator.id));
            continue;
        }
        let answer =
            context.send(&mut trail, Label::Attack, &context.call(endpoint, &values, None, Some(attacker))).await?;
        let after = context.send(&mut trail, Label::Verify, &look).await?;
        let insertion = match scheme {
            Scheme::AllForeign => parameters_of(endpoint),
            Scheme::OwnParent => format!("path/{}", parameter.name),
        };
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        if !after.is_success() || after.json() != before.json() {
            let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
            let summary = match scheme {
                Scheme::AllForeign => format!("{attacker} deletes what belongs to {victim}"),
                Scheme::OwnParent => format!("{attacker} deletes what belongs to {victim} by way of an own path"),
            };
            docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
        } else {
            let reason = format!("deleting somebody else's object is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        }
    }
    Ok(())
}

/// Whether the contract or the paths say that an operation makes what another deletes.
pub(super) fn is_maker(link: &Link<'_>) -> bool {
    let collection = link.user.template.split(&format!("/{{{}}}", link.parameter.name)).next();
    link.exists() || collection.is_some_and(|path| path == link.creator.template.trim_end_matches('/'))
}

/// The id of a new object: by the name of the parameter, or `id`, or the one property that ends so.
pub(super) fn id_of(body: &Value, parameter: &str) -> Option<String> {
    let members = body.as_object()?;
    let found = |wanted: &str| members.iter().find(|(name, _)| plain(name) == wanted).map(|(_, value)| text_of(value));
    let within = || members.values().filter(|value| value.is_object()).find_map(|value| id_of(value, parameter));
    found(&plain(parameter))
        .or_else(|| found("id"))
        .or_else(|| found("uuid"))
        .or_else(within)
        .filter(|id| !id.is_empty())
}

/// How the attacker names the victim's object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Every part of the path is the victim's.
    AllForeign,
    /// What is compared with a claim is the attacker's own, and only the object is the victim's.
    OwnParent,
}

/// Answers to the same question differ in times and counters at most.
const ALIKE: usize = 90;
const MAXIMUM_PAIRS: usize = 3;
