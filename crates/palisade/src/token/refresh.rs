//! Refresh tokens that work once: whoever uses a stolen one ends it for the thief and for its owner (RFC 9700 section
//! 4.14.2), and whoever only asks twice at once is not logged out.
//!
//! A token is `prt_`, then in base64url the name of its family, the number of its generation, and an HMAC over both and
//! over a salt that only the store has. Nothing else is in it, and no token is kept anywhere: the store has one row for
//! each family, with the number of the newest generation. So
//!
//! - the successor of a token can be computed again: a request that comes twice gets the same answer twice;
//! - order is a number and never a time;
//! - whoever has stolen the store, or the key, but not both, can make no token.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use palisade::core::{id::{ClientId, UserId}, port::refresh::Grant, principal::ScopeSet, secret::Secret};
//! use palisade::testing::{SeededEntropy, StillClock};
//! use palisade::token::refresh::{Redeem, RefreshError, RefreshKeys, RefreshTokens};
//! use palisade_store::memory::MemoryRefresh;
//!
//! let clock = StillClock::default();
//! let keys = RefreshKeys::new("2026-11", &Secret::new([7; 32]))?;
//! let store = Arc::new(MemoryRefresh::default());
//! let tokens = RefreshTokens::new(store, keys, Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
//!
//! let app = ClientId::new("app");
//! let scopes = ScopeSet::from_iter(["orders:read"]);
//! let first = tokens.begin(Grant { scopes, ..Grant::new(app.clone(), UserId::new("u-alice")) }).await?;
//! let second = tokens.redeem(&Redeem::new(first.expose(), &app)).await?;
//! // The answer was lost: the same again.
//! assert_eq!(tokens.redeem(&Redeem::new(first.expose(), &app)).await?.token.expose(), second.token.expose());
//!
//! clock.advance(std::time::Duration::from_secs(60));
//! let reused = tokens.redeem(&Redeem::new(first.expose(), &app)).await.unwrap_err();
//! assert!(matches!(reused, RefreshError::Replayed(_)));
//! // And with it the newest is gone: nobody can say who of the two is the thief.
//! assert!(tokens.redeem(&Redeem::new(second.token.expose(), &app)).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod error;
mod key;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use error::RefreshError;
pub use key::{RefreshKeys, RefreshToken};
use palisade_core::id::ClientId;
use palisade_core::port::refresh::{Binding, Family, FamilyId, Grace, Grant, Outcome, Presented, Turn, Whose};
use palisade_core::port::{Clock, Entropy, RefreshStore, StoreError};
use palisade_core::principal::ScopeSet;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

use super::dpop::ProvenKey;
use crate::credential::certificate::ClientCertificate;

/// Gives out refresh tokens and takes them back.
pub struct RefreshTokens {
    store: Arc<dyn RefreshStore>,
    keys: RefreshKeys,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: RefreshSettings,
}

/// How long families last, and what is forgiven.
///
/// ```
/// use std::time::Duration;
/// use palisade::token::refresh::RefreshSettings;
///
/// let days = |days: u64| Duration::from_secs(days * 86_400);
/// assert_eq!(RefreshSettings::default().idle, days(7));
/// let short = RefreshSettings { idle: days(1), ..RefreshSettings::default() };
/// # let _ = short;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshSettings {
    /// For how long the token before the newest is answered with the newest.
    pub grace: Grace,
    /// How long a family lasts without being used.
    pub idle: Duration,
    /// How long it lasts in all; then the person signs in again (NIST SP 800-63B-4 section 2.1.3).
    pub absolute: Duration,
}

impl RefreshSettings {
    /// What is weaker than by default.
    ///
    /// ```
    /// use palisade::core::port::refresh::Grace;
    /// use palisade::token::refresh::RefreshSettings;
    ///
    /// assert!(RefreshSettings::default().dangers().is_empty());
    /// let forgiving = RefreshSettings { grace: Grace::default().danger_until_used(), ..RefreshSettings::default() };
    /// assert_eq!(forgiving.dangers().len(), 1);
    /// ```
    pub fn dangers(&self) -> Vec<String> {
        match self.grace.is_until_used() {
            true => {
                vec!["a stolen refresh token is forgiven until somebody notes that its successor was used".to_owned()]
            }
            false => Vec::new(),
        }
    }
}

impl Default for RefreshSettings {
    /// Ten seconds, seven days, thirty days.
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self { grace: Grace::default(), idle: 7 * day, absolute: 30 * day }
    }
}

/// A text that is shown once, to whom it belongs. It cannot be printed by accident.
///
/// ```
/// use palisade::token::refresh::TokenText;
///
/// fn cookie(token: &TokenText) -> String {
///     format!("__Host-refresh={}; Secure; HttpOnly; SameSite=Strict; Path=/", token.expose())
/// }
/// # let _ = cookie;
/// ```
#[derive(Clone)]
pub struct TokenText(Secret);

impl TokenText {
    pub(super) fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The text, for the one place that hands it out.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(..)")
    }
}

/// Who presents a token, and what else it brings and wants.
#[derive(Clone, Copy, Debug)]
pub struct Redeem<'a> {
    /// The token.
    pub token: &'a str,
    /// The client that presents it, which has shown who it is where it can.
    pub client: &'a ClientId,
    /// Whether a token is replaced.
    pub rotation: Rotation,
    /// The key that the request has proven.
    pub key: Option<&'a ProvenKey>,
    /// The certificate that the request came with.
    pub certificate: Option<&'a ClientCertificate>,
    /// What the next access token is for, where that is less than was granted.
    pub scopes: Option<&'a ScopeSet>,
    /// Where it is for (RFC 8707), where that is less than was granted; an empty list asks for all of it.
    pub resources: Option<&'a [Box<str>]>,
}

impl<'a> Redeem<'a> {
    /// A token of a public client, for everything that was granted.
    pub fn new(token: &'a str, client: &'a ClientId) -> Self {
        let rotation = Rotation::Always;
        Self { token, client, rotation, key: None, certificate: None, scopes: None, resources: None }
    }
}

/// Whether a token is replaced when it is used, as the client is.
///
/// ```
/// use palisade::core::id::ClientId;
/// use palisade::token::refresh::{Redeem, Rotation};
///
/// let server = ClientId::new("server");
/// let kept = Redeem { rotation: Rotation::UnlessBound, ..Redeem::new("prt_...", &server) };
/// assert_eq!(Redeem::new("prt_...", &server).rotation, Rotation::Always);
/// # let _ = kept;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// At every use: for public clients, from which a token can be stolen unnoticed.
    Always,
    /// Only if it is bound to no key: for clients that show who they are, for which losing a token in an answer is the
    /// greater harm (FAPI 2.0 security profile section 5.3.2.1).
    UnlessBound,
}

impl Rotation {
    fn turn(self, binding: Option<&Binding>) -> Turn {
        match (self, binding) {
            (Self::UnlessBound, Some(_)) => Turn::Keep,
            (Self::Always, _) | (Self::UnlessBound, None) => Turn::Rotate,
        }
    }
}

/// What came of a good token.
///
/// ```
/// use palisade::token::issue::{Access, Issued, Issuer};
/// use palisade::token::refresh::Redeemed;
/// use palisade::token::sign::SignError;
///
/// fn next(issuer: &Issuer, redeemed: Redeemed) -> Result<Issued, SignError> {
///     issuer.issue(&Access::of(&redeemed.grant), Some(redeemed.token))
/// }
/// # let _ = next;
/// ```
#[derive(Clone, Debug)]
pub struct Redeemed {
    /// The token to use from now on; the one that was presented, where it stays.
    pub token: TokenText,
    /// What the access token is made from: no more than was granted, bound to what was shown.
    pub grant: Grant,
    /// The family, for events and for `note_used`.
    pub family: FamilyId,
    /// Its newest generation.
    pub generation: u32,
    /// Whether somebody had the same answer a moment ago.
    pub again: bool,
}

impl RefreshTokens {
    /// Tokens of the families in `store`.
    pub fn new(
        store: Arc<dyn RefreshStore>,
        keys: RefreshKeys,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { store, keys, clock, entropy, settings: RefreshSettings::default() }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: RefreshSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The first token of a new family.
    pub async fn begin(&self, grant: Grant) -> Result<TokenText, StoreError> {
        let (mut id, mut salt) = ([0; 16], [0; 16]);
        self.entropy.fill(&mut id);
        self.entropy.fill(&mut salt);
        let (now, RefreshSettings { idle, absolute, .. }) = (self.clock.now(), self.settings);
        let (id, until) = (FamilyId::from_bytes(id), now.plus(absolute));
        let key = self.keys.newest().into();
        let family = Family { id, salt, key, grant, begun: now, idle, until };
        self.store.begin(&family, now).await?;
        self.keys.token(&family, 0).ok_or_else(|| StoreError::Damaged { reason: "the key is gone".to_owned() })
    }

    /// Uses a token: gives its successor, or says why not. A token that was used before revokes its family; whoever is
    /// told so must not take back the cookies of the one who has the newest.
    pub async fn redeem(&self, redeem: &Redeem<'_>) -> Result<Redeemed, RefreshError> {
        let (token, family) = self.prove(redeem.token).await?;
        if family.grant.client != *redeem.client {
            return Err(RefreshError::OtherClient);
        }
        let mut grant = family.grant.clone();
        grant.binding = bound(family.grant.binding.as_ref(), redeem)?;
        if let Some(scopes) = redeem.scopes {
            if grant.scopes.first_missing(scopes).is_some() {
                return Err(RefreshError::ScopeWidened);
            }
            grant.scopes = scopes.clone();
        }
        // Nothing at all would mean the issuer's own audience, which may not have been granted.
        if let Some(resources) = redeem.resources.filter(|resources| !resources.is_empty()) {
            if !resources.iter().all(|resource| grant.resources.contains(resource)) {
                return Err(RefreshError::ResourceWidened);
            }
            grant.resources = resources.to_vec();
        }
        // The binding of the family, and not what this request has shown, says whether its token can be stolen.
        let turn = redeem.rotation.turn(family.grant.binding.as_ref());
        let presented = Presented { generation: token.generation(), turn, grace: self.settings.grace };
        let outcome = self.store.redeem(family.id, presented, self.clock.now()).await;
        let (generation, again) = match outcome.map_err(RefreshError::Unavailable)? {
            Outcome::Again { generation } => (generation, true),
            Outcome::Kept => (token.generation(), false),
            Outcome::Rotated { generation } => (generation, false),
            Outcome::Expired => return Err(RefreshError::Expired),
            Outcome::Replayed => return Err(RefreshError::Replayed(Box::new(family))),
            Outcome::Revoked => return Err(RefreshError::Revoked),
            Outcome::Unknown => return Err(RefreshError::Unknown),
        };
        let token = self.keys.token(&family, generation).ok_or(RefreshError::KeyUnknown)?;
        Ok(Redeemed { token, grant, family: family.id, generation, again })
    }

    /// Ends the family of a token, whichever of its generations it is (RFC 7009), and gives it back unless it had ended
    /// before.
    pub async fn revoke(&self, token: &str, client: &ClientId) -> Result<Option<Family>, RefreshError> {
        let (_, family) = self.prove(token).await?;
        if family.grant.client != *client {
            return Err(RefreshError::OtherClient);
        }
        let revoked = self.store.revoke(Whose::Family(family.id), self.clock.now()).await;
        let revoked = revoked.map_err(RefreshError::Unavailable)?;
        Ok((revoked != 0).then_some(family))
    }

    /// The present moment, as families are judged by it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long families last, and what is forgiven.
    pub fn settings(&self) -> &RefreshSettings {
        &self.settings
    }

    /// How long a family lasts at most.
    pub fn longest(&self) -> Duration {
        self.settings.absolute
    }

    /// The families, to list them, to end them, and to note what was used.
    pub fn store(&self) -> &Arc<dyn RefreshStore> {
        &self.store
    }

    /// A token that one of our keys has made, and its family. What is read of the store here never changes.
    async fn prove(&self, text: &str) -> Result<(RefreshToken, Family), RefreshError> {
        let token = RefreshToken::parse(text).ok_or(RefreshError::Malformed)?;
        let family = self.store.find(token.family()).await.map_err(RefreshError::Unavailable)?;
        let family = family.ok_or(RefreshError::Unknown)?;
        self.keys.prove(&token, &family)?;
        Ok((token, family))
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokens").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What the next access token is bound to: what the family is, which the request must show; else whatever it shows.
fn bound(binding: Option<&Binding>, redeem: &Redeem<'_>) -> Result<Option<Binding>, RefreshError> {
    let key = redeem.key.map(|key| key.thumbprint().clone());
    let certificate = redeem.certificate.map(|certificate| certificate.thumbprint().clone());
    match binding {
        Some(Binding::Key(bound)) if key.as_ref() != Some(bound) => Err(RefreshError::OtherKey),
        Some(Binding::Certificate(bound)) if certificate.as_ref() != Some(bound) => Err(RefreshError::OtherKey),
        Some(binding) => Ok(Some(binding.clone())),
        None => Ok(key.map(Binding::Key).or(certificate.map(Binding::Certificate))),
    }
}
