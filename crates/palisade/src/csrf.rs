//! Tokens against cross-site requests: bound to a session, signed, and worthless in any other.
//!
//! A token reads `key.random.mac`, where `mac` is HMAC-SHA256 over the session's id and the random part, each behind its
//! length, so that no two pairs of them have the same bytes. It is not stored. A script of the own pages reads it from a
//! cookie and sends it back in a header; another site can neither read the cookie nor set the header. A value that is
//! merely equal in cookie and header (naive double submit) proves nothing, since neighbors of the same site can plant
//! cookies, and is refused.
//!
//! The stage [`crate::stage::csrf`] issues and verifies tokens where it is told to; this is the same by hand, for a
//! form's hidden field:
//!
//! ```
//! # struct Fixed;
//! # impl palisade_core::port::Entropy for Fixed { fn fill(&self, buffer: &mut [u8]) { buffer.fill(7) } }
//! # let entropy = std::sync::Arc::new(Fixed);
//! use palisade::core::secret::Secret;
//! use palisade::csrf::{TokenKey, Tokens};
//!
//! let key = TokenKey::new("2026-11", &Secret::new("a secret of at least 32 bytes ..."))?;
//! let tokens = Tokens::new(key, entropy);
//! let token = tokens.issue("the session's id");
//! assert!(tokens.verify("the session's id", &token).is_ok());
//! assert!(tokens.verify("another session's id", &token).is_err());
//! # Ok::<(), palisade::csrf::TokenKeyError>(())
//! ```

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use palisade_core::port::Entropy;
use palisade_core::secret::Secret;

/// Issues and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    /// The first signs; all verify.
    keys: Vec<TokenKey>,
    entropy: Arc<dyn Entropy>,
}

impl Tokens {
    /// Tokens signed with this key.
    pub fn new(key: TokenKey, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys: vec![key], entropy }
    }

    /// Believes tokens of a former key too, until the sessions of its time are over.
    #[must_use]
    pub fn also_verifying(mut self, former: TokenKey) -> Self {
        self.keys.push(former);
        self
    }

    /// A new token for the session with this id.
    pub fn issue(&self, session: &str) -> String {
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let random = URL_SAFE_NO_PAD.encode(random);
        // `new` takes one key, and none is ever removed.
        let Some(key) = self.keys.first() else { return String::new() };
        let mac = hmac::sign(&key.key, &message(session, &random));
        format!("{}.{random}.{}", key.id, URL_SAFE_NO_PAD.encode(mac))
    }

    /// Whether the token was issued for the session with this id.
    pub fn verify(&self, session: &str, token: &str) -> Result<(), TokenFault> {
        let mut parts = token.split('.');
        let (Some(id), Some(random), Some(mac), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TokenFault::Malformed);
        };
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| TokenFault::Malformed)?;
        let key = self.keys.iter().find(|key| *key.id == *id).ok_or(TokenFault::KeyUnknown)?;
        // Compares in constant time.
        hmac::verify(&key.key, &message(session, random), &mac).map_err(|_| TokenFault::Forged)
    }

    /// A random id for a visitor who has no session yet.
    pub(crate) fn visitor(&self) -> String {
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        URL_SAFE_NO_PAD.encode(id)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

/// A key that signs tokens, with the name by which tokens refer to it.
#[derive(Clone)]
pub struct TokenKey {
    id: Box<str>,
    key: hmac::Key,
}

impl TokenKey {
    /// A key of at least 32 bytes. Its name is up to 16 letters, digits, `-` and `_`.
    pub fn new(id: &str, secret: &Secret) -> Result<Self, TokenKeyError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if id.is_empty() || id.len() > 16 || !id.bytes().all(plain) {
            return Err(TokenKeyError::Name);
        }
        if secret.expose().len() < 32 {
            return Err(TokenKeyError::Short);
        }
        Ok(Self { id: id.into(), key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()) })
    }

    /// A key of at least 32 bytes whose name is the beginning of its own hash, so that nobody has to think of one.
    pub fn derived(secret: &Secret) -> Result<Self, TokenKeyError> {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.expose());
        let id: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self::new(&id, secret)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({})", self.id)
    }
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// The name could not stand in a token.
    #[error("the name of a key is 1 to 16 letters, digits, `-` and `_`")]
    Name,
    /// The secret can be guessed.
    #[error("a key has at least 32 bytes; with a shorter one tokens could be forged")]
    Short,
}

/// Why a token is not accepted; for events, never for the caller.
///
/// ```
/// # struct Fixed;
/// # impl palisade_core::port::Entropy for Fixed { fn fill(&self, buffer: &mut [u8]) { buffer.fill(7) } }
/// # let entropy = std::sync::Arc::new(Fixed);
/// use palisade::core::secret::Secret;
/// use palisade::csrf::{TokenFault, TokenKey, Tokens};
///
/// let tokens = Tokens::new(TokenKey::derived(&Secret::new("a secret of at least 32 bytes ..."))?, entropy);
/// let of_mallory = tokens.issue("mallory's session");
/// assert_eq!(tokens.verify("alice's session", &of_mallory), Err(TokenFault::Forged));
/// assert_eq!(tokens.verify("alice's session", "alice's session"), Err(TokenFault::Malformed));
/// # Ok::<(), palisade::csrf::TokenKeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Its signature is another's, or it was issued for another session.
    #[error("the token is of another session or was forged")]
    Forged,
    /// It names a key that is not among ours.
    #[error("the token names an unknown key")]
    KeyUnknown,
    /// It is no token.
    #[error("the token is malformed")]
    Malformed,
}

impl TokenFault {
    /// The reason as one word for events.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Forged => "token_forged",
            Self::KeyUnknown => "token_key_unknown",
            Self::Malformed => "token_malformed",
        }
    }
}

fn message(session: &str, random: &str) -> Vec<u8> {
    format!("{}!{session}!{}!{random}", session.len(), random.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::FixedEntropy;

    fn key(id: &str, byte: u8) -> TokenKey {
        TokenKey::new(id, &Secret::new(vec![byte; 32])).unwrap()
    }

    fn tokens(key: TokenKey) -> Tokens {
        Tokens::new(key, Arc::new(FixedEntropy(3)))
    }

    #[test]
    fn a_token_is_good_for_one_session_and_one_key() {
        let now = tokens(key("new", 1)).also_verifying(key("old", 2));
        let token = now.issue("s-1");
        assert!(token.starts_with("new."));
        assert_eq!(now.verify("s-1", &token), Ok(()));
        assert_eq!(now.verify("s-1", &tokens(key("old", 2)).issue("s-1")), Ok(()));
        for (session, token, expect) in [
            ("s-2", token.clone(), TokenFault::Forged),
            ("", token.clone(), TokenFault::Forged),
            ("s-1", token.replace("new.", "old."), TokenFault::Forged),
            ("s-1", token.replace("new.", "none."), TokenFault::KeyUnknown),
            ("s-1", tokens(key("new", 9)).issue("s-1"), TokenFault::Forged),
            ("s-1", token.replace('.', ""), TokenFault::Malformed),
            ("s-1", format!("{token}.x"), TokenFault::Malformed),
            ("s-1", format!("{token}="), TokenFault::Malformed),
            ("s-1", "new..".to_owned(), TokenFault::Forged),
            ("s-1", String::new(), TokenFault::Malformed),
        ] {
            assert_eq!(now.verify(session, &token), Err(expect), "{session} {token}");
        }
    }

    #[test]
    fn weak_keys_and_odd_names_are_refused() {
        assert_eq!(TokenKey::new("k", &Secret::new("short")).unwrap_err(), TokenKeyError::Short);
        for id in ["", "a.b", "a b", "seventeen-letters"] {
            assert_eq!(TokenKey::new(id, &Secret::new([0; 32])).unwrap_err(), TokenKeyError::Name, "{id}");
        }
    }

    proptest! {
        #[test]
        fn lengths_keep_session_and_random_apart(a in "\\PC{0,12}", b in "\\PC{0,12}", cut in 0usize..12) {
            let whole = format!("{a}!{b}");
            let (c, d) = whole.split_at(whole.floor_char_boundary(cut.min(whole.len())));
            prop_assert_eq!(message(&a, &b) == message(c, d), a == c && b == d);
        }

        #[test]
        fn nothing_but_the_token_is_accepted(token in "\\PC{0,80}", shaped in "new\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}") {
            let tokens = tokens(key("new", 1));
            for text in [token, shaped] {
                prop_assert!(tokens.verify("s-1", &text).is_err() || text == tokens.issue("s-1"));
            }
        }
    }
}
