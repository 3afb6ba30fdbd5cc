//! Legitimate use: one request of every operation by somebody who may, in an order that destroys nothing too early.

use http::{Method, StatusCode};

use crate::context::Context;
use crate::exchange::Answer;
use crate::infer;
use crate::memory::Served;
use crate::plan::Mode;
use crate::probe::point::is_final;
use crate::probe::with_own_password;
use crate::repair::repair;
use crate::report::OperationReach;
use crate::scope::SendError;
use crate::surface::{Access, Endpoint, Values};

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
    // What stands above others is made before them.
    order.sort_by_key(|endpoint| (rank(endpoint), endpoint.path_parameters().count()));
    let mut reached = Vec::new();
    let mut last = 0;
    for endpoint in order {
        // A safe run writes nothing, and says so by leaving the operation out of its reach.
        if context.plan.mode == Mode::Safe && !endpoint.is_read() {
            continue;
        }
        if rank(endpoint) != last {
            last = rank(endpoint);
            look_around(context).await?;
        }
        reached.push(reach(context, endpoint).await?);
    }
    Ok(reached)
}

/// Shows every session what it may see, so that ids and their holders are known; again what has changed since.
pub(crate) async fn look_around(context: &mut Context<'_>) -> Result<(), SendError> {
    infer::learn_claims(context);
    let stale = std::mem::take(&mut context.memory.stale);
    for endpoint in &context.surface().endpoints {
        let is_plain = endpoint.is_read() && endpoint.path_parameters().next().is_none();
        if !is_plain || endpoint.is_public || endpoint.is_limited() {
            continue;
        }
        let is_stale = stale.contains(&endpoint.noun());
        for session in context.eligible(endpoint) {
            let is_known = context.memory.served(&endpoint.id).any(|served| served.session == Some(session));
            let is_refused = context.memory.refused.contains(&(endpoint.id.clone(), session));
            if (!is_known || is_stale) && !is_refused {
                let values = context.surface().sample_values(endpoint);
                attempt(context, endpoint, &values, Some(session)).await?;
            }
        }
    }
    Ok(())
}

/// Tries the contract's examples as everybody who may, and what each of them owns; the other way round where the
/// contract has no examples.
async fn reach(context: &mut Context<'_>, endpoint: &Endpoint) -> Result<OperationReach, SendError> {
    let surface = context.surface();
    let sample = surface.sample_values(endpoint);
    let sessions: Vec<Option<usize>> = match endpoint.is_public {
        true => vec![None],
        false => context.eligible(endpoint).into_iter().map(Some).collect(),
    };
    let samples = sessions.iter().map(|session| (*session, sample.clone()));
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for session in &sessions {
        // Nobody in particular owns nothing, and may see what everybody has seen.
        let at = session.unwrap_or_default();
        let mut own = context.values_of(endpoint, at);
        own.extend(context.learned_values(endpoint, at));
        let mut own = own.into_iter().filter(|values| *values != sample).map(|values| (*session, values));
        first.extend(own.next());
        rest.extend(own);
    }
    // Examples that only one identity may use come before what each of them has seen, where there are examples.
    let has_examples = endpoint.path_parameters().all(|parameter| parameter.example.is_some());
    let split = if has_examples { 1 } else { 0 };
    let mut tries: Vec<(Option<usize>, Values)> = samples.clone().take(split).collect();
    tries.extend(first);
    tries.extend(samples.skip(split));
    tries.extend(rest);
    tries.dedup();
    let mut reach =
        OperationReach { id: endpoint.id.clone(), reached_2xx: false, status: 0, blocked_by: None, identity: None };
    // Nothing here signs an identity out.
    if is_final(endpoint) && endpoint.method != Method::DELETE {
        tries.retain(|(session, _)| session.is_none());
    }
    for (session, values) in tries.into_iter().take(MAXIMUM_TRIES) {
        let answer = attempt(context, endpoint, &values, session).await?;
        let name = session.map(|_| context.name(session).to_owned());
        reach.status = answer.meaning().as_u16();
        reach.blocked_by = answer.blocked_by();
        reach.identity = name;
        if answer.is_success() {
            reach.reached_2xx = true;
            ask_anonymously(context, endpoint).await?;
            make_for_peer(context, endpoint, session).await?;
            break;
        }
    }
    Ok(reach)
}

/// Learns whether nobody in particular may read what was just served, where the contract does not say.
async fn ask_anonymously(context: &mut Context<'_>, endpoint: &Endpoint) -> Result<(), SendError> {
    let served = context.memory.served(&endpoint.id).last().map(|served| served.values.clone());
    if let Some(values) = served
        && endpoint.access == Access::Unstated
        && !endpoint.is_public
        && endpoint.is_read()
    {
        let answer = context.client.send(&context.call(endpoint, &values, None, None)).await?;
        context.memory.open.push((endpoint.id.clone(), answer.is_success()));
    }
    Ok(())
}

/// Makes one more of what was just made, as somebody else of the same role who has none: an attack needs two owners.
async fn make_for_peer(context: &mut Context<'_>, endpoint: &Endpoint, made: Option<usize>) -> Result<(), SendError> {
    let Some(maker) = made.filter(|_| endpoint.method == Method::POST && !endpoint.is_limited()) else { return Ok(()) };
    let surface = context.surface();
    let users = surface.endpoints.iter().filter(|user| user.template.starts_with(&endpoint.template));
    let named: Vec<_> = users.filter_map(|user| Some((user, user.path_parameters().last()?))).collect();
    let named = named.into_iter().find(|(user, parameter)| {
        !endpoint.parameters.iter().any(|own| own.name == parameter.name)
            && user.noun_of(&parameter.name) == endpoint.noun()
    });
    let Some((user, parameter)) = named else { return Ok(()) };
    let peer = context.peers(endpoint).into_iter().find(|(victim, _)| *victim == maker).map(|(_, peer)| peer);
    let has_one = |peer: usize| context.memory.known(user, parameter).iter().any(|known| known.session == Some(peer));
    if let Some(peer) = peer.filter(|peer| !has_one(*peer)) {
        let values = context.values_of(endpoint, peer).into_iter().next().unwrap_or_default();
        attempt(context, endpoint, &values, Some(peer)).await?;
    }
    Ok(())
}

/// Sends a legitimate request, mends it twice at most by what the answer says is wrong, and learns from success.
async fn attempt(
    context: &mut Context<'_>,
    endpoint: &Endpoint,
    values: &Values,
    session: Option<usize>,
) -> Result<Answer, SendError> {
    let mut values = values.clone();
    let body = context.body_for(endpoint, session);
    let mut body = body.map(|body| with_own_password(context, endpoint, session, body));
    let mut repairs = 0;
    loop {
        let answer = context.client.send(&context.call(endpoint, &values, body.clone(), session)).await?;
        if answer.is_success() {
            let (surface, shown) = (context.surface(), answer.json().cloned());
            if let Some(address) = answer.header("location") {
                context.memory.learn_address(surface, endpoint, address, session);
            }
            if endpoint.method == Method::POST {
                context.memory.stale.insert(endpoint.noun());
            }
            let served = Served { endpoint: endpoint.id.clone(), session, values, sent: body, body: shown };
            context.memory.learn(surface, endpoint, served);
            return Ok(answer);
        }
        if let (StatusCode::FORBIDDEN, Some(session)) = (answer.meaning(), session) {
            context.memory.refused.push((endpoint.id.clone(), session));
        }
        let marker = context.marker();
        repairs += 1;
        if repairs > MAXIMUM_REPAIRS || !repair(context.surface(), endpoint, &mut values, &mut body, &answer, &marker) {
            return Ok(answer);
        }
    }
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

const MAXIMUM_REPAIRS: usize = 2;
const MAXIMUM_TRIES: usize = 8;
