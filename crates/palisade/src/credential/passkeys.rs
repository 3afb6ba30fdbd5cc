//! Passkeys as factors: ceremonies that are begun and finished once, by the same user, for the same purpose.
//!
//! 1. What a ceremony has to know between its halves stays in the store, under the hash of a random text that the browser
//!    has. It is taken out once, before the answer is looked at: a recorded answer finds nothing.
//! 2. The hash holds the user and the purpose, so that nobody finishes what somebody else began.
//! 3. A credential id belongs to one user. A signature counter never goes back; one that does is a copied key.
//! 4. A passkey that has verified its user is two factors (`aal2`), and never three: it may have been copied to other
//!    devices (NIST SP 800-63B-4 section 2.3.1).
//!
//! ```
//! use std::sync::Arc;
//! use palisade::core::{id::UserId, secret::Secret};
//! use palisade::credential::factors::{FactorError, FactorSettings, SecondFactors};
//! use palisade::credential::passkeys::{Begun, Passkeys};
//! use palisade::credential::webauthn::Verifier;
//!
//! /// What `navigator.credentials.create` is called with, and the ceremony to come back with.
//! async fn begin(passkeys: &Passkeys, user: &UserId) -> Result<Option<(String, String)>, FactorError> {
//!     let Begun::Begun { ceremony, options } = passkeys.begin_registration(user, "alice@example.com").await? else {
//!         return Ok(None);
//!     };
//!     Ok(Some((ceremony, options.to_string())))
//! }
//! # let _ = begin;
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use palisade_core::event::EventKind;
use palisade_core::id::{FactorId, UserId};
use palisade_core::port::factor::{Advanced, Ceremony, CodeHash, Confirmed, Enrolled, Factor, FactorKind, NewFactor};
use palisade_core::principal::{Assurance, Level};
use serde_json::Value;

use super::factors::{FactorError, SecondFactors};
use super::recovery::RecoveryCodes;
use super::webauthn::{Challenge, Verifier, WebauthnRefused};
use crate::extract::Noted;
use crate::token::base64url;

/// The passkeys of an application's users.
#[derive(Clone)]
pub struct Passkeys {
    factors: SecondFactors,
    verifier: Arc<dyn Verifier>,
}

/// A ceremony's first half.
#[derive(Clone, Debug)]
pub enum Begun {
    /// The page goes on with this.
    Begun {
        /// What it comes back with.
        ceremony: String,
        /// What the browser is asked for.
        options: Value,
    },
    /// There is nothing to ask for: the user has no passkey.
    NoFactor,
}

/// What has become of a passkey to be registered.
///
/// ```
/// use palisade::credential::passkeys::PasskeyAdded;
///
/// assert!(matches!(PasskeyAdded::Expired, PasskeyAdded::Expired));
/// ```
#[derive(Clone, Debug)]
pub enum PasskeyAdded {
    /// It counts. The codes are shown once; there are none where the user has some already.
    Added(FactorId, Option<RecoveryCodes>),
    /// The ceremony was not begun by this user, is finished already, or took too long.
    Expired,
    /// The answer is not believed.
    Refused(WebauthnRefused),
    /// The credential is registered already.
    Taken,
}

/// What a passkey proves.
///
/// ```
/// use palisade::credential::passkeys::PasskeyVerified;
///
/// assert_ne!(PasskeyVerified::Copied, PasskeyVerified::Expired);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasskeyVerified {
    /// Its counter went back: there are two of it.
    Copied,
    /// The ceremony was not begun by this user, is finished already, or took too long.
    Expired,
    /// The answer is not believed.
    Refused(WebauthnRefused),
    /// That the user has this factor, and how sure that makes.
    Verified(FactorId, Assurance),
}

impl Passkeys {
    /// Passkeys among these factors, verified by this.
    pub fn new(factors: SecondFactors, verifier: impl Verifier) -> Self {
        Self { factors, verifier: Arc::new(verifier) }
    }

    /// Begins to register a passkey; authenticators show `name`.
    pub async fn begin_registration(&self, user: &UserId, name: &str) -> Result<Begun, FactorError> {
        let own = data(&self.own(user).await?);
        let asked = self.verifier.begin_registration(user, name, &own);
        self.begin(user, Purpose::Register, asked).await
    }

    /// Finishes it with the browser's answer, as JSON.
    pub async fn finish_registration(
        &self,
        user: &UserId,
        ceremony: &str,
        answer: &str,
        label: &str,
    ) -> Result<PasskeyAdded, FactorError> {
        let Some(state) = self.take(user, Purpose::Register, ceremony).await? else { return Ok(PasskeyAdded::Expired) };
        let registered = match self.verifier.finish_registration(&state, answer) {
            Ok(registered) => registered,
            Err(refused) => return Ok(PasskeyAdded::Refused(refused)),
        };
        let (store, now) = (self.factors.store(), self.factors.now());
        let label = label.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect::<String>().into();
        let (id, user, data) = (FactorId::new(registered.id), user.clone(), registered.data);
        let new = NewFactor { id, user, kind: FactorKind::Passkey, label, data, lasts: LASTS };
        if store.enroll(&new, now).await? == Enrolled::Taken {
            return Ok(PasskeyAdded::Taken);
        }
        let codes = RecoveryCodes::generate(self.factors.entropy());
        Ok(match store.confirm(&new.user, &new.id, 0, &codes.hashes(), now).await? {
            Confirmed::Confirmed { issued } => PasskeyAdded::Added(new.id, issued.then_some(codes)),
            Confirmed::Unknown => PasskeyAdded::Expired,
        })
    }

    /// Begins to ask for a passkey of this user.
    pub async fn begin_sign_in(&self, user: &UserId) -> Result<Begun, FactorError> {
        let own = self.own(user).await?;
        if own.is_empty() {
            return Ok(Begun::NoFactor);
        }
        self.begin(user, Purpose::SignIn, self.verifier.begin_assertion(&data(&own))).await
    }

    /// Finishes it with the browser's answer, as JSON.
    pub async fn finish_sign_in(
        &self,
        user: &UserId,
        ceremony: &str,
        answer: &str,
    ) -> Result<PasskeyVerified, FactorError> {
        let Some(state) = self.take(user, Purpose::SignIn, ceremony).await? else {
            return Ok(PasskeyVerified::Expired);
        };
        let own = data(&self.own(user).await?);
        let asserted = match self.verifier.finish_assertion(&state, answer, &own) {
            Ok(asserted) => asserted,
            Err(refused) => return Ok(PasskeyVerified::Refused(refused)),
        };
        let (id, now) = (FactorId::new(asserted.id), self.factors.now());
        let advanced = self.factors.store().advance(user, &id, asserted.counter, asserted.data.as_deref(), now).await?;
        Ok(match advanced {
            Advanced::Advanced => {
                let level = if asserted.user_verified { Level::Aal2 } else { Level::Aal1 };
                let methods = if asserted.user_verified { &["pop", "user"][..] } else { &["pop"] };
                let methods = methods.iter().copied().collect();
                PasskeyVerified::Verified(id, Assurance { methods, ..Assurance::new(level, now) })
            }
            Advanced::Replayed => PasskeyVerified::Copied,
            // It was removed in this moment, or may not be used.
            Advanced::Disabled | Advanced::Unknown => PasskeyVerified::Expired,
        })
    }

    async fn own(&self, user: &UserId) -> Result<Vec<Factor>, FactorError> {
        let mut own = self.factors.list(user).await?.factors;
        own.retain(|factor| factor.kind == FactorKind::Passkey);
        Ok(own)
    }

    async fn begin(
        &self,
        user: &UserId,
        purpose: Purpose,
        asked: Result<Challenge, WebauthnRefused>,
    ) -> Result<Begun, FactorError> {
        let Challenge { options, state } = asked?;
        let mut bytes = [0; 32];
        self.factors.entropy().fill(&mut bytes);
        let ceremony = base64url::encode(&bytes);
        let kept = Ceremony { id: purpose.hash(user, &ceremony), state, lasts: LASTS };
        self.factors.store().begin(&kept, self.factors.now()).await?;
        Ok(Begun::Begun { ceremony, options })
    }

    async fn take(&self, user: &UserId, purpose: Purpose, ceremony: &str) -> Result<Option<Vec<u8>>, FactorError> {
        Ok(self.factors.store().take(&purpose.hash(user, ceremony), self.factors.now()).await?)
    }
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkeys").field("factors", &self.factors).finish_non_exhaustive()
    }
}

impl PasskeyAdded {
    /// The event that it is.
    pub fn noted(&self, user: &UserId) -> Noted {
        match self {
            Self::Added(..) => Noted::default()
                .with(EventKind::FactorAdded, &[("user", user.as_str()), ("kind", FactorKind::Passkey.as_str())]),
            Self::Expired => failed(user, "passkey_expired", "-"),
            Self::Refused(refused) => failed(user, "passkey_refused", &refused.reason),
            Self::Taken => failed(user, "passkey_taken", "-"),
        }
    }
}

impl PasskeyVerified {
    /// The event that it is, where it is no success.
    pub fn noted(&self, user: &UserId) -> Noted {
        match self {
            Self::Copied => failed(user, "passkey_copied", "-"),
            Self::Expired => failed(user, "passkey_expired", "-"),
            Self::Refused(refused) => failed(user, "passkey_refused", &refused.reason),
            Self::Verified(..) => Noted::default(),
        }
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    Register,
    SignIn,
}

impl Purpose {
    /// Under which a ceremony is kept: its random text, the user and the purpose, each of which has its place.
    fn hash(self, user: &UserId, ceremony: &str) -> CodeHash {
        let purpose = match self {
            Self::Register => "register",
            Self::SignIn => "sign-in",
        };
        let text = format!("{purpose} {} {ceremony} {user}", ceremony.len());
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        CodeHash(hash)
    }
}

fn data(own: &[Factor]) -> Vec<Vec<u8>> {
    own.iter().map(|factor| factor.data.clone()).collect()
}

fn failed(user: &UserId, reason: &str, error: &str) -> Noted {
    let facts = [("user", user.as_str()), ("reason", reason), ("error", error)];
    Noted::default().with(EventKind::AuthenticationFailed, &facts)
}

/// How long a ceremony may take: people look for their keys.
const LASTS: Duration = Duration::from_secs(300);

/// How many characters of a label are kept.
const LONGEST_LABEL: usize = 100;
