//! Whose object it is: by a parameter of the request, and by rules for objects that an application loads.

use super::Ask;
use crate::decision::Reason;
use crate::principal::{Principal, RoleSet};

/// That a parameter names somebody else: the value must be among the values of the claim. A parameter or a claim that
/// is absent is a refusal, since an owner who is not named is not the caller.
pub(super) fn foreign_parameter(ask: &Ask<'_>) -> Option<Reason> {
    let rules = &ask.operation.access.owner.request;
    rules.iter().find_map(|rule| {
        let own = ask.parameters.text(&rule.parameter).is_some_and(|given| ask.principal.holds(&rule.claim, given));
        (!own).then(|| Reason::NotOwner { of: rule.parameter.to_string(), claim: rule.claim.to_string() })
    })
}

/// Who may do what to which kind of object. A kind and action without a rule is refused.
///
/// ```
/// use palisade_core::id::PolicyVersion;
/// use palisade_core::permit::{Action, Resource};
/// use palisade_core::policy::{Policy, object::ObjectRules};
/// use palisade_core::principal::Principal;
///
/// struct Read;
/// impl Action for Read {
///     const NAME: &'static str = "read";
/// }
/// struct Invoice;
/// impl Resource for Invoice {
///     const KIND: &'static str = "invoice";
///     type Id = u64;
/// }
///
/// let policy = Policy::new(PolicyVersion::new("1")).with_objects(ObjectRules::default().owner("read", "invoice"));
/// let nobody = Principal::anonymous();
/// assert!(!policy.decide_object::<Read, Invoice>(&nobody, &7, Some("alice")).is_permit());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ObjectRules(Vec<ObjectRule>);

#[derive(Clone, Debug)]
struct ObjectRule {
    action: Box<str>,
    kind: Box<str>,
    owner: bool,
    roles: RoleSet,
}

impl ObjectRules {
    /// Lets the owner of a `kind` do `action` to it.
    #[must_use]
    pub fn owner(self, action: &str, kind: &str) -> Self {
        self.push(action, kind, true, RoleSet::default())
    }

    /// Lets whoever has one of `roles` do `action` to every object of the `kind`.
    #[must_use]
    pub fn roles(self, action: &str, kind: &str, roles: RoleSet) -> Self {
        self.push(action, kind, false, roles)
    }

    fn push(mut self, action: &str, kind: &str, owner: bool, roles: RoleSet) -> Self {
        self.0.push(ObjectRule { action: action.into(), kind: kind.into(), owner, roles });
        self
    }

    pub(super) fn refusal(
        &self,
        action: &str,
        kind: &str,
        principal: &Principal,
        held: &RoleSet,
        owner: Option<&str>,
    ) -> Option<Reason> {
        if principal.is_anonymous() {
            return Some(Reason::Anonymous);
        }
        let mut rules = self.0.iter().filter(|rule| &*rule.action == action && &*rule.kind == kind).peekable();
        if rules.peek().is_none() {
            return Some(Reason::NoRule);
        }
        let is_owner = owner.is_some_and(|owner| principal.subject().id() == Some(owner));
        let permitted = rules.any(|rule| (rule.owner && is_owner) || rule.roles.intersects(held));
        (!permitted).then(|| Reason::NotOwner { of: kind.to_owned(), claim: "sub".to_owned() })
    }
}
