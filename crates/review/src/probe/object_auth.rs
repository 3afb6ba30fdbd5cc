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
use crate::memory::{Link, likeness};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::craft::{absent, free_property, parameters_of, reader_of, with_property};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Parameter};

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
            for endpoint in candidates().filter(|endpoint| matches!(endpoint.method, Method::PATCH | Method::PUT)) {
                change(context, docket, endpoint).await?;
            }
            for endpoint in candidates().filter(|endpoint| endpoint.method == Method::DELETE) {
                delete(context, docket, endpoint).await?;
            }
        }
        Ok(())
    }
}

fn is_candidate(endpoint: &Endpoint) -> bool {
    endpoint.is_owned() && endpoint.path_parameters().next().is_some() && !endpoint.is_public && !endpoint.is_limited()
}

async fn read(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(parameter) = endpoint.path_parameters().last() else { return Ok(()) };
    for (victim, attacker) in context.peers(endpoint) {
        for values in context.values_of(endpoint, victim) {
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
            if anonymous.is_success() || missing.is_success() {
                docket.skip(format!("`{}` answers anybody, or for objects that do not exist", endpoint.id));
                return Ok(());
            }
            let attack = context.call(endpoint, &values, None, Some(attacker));
            let answer = context.send(&mut trail, Label::Attack, &attack).await?;
            let is_same =
                control.json().zip(answer.json()).is_some_and(|(own, foreign)| likeness(own, foreign) >= ALIKE);
            let insertion = format!("path/{}", parameter.name);
            let site = Site { operation: &endpoint.id, insertion: &insertion };
            if answer.is_success() && is_same {
                let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
                let summary = format!("{attacker} reads what belongs to {victim} by naming its id");
                docket.prove(&rule::OBJECT_READ, site, summary, trail);
            } else {
                let reason = format!("an object of somebody else is answered with {}", answer.status.as_u16());
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
        !found.is_empty() && found.iter().all(|value| value.as_str() == claim.as_deref())
    })
}

async fn change(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((reader, property)) = reader_of(context, endpoint).zip(free_property(context, endpoint)) else {
        docket.skip(format!("`{}` has no free text that can be read back", endpoint.id));
        return Ok(());
    };
    for (victim, attacker) in context.peers(endpoint) {
        let Some(values) = context.values_of(endpoint, victim).into_iter().next() else { continue };
        let mut trail = Trail::default();
        let look = context.call(reader, &values, None, Some(victim));
        let before = context.send(&mut trail, Label::Control, &look).await?;
        let Some(original) = before.json().filter(|_| before.is_success()).and_then(|body| body.get(&property)) else {
            continue;
        };
        let marker = context.marker();
        let body = with_property(context, endpoint, &property, Value::from(marker.as_str()));
        let attack = context.call(endpoint, &values, Some(body), Some(attacker));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let after = context.send(&mut trail, Label::Verify, &look).await?;
        let is_changed = after.json().and_then(|body| body.get(&property)) == Some(&Value::from(marker));
        let insertion = parameters_of(endpoint);
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        if is_changed {
            let body = with_property(context, endpoint, &property, original.clone());
            let restore = context.call(endpoint, &values, Some(body), Some(victim));
            context.send(&mut trail, Label::Restore, &restore).await?;
            let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
            let summary = format!("{attacker} changes `{property}` of {victim}, who reads the new value");
            docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
        } else {
            let reason = format!("a change of somebody else's object is answered with {}", answer.status.as_u16());
            docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        }
        return Ok(());
    }
    docket.skip(format!("no two users with the same role can be compared for `{}`", endpoint.id));
    Ok(())
}

async fn delete(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(parameter) = endpoint.path_parameters().last() else { return Ok(()) };
    let links = context.surface().endpoints.iter().map(|creator| Link {
        surface: context.surface(),
        creator,
        user: endpoint,
        parameter,
    });
    let is_usable =
        |link: &Link<'_>| link.creator.method == Method::POST && !link.creator.is_limited() && link.exists();
    let link = links.into_iter().find(is_usable);
    let Some((link, reader)) = link.zip(reader_of(context, endpoint)) else {
        docket.skip(format!("nothing that `{}` deletes can be made for the purpose", endpoint.id));
        return Ok(());
    };
    let Some((victim, attacker)) = context.peers(endpoint).into_iter().next() else {
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
        let id = made.and_then(|body| link.id_in(body));
        let (Some(id), Some(values)) = (id, context.values_of(endpoint, holder).into_iter().next()) else {
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
            let reason = format!("deleting somebody else's object is answered with {}", answer.status.as_u16());
            docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        }
    }
    Ok(())
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
