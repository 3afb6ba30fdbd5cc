//! What is asked: one operation of an API with the rules that belong to it.
//!
//! An operation is compiled once, from a contract or from an application's routes; nothing here is parsed per request.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::id::OperationId;
use crate::port::counter::{Algorithm, Rate};
use crate::principal::{Level, RoleSet, ScopeSet};

/// One operation of an API.
///
/// ```
/// use std::time::Duration;
/// use palisade_core::id::OperationId;
/// use palisade_core::operation::{
///     AccessRule, Audience, ClaimRule, Lifecycle, Limit, LimitBy, OnFailure, Operation, Ownership, RequestOwner, Safety,
/// };
///
/// let owner = RequestOwner { parameter: "user".into(), claim: "sub".into() };
/// let paid = ClaimRule { claim: "plan".into(), any_of: ["pro".into(), "team".into()].into() };
/// let operation = Operation {
///     id: OperationId::new("exportOrders"),
///     safety: Safety::of(&http::Method::POST),
///     access: AccessRule {
///         claims: [paid].into(),
///         owner: Ownership { request: [owner].into(), ..Ownership::default() },
///         ..AccessRule::default()
///     },
///     limits: [Limit::new(5, Duration::from_secs(3600), LimitBy::Principal)].into(),
///     lifecycle: Lifecycle::Active,
/// };
/// // What is not said is strict: somebody has to be signed in, and a store that fails refuses.
/// assert_eq!((operation.safety, operation.access.audience), (Safety::Unsafe, Audience::Authenticated));
/// assert_eq!(operation.limits[0].on_failure, OnFailure::Deny);
/// ```
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// What calling it may change.
    pub safety: Safety,
    /// Who may call it.
    pub access: AccessRule,
    /// How often it may be called.
    pub limits: Box<[Limit]>,
    /// Whether it is about to be withdrawn.
    pub lifecycle: Lifecycle,
}

/// What calling an operation may change (RFC 9110 section 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Reads only: GET, HEAD, OPTIONS, QUERY.
    Safe,
    /// Repeating it changes nothing more: PUT, DELETE.
    Idempotent,
    /// Each call may change something: POST, PATCH.
    Unsafe,
}

impl Safety {
    /// What the method promises by its definition.
    pub fn of(method: &http::Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "QUERY" => Self::Safe,
            "PUT" | "DELETE" => Self::Idempotent,
            _ => Self::Unsafe,
        }
    }
}

/// Whether callers can count on the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// In service.
    #[default]
    Active,
    /// Marked `deprecated` in the contract.
    Deprecated,
}

/// Who may call an operation. The default is the strictest that still lets somebody in: any authenticated principal.
#[derive(Clone, Debug, Default)]
pub struct AccessRule {
    /// Whether a credential is needed at all.
    pub audience: Audience,
    /// The assurance level that the credential must have reached.
    pub level: Level,
    /// How long ago the sign-in may be.
    pub max_age: Option<Duration>,
    /// Scopes, all of which are needed.
    pub scopes: ScopeSet,
    /// Roles, any one of which suffices; none means that no role is needed.
    pub roles: RoleSet,
    /// What the principal's claims must be; all of these are needed.
    pub claims: Box<[ClaimRule]>,
    /// Whose object it must be.
    pub owner: Ownership,
}

/// A claim that must have one of these values: `department` and `sales`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRule {
    /// The name of the claim.
    pub claim: Box<str>,
    /// The values as text, any one of which suffices; without any, nobody passes.
    pub any_of: Box<[Box<str>]>,
}

/// Whether a credential is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Audience {
    /// Any authenticated principal that the other rules let through.
    #[default]
    Authenticated,
    /// Everyone, with or without a credential.
    Public,
}

/// How the owner of an object is recognized, and who is exempt.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// Parameters that must equal a claim of the principal; checked before the backend is asked.
    pub request: Box<[RequestOwner]>,
    /// Properties of the response that must equal a claim; checked before the answer leaves.
    pub response: Box<[ResponseOwner]>,
    /// Roles that may act on the objects of others.
    pub exempt: RoleSet,
}

/// A parameter that must equal a claim: `/users/{user_id}` and `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestOwner {
    /// The name of a path or query parameter.
    pub parameter: Box<str>,
    /// The name of the claim.
    pub claim: Box<str>,
}

/// A property of a successful JSON response that must equal a claim: `/owner` and `sub`.
///
/// ```
/// use palisade_core::operation::{Pointer, ResponseOwner};
///
/// // Every order in the list must be the caller's.
/// let rule = ResponseOwner { pointer: Pointer::parse("/orders/*/owner").unwrap(), claim: "sub".into() };
/// let answer = serde_json::json!({"orders": [{"owner": "alice"}, {"owner": "bob"}]});
/// let owners = rule.pointer.resolve(&answer).unwrap();
/// assert!(!owners.iter().all(|owner| **owner == "alice"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseOwner {
    /// Where the property is.
    pub pointer: Pointer,
    /// The name of the claim.
    pub claim: Box<str>,
}

/// A JSON pointer (RFC 6901) in which the segment `*` stands for every element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Box<[Box<str>]>);

impl Pointer {
    /// Reads `/items/*/owner`. `None` when the text is not a JSON pointer.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Box::default()));
        }
        let rest = text.strip_prefix('/')?;
        Some(Self(rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~").into()).collect()))
    }

    /// The segments, unescaped.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Every value the pointer names in `root`. `None` when a step is missing, which an ownership rule must treat as
    /// a refusal: an owner that cannot be found is not the caller. An empty array names no value and hides nobody's.
    pub fn resolve<'v>(&self, root: &'v serde_json::Value) -> Option<Vec<&'v serde_json::Value>> {
        let mut values = vec![root];
        for segment in self.segments() {
            let mut next = Vec::with_capacity(values.len());
            for value in values {
                match (segment, value) {
                    ("*", serde_json::Value::Array(items)) => next.extend(items),
                    (_, serde_json::Value::Array(items)) => next.push(items.get(segment.parse::<usize>().ok()?)?),
                    (_, serde_json::Value::Object(members)) => next.push(members.get(segment)?),
                    _ => return None,
                }
            }
            values = next;
        }
        Some(values)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments().try_for_each(|segment| write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1")))
    }
}

/// At most `requests` units in any `per`, counted for each holder that `by` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many units there are; at least one.
    pub requests: u32,
    /// In which span of time; at least one second.
    pub per: Duration,
    /// Who has a count of their own.
    pub by: LimitBy,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// How many units one request takes; at least one, at most all of them.
    pub cost: u32,
    /// What happens while the store does not answer.
    pub on_failure: OnFailure,
}

impl Limit {
    /// A limit that counts each request once, by the generic cell rate algorithm, and refuses when it cannot count.
    pub const fn new(requests: u32, per: Duration, by: LimitBy) -> Self {
        Self { requests, per, by, algorithm: Algorithm::Gcra, cost: 1, on_failure: OnFailure::Deny }
    }

    /// The budget as stores take it.
    pub fn rate(&self) -> Rate {
        Rate { burst: NonZeroU32::new(self.requests).unwrap_or(NonZeroU32::MIN), per: self.per }
    }

    /// What one request takes of it, as stores take it.
    pub fn units(&self) -> NonZeroU32 {
        NonZeroU32::new(self.cost).unwrap_or(NonZeroU32::MIN)
    }
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LimitBy {
    /// Everybody's: one count for all.
    All,
    /// Each client address: for what is asked before anyone has signed in.
    Client,
    /// Each authenticated principal; anonymous requests count by client address.
    #[default]
    Principal,
    /// Each organization; requests without one count by principal.
    Tenant,
}

/// What a limit does when its store fails or does not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OnFailure {
    /// Requests pass uncounted.
    Allow,
    /// Requests are refused.
    #[default]
    Deny,
    /// Requests are counted in this process until the store is back.
    Local,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_name_every_element() {
        let body = serde_json::json!({"items": [{"owner": "a"}, {"owner": "b"}], "a/b": 1});
        let check = |pointer: &str, expect: Option<Vec<serde_json::Value>>| {
            let found = Pointer::parse(pointer).unwrap().resolve(&body).map(|v| v.into_iter().cloned().collect());
            assert_eq!(found, expect, "{pointer}");
        };
        check("/items/*/owner", Some(vec!["a".into(), "b".into()]));
        check("/items/1/owner", Some(vec!["b".into()]));
        check("/a~1b", Some(vec![1.into()]));
        check("/items/*/missing", None);
        check("/items/owner", None);
        check("/nobody", None);
        assert_eq!(Pointer::parse("items"), None);
        assert_eq!(Pointer::parse("/items/*/a~1b").unwrap().to_string(), "/items/*/a~1b");
    }

    #[test]
    fn an_empty_list_has_no_foreign_owner() {
        let body = serde_json::json!({"items": []});
        assert_eq!(Pointer::parse("/items/*/owner").unwrap().resolve(&body), Some(vec![]));
    }
}
