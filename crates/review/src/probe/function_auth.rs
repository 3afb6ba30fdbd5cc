//! Function authorization: whether an operation for one role serves somebody without it.

use async_trait::async_trait;
use http::Method;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::memory::likeness;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;

/// The probe.
#[derive(Debug)]
pub(crate) struct FunctionAuth;

#[async_trait]
impl Probe for FunctionAuth {
    fn id(&self) -> &'static str {
        "function-authorization"
    }

    fn row(&self) -> Row {
        Row::FunctionAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|endpoint| !endpoint.roles.is_empty()).count() * 3)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let privileged = || context.surface().endpoints.iter().filter(|one| !one.roles.is_empty() && !one.is_limited());
        for endpoint in privileged().filter(|endpoint| endpoint.is_read()) {
            call(context, docket, endpoint).await?;
        }
        // What deletes is left alone: it cannot be tried twice, and not be put back.
        if context.plan.mode == Mode::Full {
            for endpoint in privileged().filter(|one| !one.is_read() && one.method != Method::DELETE) {
                call(context, docket, endpoint).await?;
            }
        }
        Ok(())
    }
}

async fn call(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let stranger = context.sessions.iter().position(|session| !session.has_any(&endpoint.roles));
    let Some((holder, stranger)) = context.eligible(endpoint).first().copied().zip(stranger) else {
        docket.skip(format!("`{}` needs an identity with one of its roles, and one without", endpoint.id));
        return Ok(());
    };
    let values = context.surface().sample_values(endpoint);
    let body = context.surface().sample_body(endpoint);
    let as_session = |session| context.call(endpoint, &values, body.clone(), session);
    let mut trail = Trail::default();
    let control = context.send(&mut trail, Label::Control, &as_session(Some(holder))).await?;
    let anonymous = context.send(&mut trail, Label::Control, &as_session(None)).await?;
    if !control.is_success() || anonymous.is_success() {
        docket.skip(format!("`{}` does not tell its role from nobody", endpoint.id));
        return Ok(());
    }
    let answer = context.send(&mut trail, Label::Attack, &as_session(Some(stranger))).await?;
    let is_alike = match (control.json(), answer.json()) {
        // A counter that every call moves is the one difference that a change makes.
        (Some(own), Some(foreign)) => likeness(own, foreign) >= ALIKE,
        _ => control.text == answer.text,
    };
    let site = Site { operation: &endpoint.id, insertion: "header/authorization" };
    if answer.is_success() && is_alike {
        let roles = endpoint.roles.join("` or `");
        let summary = format!("{} is served what needs the role `{roles}`", context.name(Some(stranger)));
        docket.prove(&rule::FUNCTION_EXPOSED, site, summary, trail);
    } else {
        let reason = format!("somebody without the role is answered with {}", answer.status.as_u16());
        docket.withstand(&rule::FUNCTION_EXPOSED, site, reason, trail);
    }
    Ok(())
}

const ALIKE: usize = 60;
