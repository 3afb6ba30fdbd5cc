//! Devices from which somebody has signed in before: they keep a lane of their own, so that a flood from elsewhere
//! cannot keep the owner out (OWASP's device cookies).

use aws_lc_rs::hmac;
use palisade_core::id::TenantId;
use palisade_core::port::Entropy;
use palisade_core::port::account::SignInName;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

use crate::token::base64url;

/// The key under which devices are remembered, and for how long.
///
/// The value that a device keeps names the account it was given for and nothing else; it signs nobody in. It belongs
/// into a cookie that scripts cannot read.
///
/// ```
/// use std::time::Duration;
/// use palisade::core::secret::Secret;
/// use palisade::credential::sign_in::DeviceKey;
///
/// let key = DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(180 * 86_400));
/// assert!(key.is_some());
/// assert!(DeviceKey::new(&Secret::new("short"), Duration::from_secs(60)).is_none());
/// ```
#[expect(missing_debug_implementations, reason = "a key must not be printable")]
#[derive(Clone)]
pub struct DeviceKey {
    key: hmac::Key,
    lasts: std::time::Duration,
}

/// One device, among those of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device([u8; NONCE]);

impl DeviceKey {
    /// A key of at least 32 bytes, and how long a device is remembered after its last sign-in.
    pub fn new(key: &Secret, lasts: std::time::Duration) -> Option<Self> {
        let key = key.expose();
        (key.len() >= 32).then(|| Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), lasts })
    }

    /// A device that is new to an account.
    pub(super) fn fresh(entropy: &dyn Entropy) -> Device {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        Device(nonce)
    }

    /// What a device keeps.
    pub(super) fn value(
        &self,
        device: &Device,
        tenant: Option<&TenantId>,
        name: &SignInName,
        now: Timestamp,
    ) -> String {
        let at = now.as_millis().to_be_bytes();
        let mac = hmac::sign(&self.key, &message(tenant, name, &device.0, at));
        base64url::encode(&[&device.0, &at[..], mac.as_ref()].concat())
    }

    /// The device that keeps `value`, if it was given for this account and has not been away for too long.
    pub(super) fn read(
        &self,
        value: &str,
        tenant: Option<&TenantId>,
        name: &SignInName,
        now: Timestamp,
    ) -> Option<Device> {
        if value.len() > LONGEST {
            return None;
        }
        let bytes = base64url::decode(value)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (at, mac) = rest.split_first_chunk::<8>()?;
        hmac::verify(&self.key, &message(tenant, name, nonce, *at), mac).ok()?;
        let at = Timestamp::from_millis(u64::from_be_bytes(*at));
        (now < at.plus(self.lasts)).then_some(Device(*nonce))
    }
}

impl Device {
    /// The device as a part of names.
    pub(super) fn id(&self) -> String {
        base64url::encode(&self.0)
    }
}

/// What is signed. Each part of unknown length stands behind its length.
fn message(tenant: Option<&TenantId>, name: &SignInName, nonce: &[u8], at: [u8; 8]) -> Vec<u8> {
    let tenant = tenant.map(TenantId::as_str);
    let mut message = format!("palisade device 1 {:?}:", tenant.map(str::len)).into_bytes();
    message.extend_from_slice(tenant.unwrap_or_default().as_bytes());
    message.extend_from_slice(nonce);
    message.extend_from_slice(&at);
    message.extend_from_slice(name.as_str().as_bytes());
    message
}

const NONCE: usize = 16;

/// The value has 56 bytes.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use palisade_testkit::entropy::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> DeviceKey {
        DeviceKey::new(&Secret::new([byte; 32]), Duration::from_secs(100)).unwrap()
    }

    #[test]
    fn a_device_is_known_for_its_account_and_its_time() {
        let (alice, bob) = (SignInName::parse("alice").unwrap(), SignInName::parse("bob").unwrap());
        let (acme, empty) = (TenantId::new("acme"), TenantId::new(""));
        let device = DeviceKey::fresh(&SeededEntropy::new(1));
        let at = Timestamp::from_secs(1_000);
        let value = key(1).value(&device, Some(&acme), &alice, at);
        let read = |key: DeviceKey, tenant: Option<&TenantId>, name, now| {
            key.read(&value, tenant, name, Timestamp::from_secs(now)).is_some()
        };
        assert_eq!(key(1).read(&value, Some(&acme), &alice, at), Some(device));
        assert!(read(key(1), Some(&acme), &alice, 1_099));
        assert!(!read(key(1), Some(&acme), &alice, 1_100), "away for too long");
        assert!(!read(key(2), Some(&acme), &alice, 1_000), "another key");
        assert!(!read(key(1), Some(&acme), &bob, 1_000), "another account");
        assert!(!read(key(1), None, &alice, 1_000) && !read(key(1), Some(&empty), &alice, 1_000), "elsewhere");
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_device(text in "[A-Za-z0-9_-]{0,90}") {
            let alice = SignInName::parse("alice").unwrap();
            prop_assert_eq!(key(1).read(&text, None, &alice, Timestamp::from_secs(1)), None);
        }
    }
}
