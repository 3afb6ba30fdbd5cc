//! Accounts of people, their passwords, and how often somebody has failed to sign in to them.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use unicode_normalization::UnicodeNormalization as _;

use super::StoreError;
use crate::id::{AuthenticatorId, TenantId, UserId};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Keeps accounts. Each method is one atomic act.
///
/// ```
/// use palisade_core::id::{TenantId, UserId};
/// use palisade_core::port::account::{Account, AccountStore, SignInName};
/// use palisade_core::port::StoreError;
///
/// /// How a rule asks: what it was told of somebody, and nothing about who that could be.
/// async fn known(accounts: &dyn AccountStore, name: &str) -> Result<Option<Account>, StoreError> {
///     let Some(name) = SignInName::parse(name) else { return Ok(None) };
///     accounts.find_by_name(None, &name).await
/// }
/// # let _ = known;
/// ```
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Makes an account, active and at password version 1. Of any number of parallel calls with one name in one
    /// organization exactly one is [`Registered::Done`].
    async fn register(&self, account: &NewAccount, now: Timestamp) -> Result<Registered, StoreError>;

    /// The account with an id.
    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError>;

    /// The account with a name in an organization, or among those that belong to none.
    async fn find_by_name(&self, tenant: Option<&TenantId>, name: &SignInName) -> Result<Option<Account>, StoreError>;

    /// Up to `limit` accounts in the order of their ids, from the one after `after`.
    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Account>, StoreError>;

    /// Puts `password` in the place of the one of `version`, and nothing in the place of any other. An account that had
    /// none is at version 1 too.
    async fn replace_password(
        &self,
        id: &UserId,
        version: u64,
        password: &NewPassword,
        now: Timestamp,
    ) -> Result<Replaced, StoreError>;

    /// Keeps the password of `version` by another hash of the same password, and touches nothing of any other version.
    /// The version stays: whoever has shown that password has shown this one.
    async fn rehash_password(&self, id: &UserId, version: u64, hash: &Secret) -> Result<Replaced, StoreError>;

    /// Lets an account sign in, or not.
    async fn set_status(&self, id: &UserId, status: AccountStatus, now: Timestamp) -> Result<StatusSet, StoreError>;

    /// Counts a failure to use one authenticator, and disables it at the limit. An authenticator that is disabled is
    /// left as it is; one whose time is over starts anew.
    async fn record_failure(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        limit: FailureLimit,
        now: Timestamp,
    ) -> Result<Failed, StoreError>;

    /// Forgets the failures of an authenticator, unless it is disabled: a good password that comes after the last
    /// allowed failure comes too late.
    async fn record_success(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Succeeded, StoreError>;

    /// Until when an authenticator is disabled; `None` where it may be used. It does not tell whether the account exists.
    async fn disabled_until(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Lets an authenticator be used again and forgets its failures. Says whether there was anything to forget.
    async fn enable(&self, id: &UserId, authenticator: &AuthenticatorId) -> Result<bool, StoreError>;
}

/// What somebody writes into the first field of a sign-in, in the one spelling by which it is looked up.
///
/// The text is brought to compatibility form (NFKC, Unicode Standard Annex 15) and to small letters, so that nobody can
/// register a name that only looks like another's by its case or by the width of its letters.
///
/// ```
/// use palisade_core::port::account::SignInName;
///
/// let name = SignInName::parse(" Alice@Example.com ").unwrap();
/// assert_eq!(name.as_str(), "alice@example.com");
/// assert_eq!(SignInName::parse("ａｌｉｃｅ@example.com"), Some(name));
/// assert_eq!(SignInName::parse("alice bob"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignInName(Box<str>);

impl SignInName {
    /// The longest name in bytes: that of a mail address (RFC 5321 section 4.5.3.1.3).
    pub const LONGEST: usize = 254;

    /// Reads a name of at least one character, without white space and control characters inside, that is not longer
    /// than that as it is typed or as it is kept.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let mut name: String = text.trim().nfkc().collect();
        // Small letters of a composed letter may be apart again; after the second round nothing changes any more.
        for _ in 0..2 {
            name = name.to_lowercase().nfkc().collect();
        }
        let fits = (1..=Self::LONGEST).contains(&name.len());
        let is_name = fits && !name.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        is_name.then(|| Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SignInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account that is to be made.
///
/// ```
/// use palisade_core::id::UserId;
/// use palisade_core::port::account::{NewAccount, SignInName};
///
/// let name = SignInName::parse("alice@example.com").unwrap();
/// let account = NewAccount { roles: vec!["customer".to_owned()], ..NewAccount::new(UserId::new("u-1"), name) };
/// assert!(account.password.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id, which never changes.
    pub id: UserId,
    /// The organization that it belongs to.
    pub tenant: Option<TenantId>,
    /// The name by which it signs in.
    pub name: SignInName,
    /// Its password; without one it signs in by other means.
    pub password: Option<NewPassword>,
    /// Its roles.
    pub roles: Vec<String>,
    /// What it may be used for.
    pub scopes: Vec<String>,
}

impl NewAccount {
    /// An account without organization, password, roles and scopes.
    pub fn new(id: UserId, name: SignInName) -> Self {
        Self { id, tenant: None, name, password: None, roles: Vec::new(), scopes: Vec::new() }
    }
}

/// A hashed password that is to be kept.
///
/// ```
/// use palisade_core::port::account::{NewPassword, Strength};
/// use palisade_core::secret::Secret;
///
/// let password = NewPassword { hash: Secret::new("$argon2id$v=19$..."), strength: Strength::Alone };
/// assert_eq!(format!("{password:?}"), "NewPassword { strength: Alone, .. }");
/// ```
#[derive(Clone)]
pub struct NewPassword {
    /// The hash, as a PHC string or in the older modular form.
    pub hash: Secret,
    /// What it suffices for.
    pub strength: Strength,
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPassword").field("strength", &self.strength).finish_non_exhaustive()
    }
}

/// What a password suffices for (NIST SP 800-63B-4 section 3.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strength {
    /// It is long enough to be the only factor.
    Alone,
    /// It counts only together with a second factor.
    WithSecondFactor,
}

/// An account as it is kept.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// The organization that it belongs to.
    pub tenant: Option<TenantId>,
    /// The name by which it signs in.
    pub name: SignInName,
    /// Whether it may sign in.
    pub status: AccountStatus,
    /// Its password, if it has one.
    pub password: Option<NewPassword>,
    /// How often its password has been put in place, from one; what [`AccountStore::replace_password`] compares. Another
    /// hash of the same password does not count.
    pub password_version: u64,
    /// Its roles.
    pub roles: Vec<String>,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its password or status was last changed.
    pub changed: Timestamp,
}

/// Whether an account may sign in.
///
/// ```
/// use palisade_core::port::account::AccountStatus;
///
/// assert_eq!(AccountStatus::Disabled.as_str(), "disabled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountStatus {
    /// It may.
    Active,
    /// It may not, by any means.
    Disabled,
}

impl AccountStatus {
    /// The status as stores and logs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// How many failures in a row an authenticator bears (NIST SP 800-63B-4 section 3.2.2).
///
/// ```
/// use std::time::Duration;
/// use palisade_core::port::account::FailureLimit;
///
/// assert_eq!(FailureLimit::default().failures.get(), 100);
/// assert_eq!(FailureLimit::PCI_DSS.lasts, Some(Duration::from_secs(30 * 60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// The failure that disables it.
    pub failures: NonZeroU32,
    /// For how long; without it until somebody enables it.
    pub lasts: Option<Duration>,
}

impl FailureLimit {
    /// Ten failures disable for half an hour (PCI DSS 4.0.1 requirement 8.3.4).
    pub const PCI_DSS: Self =
        Self { failures: NonZeroU32::MIN.saturating_add(9), lasts: Some(Duration::from_secs(30 * 60)) };

    /// Until when a failure at `now` disables.
    pub fn until(self, now: Timestamp) -> Timestamp {
        self.lasts.map_or(FOR_GOOD, |lasts| now.plus(lasts))
    }
}

impl Default for FailureLimit {
    /// A hundred failures disable until somebody enables.
    fn default() -> Self {
        Self { failures: NonZeroU32::MIN.saturating_add(99), lasts: None }
    }
}

/// The end of what has none: the latest moment that every store can hold.
pub const FOR_GOOD: Timestamp = Timestamp::from_millis(i64::MAX.unsigned_abs());

/// The outcome of [`AccountStore::register`].
///
/// The outcomes of all acts are told apart, so that a rule that forgets one does not compile:
///
/// ```
/// use palisade_core::port::account::{Failed, Registered, Replaced, StatusSet, Succeeded};
///
/// fn told(failed: Failed, succeeded: Succeeded) -> (bool, bool) {
///     let is_disabled = match failed {
///         Failed::Counted { .. } | Failed::Unknown => false,
///         Failed::Disabled { .. } => true,
///     };
///     (is_disabled, succeeded == Succeeded::Done)
/// }
/// assert_eq!(told(Failed::Counted { in_a_row: 3 }, Succeeded::Done), (false, true));
/// assert_ne!(Registered::Done, Registered::Taken);
/// assert_ne!(Replaced::Stale, Replaced::Done { version: 2 });
/// assert_ne!(StatusSet::Changed, StatusSet::Unchanged);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The account was made.
    Done,
    /// Another account has the name or the id.
    Taken,
}

/// The outcome of [`AccountStore::replace_password`] and [`AccountStore::rehash_password`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It was replaced; this is its version now.
    Done {
        /// One more than before, where it is another password.
        version: u64,
    },
    /// Somebody else has replaced it since.
    Stale,
    /// There is no such account.
    Unknown,
}

/// The outcome of [`AccountStore::set_status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSet {
    /// It was changed.
    Changed,
    /// There is no such account.
    Unknown,
    /// It was so before.
    Unchanged,
}

/// The outcome of [`AccountStore::record_failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was counted.
    Counted {
        /// How many there were in a row.
        in_a_row: u32,
    },
    /// The authenticator is disabled, by this failure or already before.
    Disabled {
        /// Until when; [`FOR_GOOD`] until somebody enables it.
        until: Timestamp,
    },
    /// There is no such account.
    Unknown,
}

/// The outcome of [`AccountStore::record_success`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succeeded {
    /// The authenticator is disabled: this is no success.
    Disabled {
        /// Until when.
        until: Timestamp,
    },
    /// Its failures are forgotten.
    Done,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let spelled = |text: &str| SignInName::parse(text).map(|name| name.to_string());
        for (text, expect) in [
            ("Alice", Some("alice")),
            ("\u{212b}ngstro\u{308}m", Some("\u{e5}ngstr\u{f6}m")),
            ("ﬁnn@example.com", Some("finn@example.com")),
            ("STRASSE", Some("strasse")),
            ("\tbob\n", Some("bob")),
            ("", None),
            ("  ", None),
            ("a b", None),
            ("a\u{a0}b", None),
            ("a\0b", None),
        ] {
            assert_eq!(spelled(text).as_deref(), expect, "{text:?}");
        }
        assert_eq!(spelled(&"x".repeat(254)).map(|name| name.len()), Some(254));
        assert_eq!(spelled(&"x".repeat(255)), None);
    }

    proptest! {
        #[test]
        fn a_name_read_again_is_itself(text in "\\PC{0,40}") {
            if let Some(name) = SignInName::parse(&text) {
                prop_assert_eq!(SignInName::parse(name.as_str()), Some(name));
            }
        }
    }
}
