//! What is wrong with an input, as the refusal that tells all of it: for the contract of a file and for that of a type.

use palisade_contract::{Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;

/// The refusal for all that is wrong; the first `in_head` of the violations are those of parameters.
pub(crate) fn of_request(violations: &[Violation], in_head: usize, stage: StageId) -> Denial {
    let has = |code| violations.iter().any(|violation| violation.code == code);
    let code = if has(ViolationCode::DestinationForbidden) {
        DenialCode::DestinationForbidden
    } else if in_head > 0 {
        DenialCode::ParameterInvalid
    } else if has(ViolationCode::MediaType) {
        DenialCode::MediaTypeUndeclared
    } else {
        DenialCode::PayloadInvalid
    };
    let told = violations.iter().take(MOST_TOLD);
    let public = told.map(|v| PublicViolation { pointer: v.pointer.clone(), detail: v.message.clone() }).collect();
    let denial = Denial::new(code, stage).telling(PublicDetail::Violations(public));
    violations.iter().take(5).fold(denial, |denial, violation| {
        denial.because("violation", format!("{} {}: {}", violation.pointer, violation.code.as_str(), violation.message))
    })
}

/// A body of a thousand wrong items need not have an answer of a thousand lines.
const MOST_TOLD: usize = 50;
