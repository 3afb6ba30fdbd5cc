//! The proof that a decision was made, without which nothing is forwarded or loaded.
//!
//! A permit has no public constructor and is not `Clone`: it comes from a permitting [`Decision`], and a decision comes
//! from [`crate::policy::Policy`]. All three live in this crate, so the chain of custody can be read in three files.
//!
//! ```compile_fail
//! # use palisade_core::permit::{Permit, Action, Resource};
//! # struct Read; impl Action for Read { const NAME: &'static str = "read"; }
//! # struct Invoice; impl Resource for Invoice { const KIND: &'static str = "invoice"; type Id = String; }
//! // A permit cannot be made by hand: its fields are private.
//! let forged: Permit<Read, Invoice> = Permit { id: "7".to_owned() };
//! ```

use std::fmt;
use std::marker::PhantomData;

use crate::decision::{Asked, Decision, Effect, Obligations};
use crate::denial::{Denial, DenialCode};
use crate::id::PolicyVersion;
use crate::principal::Principal;
use crate::stage::StageId;

/// Something that can be done to an object.
pub trait Action {
    /// The name the policy uses: `read`.
    const NAME: &'static str;
}

/// A kind of object.
pub trait Resource {
    /// The name the policy uses: `invoice`.
    const KIND: &'static str;
    /// What names one object of the kind.
    type Id: fmt::Display;
}

/// The proof that a request as a whole was permitted. Only [`Decision::into_request_permit`] makes one.
///
/// ```
/// use palisade_core::id::{OperationId, PolicyVersion};
/// use palisade_core::operation::{AccessRule, Audience, Lifecycle, Operation, Safety};
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
///     access: AccessRule { audience: Audience::Public, ..AccessRule::default() },
///     limits: Box::default(),
///     lifecycle: Lifecycle::Active,
/// };
/// let (policy, nobody) = (Policy::new(PolicyVersion::new("7")), Principal::anonymous());
/// let decision = policy.decide(&Ask { principal: &nobody, operation: &operation, parameters: &NoParameters });
/// let permit = decision.into_request_permit(nobody).unwrap();
/// assert_eq!(permit.policy(), &PolicyVersion::new("7"));
/// ```
#[derive(Debug)]
pub struct RequestPermit {
    principal: Principal,
    obligations: Obligations,
    policy: PolicyVersion,
}

impl RequestPermit {
    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What remains to be checked on the answer.
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }

    /// Under which policy it was permitted.
    pub fn policy(&self) -> &PolicyVersion {
        &self.policy
    }
}

/// The proof that its principal may do `A` to one object of kind `R`. Functions that load or change an object take one:
///
/// ```
/// use palisade_core::permit::{Action, Permit, Resource};
/// # pub struct Read; impl Action for Read { const NAME: &'static str = "read"; }
/// # pub struct Invoice; impl Resource for Invoice { const KIND: &'static str = "invoice"; type Id = u64; }
/// // The id comes out of the permit, so no other invoice than the permitted one can be loaded.
/// fn load(permit: &Permit<Read, Invoice>) -> String {
///     format!("select * from invoice where id = {}", permit.id())
/// }
/// ```
#[derive(Debug)]
pub struct Permit<A: Action, R: Resource> {
    principal: Principal,
    id: R::Id,
    seal: PhantomData<fn() -> A>,
}

impl<A: Action, R: Resource> Permit<A, R> {
    /// Who may do it.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// To which object.
    pub fn id(&self) -> &R::Id {
        &self.id
    }
}

impl Decision {
    /// Turns a permitting decision about an operation into its proof, and any other into the refusal.
    pub fn into_request_permit(self, principal: Principal) -> Result<RequestPermit, Denial> {
        match &self.effect {
            Effect::Deny(reason) => Err(reason.denial()),
            Effect::Permit if self.asked == Asked::Operation => {
                Ok(RequestPermit { principal, obligations: self.obligations, policy: self.policy })
            }
            Effect::Permit => Err(Denial::new(DenialCode::Unpermitted, StageId::Authorize)),
        }
    }

    /// Turns a permitting decision about one object into its proof. A decision about another action, another kind or
    /// another id is refused with [`DenialCode::Unpermitted`].
    pub fn into_permit<A: Action, R: Resource>(self, principal: Principal, id: R::Id) -> Result<Permit<A, R>, Denial> {
        let asked = Asked::Object { action: A::NAME, kind: R::KIND, id: id.to_string() };
        match &self.effect {
            Effect::Deny(reason) => Err(reason.denial()),
            Effect::Permit if self.asked == asked => Ok(Permit { principal, id, seal: PhantomData }),
            Effect::Permit => Err(Denial::new(DenialCode::Unpermitted, StageId::Authorize)),
        }
    }
}
