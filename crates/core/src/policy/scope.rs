//! Whether a credential was issued for what is asked (RFC 6750 section 3.1).

use crate::decision::Reason;
use crate::operation::AccessRule;
use crate::principal::Principal;

/// The first scope that the operation needs and the credential lacks.
pub(super) fn missing(principal: &Principal, access: &AccessRule) -> Option<Reason> {
    let missing = principal.scopes().first_missing(&access.scopes)?;
    Some(Reason::ScopeMissing { needed: access.scopes.clone(), missing: missing.to_owned() })
}
