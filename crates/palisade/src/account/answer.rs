//! Refusals of these routes. None tells whether an account exists, or why a token is worth nothing.

use std::time::Duration;

use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;

use crate::credential::password::PasswordRefusal;

/// The refusal `code`, and why for the log.
pub(super) fn denied(code: DenialCode, reason: &'static str) -> Denial {
    Denial::new(code, StageId::Forward).because("reason", reason)
}

/// Too many passwords are being checked at once.
pub(super) fn busy(retry_after: Duration) -> Denial {
    denied(DenialCode::Overloaded, "password_hashing").retry_after(retry_after)
}

/// It was tried too often.
pub(super) fn throttled(retry_after: Duration) -> Denial {
    denied(DenialCode::Throttled, "sign_in").retry_after(retry_after)
}

/// A password that the policy does not allow; the caller is told the rule.
pub(super) fn unacceptable(rule: PasswordRefusal, pointer: &str) -> Denial {
    let violation = PublicViolation { pointer: pointer.to_owned(), detail: rule.to_string() };
    denied(DenialCode::PayloadInvalid, rule.slug()).telling(PublicDetail::Violations(vec![violation]))
}

/// What was given for a session that is not the caller's, whoever's it is.
pub(super) fn no_such_session() -> Denial {
    denied(DenialCode::ObjectUnknown, "session_unknown")
}
