//! What was decided about a request, and why.

use crate::denial::{Challenge, Denial, DenialCode};
use crate::id::PolicyVersion;
use crate::operation::ResponseOwner;
use crate::principal::{Level, ScopeSet};
use crate::stage::StageId;

/// The answer of the policy to one question. Only [`crate::policy::Policy`] makes one.
///
/// ```
/// use palisade_core::decision::Reason;
/// use palisade_core::id::{OperationId, PolicyVersion};
/// use palisade_core::operation::{AccessRule, Lifecycle, Operation, Safety};
/// use palisade_core::policy::{Ask, Policy};
/// use palisade_core::principal::Principal;
/// # #[derive(Debug)]
/// # struct NoParameters;
/// # impl palisade_core::policy::Parameters for NoParameters {
/// #     fn text(&self, _: &str) -> Option<&str> { None }
/// # }
///
/// let operation = Operation {
///     id: OperationId::new("listNotes"),
///     safety: Safety::of(&http::Method::GET),
///     access: AccessRule::default(),
///     limits: Box::default(),
///     lifecycle: Lifecycle::Active,
/// };
/// let (policy, nobody) = (Policy::new(PolicyVersion::new("1")), Principal::anonymous());
/// let decision = policy.decide(&Ask { principal: &nobody, operation: &operation, parameters: &NoParameters });
/// assert_eq!(decision.reason(), Some(&Reason::Anonymous));
/// let denial = decision.into_request_permit(nobody).unwrap_err();
/// assert_eq!(denial.code().slug(), "credential-missing");
/// ```
#[derive(Clone, Debug)]
pub struct Decision {
    pub(crate) effect: Effect,
    pub(crate) asked: Asked,
    pub(crate) obligations: Obligations,
    pub(crate) policy: PolicyVersion,
}

impl Decision {
    /// Whether the request may go on.
    pub fn is_permit(&self) -> bool {
        matches!(self.effect, Effect::Permit)
    }

    /// Why not, where it may not.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.effect {
            Effect::Permit => None,
            Effect::Deny(reason) => Some(reason),
        }
    }

    /// Under which policy it was decided.
    pub fn policy(&self) -> &PolicyVersion {
        &self.policy
    }
}

/// What the policy was asked about, so that a permit fits its question only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An action on one object.
    Object { action: &'static str, kind: &'static str, id: String },
    /// Calling an operation.
    Operation,
}

/// Yes or no.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Deny(Reason),
    Permit,
}

/// Why the policy said no.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody is signed in.
    Anonymous,
    /// A claim is absent or has none of the wanted values.
    ClaimUnmet {
        /// Which claim.
        claim: String,
    },
    /// No rule speaks of the object: deny by default.
    NoRule,
    /// The object belongs to somebody else.
    NotOwner {
        /// Which parameter or kind of object.
        of: String,
        /// Which claim was compared.
        claim: String,
    },
    /// None of the needed roles.
    RoleMissing {
        /// The roles, any of which would do.
        any_of: String,
    },
    /// Not all of the needed scopes.
    ScopeMissing {
        /// All that are needed.
        needed: ScopeSet,
        /// The first that is missing.
        missing: String,
    },
}

impl Reason {
    /// The refusal that a reason stands for.
    pub(crate) fn denial(&self) -> Denial {
        let stage = StageId::Authorize;
        match self {
            Self::Anonymous => Denial::new(DenialCode::CredentialMissing, stage).challenging(Challenge::Bearer {
                error: None,
                scope: ScopeSet::default(),
                level: Level::None,
                max_age: None,
            }),
            Self::ClaimUnmet { claim } => {
                Denial::new(DenialCode::ClaimInsufficient, stage).because("claim", claim.clone())
            }
            Self::RoleMissing { any_of } => {
                Denial::new(DenialCode::RoleInsufficient, stage).because("any_of", any_of.clone())
            }
            Self::ScopeMissing { needed, missing } => Denial::new(DenialCode::ScopeInsufficient, stage)
                .because("missing", missing.clone())
                .challenging(Challenge::Bearer {
                    error: Some("insufficient_scope"),
                    scope: needed.clone(),
                    level: Level::None,
                    max_age: None,
                }),
            Self::NotOwner { of, claim } => Denial::new(DenialCode::ObjectForbidden, stage)
                .because("object", of.clone())
                .because("claim", claim.clone()),
            Self::NoRule => Denial::new(DenialCode::ObjectForbidden, stage).because("reason", "no_rule"),
        }
    }
}

/// What remains to be checked after a permit, when the answer is known.
///
/// ```
/// use palisade_core::decision::Obligations;
///
/// // An operation without owners obliges to nothing.
/// assert!(!Obligations::default().owned && Obligations::default().owners.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Obligations {
    /// Whether the operation has owners and the caller is held to them: then nobody may learn which objects exist.
    pub owned: bool,
    /// Properties of the response that must equal a claim of the principal.
    pub owners: Box<[ResponseOwner]>,
}
