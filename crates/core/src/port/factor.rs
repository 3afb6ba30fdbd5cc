//! Second factors of users: enrolled, proven, used once each way, and removed, each in one step.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::id::{FactorId, UserId};
use crate::time::Timestamp;

/// Keeps what users prove themselves with beside a password: authenticators, and codes for when those are lost.
///
/// ```
/// use palisade_core::port::{FactorStore, StoreError};
/// use palisade_core::{id::UserId, time::Timestamp};
///
/// /// Whether a password alone is not enough for this user.
/// async fn needs_another(factors: &dyn FactorStore, user: &UserId) -> Result<bool, StoreError> {
///     Ok(!factors.list(user).await?.factors.is_empty())
/// }
/// # let _ = needs_another;
/// ```
#[async_trait]
pub trait FactorStore: Send + Sync + 'static {
    /// Keeps a factor that is not proven yet, in place of another one of this user and kind that is not.
    async fn enroll(&self, new: &NewFactor, now: Timestamp) -> Result<Enrolled, StoreError>;

    /// A factor that waits to be proven.
    async fn pending(&self, user: &UserId, id: &FactorId, now: Timestamp) -> Result<Option<Factor>, StoreError>;

    /// Turns a factor that waits into one that counts, with the counter of its first proof used up; and, in the same step,
    /// gives the user these recovery codes if they have none. Nobody has a factor and no way around it.
    async fn confirm(
        &self,
        user: &UserId,
        id: &FactorId,
        counter: u64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<Confirmed, StoreError>;

    /// Uses a factor's counter up to and including `to`: of any number of calls with one counter exactly one is
    /// [`Advanced::Advanced`]. What the factor keeps is replaced by `data`, if there is any. A passkey that does not count
    /// stays at zero. The failures of the user's factors of this kind are forgotten by it, but for those that are disabled.
    async fn advance(
        &self,
        user: &UserId,
        id: &FactorId,
        to: u64,
        data: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Advanced, StoreError>;

    /// Counts a failure of all factors of this kind that the user may use, since nobody knows which of them was meant, and
    /// disables those that have failed `most` times in a row. What is disabled stays so.
    async fn fail(
        &self,
        user: &UserId,
        kind: FactorKind,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<Failed, StoreError>;

    /// Uses a recovery code up.
    async fn consume(&self, user: &UserId, code: &CodeHash) -> Result<Consumed, StoreError>;

    /// Gives a user who has a factor other recovery codes; the old ones are worth nothing any more.
    async fn replace_codes(&self, user: &UserId, codes: &[CodeHash]) -> Result<Replaced, StoreError>;

    /// Removes a factor. The last one goes only where that is said, and the recovery codes go with it.
    async fn remove(&self, user: &UserId, id: &FactorId, last: LastFactor) -> Result<Removed, StoreError>;

    /// The factors of a user that count, the oldest first.
    async fn list(&self, user: &UserId) -> Result<Factors, StoreError>;

    /// Keeps the state of a ceremony until it is taken.
    async fn begin(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError>;

    /// Takes the state of a ceremony out, once: of any number of calls at most one has it.
    async fn take(&self, id: &CodeHash, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;
}

/// The SHA-256 of a text of at least 112 random bits, such as a recovery code.
///
/// ```
/// use palisade_core::port::factor::CodeHash;
///
/// assert_ne!(CodeHash([1; 32]), CodeHash([2; 32]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeHash(pub [u8; 32]);

/// A factor that is to be enrolled.
///
/// ```
/// use palisade_core::id::{FactorId, UserId};
/// use palisade_core::port::factor::{FactorKind, NewFactor};
///
/// let new = NewFactor {
///     id: FactorId::new("f-1"),
///     user: UserId::new("u-1"),
///     kind: FactorKind::Totp,
///     label: "my phone".into(),
///     data: b"the secret, sealed".to_vec(),
///     lasts: std::time::Duration::from_secs(600),
/// };
/// assert_eq!(new.kind.as_str(), "totp");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFactor {
    /// Its name, unique among all users: that of a passkey is its credential id.
    pub id: FactorId,
    /// Whose it is.
    pub user: UserId,
    /// What it is.
    pub kind: FactorKind,
    /// How its owner calls it.
    pub label: Box<str>,
    /// What proves it: a sealed secret, or a public key.
    pub data: Vec<u8>,
    /// How long it can be proven.
    pub lasts: Duration,
}

/// What a factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// A key pair of WebAuthn.
    Passkey,
    /// One-time codes by the time (RFC 6238).
    Totp,
}

impl FactorKind {
    /// `passkey` or `totp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Totp => "totp",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Passkey, Self::Totp].into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a counter may follow another one. A passkey of several devices counts nothing: zero follows zero.
    pub fn follows(self, to: u64, from: u64) -> bool {
        to > from || (self == Self::Passkey && to == 0 && from == 0)
    }
}

/// A factor of a user.
///
/// ```
/// use palisade_core::port::factor::Factor;
///
/// /// How it stands in a list.
/// fn shown(factor: &Factor) -> String {
///     format!("{} ({}), since {}", factor.label, factor.kind.as_str(), factor.created)
/// }
/// # let _ = shown;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name.
    pub id: FactorId,
    /// What it is.
    pub kind: FactorKind,
    /// How its owner calls it.
    pub label: Box<str>,
    /// What proves it.
    pub data: Vec<u8>,
    /// The last counter that was used: the step of a code, or the signatures that a passkey has counted.
    pub counter: u64,
    /// When it was enrolled.
    pub created: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
    /// Since when it is not to be used, because somebody has failed with it too often; until it is removed.
    pub disabled: Option<Timestamp>,
}

/// The factors of a user.
///
/// ```
/// let none = palisade_core::port::factor::Factors::default();
/// assert_eq!((none.factors.len(), none.codes), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// Those that count, the oldest first.
    pub factors: Vec<Factor>,
    /// How many recovery codes are left.
    pub codes: u32,
}

/// The state of a ceremony of WebAuthn, between its two halves.
///
/// ```
/// use palisade_core::port::factor::{Ceremony, CodeHash};
///
/// let lasts = std::time::Duration::from_secs(300);
/// let ceremony = Ceremony { id: CodeHash([7; 32]), state: b"the challenge".to_vec(), lasts };
/// # let _ = ceremony;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceremony {
    /// The hash of the random text by which the browser refers to it.
    pub id: CodeHash,
    /// What has to be known for the second half.
    pub state: Vec<u8>,
    /// How long it may be taken.
    pub lasts: Duration,
}

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $({ $(#[$field_doc:meta])* $field:ident: $type:ty })?,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant $({ $(#[$field_doc])* $field: $type })?,)*
        }
    )*};
}

outcomes! {
    /// What has become of a factor to be enrolled.
    Enrolled {
        /// It waits for its proof.
        Pending,
        /// There is one of this name, and so it is somebody's already.
        Taken,
    }
    /// What has become of a factor to be proven.
    Confirmed {
        /// It counts from now on.
        Confirmed {
            /// Whether the recovery codes are the user's now; else they have others that are not used up.
            issued: bool
        },
        /// None waits, or not any more.
        Unknown,
    }
    /// What has become of a counter to be used up.
    Advanced {
        /// It was unused until now.
        Advanced,
        /// The factor has failed too often in a row, and a good proof comes too late.
        Disabled,
        /// It, or a later one, was used before: a replay, or a copy of the key.
        Replayed,
        /// The user has no such factor that counts.
        Unknown,
    }
    /// What a failure has done.
    Failed {
        /// It was counted.
        Counted,
        /// It was one too many: a factor is disabled from now on.
        Disabled,
        /// The user has no factor of this kind that may be used.
        Unknown,
    }
    /// What has become of a recovery code.
    Consumed {
        /// It was good, and is used up.
        Consumed {
            /// How many are left.
            left: u32
        },
        /// It is none of theirs, or is used up already.
        Unknown,
    }
    /// Whether recovery codes were replaced.
    Replaced {
        /// Without a factor there is nothing to recover from.
        NoFactor,
        /// They are the user's.
        Replaced,
    }
    /// Whether a user may be left without a factor.
    LastFactor {
        /// The last one stays.
        Keep,
        /// It goes as well.
        Remove,
    }
    /// What has become of a factor to be removed.
    Removed {
        /// It is the last one, and stays.
        IsLast,
        /// It is gone.
        Removed {
            /// How many are left.
            left: u32
        },
        /// There was none.
        Unknown,
    }
}
