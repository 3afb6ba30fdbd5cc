//! Changing a password: by whoever knows the present one, or has just proven in another way who they are.

use std::time::Duration;

use palisade_core::event::EventKind;
use palisade_core::id::{AuthenticatorId, UserId};
use palisade_core::port::StoreError;
use palisade_core::port::account::{AccountStatus, Failed, NewPassword, Replaced, Strength, Succeeded};
use palisade_core::port::counter::{Ask, Holder, LimitKey};
use tokio::time::Instant;

use super::{PASSWORD, SignIn};
use crate::credential::password::{Busy, Password, PasswordPolicy, PasswordRefusal, Verified};

/// What allows a change (OWASP ASVS 5.0 section 6.2.3).
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub enum Proof<'a> {
    /// The present password, as it was typed.
    Current(&'a str),
    /// A step-up in this session within the last minutes: a passkey, a code and a password. The face has checked it.
    SteppedUp,
}

/// A password that somebody wants.
///
/// ```
/// use palisade::core::{id::UserId, port::StoreError, port::account::Strength};
/// use palisade::credential::password::PasswordPolicy;
/// use palisade::credential::sign_in::{ChangeSettled, PasswordChange, Proof, SignIn};
///
/// async fn change(sign_in: &SignIn, user: &UserId, old: &str, new: &str) -> Result<&'static str, StoreError> {
///     let policy = PasswordPolicy::default();
///     let change = PasswordChange { account: user, proof: Proof::Current(old), new, needs: Strength::Alone };
///     Ok(match sign_in.change_password(&change, &policy).await? {
///         ChangeSettled::Changed { .. } => "changed: now end the other sessions",
///         ChangeSettled::Refused(rule) => rule.slug(),
///         _ => "not changed",
///     })
/// }
/// # let _ = change;
/// ```
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds passwords")]
pub struct PasswordChange<'a> {
    /// Whose, as the session says.
    pub account: &'a UserId,
    /// What allows it.
    pub proof: Proof<'a>,
    /// The new one, as it was typed.
    pub new: &'a str,
    /// What it has to suffice for: with a second factor in place it may be shorter.
    pub needs: Strength,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeSettled {
    /// Too many passwords are being checked.
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// It was changed. All other sessions and tokens of the account have to end now, because whoever has one may be the
    /// reason for the change.
    Changed {
        /// The version of the new password.
        version: u64,
    },
    /// The policy does not allow the new one.
    Refused(PasswordRefusal),
    /// Somebody else has changed it in the meantime: nothing was changed.
    Stale,
    /// It was tried too often.
    Throttled {
        /// When to come again.
        retry_after: Duration,
    },
    /// There is no such account, or it is disabled.
    Unknown,
    /// The present password is another one, or was guessed at too often.
    WrongCurrent,
}

impl ChangeSettled {
    /// The event that a face notes, if one.
    pub fn event(self) -> Option<EventKind> {
        match self {
            Self::Busy { .. } | Self::Throttled { .. } => Some(EventKind::LimitExceeded),
            Self::Changed { .. } => Some(EventKind::PasswordChanged),
            Self::Refused(_) | Self::Stale => None,
            Self::Unknown | Self::WrongCurrent => Some(EventKind::SignInRefused),
        }
    }
}

impl SignIn {
    /// Puts a new password in the place of the present one.
    ///
    /// Guesses at the present one are counted apart from those at sign-in: who has taken over a session has few, and
    /// cannot keep the owner from signing in.
    pub async fn change_password(
        &self,
        change: &PasswordChange<'_>,
        policy: &PasswordPolicy,
    ) -> Result<ChangeSettled, StoreError> {
        if let Err(rule) = Password::new(change.new) {
            return Ok(ChangeSettled::Refused(rule));
        }
        let begun = Instant::now();
        let settled = self.settle(change, policy).await;
        self.tick(begun).await;
        settled
    }

    async fn settle(&self, change: &PasswordChange<'_>, policy: &PasswordPolicy) -> Result<ChangeSettled, StoreError> {
        let (now, accounts) = (self.parts.clock.now(), &self.parts.accounts);
        let account = accounts.find(change.account).await?;
        let account = account.filter(|account| account.status == AccountStatus::Active);
        let Some(account) = account else { return Ok(ChangeSettled::Unknown) };
        let user = [account.name.as_str(), account.id.as_str()];
        let (password, strength) = match policy.check(change.new, change.needs, &user) {
            Err(rule) => return Ok(ChangeSettled::Refused(rule)),
            Ok(checked) => checked,
        };
        if let Proof::Current(current) = change.proof {
            let key =
                |index| LimitKey { rule: ["sign-in", "change", ""], index, holder: Holder::Name(account.id.as_str()) };
            let asks = self.settings.per_device.iter().enumerate().map(|(index, rate)| Ask::new(key(index), *rate));
            if let Some(retry_after) = self.take(&mut asks.collect::<Vec<_>>(), now).await? {
                return Ok(ChangeSettled::Throttled { retry_after });
            }
            let Ok(current) = Password::new(current) else { return Ok(ChangeSettled::WrongCurrent) };
            let authenticator = AuthenticatorId::new(format!("{PASSWORD}-change"));
            let kept = account.password.as_ref().map(|kept| &kept.hash);
            let verified = match self.parts.hasher.verify(&current, kept).await {
                Err(Busy { retry_after }) => return Ok(ChangeSettled::Busy { retry_after }),
                Ok(verified) => verified,
            };
            if !matches!(verified, Verified::Yes { .. }) {
                let failed = accounts.record_failure(&account.id, &authenticator, self.settings.limit, now).await?;
                return Ok(match failed {
                    Failed::Unknown => ChangeSettled::Unknown,
                    Failed::Counted { .. } | Failed::Disabled { .. } => ChangeSettled::WrongCurrent,
                });
            }
            if let Succeeded::Disabled { .. } = accounts.record_success(&account.id, &authenticator, now).await? {
                return Ok(ChangeSettled::WrongCurrent);
            }
        }
        let hash = match self.parts.hasher.hash(&password).await {
            Err(Busy { retry_after }) => return Ok(ChangeSettled::Busy { retry_after }),
            Ok(hash) => hash,
        };
        let new = NewPassword { hash, strength };
        Ok(match accounts.replace_password(&account.id, account.password_version, &new, now).await? {
            Replaced::Done { version } => ChangeSettled::Changed { version },
            Replaced::Stale => ChangeSettled::Stale,
            Replaced::Unknown => ChangeSettled::Unknown,
        })
    }
}
