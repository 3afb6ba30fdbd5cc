//! Asks for a stronger or a fresher sign-in where an operation needs one (RFC 9470).
//!
//! 1. An operation may name an authenticator assurance level (`x-palisade.level`, NIST SP 800-63B-4) and how long ago
//!    the sign-in may be (`x-palisade.max_age`).
//! 2. A principal that has reached less, or has signed in longer ago, is refused, with a challenge that names both, so
//!    that its client can let the user sign in again as the operation needs it.
//! 3. A principal of whom nobody knows when it signed in is refused where that matters: an API key, or a token without
//!    `auth_time`. When a token was issued says nothing, because it is made anew without the user.
//! 4. Somebody who is anonymous is not asked to be stronger but to sign in, which the policy does.
//!
//! Who somebody is, whether a token is bound to a key and whether it was revoked was asked before, about the credential
//! alone; what is asked here depends on the operation.

use std::fmt;
use std::sync::Arc;

use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::port::Clock;
use palisade_core::principal::ScopeSet;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};

/// The stage. Level and age come from the operation.
///
/// ```
/// use palisade::core::{operation::AccessRule, principal::Level};
///
/// // A rule that it enforces: paying needs two factors.
/// let two_factors = AccessRule { level: Level::Aal2, ..AccessRule::default() };
/// let preset = palisade::Chain::api().rule("POST /payments", two_factors, Vec::new());
/// ```
#[derive(Clone)]
pub struct Assure {
    clock: Arc<dyn Clock>,
}

impl Assure {
    /// The stage, with the clock that says how long ago a sign-in is.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    fn verify(&self, head: &Head) -> Result<(), Denial> {
        let Some(found) = &head.facts.operation else { return Ok(()) };
        let (needed, max_age) = (found.operation.access.level, found.operation.access.max_age);
        let principal = &head.facts.principal;
        let assurance = principal.assurance();
        let stale = max_age.is_some_and(|max_age| self.clock.now() > assurance.at.plus(max_age));
        if principal.is_anonymous() || (assurance.level >= needed && !stale) {
            return Ok(());
        }
        Err(Denial::new(DenialCode::AssuranceInsufficient, StageId::Assure)
            .because("reason", if stale { "sign_in_too_old" } else { "level_too_low" })
            .because("needed", needed.as_str())
            .because("reached", assurance.level.as_str())
            .challenging(Challenge::Bearer {
                error: Some("insufficient_user_authentication"),
                scope: ScopeSet::default(),
                level: needed,
                max_age,
            }))
    }
}

impl fmt::Debug for Assure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assure")
    }
}

impl Stage for Assure {
    fn id(&self) -> StageId {
        StageId::Assure
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        Verdict::from(self.verify(head))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use palisade_core::id::UserId;
    use palisade_core::operation::AccessRule;
    use palisade_core::principal::{Assurance, Level, Principal, Subject};
    use palisade_core::time::Timestamp;

    use super::*;
    use crate::testing::{FixedClock, assert_stage, head, operation, refusal};

    const NOW: u64 = 1_795_305_600;

    fn stage() -> Assure {
        Assure::new(Arc::new(FixedClock(NOW * 1000)))
    }

    #[test]
    fn asks_for_the_level_and_the_age_of_the_operation() {
        let insufficient = Some(DenialCode::AssuranceInsufficient);
        for (needed, max_age, signed_in, expect) in [
            (Level::None, None, Some(NOW), None),
            (Level::Aal1, None, Some(0), None),
            (Level::Aal2, None, Some(NOW), insufficient),
            (Level::Aal2, None, None, None),
            (Level::None, Some(300), Some(NOW - 300), None),
            (Level::None, Some(300), Some(NOW - 301), insufficient),
            // When somebody signed in is not known: an API key, or a token without `auth_time`.
            (Level::None, Some(300), Some(0), insufficient),
            (Level::None, Some(300), None, None),
        ] {
            let mut head = head("GET /");
            let max_age = max_age.map(Duration::from_secs);
            head.facts.operation = Some(operation(AccessRule { level: needed, max_age, ..AccessRule::default() }));
            if let Some(secs) = signed_in {
                let assurance = Assurance::new(Level::Aal1, Timestamp::from_secs(secs));
                head.facts.principal = Principal::establish(Subject::User(UserId::new("u-1")), assurance);
            }
            assert_eq!(refusal(&stage(), &mut head), expect, "{needed:?} {max_age:?} {signed_in:?}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&stage());
    }
}
