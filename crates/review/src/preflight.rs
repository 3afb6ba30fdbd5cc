//! The preflight: everybody signs in and is served something, before anything is attacked.
//!
//! A credential is good when it makes a difference: with it a read is served, and without it is not. Where everything is
//! served to everybody, that is for a probe to report, not a reason to stop.

use http::StatusCode;

use crate::context::Context;
use crate::exchange::Answer;
use crate::plan::Plan;
use crate::run::RunError;
use crate::scope::{Guard, ScopedClient, SendError, Target};
use crate::session::Session;
use crate::sink::Sink;
use crate::surface::Endpoint;

/// What sends the requests of a run.
pub(crate) fn connect(plan: &Plan, target: &Target) -> ScopedClient {
    ScopedClient::new(target, Guard::new(&plan.surface))
}

/// Signs everybody in.
pub(crate) async fn open(plan: &Plan, client: ScopedClient) -> Result<Context<'_>, RunError> {
    let mut sessions = Vec::new();
    for identity in &plan.identities {
        sessions.push(Session::open(&client, identity, false).await?);
    }
    for session in &sessions {
        client.guard().protect(session.names(), &session.fields());
    }
    let sink = Sink::open().await.map_err(|error| RunError::Sink(error.to_string()))?;
    Ok(Context::new(plan, client, sessions, sink))
}

/// What is known of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// It made a difference, or at least nothing speaks against it.
    Good,
    /// A read was refused as if nobody had signed in, and none was served that needs a credential.
    Refused { operation: String, status: u16 },
}

/// Looks for a read that each identity is served and nobody in particular is not.
pub(crate) async fn controls(context: &Context<'_>) -> Result<Vec<Control>, SendError> {
    let mut reads: Vec<&Endpoint> = context.surface().endpoints.iter().filter(|one| is_plain_read(one)).collect();
    // What asks for a credential tells most, and most of all what has no role.
    reads.sort_by_key(|endpoint| (endpoint.is_public, !endpoint.roles.is_empty()));
    let mut controls = Vec::new();
    for at in 0..context.sessions.len() {
        let mut control = Control::Good;
        for endpoint in reads.iter().take(MAXIMUM_READS) {
            let answer = read(context, endpoint, Some(at)).await?;
            if answer.is_success() && !read(context, endpoint, None).await?.is_success() {
                control = Control::Good;
                break;
            }
            if answer.meaning() == StatusCode::UNAUTHORIZED && !endpoint.is_public {
                control = Control::Refused { operation: endpoint.id.clone(), status: answer.meaning().as_u16() };
            }
        }
        controls.push(control);
    }
    Ok(controls)
}

/// Fails for an identity that the preflight has doubts about, unless legitimate use has dispelled them.
pub(crate) async fn confirm(context: &Context<'_>, controls: Vec<Control>) -> Result<(), RunError> {
    for (at, control) in controls.into_iter().enumerate() {
        let Control::Refused { operation, status } = control else { continue };
        let mut is_good = false;
        let served: Vec<_> = context.memory.served.iter().filter(|served| served.session == Some(at)).collect();
        for served in served.into_iter().take(MAXIMUM_READS) {
            let Some(endpoint) = context.surface().endpoint(&served.endpoint).filter(|one| one.is_read()) else {
                continue;
            };
            let anonymous = context.client.send(&context.call(endpoint, &served.values, None, None)).await?;
            is_good |= !anonymous.is_success();
        }
        if !is_good && !own_read(context, at).await? {
            let identity = context.name(Some(at)).to_owned();
            return Err(RunError::Refused { identity, operation, status });
        }
    }
    Ok(())
}

/// Whether an identity is served a read with a parameter that nobody in particular is not.
async fn own_read(context: &Context<'_>, session: usize) -> Result<bool, SendError> {
    let reads = context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_public && !one.is_limited());
    for endpoint in reads.take(MAXIMUM_READS) {
        for values in context.values_of(endpoint, session) {
            let call = |session| context.call(endpoint, &values, None, session);
            if context.client.send(&call(Some(session))).await?.is_success()
                && !context.client.send(&call(None)).await?.is_success()
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn read(context: &Context<'_>, endpoint: &Endpoint, session: Option<usize>) -> Result<Answer, SendError> {
    let values = context.surface().sample_values(endpoint);
    match context.client.send(&context.call(endpoint, &values, None, session)).await {
        // One operation that does not answer is no reason not to test the others.
        Err(error @ (SendError::Timeout(_) | SendError::Unreachable(_))) if context.client.has_heard() => {
            Ok(Answer::withheld(&error.to_string()))
        }
        other => other,
    }
}

fn is_plain_read(endpoint: &Endpoint) -> bool {
    endpoint.is_read() && endpoint.path_parameters().next().is_none() && !endpoint.is_limited()
}

const MAXIMUM_READS: usize = 8;
