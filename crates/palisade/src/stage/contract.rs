//! Lets through only what the contract declares: parameters, media type and payload.
//!
//! 1. Every declared parameter is checked against its schema; one that is missing, repeated or undeclared is refused.
//! 2. A body is read whole if its type is one that can be checked, and checked against its schema. Properties that the
//!    contract does not declare are refused, which ends mass assignment.
//! 3. URL-valued properties may not point into private networks, nor outside their declared destinations.
//! 4. All violations are told at once, each with its place, never with its value.
//! 5. The backend gets the bytes that were checked.

use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use palisade_contract::{BodyRule, Handling, Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};

/// The stage. Its rules come from the contract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contract;

impl Stage for Contract {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = check(head, body).await?;
            next.run(head, body).await
        })
    }
}

async fn check(head: &mut Head, body: Body) -> Result<Body, Denial> {
    let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.clone()) else { return Ok(body) };
    let (operation, parts) = (found.operation, &head.parts);
    operation.check_parameters(&found.path, parts.uri.query(), &parts.headers).map_err(|v| {
        let destination = v.iter().any(|violation| violation.code == ViolationCode::DestinationForbidden);
        denial(if destination { DenialCode::DestinationForbidden } else { DenialCode::ParameterInvalid }, &v)
    })?;
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    let handling = match operation.request_body() {
        // A body that nobody declared is read so that it can be refused; a request without one costs nothing.
        BodyRule::None if !has_body(head, &body) => return Ok(body),
        BodyRule::None => Handling::Buffer,
        BodyRule::Optional(handling) | BodyRule::Required(handling) => handling,
    };
    if handling == Handling::Stream {
        operation.check_body(content_type.as_ref(), b"").map_err(|violations| payload_denial(&violations))?;
        return Ok(body);
    }
    let bytes = body::read(body, StageId::Contract).await?;
    let payload = operation.check_body(content_type.as_ref(), &bytes).map_err(|v| payload_denial(&v))?;
    head.facts.payload = Some(payload);
    Ok(Body::from(bytes))
}

fn has_body(head: &Head, body: &Body) -> bool {
    use http_body::Body as _;

    let declared = head.text(CONTENT_LENGTH).is_some_and(|length| length != "0");
    declared || head.parts.headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

fn payload_denial(violations: &[Violation]) -> Denial {
    let has = |code| violations.iter().any(|violation| violation.code == code);
    let code = if has(ViolationCode::MediaType) {
        DenialCode::MediaTypeUndeclared
    } else if has(ViolationCode::DestinationForbidden) {
        DenialCode::DestinationForbidden
    } else {
        DenialCode::PayloadInvalid
    };
    denial(code, violations)
}

fn denial(code: DenialCode, violations: &[Violation]) -> Denial {
    // The caller hears of the first few; a body of a thousand wrong items need not have an answer of a thousand lines.
    let told = violations.iter().take(20);
    let public = told.map(|v| PublicViolation { pointer: v.pointer.clone(), detail: v.message.clone() }).collect();
    let denial = Denial::new(code, StageId::Contract).telling(PublicDetail::Violations(public));
    violations.iter().take(5).fold(denial, |denial, violation| {
        denial.because("violation", format!("{} {}: {}", violation.pointer, violation.code.as_str(), violation.message))
    })
}
