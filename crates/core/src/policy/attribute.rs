//! What must be true of the principal itself: that there is one, and what its claims say.

use crate::decision::Reason;
use crate::operation::{AccessRule, Audience, ClaimRule};
use crate::principal::Principal;

/// That nobody is signed in where somebody must be. A public operation with any other rule still needs somebody, so
/// that a rule cannot be switched off by another.
pub(super) fn audience(principal: &Principal, access: &AccessRule) -> Option<Reason> {
    let restricted = access.audience == Audience::Authenticated
        || !access.scopes.is_empty()
        || !access.roles.is_empty()
        || !access.claims.is_empty()
        || !access.owner.request.is_empty()
        || !access.owner.response.is_empty();
    (restricted && principal.is_anonymous()).then_some(Reason::Anonymous)
}

/// The first claim that is absent or has none of the wanted values. A claim with several values meets the rule with
/// any of them, as with roles.
pub(super) fn unmet(principal: &Principal, access: &AccessRule) -> Option<Reason> {
    let met = |rule: &ClaimRule| {
        let held = principal.claim(&rule.claim).unwrap_or_default();
        held.iter().any(|value| rule.any_of.iter().any(|wanted| **wanted == **value))
    };
    let rule = access.claims.iter().find(|rule| !met(rule))?;
    Some(Reason::ClaimUnmet { claim: rule.claim.to_string() })
}
