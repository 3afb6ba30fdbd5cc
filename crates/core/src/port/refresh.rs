//! Families of refresh tokens: who was given one, which of its tokens is the newest, and whether it still counts.
//!
//! All refresh tokens that follow from one sign-in are a *family*. A family is one record, however often it was
//! refreshed, and the newest token is a number in it. A token that was stolen shows itself by being used a second time:
//! the thief or the owner comes with a number that is over, and then the family ends, in the same step that finds it out
//! (RFC 9700 section 4.14.2).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
pub use super::rotation::{Grace, Outcome, Progress, Turn};
use crate::id::{ClientId, KeyThumbprint, TenantId, UserId};
use crate::principal::{Level, MethodSet, ScopeSet};
use crate::time::Timestamp;

/// Keeps families.
///
/// ```
/// use palisade_core::port::refresh::{Family, FamilyId, Kept, Outcome, Presented, RefreshStore, Whose};
/// use palisade_core::port::StoreError;
/// use palisade_core::time::Timestamp;
///
/// /// A store whose line is cut: nobody gets a token.
/// struct Cut;
///
/// fn cut<T>() -> Result<T, StoreError> {
///     Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
/// }
///
/// #[async_trait::async_trait]
/// impl RefreshStore for Cut {
///     async fn begin(&self, _: &Family, _: Timestamp) -> Result<(), StoreError> { cut() }
///     async fn find(&self, _: FamilyId) -> Result<Option<Family>, StoreError> { cut() }
///     async fn redeem(&self, _: FamilyId, _: Presented, _: Timestamp) -> Result<Outcome, StoreError> { cut() }
///     async fn note_used(&self, _: FamilyId, _: u32) -> Result<(), StoreError> { cut() }
///     async fn revoke(&self, _: Whose<'_>, _: Timestamp) -> Result<u64, StoreError> { cut() }
///     async fn list(&self, _: &palisade_core::id::UserId, _: Timestamp) -> Result<Vec<Kept>, StoreError> { cut() }
/// }
/// # let _ = Cut;
/// ```
#[async_trait]
pub trait RefreshStore: Send + Sync + 'static {
    /// Keeps a new family, whose first token has the generation 0. A family of that name that is already there is an
    /// error: names are random.
    async fn begin(&self, family: &Family, now: Timestamp) -> Result<(), StoreError>;

    /// What was said when the family began, whether or not it still counts. None of it ever changes, so that it may be
    /// looked at before [`RefreshStore::redeem`] decides.
    async fn find(&self, id: FamilyId) -> Result<Option<Family>, StoreError>;

    /// Uses a token of the family, by [`Progress::redeem`]. Of any number of parallel calls with the newest generation
    /// exactly one is [`Outcome::Rotated`]. [`Outcome::Replayed`] says that the family was revoked by this call.
    async fn redeem(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError>;

    /// Notes that what was given out with this generation has been used, so that its holder surely has it.
    async fn note_used(&self, id: FamilyId, generation: u32) -> Result<(), StoreError>;

    /// Ends families for ever and says how many of them had not been ended so before.
    async fn revoke(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError>;

    /// The families of a subject that still count, the latest used first.
    async fn list(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError>;
}

/// What is presented, and what is to happen if it is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The generation that the token names.
    pub generation: u32,
    /// Whether the token is replaced.
    pub turn: Turn,
    /// How the one before the newest is forgiven.
    pub grace: Grace,
}

/// Whose families are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// One family.
    Family(FamilyId),
    /// All that came out of one session.
    Session(&'a str),
    /// All of one subject.
    Subject(&'a UserId),
}

/// The name of a family: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId([u8; 16]);

impl FamilyId {
    /// The name that these bytes are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The name that 32 hexadecimal digits spell.
    pub fn parse(hex: &str) -> Option<Self> {
        let is_hex = hex.len() == 32 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(hex, 16).ok().filter(|_| is_hex)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for FamilyId {
    /// 32 small hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FamilyId({self})")
    }
}

/// What is said when a family begins, and never changes.
#[derive(Clone, PartialEq)]
pub struct Family {
    /// Its name.
    pub id: FamilyId,
    /// Random bytes that go into the proof of each token and are nowhere but in the store: whoever has stolen the key of
    /// the proofs can make none.
    pub salt: [u8; 16],
    /// The name of the key that its tokens are proven with.
    pub key: Box<str>,
    /// Who may do what with it.
    pub grant: Grant,
    /// When it began.
    pub begun: Timestamp,
    /// How long it lasts without being used.
    pub idle: Duration,
    /// When it ends, used or not.
    pub until: Timestamp,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the salt, which is half of a secret.
        f.debug_struct("Family").field("id", &self.id).field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// Who may do what: what an access token is made from, now and after every refresh.
///
/// ```
/// use palisade_core::port::refresh::Grant;
/// use palisade_core::{id::{ClientId, UserId}, principal::ScopeSet};
///
/// let grant = Grant {
///     scopes: ScopeSet::from_iter(["orders:read"]),
///     ..Grant::new(ClientId::new("app"), UserId::new("u-alice"))
/// };
/// assert_eq!(grant.binding, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The client that was given the tokens.
    pub client: ClientId,
    /// For whom.
    pub subject: UserId,
    /// In which organization.
    pub tenant: Option<TenantId>,
    /// The session in which it was given.
    pub session: Option<Box<str>>,
    /// The key without which the tokens are worth nothing.
    pub binding: Option<Binding>,
    /// What for (RFC 6749 section 3.3).
    pub scopes: ScopeSet,
    /// Where (RFC 8707), as absolute URIs.
    pub resources: Vec<Box<str>>,
    /// How surely it was the subject.
    pub level: Level,
    /// By which means it had shown that.
    pub methods: MethodSet,
    /// When.
    pub authenticated: Timestamp,
}

impl Grant {
    /// A grant of nothing yet.
    pub fn new(client: ClientId, subject: UserId) -> Self {
        Self {
            client,
            subject,
            tenant: None,
            session: None,
            binding: None,
            scopes: ScopeSet::default(),
            resources: Vec::new(),
            level: Level::None,
            methods: MethodSet::default(),
            authenticated: Timestamp::default(),
        }
    }
}

/// What whoever uses a token must have besides it.
///
/// ```
/// use palisade_core::{id::KeyThumbprint, port::refresh::Binding};
///
/// let bound = Binding::Key(KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
/// assert_eq!(bound.thumbprint().as_str().len(), 43);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// The client certificate of this SHA-256 (`x5t#S256`, RFC 8705 section 3.1).
    Certificate(KeyThumbprint),
    /// The key of this thumbprint, which signs a proof for every request (`jkt`, RFC 9449 section 6.1).
    Key(KeyThumbprint),
}

impl Binding {
    /// The thumbprint of the key or certificate.
    pub fn thumbprint(&self) -> &KeyThumbprint {
        match self {
            Self::Certificate(thumbprint) | Self::Key(thumbprint) => thumbprint,
        }
    }
}

/// A family and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What was said when it began.
    pub family: Family,
    /// How far it has come.
    pub progress: Progress,
}
