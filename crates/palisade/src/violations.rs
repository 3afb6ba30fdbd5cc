//! What is wrong with an input, as the refusal that tells all of it: for the contract of a file and for that of a type.

use palisade_contract::{Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;

/// The refusal of parameters.
pub(crate) fn of_parameters(violations: &[Violation], stage: StageId) -> Denial {
    let code = match has(violations, ViolationCode::DestinationForbidden) {
        true => DenialCode::DestinationForbidden,
        false => DenialCode::ParameterInvalid,
    };
    denial(code, violations, stage)
}

/// The refusal of a body.
pub(crate) fn of_payload(violations: &[Violation], stage: StageId) -> Denial {
    let code = if has(violations, ViolationCode::MediaType) {
        DenialCode::MediaTypeUndeclared
    } else if has(violations, ViolationCode::DestinationForbidden) {
        DenialCode::DestinationForbidden
    } else {
        DenialCode::PayloadInvalid
    };
    denial(code, violations, stage)
}

fn has(violations: &[Violation], code: ViolationCode) -> bool {
    violations.iter().any(|violation| violation.code == code)
}

fn denial(code: DenialCode, violations: &[Violation], stage: StageId) -> Denial {
    // The caller hears of the first few; a body of a thousand wrong items need not have an answer of a thousand lines.
    let told = violations.iter().take(20);
    let public = told.map(|v| PublicViolation { pointer: v.pointer.clone(), detail: v.message.clone() }).collect();
    let denial = Denial::new(code, stage).telling(PublicDetail::Violations(public));
    violations.iter().take(5).fold(denial, |denial, violation| {
        denial.because("violation", format!("{} {}: {}", violation.pointer, violation.code.as_str(), violation.message))
    })
}
