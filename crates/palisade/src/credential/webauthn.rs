//! What has to be known of WebAuthn, behind a trait: who verifies what an authenticator says.
//!
//! [`super::passkeys`] has the rules around it. With the feature `webauthn` there is a verifier that does it by the crate
//! `webauthn-rs`; it is off by default, because that brings a hundred crates along.

#[cfg(feature = "webauthn")]
mod library;

#[cfg(feature = "webauthn")]
pub use library::{LibraryVerifier, OriginInvalid};
use palisade_core::id::UserId;
use serde_json::Value;

/// Verifies what authenticators say (Web Authentication level 3, sections 7.1 and 7.2): challenge, origin, relying party,
/// presence and verification of the user, signature.
///
/// ```
/// use palisade::core::id::UserId;
/// use palisade::credential::webauthn::{Asserted, Challenge, Registered, Verifier, WebauthnRefused};
///
/// /// Believes nobody.
/// struct Nobody;
///
/// impl Verifier for Nobody {
///     fn begin_registration(&self, _: &UserId, _: &str, _: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused> {
///         Err(WebauthnRefused { reason: "nobody".to_owned() })
///     }
///
///     fn finish_registration(&self, _: &[u8], _: &str) -> Result<Registered, WebauthnRefused> {
///         Err(WebauthnRefused { reason: "nobody".to_owned() })
///     }
///
///     fn begin_assertion(&self, _: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused> {
///         Err(WebauthnRefused { reason: "nobody".to_owned() })
///     }
///
///     fn finish_assertion(&self, _: &[u8], _: &str, _: &[Vec<u8>]) -> Result<Asserted, WebauthnRefused> {
///         Err(WebauthnRefused { reason: "nobody".to_owned() })
///     }
/// }
/// # let _ = Nobody;
/// ```
pub trait Verifier: Send + Sync + 'static {
    /// Asks for a new key of this user, who has `own` ones already and is shown `name`.
    fn begin_registration(&self, user: &UserId, name: &str, own: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused>;

    /// The new key, if the answer of the browser, as JSON, fits the challenge.
    fn finish_registration(&self, state: &[u8], answer: &str) -> Result<Registered, WebauthnRefused>;

    /// Asks for the proof of one of these keys.
    fn begin_assertion(&self, own: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused>;

    /// The key that was proven, if the answer of the browser, as JSON, fits the challenge.
    fn finish_assertion(&self, state: &[u8], answer: &str, own: &[Vec<u8>]) -> Result<Asserted, WebauthnRefused>;
}

/// What a page asks the browser for, and what has to be known when the answer comes.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// For `navigator.credentials.create` or `get`, as JSON.
    pub options: Value,
    /// To be kept where the browser cannot change it, and used once.
    pub state: Vec<u8>,
}

/// A key that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its credential id in base64url.
    pub id: String,
    /// What has to be known to verify it.
    pub data: Vec<u8>,
}

/// A key that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// Its credential id in base64url.
    pub id: String,
    /// How many signatures it has counted.
    pub counter: u64,
    /// What has to be known from now on, where that has changed.
    pub data: Option<Vec<u8>>,
    /// Whether the authenticator has verified its user, by a finger or a PIN.
    pub user_verified: bool,
}

/// Why an answer is not believed; for events only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WebauthnRefused {
    /// The rule that it breaks.
    pub reason: String,
}
