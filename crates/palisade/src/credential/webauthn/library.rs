//! Verifies by `webauthn-rs`, for one origin and nothing below it.

use std::fmt;

use palisade_core::id::UserId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, PasskeyRegistration, Url, Uuid};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::{Asserted, Challenge, Registered, Verifier, WebauthnRefused};
use crate::token::base64url;

/// Verifies by `webauthn-rs`. Subdomains of the origin are other origins (CWE-290), and users must be verified by their
/// authenticators, so that a passkey is two factors.
///
/// ```
/// use palisade::credential::webauthn::{LibraryVerifier, OriginInvalid};
///
/// assert!(LibraryVerifier::new("https://app.example.com", "Acme").is_ok());
/// assert!(matches!(LibraryVerifier::new("app.example.com", "Acme"), Err(OriginInvalid { .. })));
/// ```
pub struct LibraryVerifier(Webauthn);

/// Why an origin is none that browsers have passkeys for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{origin}` is no origin for passkeys: write `https://` and a host name")]
pub struct OriginInvalid {
    /// The origin.
    pub origin: String,
}

impl LibraryVerifier {
    /// Verifies for the pages of this origin, `https://app.example.com`; its host is the relying party. Authenticators
    /// show `name`.
    pub fn new(origin: &str, name: &str) -> Result<Self, OriginInvalid> {
        let invalid = || OriginInvalid { origin: origin.to_owned() };
        let url = Url::parse(origin).map_err(|_| invalid())?;
        let host = url.domain().filter(|host| url.scheme() == "https" || *host == "localhost").ok_or_else(invalid)?;
        let builder = WebauthnBuilder::new(host, &url).map_err(|_| invalid())?;
        builder.rp_name(name).build().map(Self).map_err(|_| invalid())
    }
}

impl fmt::Debug for LibraryVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.get_allowed_origins().iter().map(Url::as_str)).finish()
    }
}

impl Verifier for LibraryVerifier {
    fn begin_registration(&self, user: &UserId, name: &str, own: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused> {
        let known = passkeys(own)?.iter().map(|key| key.cred_id().clone()).collect();
        let asked = self.0.start_passkey_registration(user_handle(user), name, name, Some(known));
        let (options, state) = asked.map_err(refused)?;
        challenge(&options, &state)
    }

    fn finish_registration(&self, state: &[u8], answer: &str) -> Result<Registered, WebauthnRefused> {
        let state: PasskeyRegistration = read(state)?;
        let key = self.0.finish_passkey_registration(&read(answer.as_bytes())?, &state).map_err(refused)?;
        Ok(Registered { id: base64url::encode(key.cred_id().as_ref()), data: write(&key)? })
    }

    fn begin_assertion(&self, own: &[Vec<u8>]) -> Result<Challenge, WebauthnRefused> {
        let (options, state) = self.0.start_passkey_authentication(&passkeys(own)?).map_err(refused)?;
        challenge(&options, &state)
    }

    fn finish_assertion(&self, state: &[u8], answer: &str, own: &[Vec<u8>]) -> Result<Asserted, WebauthnRefused> {
        let state: PasskeyAuthentication = read(state)?;
        let result = self.0.finish_passkey_authentication(&read(answer.as_bytes())?, &state).map_err(refused)?;
        let mut data = None;
        for mut key in passkeys(own)? {
            if key.update_credential(&result) == Some(true) {
                data = Some(write(&key)?);
            }
        }
        let (counter, user_verified) = (u64::from(result.counter()), result.user_verified());
        Ok(Asserted { id: base64url::encode(result.cred_id().as_ref()), counter, data, user_verified })
    }
}

/// What authenticators know a user by: a hash, because they may show and keep it.
fn user_handle(user: &UserId) -> Uuid {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, user.as_str().as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    Uuid::from_bytes(bytes)
}

fn passkeys(own: &[Vec<u8>]) -> Result<Vec<Passkey>, WebauthnRefused> {
    own.iter().map(|data| read(data)).collect()
}

fn challenge(options: &impl Serialize, state: &impl Serialize) -> Result<Challenge, WebauthnRefused> {
    let options = serde_json::to_value(options).map_err(|error| WebauthnRefused { reason: error.to_string() })?;
    Ok(Challenge { options, state: write(state)? })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WebauthnRefused> {
    serde_json::from_slice(bytes).map_err(|error| WebauthnRefused { reason: error.to_string() })
}

fn write(value: &impl Serialize) -> Result<Vec<u8>, WebauthnRefused> {
    serde_json::to_vec(value).map_err(|error| WebauthnRefused { reason: error.to_string() })
}

fn refused(error: impl fmt::Display) -> WebauthnRefused {
    WebauthnRefused { reason: error.to_string() }
}
