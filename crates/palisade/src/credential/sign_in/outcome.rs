//! How an attempt to sign in ends, and what is written down about it.

use std::time::Duration;

use palisade_core::event::EventKind;
use palisade_core::id::UserId;
use palisade_core::port::account::{Account, Strength};
use palisade_core::time::Timestamp;

use crate::credential::password::HashError;

/// How an attempt to sign in ended.
///
/// ```
/// use palisade::credential::sign_in::SignInOutcome;
///
/// /// What the caller is told: of a refusal nothing but that.
/// fn status(outcome: &SignInOutcome) -> (u16, Option<u64>) {
///     match outcome {
///         SignInOutcome::SignedIn(_) => (200, None),
///         SignInOutcome::Refused(_) => (401, None),
///         SignInOutcome::Throttled { retry_after } => (429, Some(retry_after.as_secs())),
///         SignInOutcome::Busy { retry_after } => (503, Some(retry_after.as_secs())),
///     }
/// }
/// # let _ = status;
/// ```
#[derive(Clone, Debug)]
pub enum SignInOutcome {
    /// Too many passwords are being checked.
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// Name and password do not belong together, or may not be used. The caller is not told which.
    Refused(Refused),
    /// They belong together.
    SignedIn(Box<SignedIn>),
    /// This address, account or device has tried too often. Whether there is such an account was not looked up.
    Throttled {
        /// When to come again: the longer, the more was tried.
        retry_after: Duration,
    },
}

/// Somebody who has given the right password.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub account: Account,
    /// Whether the password does not suffice: no session begins before a second factor was given.
    pub must_second_factor: bool,
    /// What the device keeps, so that it has a lane of its own from now on.
    pub device: String,
    /// Whether the hash of the password was made anew.
    pub upgraded: bool,
}

impl SignedIn {
    pub(super) fn new(account: Account, device: String, upgraded: bool) -> Self {
        let strength = account.password.as_ref().map(|password| password.strength);
        Self { must_second_factor: strength != Some(Strength::Alone), account, device, upgraded }
    }
}

/// A refusal, for events only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: RefusedReason,
    /// The account, where there is one.
    pub account: Option<UserId>,
}

/// Why somebody was refused. Never sent to the caller: it tells which accounts exist.
///
/// ```
/// use palisade::credential::sign_in::RefusedReason;
///
/// assert_eq!(RefusedReason::Wrong { in_a_row: 3 }.as_str(), "wrong");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedReason {
    /// The account is disabled.
    AccountDisabled,
    /// The password was disabled before, by failures.
    Locked {
        /// Until when.
        until: Timestamp,
    },
    /// The password was wrong, and by this failure it was disabled.
    LockedNow {
        /// Until when.
        until: Timestamp,
    },
    /// What was given as a name cannot be one.
    NoName,
    /// The account has no password.
    NoPassword,
    /// The password was right, and another one was put in its place before the session began.
    PasswordChanged,
    /// What was given as a password is longer than any.
    TooLong,
    /// There is no account of this name.
    Unknown,
    /// What is kept of the password cannot be used; somebody has to look at it.
    Unusable(HashError),
    /// The password is wrong.
    Wrong {
        /// How often it was, in a row.
        in_a_row: u32,
    },
}

impl RefusedReason {
    /// The reason as one word for events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDisabled => "account-disabled",
            Self::Locked { .. } => "locked",
            Self::LockedNow { .. } => "locked-now",
            Self::NoName => "no-name",
            Self::NoPassword => "no-password",
            Self::PasswordChanged => "password-changed",
            Self::TooLong => "too-long",
            Self::Unknown => "unknown",
            Self::Unusable(_) => "unusable",
            Self::Wrong { .. } => "wrong",
        }
    }
}

impl SignInOutcome {
    /// The event that a face notes.
    pub fn event(&self) -> EventKind {
        match self {
            Self::Busy { .. } | Self::Throttled { .. } => EventKind::LimitExceeded,
            Self::Refused(Refused { reason: RefusedReason::LockedNow { .. }, .. }) => EventKind::AuthenticatorDisabled,
            Self::Refused(_) => EventKind::SignInRefused,
            Self::SignedIn(_) => EventKind::SignedIn,
        }
    }
}
