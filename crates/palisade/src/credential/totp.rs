//! One-time codes by the time (RFC 6238): what an authenticator app shows, computed and compared.
//!
//! This is the arithmetic; that no code counts twice is [`super::factors`]' to see to, which keeps the step of the last
//! one. Secrets rest sealed, by [`crate::crypto::envelope`].
//!
//! ```
//! use palisade::core::secret::Secret;
//! use palisade::core::time::Timestamp;
//! use palisade::credential::totp::{Totp, TotpAlgorithm};
//!
//! // The first vector of RFC 6238, appendix B.
//! let totp = Totp { digits: 8, ..Totp::new(TotpAlgorithm::Sha1) };
//! let secret = Secret::new("12345678901234567890");
//! assert_eq!(totp.code(&secret, 59 / 30), "94287082");
//! assert_eq!(totp.step_of(&secret, "94287082", Timestamp::from_secs(59)), Some(1));
//! assert_eq!(totp.step_of(&secret, "94287082", Timestamp::from_secs(90)), None);
//! ```

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use palisade_core::port::Entropy;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// How codes are computed. Authenticator apps know the defaults, and many know nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totp {
    /// The hash.
    pub algorithm: TotpAlgorithm,
    /// How many digits a code has: six to eight.
    pub digits: u32,
    /// How many seconds a step has.
    pub period: u32,
}

/// The hash under the HMAC. SHA-1 is broken for signatures and not for this (RFC 6194 section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TotpAlgorithm {
    /// SHA-1, which every app knows.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl TotpAlgorithm {
    /// The name in an `otpauth` URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// How many bytes a secret has: as many as the hash (RFC 4226 section 4, RFC 6238 section 5.1).
    pub fn secret_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl Totp {
    /// Six digits, a new code each half minute.
    pub fn new(algorithm: TotpAlgorithm) -> Self {
        Self { algorithm, digits: 6, period: 30 }
    }

    /// A new secret.
    pub fn generate(&self, entropy: &dyn Entropy) -> Secret {
        let mut bytes = vec![0; self.algorithm.secret_length()];
        entropy.fill(&mut bytes);
        Secret::new(bytes)
    }

    /// The code of a step (RFC 4226 section 5.3).
    pub fn code(&self, secret: &Secret, step: u64) -> String {
        let key = hmac::Key::new(self.algorithm.hmac(), secret.expose());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let mac = tag.as_ref();
        let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
        let word = mac.iter().skip(offset).take(4).fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let digits = self.digits.clamp(6, 8);
        let code = (word & 0x7fff_ffff) % 10_u32.pow(digits);
        format!("{code:0width$}", width = usize::try_from(digits).unwrap_or(6))
    }

    /// The step that a code is of: the present one, the one before or the next one, for clocks that differ. All three are
    /// compared, in time that does not tell which it is.
    pub fn step_of(&self, secret: &Secret, code: &str, now: Timestamp) -> Option<u64> {
        let present = now.as_secs() / u64::from(self.period.max(1));
        let steps = [present.saturating_sub(1), present, present.saturating_add(1)];
        steps.into_iter().fold(None, |found, step| {
            let matches = Secret::new(self.code(secret, step)).matches(code.as_bytes());
            if matches { Some(step) } else { found }
        })
    }

    /// What an app reads from a picture: the secret and how to use it.
    ///
    /// ```
    /// use palisade::core::secret::Secret;
    /// use palisade::credential::totp::{Totp, TotpAlgorithm};
    ///
    /// let uri = Totp::new(TotpAlgorithm::Sha1).uri("Acme & Co", "alice@example.com", &Secret::new("12345678901234567890"));
    /// let expect = "otpauth://totp/Acme%20%26%20Co:alice%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
    ///               &issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30";
    /// assert_eq!(uri, expect);
    /// ```
    pub fn uri(&self, issuer: &str, account: &str, secret: &Secret) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (issuer, account, secret) = (escaped(issuer), escaped(account), base32(secret.expose()));
        let (algorithm, digits, period) = (self.algorithm.as_str(), self.digits.clamp(6, 8), self.period);
        let mut uri = format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}");
        // Writing to a String cannot fail.
        let _ = write!(uri, "&algorithm={algorithm}&digits={digits}&period={period}");
        uri
    }
}

impl Default for Totp {
    fn default() -> Self {
        Self::new(TotpAlgorithm::default())
    }
}

/// Bytes in base 32 without padding (RFC 4648 section 6), as people type them.
///
/// ```
/// assert_eq!(palisade::credential::totp::base32(b"foobar"), "MZXW6YTBOI");
/// ```
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte)) << (8 * (5 - group.len()));
        for place in 0..(group.len() * 8).div_ceil(5) {
            let index = usize::try_from(bits >> (35 - 5 * place) & 31).unwrap_or_default();
            text.push(char::from(ALPHABET.get(index).copied().unwrap_or_default()));
        }
    }
    text
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds of RFC 6238, appendix B, as its reference implementation has them: the digits repeated to each length.
    fn seed(algorithm: TotpAlgorithm) -> Secret {
        let digits = b"1234567890".iter().copied().cycle();
        Secret::new(digits.take(algorithm.secret_length()).collect::<Vec<u8>>())
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        use TotpAlgorithm::{Sha1, Sha256, Sha512};
        for (secs, codes) in [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ] {
            for (algorithm, code) in [Sha1, Sha256, Sha512].into_iter().zip(codes) {
                let totp = Totp { digits: 8, ..Totp::new(algorithm) };
                assert_eq!(totp.code(&seed(algorithm), secs / 30), code, "{algorithm:?} at {secs}");
                let now = Timestamp::from_secs(secs);
                assert_eq!(totp.step_of(&seed(algorithm), code, now), Some(secs / 30), "{algorithm:?} at {secs}");
            }
        }
    }

    #[test]
    fn the_vectors_of_rfc_4226() {
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (count, code) in (0..).zip(codes) {
            assert_eq!(Totp::default().code(&seed(TotpAlgorithm::Sha1), count), code, "{count}");
        }
    }

    #[test]
    fn clocks_may_differ_by_one_step() {
        let (totp, secret, now) = (Totp::default(), seed(TotpAlgorithm::Sha1), Timestamp::from_secs(3_000));
        for (step, expect) in [(98, None), (99, Some(99)), (100, Some(100)), (101, Some(101)), (102, None)] {
            assert_eq!(totp.step_of(&secret, &totp.code(&secret, step), now), expect, "{step}");
        }
        for code in ["", "1", "12345", "1234567", " 359152", "35９152"] {
            assert_eq!(totp.step_of(&secret, code, Timestamp::from_secs(60)), None, "{code}");
        }
        assert_eq!(totp.step_of(&secret, &totp.code(&secret, 0), Timestamp::from_secs(0)), Some(0));
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
