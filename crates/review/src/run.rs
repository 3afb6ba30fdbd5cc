//! A run carries a plan out: preflight, legitimate use, the probes, and what destroys last.

use http::StatusCode;

use crate::context::Context;
use crate::docket::Docket;
use crate::exchange::Answer;
use crate::infer;
use crate::legitimate::{Part, look_around, visit};
use crate::plan::Plan;
use crate::probe;
use crate::progress::{Progress, ProgressEvent};
use crate::report::{OperationReach, Report};
use crate::scope::{ScopedClient, SendError, Target};
use crate::session::Session;
use crate::sink::Sink;
use crate::surface::Surface;

/// Attacks a target as a plan says.
///
/// # Errors
///
/// When the preflight fails: an identity cannot sign in or is served nothing, or nobody in particular is served
/// everything. A run that tested nothing must not look clean.
pub async fn run(plan: &Plan, target: Target, progress: &dyn Progress) -> Result<Report, RunError> {
    let (placed, learned);
    let mut context = preflight(plan, &target).await?;
    placed = place(&context).await?;
    context.surface = placed.as_ref().unwrap_or(context.surface);
    let mut operations = visit(&mut context, Part::Gentle).await?;
    look_around(&mut context).await?;
    learned = infer::learned(&mut context);
    context.surface = &learned;
    check_controls(&context).await?;
    let identities = context.sessions.len();
    progress.event(ProgressEvent::PreflightDone { identities, operations: plan.surface.endpoints.len() });

    let mut rows = Vec::new();
    for probe in probe::all() {
        let (id, row) = (probe.id(), probe.row());
        progress.event(ProgressEvent::ProbeStarted { probe: id, row });
        let mut docket = Docket::default();
        if let Err(error) = probe.run(&context, &mut docket).await {
            docket.skip(error.to_string());
        }
        let result = docket.close(id, row);
        let requests = context.client.sent();
        progress.event(ProgressEvent::ProbeFinished { probe: id, row, verdict: &result.verdict, requests });
        rows.push(result);
    }
    // A target that broke under the probes is a result, too; what was proved before stays proved.
    operations.extend(visit(&mut context, Part::Destructive).await.unwrap_or_default());
    rows.sort_by_key(|result| result.row);
    Ok(Report { rows, requests: context.client.sent(), operations })
}

/// Makes one legitimate request of every operation by somebody who may, deletions last.
///
/// # Errors
///
/// When an identity cannot sign in, or the target does not answer.
pub async fn legitimate(plan: &Plan, target: Target) -> Result<Vec<OperationReach>, RunError> {
    let mut context = preflight(plan, &target).await?;
    let mut operations = visit(&mut context, Part::Gentle).await?;
    look_around(&mut context).await?;
    operations.extend(visit(&mut context, Part::Destructive).await?);
    Ok(operations)
}

async fn preflight<'r>(plan: &'r Plan, target: &Target) -> Result<Context<'r>, RunError> {
    let client = ScopedClient::new(target);
    let mut sessions = Vec::new();
    for identity in &plan.identities {
        sessions.push(Session::open(&client, identity).await?);
    }
    let sink = Sink::open().await.map_err(|error| RunError::Sink(error.to_string()))?;
    Ok(Context::new(plan, client, sessions, sink))
}

/// The operations below the path of the contract's server, when they are there and not below the base URL alone.
async fn place(context: &Context<'_>) -> Result<Option<Surface>, SendError> {
    let Some(base) = &context.surface().base else { return Ok(None) };
    if context.client.base().ends_with(base.as_str()) {
        return Ok(None);
    }
    let below = context.surface().below(base);
    let reads = context.surface().endpoints.iter().zip(&below.endpoints);
    let plain = reads.filter(|(one, _)| one.is_read() && one.path_parameters().next().is_none() && !one.is_limited());
    for (bare, placed) in plain.take(MAXIMUM_PLACES) {
        let values = context.surface().sample_values(bare);
        let is_there = |status: StatusCode| status != StatusCode::NOT_FOUND;
        if is_there(context.client.send(&context.call(bare, &values, None, Some(0))).await?.status) {
            return Ok(None);
        }
        if is_there(context.client.send(&context.call(placed, &values, None, Some(0))).await?.status) {
            return Ok(Some(below));
        }
    }
    Ok(None)
}

/// Every identity is served something that nobody in particular is refused.
async fn check_controls(context: &Context<'_>) -> Result<(), RunError> {
    let mut is_closed = false;
    for (at, session) in context.sessions.iter().enumerate() {
        // What nobody else is served tells more than what is public.
        let is_telling = |id: &str| context.surface().endpoint(id).is_some_and(|one| one.is_read() && !one.is_public);
        let served = context.memory.served.iter().filter(|served| served.session == Some(at));
        let control = match served.min_by_key(|served| !is_telling(&served.endpoint)) {
            Some(control) => Some((control.endpoint.clone(), control.values.clone())),
            None => own_control(context, at).await?,
        };
        let Some((endpoint, values)) = control else {
            return Err(RunError::NothingServed(session.name.clone()));
        };
        if !is_closed && let Some(endpoint) = context.surface().endpoint(&endpoint).filter(|one| one.is_read()) {
            let anonymous = context.client.send(&context.call(endpoint, &values, None, None)).await?;
            is_closed = !anonymous.is_success();
        }
    }
    if is_closed { Ok(()) } else { Err(RunError::AnonymousServed) }
}

/// A read that an identity is served, for one that legitimate use did not need.
async fn own_control(
    context: &Context<'_>,
    session: usize,
) -> Result<Option<(String, crate::surface::Values)>, SendError> {
    for endpoint in
        context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_public && !one.is_limited())
    {
        for values in context.values_of(endpoint, session) {
            if context.client.send(&context.call(endpoint, &values, None, Some(session))).await?.is_success() {
                return Ok(Some((endpoint.id.clone(), values)));
            }
        }
    }
    Ok(None)
}

const MAXIMUM_PLACES: usize = 3;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Whatever an identity is served, nobody in particular is served as well, so that no attack can be told from use.
    #[error("every operation tried is served without a credential, so identities make no difference")]
    AnonymousServed,
    /// An identity could not sign in.
    #[error("`{identity}` could not sign in: the answer was {status}")]
    Login {
        /// Who.
        identity: String,
        /// The answer's status.
        status: u16,
    },
    /// An identity is served nothing that needs a credential.
    #[error("`{0}` signed in, and was served nothing that needs a credential")]
    NothingServed(String),
    /// The target did not answer, or the scope ended the run.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No port for the reviewer's own server.
    #[error("no loopback port could be opened: {0}")]
    Sink(String),
}

impl RunError {
    pub(crate) fn login(identity: &str, answer: &Answer) -> Self {
        Self::Login { identity: identity.to_owned(), status: answer.status.as_u16() }
    }
}
