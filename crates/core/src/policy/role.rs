//! Roles, some of which include others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::decision::Reason;
use crate::operation::AccessRule;
use crate::principal::RoleSet;

/// Which roles a role includes: an `admin` is also a `support`.
///
/// ```
/// use palisade_core::policy::role::RoleHierarchy;
///
/// // An admin is a support, and a support is a reader; so an admin is a reader.
/// let roles = RoleHierarchy::from_pairs([("admin", "support"), ("support", "reader")]);
/// # let _ = roles;
/// ```
#[derive(Clone, Debug, Default)]
pub struct RoleHierarchy(BTreeMap<Box<str>, BTreeSet<Box<str>>>);

impl RoleHierarchy {
    /// Builds the hierarchy from pairs of a role and one that it includes; inclusion carries over, and a circle of
    /// roles simply includes all of its members.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut direct: BTreeMap<Box<str>, BTreeSet<Box<str>>> = BTreeMap::new();
        for (role, included) in pairs {
            direct.entry(role.into()).or_default().insert(included.into());
        }
        let reach = |start: &str| {
            let (mut found, mut open) = (BTreeSet::new(), vec![Box::<str>::from(start)]);
            while let Some(role) = open.pop() {
                for included in direct.get(&role).into_iter().flatten() {
                    if found.insert(included.clone()) {
                        open.push(included.clone());
                    }
                }
            }
            found
        };
        Self(direct.keys().map(|role| (role.clone(), reach(role))).collect())
    }

    /// The roles together with all that they include.
    pub(super) fn expand<'h>(&self, held: &'h RoleSet) -> Cow<'h, RoleSet> {
        if self.0.is_empty() {
            return Cow::Borrowed(held);
        }
        let included = held.iter().filter_map(|role| self.0.get(role)).flatten().map(AsRef::as_ref);
        Cow::Owned(held.iter().chain(included).collect())
    }
}

/// That the operation needs a role and none of those held will do.
pub(super) fn missing(held: &RoleSet, access: &AccessRule) -> Option<Reason> {
    (!access.roles.is_empty() && !held.intersects(&access.roles))
        .then(|| Reason::RoleMissing { any_of: access.roles.to_string() })
}
