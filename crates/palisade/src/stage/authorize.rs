//! Asks the policy whether the principal may call the operation, and turns the answer into a permit.
//!
//! 1. Without an operation there is nothing to ask about: refused.
//! 2. [`palisade_core::policy::Policy::decide`] answers; what it refuses is refused with its reason.
//! 3. What it permits gets a permit, without which no request leaves the chain, and the duties that remain: owners that
//!    the response must name.
//!
//! Rights that depend on data which only the application has are asked again there, with
//! [`palisade_core::permit::Permit`].

use std::sync::Arc;

use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::policy::{Ask, Policy};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::settings::PerRoute;

/// The stage.
///
/// ```
/// use std::sync::Arc;
/// use palisade::core::{id::PolicyVersion, policy::Policy};
/// use palisade::{Chain, settings::PerRoute, stage::authorize::Authorize};
///
/// let policy = Arc::new(Policy::new(PolicyVersion::new("2026-11")));
/// let chain = Chain::new().with(Authorize::new(policy, PerRoute::same(None)));
/// ```
#[derive(Clone, Debug)]
pub struct Authorize {
    policy: Arc<Policy>,
    /// What would help somebody without a credential, by route.
    challenges: PerRoute<Option<Challenge>>,
}

impl Authorize {
    /// Asks this policy.
    pub fn new(policy: Arc<Policy>, challenges: PerRoute<Option<Challenge>>) -> Self {
        Self { policy, challenges }
    }

    fn decide(&self, head: &mut Head) -> Result<(), Denial> {
        let Some(found) = &head.facts.operation else {
            return Err(Denial::new(DenialCode::OperationUndeclared, StageId::Authorize));
        };
        let principal = &head.facts.principal;
        let ask = Ask { principal, operation: &found.operation, parameters: &found.parameters };
        let permit = self.policy.decide(&ask).into_request_permit(principal.clone()).map_err(|denial| {
            match (denial.code(), self.challenges.of(head)) {
                (DenialCode::CredentialMissing, Some(challenge)) => denial.challenging(challenge.clone()),
                _ => denial,
            }
        })?;
        head.facts.owned = permit.obligations().owned;
        head.facts.owners = permit.obligations().owners.clone();
        head.permit = Some(permit);
        Ok(())
    }
}

impl Stage for Authorize {
    fn id(&self) -> StageId {
        StageId::Authorize
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        Verdict::from(self.decide(head))
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::id::PolicyVersion;
    use palisade_core::operation::{AccessRule, Audience};

    use super::*;
    use crate::testing::{assert_stage, head, operation, refusal, user};

    fn stage() -> Authorize {
        Authorize::new(Arc::new(Policy::new(PolicyVersion::new("test"))), PerRoute::same(None))
    }

    #[test]
    fn only_what_is_permitted_has_a_permit() {
        let public = AccessRule { audience: Audience::Public, ..AccessRule::default() };
        for (rule, signed_in, expect) in [
            (None, true, Some(DenialCode::OperationUndeclared)),
            (Some(AccessRule::default()), false, Some(DenialCode::CredentialMissing)),
            (Some(AccessRule::default()), true, None),
            (Some(public), false, None),
        ] {
            let mut head = head("GET /");
            head.facts.operation = rule.map(operation);
            if signed_in {
                head.facts.principal = user("u-1");
            }
            assert_eq!(refusal(&stage(), &mut head), expect);
            assert_eq!(head.take_permit().is_some(), expect.is_none());
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&stage());
    }
}
