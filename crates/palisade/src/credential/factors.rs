//! Second factors: how they are enrolled, proven and removed, so that no code counts twice and nobody locks themselves out.
//!
//! 1. A factor counts once it has been proven with a code, and that code is used up by it. In the same step the user gets
//!    ten recovery codes, unless they have some: nobody has a factor and no way around it.
//! 2. A code of an authenticator app is good for one sign-in: its step, and all before it, are used up.
//! 3. Guesses are counted for each user, who has to wait after a few; and a hundred of them in a row disable the apps that
//!    they could have been meant for (NIST SP 800-63B-4 section 3.2.2), and nothing else. Recovery codes need no counting:
//!    nobody guesses 128 bits.
//! 4. The last factor is removed only by somebody who has proven both factors a moment ago.
//! 5. Whenever a factor was added or removed, [`Sessions::credential_changed`](crate::session::Sessions) should follow.
//!
//! ```
//! use std::sync::Arc;
//! use palisade::core::{id::UserId, secret::Secret};
//! use palisade::credential::factors::{FactorSettings, SecondFactors, TotpConfirmed};
//! use palisade::crypto::envelope::Envelope;
//! use palisade::testing::TestWorld;
//! use palisade_store::memory::MemoryFactors;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let test = TestWorld::new();
//! let seal = Envelope::new("2026-11", &Secret::new([7; 32]))?;
//! let factors = SecondFactors::new(Arc::new(MemoryFactors::default()), &test.world, seal, FactorSettings::new("Acme"));
//! let alice = UserId::new("u-1");
//! let enrollment = factors.begin_totp(&alice, "alice@example.com", "my phone").await?;
//! assert!(enrollment.uri.starts_with("otpauth://totp/Acme:alice"));
//! // A wrong code proves nothing.
//! assert!(matches!(factors.confirm_totp(&alice, &enrollment.id, "000000").await?, TotpConfirmed::Wrong));
//! # Ok::<(), palisade::credential::factors::FactorError>(())
//! # }).unwrap();
//! ```

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::id::{FactorId, UserId};
use palisade_core::port::counter::{Acquired, LimitKey, Rate};
use palisade_core::port::factor::{
    Advanced, Confirmed, Consumed, Enrolled, FactorKind, Factors, Failed, LastFactor, NewFactor, Removed, Replaced,
};
use palisade_core::port::{Clock, CounterStore, Entropy, FactorStore, StoreError};
use palisade_core::principal::{Assurance, Level};
use palisade_core::secret::Secret;
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;

use super::recovery::RecoveryCodes;
use super::totp::{Totp, base32};
use super::webauthn::WebauthnRefused;
use crate::crypto::envelope::{Envelope, EnvelopeError};
use crate::extract::{Noted, Refusal};
use crate::preset::World;
use crate::token::base64url;

/// The second factors of an application's users. Clones are the same.
#[derive(Clone)]
pub struct SecondFactors(Arc<Parts>);

struct Parts {
    store: Arc<dyn FactorStore>,
    counters: Arc<dyn CounterStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    seal: Envelope,
    settings: FactorSettings,
}

/// How second factors are used.
#[derive(Clone, Debug)]
pub struct FactorSettings {
    /// The name under which an authenticator app shows the account.
    pub issuer: Box<str>,
    /// How codes are computed.
    pub totp: Totp,
    /// How often a user may try a code.
    pub attempts: Rate,
    /// The wrong code in a row that disables an app.
    pub failures: NonZeroU32,
    /// How long an enrollment waits for its proof.
    pub patience: Duration,
    /// How long ago both factors may have been proven for the last one to be removed.
    pub fresh: Duration,
}

impl FactorSettings {
    /// Codes that every app knows, five attempts in a quarter of an hour and a hundred in a row, ten minutes for an enrollment.
    pub fn new(issuer: &str) -> Self {
        let (burst, failures) = const { (NonZeroU32::MIN.saturating_add(4), NonZeroU32::MIN.saturating_add(99)) };
        Self {
            issuer: issuer.into(),
            totp: Totp::default(),
            attempts: Rate { burst, per: Duration::from_secs(15 * 60) },
            failures,
            patience: Duration::from_secs(600),
            fresh: Duration::from_secs(300),
        }
    }
}

/// An authenticator app that is to be enrolled. Its page must not be kept by any cache.
///
/// ```
/// use palisade::credential::factors::TotpEnrollment;
///
/// /// The text under the picture, for those whose camera does not work.
/// fn by_hand(enrollment: &TotpEnrollment) -> &str {
///     &enrollment.secret
/// }
/// # let _ = by_hand;
/// ```
#[derive(Clone)]
pub struct TotpEnrollment {
    /// The factor's name.
    pub id: FactorId,
    /// What the app reads from a picture; it holds the secret.
    pub uri: String,
    /// The secret as people type it.
    pub secret: String,
}

/// What has become of an authenticator app to be proven.
#[derive(Clone, Debug)]
pub enum TotpConfirmed {
    /// It counts from now on. The codes are shown once; there are none where the user has some already.
    Confirmed(Option<RecoveryCodes>),
    /// Too many attempts.
    Throttled {
        /// When to come again.
        wait: Duration,
    },
    /// No enrollment waits for this.
    Unknown,
    /// The code is not the present one.
    Wrong,
}

/// What a code proves.
///
/// ```
/// use palisade::credential::factors::TotpVerified;
///
/// assert_ne!(TotpVerified::Replayed, TotpVerified::Wrong);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TotpVerified {
    /// Nothing any more: all apps of the user are disabled. Recovery codes and passkeys go on working.
    Disabled,
    /// Nothing, and it was one wrong code too many: an app is disabled from now on.
    DisabledNow,
    /// The user has no authenticator app.
    NoFactor,
    /// It is right and was used before: somebody has seen it.
    Replayed,
    /// Too many attempts.
    Throttled {
        /// When to come again.
        wait: Duration,
    },
    /// That the user has this factor.
    Verified(FactorId),
    /// Nothing.
    Wrong,
}

/// What has become of a factor to be removed.
///
/// ```
/// use palisade::credential::factors::FactorRemoved;
///
/// assert_ne!(FactorRemoved::NeedsStepUp, FactorRemoved::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorRemoved {
    /// It is the last one, and both factors have to be proven for that first.
    NeedsStepUp,
    /// It is gone.
    Removed {
        /// How many are left.
        left: u32,
    },
    /// The user has none of this name.
    Unknown,
}

/// Why nothing can be said about a factor.
///
/// ```
/// use palisade::credential::factors::FactorError;
/// use palisade::crypto::envelope::EnvelopeError;
///
/// assert_eq!(FactorError::from(EnvelopeError::Opening).to_string(), "the sealed record cannot be opened");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactorError {
    /// The secret cannot be opened.
    #[error(transparent)]
    Seal(#[from] EnvelopeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No question can be put to an authenticator: what is stored of the user's keys cannot be read.
    #[error(transparent)]
    Webauthn(#[from] WebauthnRefused),
}

impl From<FactorError> for Refusal {
    /// Nobody passes: `unavailable`.
    fn from(error: FactorError) -> Self {
        Denial::new(DenialCode::Unavailable, StageId::Forward).because("error", error.to_string()).into()
    }
}

impl SecondFactors {
    /// Second factors in this store, with secrets sealed like this.
    pub fn new(store: Arc<dyn FactorStore>, world: &World, seal: Envelope, settings: FactorSettings) -> Self {
        Self(Arc::new(Parts {
            store,
            counters: Arc::clone(&world.counters),
            clock: Arc::clone(&world.clock),
            entropy: Arc::clone(&world.entropy),
            seal,
            settings,
        }))
    }

    /// Begins to enroll an authenticator app; one that was begun before and not proven is given up.
    pub async fn begin_totp(&self, user: &UserId, account: &str, label: &str) -> Result<TotpEnrollment, FactorError> {
        let Parts { store, clock, entropy, seal, settings, .. } = &*self.0;
        let mut name = [0; 16];
        entropy.fill(&mut name);
        let id = FactorId::new(base64url::encode(&name));
        let secret = settings.totp.generate(&**entropy);
        let data = seal.seal(PURPOSE, &record(user, &id), secret.expose())?;
        let label = label.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect::<String>().into();
        let (user, lasts) = (user.clone(), settings.patience);
        let new = NewFactor { id, user, kind: FactorKind::Totp, label, data, lasts };
        match store.enroll(&new, clock.now()).await? {
            Enrolled::Pending => {
                let uri = settings.totp.uri(&settings.issuer, account, &secret);
                Ok(TotpEnrollment { id: new.id, uri, secret: base32(secret.expose()) })
            }
            Enrolled::Taken => Err(StoreError::Damaged { reason: "a random name came twice".to_owned() }.into()),
        }
    }

    /// Proves an authenticator app with its present code. From then on it counts, and its owner has recovery codes.
    pub async fn confirm_totp(&self, user: &UserId, id: &FactorId, code: &str) -> Result<TotpConfirmed, FactorError> {
        let Parts { store, clock, entropy, settings, .. } = &*self.0;
        let now = clock.now();
        let Some(factor) = store.pending(user, id, now).await?.filter(|factor| factor.kind == FactorKind::Totp) else {
            return Ok(TotpConfirmed::Unknown);
        };
        if let Some(wait) = self.throttled(user).await? {
            return Ok(TotpConfirmed::Throttled { wait });
        }
        let secret = self.secret(user, id, &factor.data)?;
        let Some(step) = settings.totp.step_of(&secret, code, now) else { return Ok(TotpConfirmed::Wrong) };
        let codes = RecoveryCodes::generate(&**entropy);
        Ok(match store.confirm(user, id, step, &codes.hashes(), now).await? {
            Confirmed::Confirmed { issued } => TotpConfirmed::Confirmed(issued.then_some(codes)),
            Confirmed::Unknown => TotpConfirmed::Unknown,
        })
    }

    /// Whether a code is the present one of one of the user's apps. It is used up by this.
    pub async fn verify_totp(&self, user: &UserId, code: &str) -> Result<TotpVerified, FactorError> {
        let Parts { store, clock, settings, .. } = &*self.0;
        let mut own = store.list(user).await?.factors;
        own.retain(|factor| factor.kind == FactorKind::Totp);
        if own.is_empty() {
            return Ok(TotpVerified::NoFactor);
        }
        own.retain(|factor| factor.disabled.is_none());
        if own.is_empty() {
            return Ok(TotpVerified::Disabled);
        }
        if let Some(wait) = self.throttled(user).await? {
            return Ok(TotpVerified::Throttled { wait });
        }
        let now = clock.now();
        for factor in own {
            let secret = self.secret(user, &factor.id, &factor.data)?;
            let Some(step) = settings.totp.step_of(&secret, code, now) else { continue };
            return Ok(match store.advance(user, &factor.id, step, None, now).await? {
                Advanced::Advanced => TotpVerified::Verified(factor.id),
                Advanced::Disabled => TotpVerified::Disabled,
                // This was no guess, and is not counted as one.
                Advanced::Replayed => TotpVerified::Replayed,
                // It was removed in this moment.
                Advanced::Unknown => TotpVerified::NoFactor,
            });
        }
        Ok(match store.fail(user, FactorKind::Totp, settings.failures, now).await? {
            Failed::Counted => TotpVerified::Wrong,
            Failed::Disabled => TotpVerified::DisabledNow,
            // They were disabled or removed in this moment.
            Failed::Unknown => TotpVerified::Disabled,
        })
    }

    /// Uses a recovery code up, if it is one of the user's.
    pub async fn recover(&self, user: &UserId, code: &str) -> Result<Consumed, FactorError> {
        match RecoveryCodes::hash(code) {
            Some(hash) => Ok(self.0.store.consume(user, &hash).await?),
            None => Ok(Consumed::Unknown),
        }
    }

    /// Gives the user other recovery codes in place of the ones they have; none to a user without a factor.
    pub async fn renew_codes(&self, user: &UserId) -> Result<Option<RecoveryCodes>, FactorError> {
        let codes = RecoveryCodes::generate(&*self.0.entropy);
        Ok(match self.0.store.replace_codes(user, &codes.hashes()).await? {
            Replaced::NoFactor => None,
            Replaced::Replaced => Some(codes),
        })
    }

    /// Removes a factor on behalf of somebody who has signed in like this. The last one needs a sign-in with both factors
    /// that is fresh.
    pub async fn remove(&self, user: &UserId, id: &FactorId, by: &Assurance) -> Result<FactorRemoved, FactorError> {
        let Parts { store, clock, settings, .. } = &*self.0;
        let is_fresh = by.level >= Level::Aal2 && clock.now() <= by.at.plus(settings.fresh);
        let last = if is_fresh { LastFactor::Remove } else { LastFactor::Keep };
        Ok(match store.remove(user, id, last).await? {
            Removed::IsLast => FactorRemoved::NeedsStepUp,
            Removed::Removed { left } => FactorRemoved::Removed { left },
            Removed::Unknown => FactorRemoved::Unknown,
        })
    }

    /// What the user has.
    pub async fn list(&self, user: &UserId) -> Result<Factors, FactorError> {
        Ok(self.0.store.list(user).await?)
    }

    /// The event that the use of a recovery code is.
    pub fn recovered(user: &UserId, outcome: &Consumed) -> Noted {
        match outcome {
            Consumed::Consumed { left } => Noted::default()
                .with(EventKind::RecoveryCodeUsed, &[("user", user.as_str()), ("left", &left.to_string())]),
            Consumed::Unknown => failed(user, "recovery_code_unknown"),
        }
    }

    pub(super) fn store(&self) -> &dyn FactorStore {
        &*self.0.store
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn secret(&self, user: &UserId, id: &FactorId, data: &[u8]) -> Result<Secret, EnvelopeError> {
        self.0.seal.open(PURPOSE, &record(user, id), data)
    }

    /// How long the user has to wait, if they have tried too often.
    async fn throttled(&self, user: &UserId) -> Result<Option<Duration>, StoreError> {
        let Parts { counters, clock, settings, .. } = &*self.0;
        let key = LimitKey::new("second-factor", user.as_str());
        Ok(match counters.try_acquire(&key, settings.attempts, clock.now()).await? {
            Acquired::Granted { .. } => None,
            Acquired::Refused { retry_after, .. } => Some(retry_after),
        })
    }
}

impl fmt::Debug for SecondFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondFactors").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for TotpEnrollment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotpEnrollment").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TotpConfirmed {
    /// The event that it is.
    pub fn noted(&self, user: &UserId) -> Noted {
        match self {
            Self::Confirmed(_) => Noted::default()
                .with(EventKind::FactorAdded, &[("user", user.as_str()), ("kind", FactorKind::Totp.as_str())]),
            Self::Throttled { .. } => failed(user, "totp_throttled"),
            Self::Unknown => Noted::default(),
            Self::Wrong => failed(user, "totp_wrong"),
        }
    }
}

impl TotpVerified {
    /// The event that it is, where it is no success.
    pub fn noted(&self, user: &UserId) -> Noted {
        match self {
            Self::Disabled => failed(user, "totp_disabled"),
            Self::DisabledNow => Noted::default().with(
                EventKind::AuthenticatorDisabled,
                &[("user", user.as_str()), ("kind", FactorKind::Totp.as_str())],
            ),
            Self::NoFactor => failed(user, "totp_not_enrolled"),
            Self::Replayed => failed(user, "totp_replayed"),
            Self::Throttled { .. } => failed(user, "totp_throttled"),
            Self::Verified(_) => Noted::default(),
            Self::Wrong => failed(user, "totp_wrong"),
        }
    }
}

impl FactorRemoved {
    /// The event that it is.
    pub fn noted(&self, user: &UserId) -> Noted {
        match self {
            Self::Removed { left } => {
                Noted::default().with(EventKind::FactorRemoved, &[("user", user.as_str()), ("left", &left.to_string())])
            }
            Self::NeedsStepUp | Self::Unknown => Noted::default(),
        }
    }
}

fn failed(user: &UserId, reason: &str) -> Noted {
    Noted::default().with(EventKind::AuthenticationFailed, &[("user", user.as_str()), ("reason", reason)])
}

/// What a secret is sealed as: the user's name behind its length, so that no two factors have the same.
fn record(user: &UserId, id: &FactorId) -> String {
    format!("{} {user} {id}", user.as_str().len())
}

/// What secrets of authenticator apps are sealed for.
const PURPOSE: &str = "totp";

/// How many characters of a label are kept.
const LONGEST_LABEL: usize = 100;
