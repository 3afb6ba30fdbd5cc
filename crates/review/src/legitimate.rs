//! Legitimate use: one request of every operation by somebody who may, in an order that destroys nothing too early.

use http::Method;

use crate::context::Context;
use crate::exchange::Answer;
use crate::memory::Served;
use crate::plan::Mode;
use crate::probe::with_own_password;
use crate::report::OperationReach;
use crate::scope::SendError;
use crate::surface::{Endpoint, Values};

/// Which operations to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those that delete.
    Destructive,
    /// All others.
    Gentle,
}

/// Uses every operation of a part once, and remembers what it shows.
pub(crate) async fn visit(context: &mut Context<'_>, part: Part) -> Result<Vec<OperationReach>, SendError> {
    let surface = context.surface();
    let mut order: Vec<&Endpoint> = surface.endpoints.iter().filter(|endpoint| part_of(endpoint) == part).collect();
    order.sort_by_key(|endpoint| rank(endpoint));
    let mut reached = Vec::new();
    for endpoint in order {
        // A safe run writes nothing, and says so by leaving the operation out of its reach.
        if context.plan.mode > Mode::Safe || endpoint.is_read() {
            reached.push(reach(context, endpoint).await?);
        }
    }
    Ok(reached)
}

/// Shows every session what it may see, so that ids and their holders are known.
pub(crate) async fn look_around(context: &mut Context<'_>) -> Result<(), SendError> {
    for endpoint in &context.surface().endpoints {
        let is_plain = endpoint.is_read() && endpoint.path_parameters().next().is_none();
        if !is_plain || endpoint.is_public || endpoint.is_limited() {
            continue;
        }
        for session in context.eligible(endpoint) {
            let is_known = context.memory.served(&endpoint.id).any(|served| served.session == Some(session));
            if !is_known {
                let values = context.surface().sample_values(endpoint);
                attempt(context, endpoint, &values, Some(session)).await?;
            }
        }
    }
    Ok(())
}

/// Tries the contract's examples as everybody who may, then what each of them owns.
async fn reach(context: &mut Context<'_>, endpoint: &Endpoint) -> Result<OperationReach, SendError> {
    let sample = context.surface().sample_values(endpoint);
    let sessions: Vec<Option<usize>> = match endpoint.is_public {
        true => vec![None],
        false => context.eligible(endpoint).into_iter().map(Some).collect(),
    };
    let mut tries: Vec<(Option<usize>, Values)> = sessions.iter().map(|session| (*session, sample.clone())).collect();
    for session in sessions {
        // Nobody in particular owns nothing, and may see what everybody has seen.
        let own = context.values_of(endpoint, session.unwrap_or_default());
        tries.extend(own.into_iter().filter(|values| *values != sample).map(|values| (session, values)));
    }
    let mut reach =
        OperationReach { id: endpoint.id.clone(), reached_2xx: false, status: 0, blocked_by: None, identity: None };
    for (session, values) in tries.into_iter().take(MAXIMUM_TRIES) {
        let answer = attempt(context, endpoint, &values, session).await?;
        let name = session.map(|_| context.name(session).to_owned());
        reach.status = answer.status.as_u16();
        reach.blocked_by = answer.blocked_by();
        reach.identity = name;
        if answer.is_success() {
            reach.reached_2xx = true;
            break;
        }
    }
    Ok(reach)
}

async fn attempt(
    context: &mut Context<'_>,
    endpoint: &Endpoint,
    values: &Values,
    session: Option<usize>,
) -> Result<Answer, SendError> {
    let body = context.surface().sample_body(endpoint);
    let body = body.map(|body| with_own_password(context, endpoint, session, body));
    let answer = context.client.send(&context.call(endpoint, values, body, session)).await?;
    if answer.is_success() {
        let body = answer.json().cloned();
        let served = Served { endpoint: endpoint.id.clone(), session, values: values.clone(), body };
        context.memory.learn(&context.plan.surface, endpoint, served);
    }
    Ok(answer)
}

/// Lists first, because they name what exists; then what makes something, what looks at one thing, what changes it.
fn rank(endpoint: &Endpoint) -> u8 {
    match (endpoint.is_read(), endpoint.path_parameters().next()) {
        (true, None) => 0,
        (false, _) if endpoint.method == Method::POST => 1,
        (true, Some(_)) => 2,
        (false, _) => 3,
    }
}

fn part_of(endpoint: &Endpoint) -> Part {
    if endpoint.method == Method::DELETE { Part::Destructive } else { Part::Gentle }
}

const MAXIMUM_TRIES: usize = 6;
