//! Passwords are kept as PBKDF2 hashes, with few iterations because this is a demonstration.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Hashes with a fresh salt, as `pbkdf2-sha256$iterations$salt$hash`.
pub(crate) fn hash(password: &str) -> String {
    let mut salt = [0; 16];
    // A salt of zeros is weak but works, and no caller can do anything about a missing random source.
    let _ = rand::fill(&mut salt);
    let mut derived = [0; 32];
    pbkdf2::derive(PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut derived);
    let (salt, derived) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(derived));
    format!("{SCHEME}${ITERATIONS}${salt}${derived}")
}

/// Whether the password is the one hashed. Anything that is not a hash of ours verifies nothing.
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    let mut parts = hash.split('$');
    let (Some(SCHEME), Some(iterations), Some(salt), Some(derived), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(iterations), Ok(salt), Ok(derived)) =
        (iterations.parse(), STANDARD_NO_PAD.decode(salt), STANDARD_NO_PAD.decode(derived))
    else {
        return false;
    };
    pbkdf2::verify(PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &derived).is_ok()
}

const SCHEME: &str = "pbkdf2-sha256";

const ITERATIONS: NonZeroU32 = match NonZeroU32::new(1_000) {
    Some(iterations) => iterations,
    None => NonZeroU32::MIN,
};

#[cfg(test)]
mod tests {
    use super::{hash, verify};

    #[test]
    fn verifies_only_the_hashed_password() {
        let kept = hash("apple");
        assert!(verify("apple", &kept));
        assert!(!verify("pear", &kept));
        assert!(!verify("apple", "apple"));
        assert_ne!(kept, hash("apple"), "each hash has its own salt");
    }
}
