//! The policy: immutable, versioned, and decided by one pure function.
//!
//! Nothing is permitted unless a rule says so. The rules of an operation are asked in this order, and the first that
//! refuses ends it: audience ([`attribute`]), scopes ([`scope`]), roles ([`role`]), claims ([`attribute`]), owner
//! ([`object`]).
//! The assurance level is the `assure` stage's, which can ask for a stronger sign-in before anything is decided.

pub mod attribute;
pub mod object;
pub mod role;
pub mod scope;

use crate::decision::{Asked, Decision, Effect, Obligations, Reason};
use crate::id::PolicyVersion;
use crate::operation::Operation;
use crate::permit::{Action, Resource};
use crate::principal::Principal;
use object::ObjectRules;
use role::RoleHierarchy;

/// The rules in force. A request holds one policy from its first stage to its last.
///
/// ```
/// use palisade_core::id::{OperationId, PolicyVersion};
/// use palisade_core::operation::{AccessRule, Lifecycle, Operation, Safety};
/// use palisade_core::policy::role::RoleHierarchy;
/// use palisade_core::policy::{Ask, Parameters, Policy};
/// use palisade_core::principal::Principal;
///
/// /// Parameters that somebody has read already.
/// #[derive(Debug)]
/// struct Known(std::collections::BTreeMap<String, String>);
///
/// impl Parameters for Known {
///     fn text(&self, name: &str) -> Option<&str> {
///         self.0.get(name).map(String::as_str)
///     }
/// }
///
/// let operation = Operation {
///     id: OperationId::new("listNotes"),
///     safety: Safety::of(&http::Method::GET),
///     access: AccessRule::default(),
///     limits: Box::default(),
///     lifecycle: Lifecycle::Active,
/// };
/// let policy = Policy::new(PolicyVersion::new("1")).with_roles(RoleHierarchy::from_pairs([("admin", "support")]));
/// let parameters = Known([("id".to_owned(), "7".to_owned())].into());
/// let ask = Ask { principal: &Principal::anonymous(), operation: &operation, parameters: &parameters };
/// assert!(!policy.decide(&ask).is_permit());
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    version: PolicyVersion,
    roles: RoleHierarchy,
    objects: ObjectRules,
}

/// One question: may this principal call this operation with these parameters?
#[derive(Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What is asked.
    pub operation: &'a Operation,
    /// The parameters by name, as text, decoded; those that name objects must be here.
    pub parameters: &'a dyn Parameters,
}

/// Parameters of a request by name.
pub trait Parameters: std::fmt::Debug {
    /// The decoded text of one parameter.
    fn text(&self, name: &str) -> Option<&str>;
}

impl Parameters for [(&str, &str)] {
    fn text(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

impl Policy {
    /// A policy without a role hierarchy and without rules for objects.
    pub fn new(version: PolicyVersion) -> Self {
        Self { version, roles: RoleHierarchy::default(), objects: ObjectRules::default() }
    }

    /// The same policy, in which some roles include others.
    #[must_use]
    pub fn with_roles(mut self, roles: RoleHierarchy) -> Self {
        self.roles = roles;
        self
    }

    /// The same policy with rules for objects that an application loads.
    #[must_use]
    pub fn with_objects(mut self, objects: ObjectRules) -> Self {
        self.objects = objects;
        self
    }

    /// The version in force.
    pub fn version(&self) -> &PolicyVersion {
        &self.version
    }

    /// Decides whether an operation may be called.
    pub fn decide(&self, ask: &Ask<'_>) -> Decision {
        let access = &ask.operation.access;
        let held = self.roles.expand(ask.principal.roles());
        let refusal = attribute::audience(ask.principal, access)
            .or_else(|| scope::missing(ask.principal, access))
            .or_else(|| role::missing(&held, access))
            .or_else(|| attribute::unmet(ask.principal, access));
        let exempt = held.intersects(&access.owner.exempt);
        let refusal = refusal.or_else(|| (!exempt).then(|| object::foreign_parameter(ask)).flatten());
        let owners = if exempt { Box::default() } else { access.owner.response.clone() };
        let owned = !exempt && (!access.owner.request.is_empty() || !access.owner.response.is_empty());
        self.decision(refusal, Asked::Operation, Obligations { owned, owners })
    }

    /// Decides whether `principal` may do `A` to the object of kind `R` named `id`, which belongs to `owner`. An
    /// application asks this after it has learned the owner and before it loads or changes the object.
    pub fn decide_object<A: Action, R: Resource>(
        &self,
        principal: &Principal,
        id: &R::Id,
        owner: Option<&str>,
    ) -> Decision {
        let held = self.roles.expand(principal.roles());
        let refusal = self.objects.refusal(A::NAME, R::KIND, principal, &held, owner);
        let asked = Asked::Object { action: A::NAME, kind: R::KIND, id: id.to_string() };
        self.decision(refusal, asked, Obligations::default())
    }

    fn decision(&self, refusal: Option<Reason>, asked: Asked, obligations: Obligations) -> Decision {
        let effect = refusal.map_or(Effect::Permit, Effect::Deny);
        Decision { effect, asked, obligations, policy: self.version.clone() }
    }
}

#[cfg(test)]
mod tests;
