//! Who is asking, and how sure we are of it.
//!
//! There is always a principal: a request without a credential is made by [`Principal::anonymous`], which no rule lets
//! through unless the operation is declared public.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::id::{ClientId, KeyThumbprint, TenantId, UserId};
use crate::time::Timestamp;

/// Who asks.
///
/// ```
/// use palisade_core::principal::{Assurance, Level, Principal, RoleSet, Subject};
/// use palisade_core::{id::UserId, time::Timestamp};
///
/// let at = Timestamp::from_secs(1_795_305_600);
/// let alice = Principal::establish(Subject::User(UserId::new("u-alice")), Assurance::new(Level::Aal1, at))
///     .with_roles(RoleSet::from_iter(["customer"]));
/// assert!(alice.roles().contains("customer"));
/// assert_eq!(alice.claim("sub").as_deref(), Some(&["u-alice".to_owned()][..]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Principal(Arc<Parts>);

/// What a principal is made of. It is shared, because the same one is in the facts, in the permit and in a cache of
/// verified tokens.
#[derive(Clone, Debug, PartialEq)]
struct Parts {
    subject: Subject,
    tenant: Option<TenantId>,
    assurance: Assurance,
    scopes: ScopeSet,
    roles: RoleSet,
    attributes: Attributes,
}

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        static NOBODY: LazyLock<Principal> = LazyLock::new(|| {
            Principal::establish(Subject::Anonymous, Assurance::new(Level::None, Timestamp::default()))
        });
        NOBODY.clone()
    }

    /// States that `subject` was authenticated as `assurance` says. Only code that has verified a credential calls
    /// this: inside Palisade the `authenticate` stage and the test helpers, outside it an application's own sign-in.
    pub fn establish(subject: Subject, assurance: Assurance) -> Self {
        Self(Arc::new(Parts {
            subject,
            tenant: None,
            assurance,
            scopes: ScopeSet::default(),
            roles: RoleSet::default(),
            attributes: Attributes::default(),
        }))
    }

    /// The same principal within one organization.
    #[must_use]
    pub fn with_tenant(mut self, tenant: TenantId) -> Self {
        Arc::make_mut(&mut self.0).tenant = Some(tenant);
        self
    }

    /// The same principal with what its credential was issued for (RFC 6749 section 3.3).
    #[must_use]
    pub fn with_scopes(mut self, scopes: ScopeSet) -> Self {
        Arc::make_mut(&mut self.0).scopes = scopes;
        self
    }

    /// The same principal with its roles.
    #[must_use]
    pub fn with_roles(mut self, roles: RoleSet) -> Self {
        Arc::make_mut(&mut self.0).roles = roles;
        self
    }

    /// The same principal with further facts about it, such as the claims of its token.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        Arc::make_mut(&mut self.0).attributes = attributes;
        self
    }

    /// Who it is.
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// The organization it acts in.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.0.tenant.as_ref()
    }

    /// How it was authenticated.
    pub fn assurance(&self) -> &Assurance {
        &self.0.assurance
    }

    /// What its credential may be used for.
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// Its roles.
    pub fn roles(&self) -> &RoleSet {
        &self.0.roles
    }

    /// Whether nobody was authenticated.
    pub fn is_anonymous(&self) -> bool {
        self.0.subject == Subject::Anonymous
    }

    /// Whether a claim says this: one of its values is the text, and none of them is empty.
    pub fn holds(&self, claim: &str, text: &str) -> bool {
        let attribute = match claim {
            "sub" => return !text.is_empty() && self.0.subject.id() == Some(text),
            "tenant" => {
                return !text.is_empty() && self.0.tenant.as_ref().is_some_and(|tenant| tenant.as_str() == text);
            }
            _ => self.0.attributes.0.get(claim),
        };
        match attribute {
            None => false,
            Some(Attribute::Flag(flag)) => text == if *flag { "true" } else { "false" },
            Some(Attribute::List(items)) => {
                items.iter().all(|item| !item.is_empty()) && items.iter().any(|item| item == text)
            }
            Some(Attribute::Number(number)) => number.to_string() == text,
            Some(Attribute::Text(own)) => !own.is_empty() && own == text,
        }
    }

    /// The values of one claim: `sub` and `tenant` are the principal's own, all others its attributes. `None` where
    /// the principal has no such claim; a claim is never the empty text, so that two absent values cannot be equal.
    pub fn claim(&self, name: &str) -> Option<Vec<String>> {
        let values = match name {
            "sub" => self.0.subject.id().map(|id| vec![id.to_owned()]),
            "tenant" => self.0.tenant.as_ref().map(|tenant| vec![tenant.as_str().to_owned()]),
            _ => self.0.attributes.0.get(name).map(|attribute| match attribute {
                Attribute::Flag(flag) => vec![flag.to_string()],
                Attribute::List(items) => items.clone(),
                Attribute::Number(number) => vec![number.to_string()],
                Attribute::Text(text) => vec![text.clone()],
            }),
        }?;
        (!values.is_empty() && values.iter().all(|value| !value.is_empty())).then_some(values)
    }
}

/// Whom a credential names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// No credential was presented.
    Anonymous,
    /// A credential was presented that only the backend can verify. It has no claims, so that no rule about scopes,
    /// roles or owners lets it through.
    Delegated,
    /// A program acting in its own name.
    Service(ClientId),
    /// A person.
    User(UserId),
}

impl Subject {
    /// The identifier, or `None` for nobody.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::Delegated => None,
            Self::Service(id) => Some(id.as_str()),
            Self::User(id) => Some(id.as_str()),
        }
    }

    /// The word events use: `anonymous`, `delegated`, `service` or `user`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Delegated => "delegated",
            Self::Service(_) => "service",
            Self::User(_) => "user",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            None => f.write_str(self.kind()),
            Some(id) => write!(f, "{}:{id}", self.kind()),
        }
    }
}

/// How sure we are of the subject, since when, and to which key the credential is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assurance {
    /// The authenticator assurance level.
    pub level: Level,
    /// How the subject was authenticated, in the words of RFC 8176 (`pwd`, `otp`, `hwk`).
    pub methods: MethodSet,
    /// When the subject last proved itself.
    pub at: Timestamp,
    /// The key that must accompany the credential (RFC 9449, RFC 8705).
    pub bound_to: Option<KeyThumbprint>,
}

impl Assurance {
    /// A level reached at a moment, bound to no key.
    pub fn new(level: Level, at: Timestamp) -> Self {
        Self { level, methods: MethodSet::default(), at, bound_to: None }
    }
}

/// Authenticator assurance levels of NIST SP 800-63B-4, with `None` for an anonymous request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Nobody was authenticated.
    #[default]
    None,
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
    /// Two factors, one of them a hardware key that resists phishing.
    Aal3,
}

impl Level {
    /// The level named `aal1`, `aal2` or `aal3`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "aal1" => Some(Self::Aal1),
            "aal2" => Some(Self::Aal2),
            "aal3" => Some(Self::Aal3),
            _ => None,
        }
    }

    /// `none`, `aal1`, `aal2` or `aal3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::Aal3 => "aal3",
        }
    }
}

macro_rules! name_sets {
    ($($(#[$doc:meta])* $set:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub struct $set(Box<[Box<str>]>);

        impl $set {
            /// Whether the set has `name`.
            pub fn contains(&self, name: &str) -> bool {
                self.0.binary_search_by(|item| item.as_ref().cmp(name)).is_ok()
            }

            /// Whether the set has at least one name of `other`.
            pub fn intersects(&self, other: &Self) -> bool {
                other.iter().any(|name| self.contains(name))
            }

            /// The first name of `needed` that the set lacks.
            pub fn first_missing<'a>(&self, needed: &'a Self) -> Option<&'a str> {
                needed.iter().find(|name| !self.contains(name))
            }

            /// Whether there is no name in the set.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// The names in alphabetical order.
            pub fn iter(&self) -> impl Iterator<Item = &str> {
                self.0.iter().map(AsRef::as_ref)
            }
        }

        impl<T: Into<Box<str>>> FromIterator<T> for $set {
            fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
                let mut names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
                names.sort_unstable();
                names.dedup();
                Self(names.into())
            }
        }

        impl fmt::Display for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.join(" "))
            }
        }
    )*};
}

name_sets! {
    /// OAuth scopes, without order or repetition (RFC 6749 section 3.3).
    ScopeSet;
    /// Role names, without order or repetition.
    RoleSet;
    /// Authentication methods, in the words of RFC 8176.
    MethodSet;
}

/// Facts about a principal by name, such as the claims of its token.
///
/// ```
/// use palisade_core::id::UserId;
/// use palisade_core::principal::{Assurance, Attribute, Attributes, Level, Subject};
/// use palisade_core::time::Timestamp;
///
/// let team = ("team", Attribute::Text("north".to_owned()));
/// assert_ne!([team].into_iter().collect::<Attributes>(), Attributes::default());
/// assert_eq!(Subject::User(UserId::new("alice")).to_string(), "user:alice");
/// // Two factors, at the beginning of 1970: strong, and too long ago for whoever asks for a recent sign-in.
/// assert_eq!(Assurance::new(Level::Aal2, Timestamp::default()).level, Level::Aal2);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Attributes(BTreeMap<String, Attribute>);

impl Attributes {
    /// The facts in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.0.iter().map(|(name, attribute)| (name.as_str(), attribute))
    }
}

impl<K: Into<String>> FromIterator<(K, Attribute)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, Attribute)>>(facts: I) -> Self {
        Self(facts.into_iter().map(|(name, attribute)| (name.into(), attribute)).collect())
    }
}

/// One fact about a principal.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// Yes or no.
    Flag(bool),
    /// Several texts, such as groups.
    List(Vec<String>),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_has_no_claims() {
        let nobody = Principal::anonymous();
        assert!(nobody.is_anonymous());
        assert_eq!(nobody.claim("sub"), None);
        assert_eq!(nobody.claim("tenant"), None);
        assert_eq!(nobody.claim("email"), None);
    }

    #[test]
    fn empty_claims_count_as_absent() {
        let user =
            Principal::establish(Subject::User(UserId::new("")), Assurance::new(Level::Aal1, Timestamp::default()))
                .with_attributes(Attributes::from_iter([
                    ("email", Attribute::Text(String::new())),
                    ("groups", Attribute::List(vec![])),
                ]));
        for name in ["sub", "email", "groups"] {
            assert_eq!(user.claim(name), None, "{name}");
        }
    }

    #[test]
    fn sets_ignore_order_and_repetition() {
        assert_eq!(ScopeSet::from_iter(["b", "a", "b"]), ScopeSet::from_iter(["a", "b"]));
        assert_eq!(ScopeSet::from_iter(["a"]).first_missing(&ScopeSet::from_iter(["a", "c"])), Some("c"));
        assert!(RoleSet::from_iter(["x"]).intersects(&RoleSet::from_iter(["x", "y"])));
        assert!(!RoleSet::default().intersects(&RoleSet::from_iter(["x"])));
    }
}
