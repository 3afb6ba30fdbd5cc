//! Business flow: whether somebody can do more often what the contract limits.

use async_trait::async_trait;
use palisade_core::operation::LimitBy;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;

/// The probe.
#[derive(Debug)]
pub(crate) struct Flow;

#[async_trait]
impl Probe for Flow {
    fn id(&self) -> &'static str {
        "business-flow"
    }

    fn row(&self) -> Row {
        Row::BusinessFlow
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let limits = plan.surface.endpoints.iter().filter_map(allowed);
        count(limits.map(|requests| requests + BEYOND).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let may = |endpoint: &&Endpoint| context.plan.mode > Mode::Safe || endpoint.is_read();
        for endpoint in context.surface().endpoints.iter().filter(may) {
            if let Some(requests) = allowed(endpoint) {
                repeat(context, docket, endpoint, requests).await?;
            }
        }
        Ok(())
    }
}

/// How often each principal may call the operation, when that is few enough to try.
fn allowed(endpoint: &Endpoint) -> Option<usize> {
    let limit = endpoint.limit_by(LimitBy::Principal)?;
    usize::try_from(limit.requests).ok().filter(|requests| *requests <= MAXIMUM)
}

async fn repeat(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    requests: usize,
) -> Result<(), SendError> {
    // Somebody whose budget is untouched, so that the first call is a control.
    let is_used = |session: &usize| context.memory.served(&endpoint.id).any(|served| served.session == Some(*session));
    let eligible = context.eligible(endpoint);
    let Some(session) = eligible.iter().find(|session| !is_used(session)).or(eligible.first()).copied() else {
        docket.skip(format!("no identity may call `{}`", endpoint.id));
        return Ok(());
    };
    let values = context.values_of(endpoint, session).into_iter().next().unwrap_or_default();
    let call = context.call(endpoint, &values, context.surface().sample_body(endpoint), Some(session));
    let site = Site { operation: &endpoint.id, insertion: "flow" };
    let mut trail = Trail::default();
    for number in 1..=requests + BEYOND {
        let label = if number <= requests { Label::Control } else { Label::Attack };
        let answer = context.send(&mut trail, label, &call).await?;
        if answer.is_success() {
            continue;
        }
        if number == 1 {
            docket.skip(format!("`{}` is answered with {} the first time", endpoint.id, answer.status.as_u16()));
        } else {
            let reason = format!("call {number} is answered with {}", answer.status.as_u16());
            docket.withstand(&rule::FLOW_UNBOUNDED, site, reason, trail);
        }
        return Ok(());
    }
    let summary = format!(
        "{} calls {} times what the contract allows {requests} times",
        context.name(Some(session)),
        requests + BEYOND
    );
    docket.prove(&rule::FLOW_UNBOUNDED, site, summary, trail);
    Ok(())
}

const BEYOND: usize = 3;
const MAXIMUM: usize = 30;
