//! Siblings are the operations on the same things: who may neither make nor change them has no business deleting them.
//!
//! What is deleted was made for the purpose by somebody who may, and is looked at again by the same.

use http::{Method, StatusCode};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::memory::Link;
use crate::probe::holding::{facts, holds, names_owner};
use crate::probe::object_auth::id_of;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Parameter};

/// Whether an operation deletes one thing, and nothing says who may.
pub(super) fn is_candidate(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::DELETE
        && endpoint.path_parameters().count() == 1
        && collection(endpoint).is_some()
        && !endpoint.is_public
        && !endpoint.is_limited()
        && !endpoint.is_owned()
        && endpoint.roles.is_empty()
}

fn collection(endpoint: &Endpoint) -> Option<(&Parameter, &str)> {
    let last = endpoint.path_parameters().last()?;
    Some((last, endpoint.template.strip_suffix(&format!("/{{{}}}", last.name))?))
}

/// Deletes as somebody to whom the siblings are refused.
pub(super) async fn delete(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((parameter, collection)) = collection(endpoint) else { return Ok(()) };
    let surface = context.surface();
    let all = || surface.endpoints.iter().filter(|one| !one.is_limited());
    let mut makers = all().filter(|one| {
        let is_there = one.template.trim_end_matches('/') == collection;
        is_there && matches!(one.method, Method::POST | Method::PUT) && one.body.is_some()
    });
    let reads = || all().filter(|one| one.is_read());
    let reader = reads().find(|one| one.template == endpoint.template);
    let reader = reader.or_else(|| reads().find(|one| one.template.trim_end_matches('/') == collection));
    let Some((maker, reader)) = makers.next().zip(reader) else { return Ok(()) };
    let make = |session| {
        context.call(maker, &surface.sample_values(maker), context.body_for(maker, Some(session)), Some(session))
    };
    let mut trail = Trail::default();
    let (mut stranger, mut holder) = (None, None);
    for session in 0..context.sessions.len().min(MAXIMUM_SESSIONS) {
        if stranger.is_some() && holder.is_some() {
            break;
        }
        let mut alone = trail.clone();
        let answer = context.send(&mut alone, Label::Control, &make(session)).await?;
        if answer.meaning() == StatusCode::FORBIDDEN && stranger.is_none() {
            (stranger, trail) = (Some(session), alone);
        } else if answer.is_success() && holder.is_none() {
            (holder, trail) = (Some((session, answer)), alone);
        }
    }
    let Some((stranger, (holder, made))) = stranger.zip(holder) else { return Ok(()) };
    let link = Link { surface, creator: maker, user: endpoint, parameter };
    let body = made.json();
    let id = body.and_then(|body| link.id_in(body).or_else(|| id_of(body, &parameter.name)));
    let is_account = |id: &String| {
        (0..context.sessions.len()).any(|session| facts(context, session).iter().any(|(_, value)| value == id))
    };
    let is_theirs = body.is_some_and(|body| names_owner(context, body, stranger));
    let Some(id) = id.filter(|id| !is_account(id) && !is_theirs) else {
        docket.skip(format!("`{}` made nothing that `{}` could be tried on", maker.id, endpoint.id));
        return Ok(());
    };
    let call = |one: &Endpoint, session| {
        let body = context.body_for(one, Some(session));
        context.call(one, &surface.sample_values(one).with_path(&parameter.name, &id), body, Some(session))
    };
    let change = all().find(|one| {
        one.template == endpoint.template && matches!(one.method, Method::PATCH | Method::PUT) && one.body.is_some()
    });
    let is_unchangeable = match change {
        Some(change) => {
            let answer = context.send(&mut trail, Label::Control, &call(change, stranger)).await?;
            answer.meaning() == StatusCode::FORBIDDEN
        }
        None => false,
    };
    let look = call(reader, holder);
    let is_one = reader.template == endpoint.template;
    let is_listed = |answer: &Answer| answer.json().is_some_and(|body| holds(body, &id));
    let is_there = |answer: &Answer| answer.is_success() && (is_one || is_listed(answer));
    let is_gone = |answer: &Answer| match is_one {
        true => matches!(answer.meaning(), StatusCode::NOT_FOUND | StatusCode::GONE),
        false => answer.is_success() && !is_listed(answer),
    };
    if !is_there(&context.send(&mut trail, Label::Control, &look).await?) {
        docket.skip(format!("`{}` does not show what `{}` made", reader.id, maker.id));
        return Ok(());
    }
    let attack: Call = call(endpoint, stranger);
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    let after = context.send(&mut trail, Label::Verify, &look).await?;
    let site = Site { operation: &endpoint.id, insertion: "header/authorization" };
    if !is_gone(&after) {
        context.send(&mut trail, Label::Restore, &call(endpoint, holder)).await?;
        let reason = format!("somebody who may not make such things is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::FUNCTION_EXPOSED, site, reason, trail);
        return Ok(());
    }
    let (who, maker) = (context.name(Some(stranger)), context.name(Some(holder)));
    if is_unchangeable {
        let summary = format!("{who} deletes what {maker} made, and may neither make nor change such things");
        docket.prove(&rule::FUNCTION_EXPOSED, site, summary, trail);
    } else {
        // What is made for somebody, such as a message, may be theirs to throw away.
        let summary = format!("{who} deletes what {maker} made, and may not make such things: is that meant?");
        docket.ask(&rule::FUNCTION_EXPOSED, site, summary, trail);
    }
    Ok(())
}

const MAXIMUM_SESSIONS: usize = 6;
