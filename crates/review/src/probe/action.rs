//! Actions are what is done to an object by a path below it: cancelling, paying, refunding.
//!
//! They are tried on an object that was made for the purpose, for they cannot be undone. What counts is whether its
//! owner sees it changed afterwards; what everybody may do, such as liking, is no action here.

use http::Method;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::memory::Link;
use crate::probe::craft::{parameters_of, reader_of};
use crate::probe::holding::{facts, held, is_listed_for_one, pairs};
use crate::probe::object_auth::{id_of, is_maker, is_somebodys};
use crate::probe::point::plain;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;

/// Whether an operation does something to one object that only its owner should.
pub(super) fn is_action(endpoint: &Endpoint) -> bool {
    let mut segments = endpoint.template.trim_end_matches('/').rsplit('/');
    let last = plain(segments.next().unwrap_or_default());
    let is_below = segments.next().is_some_and(|segment| segment.starts_with('{'));
    endpoint.method == Method::POST && is_below && ACTIONS.contains(&last.as_str())
}

/// Does it as somebody else than the owner.
pub(super) async fn act(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some(parameter) = endpoint.path_parameters().last() else { return Ok(()) };
    let surface = context.surface();
    let links = surface.endpoints.iter().map(|creator| Link { surface, creator, user: endpoint, parameter });
    let is_usable = |link: &Link<'_>| {
        let creator = link.creator;
        creator.method == Method::POST && creator.id != endpoint.id && !creator.is_limited() && is_maker(link)
    };
    let found = links.into_iter().find(is_usable).zip(reader_of(context, endpoint));
    let Some(((link, reader), (victim, attacker))) = found.zip(pairs(context, endpoint).into_iter().next()) else {
        docket.skip(format!("nothing can be made and shown that `{}` could be tried on", endpoint.id));
        return Ok(());
    };
    let mut trail = Trail::default();
    let creator = link.creator;
    let create =
        context.call(creator, &surface.sample_values(creator), context.body_for(creator, Some(victim)), Some(victim));
    let made = context.send(&mut trail, Label::Control, &create).await?;
    let body = made.json().filter(|_| made.is_success());
    let id = body.and_then(|body| link.id_in(body).or_else(|| id_of(body, &parameter.name)));
    let is_account = |id: &String| {
        (0..context.sessions.len()).any(|session| facts(context, session).iter().any(|(_, value)| value == id))
    };
    let Some(id) = id.filter(|id| !is_account(id)) else {
        docket.skip(format!("`{}` made nothing that `{}` could be tried on", creator.id, endpoint.id));
        return Ok(());
    };
    let owned = held(context, endpoint, victim);
    let values = owned.first().cloned().unwrap_or_else(|| surface.sample_values(endpoint));
    let values = values.with_path(&parameter.name, &id);
    let look = context.call(reader, &values, None, Some(victim));
    let before = context.send(&mut trail, Label::Control, &look).await?;
    let again = context.send(&mut trail, Label::Control, &look).await?;
    if !before.is_success() || before.text != again.text {
        docket.skip(format!(
            "`{}` does not show what `{}` made, or shows something else each time",
            reader.id, creator.id
        ));
        return Ok(());
    }
    let foreign = context.call(reader, &values, None, Some(attacker));
    let is_hidden = !context.send(&mut trail, Label::Control, &foreign).await?.is_success();
    let attack = context.call(endpoint, &values, context.body_for(endpoint, Some(attacker)), Some(attacker));
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    let after = context.send(&mut trail, Label::Verify, &look).await?;
    let insertion = parameters_of(endpoint);
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    if !answer.is_success() || after.text == before.text {
        let reason = format!("doing so to somebody else's object is answered with {}", answer.status.as_u16());
        docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
        return Ok(());
    }
    // Where lists show each user other objects, or the object is refused to others, it is not for everybody.
    let noun = endpoint.noun_of(&parameter.name);
    let is_apart = owned.iter().any(|values| {
        values.in_path(&parameter.name).is_some_and(|id| is_listed_for_one(context, &noun, id, victim, attacker))
    });
    let body = before.json();
    let is_own = is_hidden
        || is_apart
        || body.is_some_and(|body| is_somebodys(context, endpoint, &values, body, (victim, attacker)));
    let (attacker, victim) = (context.name(Some(attacker)), context.name(Some(victim)));
    let summary = format!("{attacker} does this to what belongs to {victim}, who sees it changed");
    if is_own {
        docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
    } else {
        docket.suspect(&rule::OBJECT_WRITTEN, site, format!("{summary}; nothing says whose it is"), trail);
    }
    Ok(())
}

pub(super) const ACTIONS: [&str; 20] = [
    "activate",
    "archive",
    "cancel",
    "close",
    "confirm",
    "deactivate",
    "disable",
    "discard",
    "freeze",
    "lock",
    "pay",
    "publish",
    "refund",
    "release",
    "return",
    "revoke",
    "submit",
    "suspend",
    "unlock",
    "withdraw",
];
