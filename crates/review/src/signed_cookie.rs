//! A session that is kept in the cookie itself, signed as Flask does it.
//!
//! The value is what is kept, the time of signing and the signature, each in base64url, with dots between. The key is
//! the keyed hash of the salt under the secret; both hashes are SHA-1.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign as tag};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::Jwt;

/// Its three parts.
pub(crate) struct SignedCookie {
    kept: String,
    time: u64,
    written: [String; 2],
}

impl SignedCookie {
    /// Reads a value. `None` when it is of another kind.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let mut parts = value.rsplitn(3, '.');
        let (signature, written, kept) = (parts.next()?, parts.next()?, parts.next()?);
        let time = URL_SAFE_NO_PAD.decode(written).ok().filter(|bytes| (1..=8).contains(&bytes.len()))?;
        let is_signature = URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| bytes.len() == HASH);
        let time = time.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let is_one = is_signature && !kept.is_empty() && Jwt::read(value).is_none();
        is_one.then(|| Self { kept: kept.to_owned(), time, written: [written.to_owned(), signature.to_owned()] })
    }

    /// Whether a secret made the signature.
    pub(crate) fn is_signed_with(&self, secret: &[u8]) -> bool {
        let [time, signature] = &self.written;
        sign(secret, &format!("{}.{time}", self.kept)) == *signature
    }

    /// The same, signed a second earlier: what is kept alone would give the same value.
    pub(crate) fn signed_earlier(&self, secret: &[u8]) -> String {
        let bytes = self.time.saturating_sub(1).to_be_bytes();
        let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        let message = format!("{}.{}", self.kept, URL_SAFE_NO_PAD.encode(bytes));
        let signature = sign(secret, &message);
        format!("{message}.{signature}")
    }
}

fn sign(secret: &[u8], message: &str) -> String {
    let keyed = |key: &[u8], text: &[u8]| tag(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), text);
    URL_SAFE_NO_PAD.encode(keyed(keyed(secret, SALT).as_ref(), message.as_bytes()))
}

const SALT: &[u8] = b"cookie-session";
const HASH: usize = 20;

#[cfg(test)]
mod tests {
    use super::SignedCookie;

    #[test]
    fn a_cookie_of_flask_is_read_and_signed_anew() {
        let cookie = SignedCookie::read(FLASK).unwrap();
        assert!(cookie.is_signed_with(b"dev") && !cookie.is_signed_with(b"Dev"));
        let earlier = cookie.signed_earlier(b"dev");
        let again = SignedCookie::read(&earlier).unwrap();
        assert_eq!((again.is_signed_with(b"dev"), again.time), (true, cookie.time - 1));
        let later = SignedCookie { time: cookie.time + 1, ..again };
        assert_eq!(later.signed_earlier(b"dev"), FLASK);
    }

    #[test]
    fn other_values_are_left_alone() {
        for value in ["", "opaque", "a.b.c", "e30.e30.e30", "e30.aQ", ".aQ.AAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(SignedCookie::read(value).is_none(), "{value}");
        }
    }

    /// As Flask writes it under the secret `dev`.
    const FLASK: &str = "eyJ3aG8iOiJhbm4ifQ.awMzpg.BEeys3FwjewDNjKi6LETK6W_RbI";
}
