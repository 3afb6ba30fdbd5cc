//! What somebody has between the password and the second factor: a sealed text that says whose password was right, and
//! opens nothing.

use std::time::Duration;

use aws_lc_rs::hmac;
use palisade_core::id::UserId;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::token::base64url;
use crate::token::jwk::KeyError;

/// The key under which they are sealed.
pub(super) struct PendingKey(hmac::Key);

/// Whose password was right, from which device, and how long that counts.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Claims {
    account: String,
    version: u64,
    device: String,
    until: u64,
}

/// A password that was right a moment ago.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) account: UserId,
    /// Which of the account's passwords it was.
    pub(super) version: u64,
    /// What the device keeps once the second factor is shown.
    pub(super) device: String,
}

impl PendingKey {
    pub(super) fn new(key: &Secret) -> Result<Self, KeyError> {
        match key.expose() {
            key if key.len() < 32 => Err(KeyError::Weak("the secret has fewer than 32 bytes")),
            key => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key))),
        }
    }

    pub(super) fn seal(&self, pending: &Pending, now: Timestamp) -> String {
        let until = now.plus(LASTS).as_millis();
        let (account, version) = (pending.account.as_str().to_owned(), pending.version);
        let claims = Claims { account, version, device: pending.device.clone(), until };
        let claims = base64url::encode(serde_json::json!(claims).to_string().as_bytes());
        let tag = hmac::sign(&self.0, &message(&claims));
        format!("{claims}.{}", base64url::encode(tag.as_ref()))
    }

    pub(super) fn open(&self, text: &str, now: Timestamp) -> Option<Pending> {
        let (claims, tag) = text.split_once('.').filter(|_| text.len() <= LONGEST)?;
        hmac::verify(&self.0, &message(claims), &base64url::decode(tag)?).ok()?;
        let claims: Claims = serde_json::from_slice(&base64url::decode(claims)?).ok()?;
        let account = UserId::new(claims.account);
        let pending = Pending { account, version: claims.version, device: claims.device };
        (now < Timestamp::from_millis(claims.until)).then_some(pending)
    }
}

fn message(claims: &str) -> Vec<u8> {
    format!("palisade second factor 1 {claims}").into_bytes()
}

/// How long a password counts without the second factor.
const LASTS: Duration = Duration::from_secs(300);

/// Longer than any that is made here.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_has_sealed_for_five_minutes_and_nothing_else() {
        let key = |byte: u8| PendingKey::new(&Secret::new([byte; 32])).unwrap();
        let pending = || Pending { account: UserId::new("u-1"), version: 7, device: "d".to_owned() };
        let now = Timestamp::from_secs(100);
        let text = key(1).seal(&pending(), now);
        assert_eq!(key(1).open(&text, Timestamp::from_secs(399)), Some(pending()));
        assert_eq!(key(1).open(&text, Timestamp::from_secs(400)), None);
        assert_eq!(key(2).open(&text, now), None);
        let other = key(1).seal(&Pending { account: UserId::new("u-2"), ..pending() }, now);
        let mixed = format!("{}.{}", other.split_once('.').unwrap().0, text.split_once('.').unwrap().1);
        for text in ["", ".", "a.b", mixed.as_str(), text.get(1..).unwrap_or_default()] {
            assert_eq!(key(1).open(text, now), None, "{text}");
        }
        assert!(PendingKey::new(&Secret::new("short")).is_err());
    }
}
