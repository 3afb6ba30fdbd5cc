//! A run carries a plan out: preflight, legitimate use, the probes, and what destroys last.

use async_trait::async_trait;
use http::{Method, StatusCode, Uri};

use crate::context::Context;
use crate::creation::with_accounts;
use crate::docket::Docket;
use crate::ending::{Coverage, Ending};
use crate::exchange::{Answer, Call};
use crate::identity::Identity;
use crate::infer;
use crate::legitimate::{Part, look_around, visit};
use crate::plan::{Mode, Plan};
use crate::preflight;
use crate::probe::{self, Probe};
use crate::progress::{Progress, ProgressEvent};
use crate::report::{OperationReach, Report, RowResult};
use crate::scope::{SendError, Target, Trust, is_dangerous, is_reset, one_off};
use crate::session::sign_in;
use crate::surface::{Endpoint, Surface};
use crate::throwaway;

/// Puts the target back to what it was, before and after what destroys.
#[async_trait]
pub trait Reset: Send + Sync {
    /// Does it, and returns when it is done.
    async fn reset(&self) -> Result<(), String>;
}

/// A URL that resets the target when something is posted to it.
#[derive(Clone, Debug)]
pub struct ResetUrl {
    /// The URL. It is the user's own word, so that it may be another port than the target's.
    pub url: Uri,
    /// Who must vouch for it in TLS.
    pub trust: Trust,
}

#[async_trait]
impl Reset for ResetUrl {
    async fn reset(&self) -> Result<(), String> {
        one_off(Method::POST, &self.url, &self.trust).await.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Attacks a target as a plan says.
///
/// # Errors
///
/// When the preflight fails: an identity cannot sign in or is refused everywhere, or nothing at all is served. A run
/// that tested nothing must not look clean.
pub async fn run(plan: &Plan, target: Target, progress: &dyn Progress) -> Result<Report, RunError> {
    run_with_reset(plan, target, progress, None).await
}

/// The same, and resets the target before and after what destroys.
///
/// # Errors
///
/// As for [`run`], and when the target cannot be reset.
pub async fn run_with_reset(
    plan: &Plan,
    target: Target,
    progress: &dyn Progress,
    reset: Option<&dyn Reset>,
) -> Result<Report, RunError> {
    let mut ending = Ending::default();
    let uncovered = |endpoint: &Endpoint| Coverage { operation: endpoint.id.clone(), ..Coverage::default() };
    ending.coverage = plan.surface.endpoints.iter().map(uncovered).collect();
    let (placed, learned);
    let client = preflight::connect(plan, &target);
    let plan = with_accounts(plan, &client).await?;
    let plan = plan.as_ref();
    let mut context = preflight::open(plan, client).await?;
    ending.seed = Some(context.seed);
    placed = place(&context).await?;
    context.surface = placed.as_ref().unwrap_or(context.surface);
    let controls = preflight::controls(&context).await?;
    context.client.be_lenient(true);
    add_throwaways(&mut context, &mut ending).await?;
    let mut operations = visit(&mut context, Part::Gentle).await?;
    look_around(&mut context).await?;
    learned = infer::learned(&mut context);
    context.surface = &learned;
    context.client.be_lenient(false);
    preflight::confirm(&context, controls).await?;
    if let Some(best) = nothing_served(&operations) {
        return Err(best);
    }
    let identities = context.sessions.len();
    progress.event(ProgressEvent::PreflightDone { identities, operations: plan.surface.endpoints.len() });

    let mut rows = Vec::new();
    for probe in probe::all() {
        rows.push(attack(&mut context, probe, progress, &mut ending).await);
    }
    restore(reset, plan.mode, &mut ending).await;
    if ending.incomplete.is_none() {
        context.client.be_lenient(true);
        // A target that broke under the probes is a result, too; what was proved before stays proved.
        operations.extend(visit(&mut context, Part::Destructive).await.unwrap_or_default());
    }
    restore(reset, plan.mode, &mut ending).await;
    take_leave(&context, &mut ending).await;
    explain(plan, &operations, &mut ending);
    rows.sort_by_key(|result| result.row);
    Ok(Report { rows, requests: context.client.sent(), operations, ending })
}

/// Makes one legitimate request of every operation by somebody who may, deletions last.
///
/// # Errors
///
/// When an identity cannot sign in, or the target does not answer.
pub async fn legitimate(plan: &Plan, target: Target) -> Result<Vec<OperationReach>, RunError> {
    let client = preflight::connect(plan, &target);
    let plan = with_accounts(plan, &client).await?;
    let mut context = preflight::open(plan.as_ref(), client).await?;
    let mut operations = visit(&mut context, Part::Gentle).await?;
    look_around(&mut context).await?;
    operations.extend(visit(&mut context, Part::Destructive).await?);
    Ok(operations)
}

/// Makes accounts of our own: for a full run, because it may spoil them; else to have two of a kind, and where there is
/// something that the given ones are spared from.
async fn add_throwaways(context: &mut Context<'_>, ending: &mut Ending) -> Result<(), RunError> {
    let has_pair = context
        .sessions
        .iter()
        .enumerate()
        .any(|(at, one)| context.sessions.iter().skip(at + 1).any(|other| one.roles == other.roles));
    let wanted = match context.plan.mode {
        Mode::Safe => 0,
        Mode::Active if has_pair && !context.surface().endpoints.iter().any(is_dangerous) => 0,
        Mode::Active => 2,
        Mode::Full => 2,
    };
    for number in 1..=wanted {
        let Some(session) = throwaway::make(context, number).await? else { break };
        context.sessions.push(session);
        ending.throwaways += 1;
    }
    Ok(())
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
        if is_there(context.client.send(&context.call(bare, &values, None, Some(0))).await?.meaning()) {
            return Ok(None);
        }
        if is_there(context.client.send(&context.call(placed, &values, None, Some(0))).await?.meaning()) {
            return Ok(Some(below));
        }
    }
    Ok(None)
}

async fn attack(
    context: &mut Context<'_>,
    probe: &dyn Probe,
    progress: &dyn Progress,
    ending: &mut Ending,
) -> RowResult {
    let (id, row) = (probe.id(), probe.row());
    progress.event(ProgressEvent::ProbeStarted { probe: id, row });
    let mut docket = Docket::default();
    match &ending.incomplete {
        Some(why) => docket.skip(why.clone()),
        None => {
            if let Err(error) = persist(context, probe, &mut docket).await {
                docket.skip(error.to_string());
                if is_final(context, &error) {
                    ending.incomplete.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }
    // Credentials may have been renewed under way.
    context.sessions = context.sessions.iter().map(crate::session::Session::refreshed).collect();
    let lost = context.sessions.iter().find(|session| session.keeper().is_lost());
    if let Some(session) = lost.filter(|session| !session.is_throwaway()) {
        let why = format!("the credential of `{}` expired, and it could not sign in again", session.name);
        ending.incomplete.get_or_insert(why);
        if !ending.locked_out.contains(&session.name) {
            ending.locked_out.push(session.name.clone());
        }
    }
    for coverage in ending.coverage.iter_mut().filter(|one| docket.tested().contains(&one.operation)) {
        coverage.tested_by.push(id);
    }
    let result = docket.close(id, row);
    let requests = context.client.sent();
    progress.event(ProgressEvent::ProbeFinished { probe: id, row, verdict: &result.verdict, requests });
    result
}

/// Runs a probe again when an operation did not answer: the guard gives that operation up, and the others are tested.
async fn persist(context: &Context<'_>, probe: &dyn Probe, docket: &mut Docket) -> Result<(), SendError> {
    let mut tries = 0;
    loop {
        match probe.run(context, docket).await {
            Err(SendError::Timeout(_) | SendError::Unreachable(_)) if tries < MAXIMUM_TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Whether nothing more can be sent after an error.
fn is_final(context: &Context<'_>, error: &SendError) -> bool {
    match error {
        SendError::Budget(_) | SendError::Stopped(_) => true,
        SendError::Unreachable(_) => context.client.is_gone(),
        SendError::Malformed(_) | SendError::OutOfScope(_) | SendError::Timeout(_) => false,
    }
}

async fn restore(reset: Option<&dyn Reset>, mode: Mode, ending: &mut Ending) {
    let Some(reset) = reset.filter(|_| mode > Mode::Safe) else { return };
    if let Err(error) = reset.reset().await {
        ending.notes.push(format!("the target could not be reset: {error}"));
    }
}

/// Looks whether every given identity can still sign in, and says what was given up.
async fn take_leave(context: &Context<'_>, ending: &mut Ending) {
    ending.given_up = context.client.guard().given_up();
    let is_over = ending.incomplete.is_some() || context.plan.mode == Mode::Safe;
    for identity in context.plan.identities.iter().filter(|one| one.login.is_renewable() && !is_over) {
        match sign_in(&context.client, identity).await {
            Ok(_) => {}
            Err(RunError::Login { status, .. }) if status != LIMITED && !ending.locked_out.contains(&identity.name) => {
                ending.locked_out.push(identity.name.clone());
            }
            Err(error) => ending.notes.push(format!("whether `{}` can sign in is not known: {error}", identity.name)),
        }
    }
}

/// Says of each operation that nothing was tried on why not.
fn explain(plan: &Plan, operations: &[OperationReach], ending: &mut Ending) {
    let given_up = ending.given_up.clone();
    let is_safe = plan.mode == Mode::Safe;
    for (coverage, endpoint) in ending.coverage.iter_mut().zip(&plan.surface.endpoints) {
        if !coverage.tested_by.is_empty() {
            continue;
        }
        let reach = operations.iter().find(|reach| reach.id == coverage.operation);
        let why = match reach {
            _ if given_up.contains(&coverage.operation) => "it did not answer, and was left alone".to_owned(),
            _ if is_reset(endpoint) => "it could reset the target, and with it what is tested".to_owned(),
            _ if is_dangerous(endpoint) && ending.throwaways == 0 => {
                "it could lock a given identity out, and no throw-away account could be made".to_owned()
            }
            None if is_safe => "it writes, and a safe run only reads: `--mode active` tests it".to_owned(),
            None => "the run ended before its turn".to_owned(),
            Some(reach) if reach.reached_2xx => "no probe applies to it".to_owned(),
            Some(reach) if reach.status == 0 => "no identity may call it".to_owned(),
            Some(reach) if is_safe && reach.status == 404 && endpoint.path_parameters().next().is_some() => {
                "there was nothing of its kind to read, and a safe run makes nothing: `--mode active` does".to_owned()
            }
            Some(reach) => format!("nobody was served; the last answer was {}", reach.status),
        };
        coverage.why_not = Some(why);
    }
}

/// Why nothing can be tested, when nothing was served.
fn nothing_served(operations: &[OperationReach]) -> Option<RunError> {
    if operations.iter().any(|reach| reach.reached_2xx) {
        return None;
    }
    let best = operations.iter().filter(|reach| reach.status > 0).min_by_key(|reach| reach.status)?;
    Some(RunError::NothingServed { operation: best.id.clone(), status: best.status })
}

const MAXIMUM_PLACES: usize = 3;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No account could be made for an identity that has none.
    #[error("no account could be made for `{identity}`: {request} was answered with {status}")]
    Account {
        /// Who.
        identity: String,
        /// The method and the path.
        request: String,
        /// The answer's status.
        status: u16,
    },
    /// An identity could not sign in.
    #[error("`{identity}` could not sign in: {request} was answered with {status}{detail}")]
    Login {
        /// Who.
        identity: String,
        /// The method and the path.
        request: String,
        /// The answer's status.
        status: u16,
        /// What was missing in the answer.
        detail: String,
    },
    /// No operation at all was served to anybody.
    #[error("no operation was served to anybody; the best answer was {status}, of `{operation}`")]
    NothingServed {
        /// The operation with the best answer.
        operation: String,
        /// Its status.
        status: u16,
    },
    /// An identity's credential makes no difference.
    #[error("`{identity}` is refused as if it had not signed in: `{operation}` is answered with {status}")]
    Refused {
        /// Who.
        identity: String,
        /// An operation that needs a credential.
        operation: String,
        /// The answer's status.
        status: u16,
    },
    /// The target did not answer, or the scope ended the run.
    #[error(transparent)]
    Send(#[from] SendError),
    /// No port for the reviewer's own server.
    #[error("no loopback port could be opened: {0}")]
    Sink(String),
}

impl RunError {
    pub(crate) fn login(identity: &Identity, call: &Call, answer: &Answer, missing: &str) -> Self {
        let detail = match (answer.is_success(), missing) {
            (_, "") | (false, _) => String::new(),
            (true, missing) => format!(", with {missing}"),
        };
        let request = format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default());
        Self::Login { identity: identity.name.clone(), request, status: answer.meaning().as_u16(), detail }
    }
}

const MAXIMUM_TRIES: usize = 6;
/// Too many sign-ins: that says nothing about the account.
const LIMITED: u16 = 429;
