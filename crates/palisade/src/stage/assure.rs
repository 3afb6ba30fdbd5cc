//! Asks for a stronger sign-in where an operation needs one (RFC 9470).
//!
//! 1. An operation may name an authenticator assurance level (`x-palisade.level`, NIST SP 800-63B-4).
//! 2. A principal that has reached less is refused, with a challenge that names the level, so that its client can sign
//!    in again with another factor.
//! 3. Somebody who is anonymous is not asked to be stronger but to sign in, which the policy does.

use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::principal::ScopeSet;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};

/// The stage. The level comes from the operation.
///
/// ```
/// use palisade::core::{operation::AccessRule, principal::Level};
///
/// // A rule that it enforces: paying needs two factors.
/// let two_factors = AccessRule { level: Level::Aal2, ..AccessRule::default() };
/// let preset = palisade::Chain::api().rule("POST /payments", two_factors, Vec::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Assure;

impl Stage for Assure {
    fn id(&self) -> StageId {
        StageId::Assure
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        Verdict::from(verify(head))
    }
}

fn verify(head: &Head) -> Result<(), Denial> {
    let Some(found) = &head.facts.operation else { return Ok(()) };
    let needed = found.operation.access.level;
    let principal = &head.facts.principal;
    if principal.is_anonymous() || principal.assurance().level >= needed {
        return Ok(());
    }
    Err(Denial::new(DenialCode::AssuranceInsufficient, StageId::Assure)
        .because("needed", needed.as_str())
        .because("reached", principal.assurance().level.as_str())
        .challenging(Challenge::Bearer {
            error: Some("insufficient_user_authentication"),
            scope: ScopeSet::default(),
            level: needed,
        }))
}

#[cfg(test)]
mod tests {
    use palisade_core::operation::AccessRule;
    use palisade_core::principal::Level;

    use super::*;
    use crate::testing::{assert_stage, head, operation, refusal, user};

    #[test]
    fn asks_for_the_level_of_the_operation() {
        for (needed, signed_in, expect) in [
            (Level::None, true, None),
            (Level::Aal1, true, None),
            (Level::Aal2, true, Some(DenialCode::AssuranceInsufficient)),
            (Level::Aal2, false, None),
        ] {
            let mut head = head("GET /");
            head.facts.operation = Some(operation(AccessRule { level: needed, ..AccessRule::default() }));
            if signed_in {
                head.facts.principal = user("u-1");
            }
            assert_eq!(refusal(&Assure, &mut head), expect, "{needed:?}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Assure);
    }
}
