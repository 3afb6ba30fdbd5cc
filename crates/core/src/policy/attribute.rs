//! What must be true of the principal itself: that there is one.

use crate::decision::Reason;
use crate::operation::{AccessRule, Audience};
use crate::principal::Principal;

/// That nobody is signed in where somebody must be. A public operation with scopes or roles still needs them, so that
/// a rule cannot be switched off by another.
pub(super) fn audience(principal: &Principal, access: &AccessRule) -> Option<Reason> {
    let restricted = access.audience == Audience::Authenticated
        || !access.scopes.is_empty()
        || !access.roles.is_empty()
        || !access.owner.request.is_empty()
        || !access.owner.response.is_empty();
    (restricted && principal.is_anonymous()).then_some(Reason::Anonymous)
}
