//! Recovery codes: ten texts on paper, each good for one sign-in when the authenticator is lost.
//!
//! A code carries 128 random bits, so that one SHA-256 protects it where it is kept (NIST SP 800-63B-4 section 3.1.2 asks
//! for a slow hash below 112 bits only), and so that guessing needs no counting.
//!
//! ```
//! use palisade::credential::recovery::RecoveryCodes;
//! use palisade::testing::SeededEntropy;
//!
//! let codes = RecoveryCodes::generate(&SeededEntropy::new(1));
//! let first = codes.expose().next().unwrap();
//! assert_eq!((codes.expose().count(), first.len()), (10, 32));
//! // As somebody types it.
//! assert_eq!(RecoveryCodes::hash(&first.to_lowercase().replace('-', " ")), RecoveryCodes::hash(first));
//! ```

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use palisade_core::port::Entropy;
use palisade_core::port::factor::CodeHash;
use palisade_core::secret::Secret;

use super::totp::base32;

/// Codes as their owner gets them, once.
#[derive(Clone)]
pub struct RecoveryCodes(Vec<Secret>);

impl RecoveryCodes {
    /// Makes ten codes, each of 26 letters and digits in groups of four.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let code = |_| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            let plain = base32(&bytes);
            let groups: Vec<&str> =
                (0..7).filter_map(|group| plain.get(group * 4..plain.len().min(group * 4 + 4))).collect();
            Secret::new(groups.join("-"))
        };
        Self((0..COUNT).map(code).collect())
    }

    /// The codes, for the one page that shows them.
    pub fn expose(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|code| std::str::from_utf8(code.expose()).unwrap_or_default())
    }

    /// What is kept of them.
    pub fn hashes(&self) -> Vec<CodeHash> {
        self.expose().filter_map(Self::hash).collect()
    }

    /// The hash of a code as somebody has typed it: in small letters, with other groups. `None` for what is no code.
    pub fn hash(typed: &str) -> Option<CodeHash> {
        if typed.len() > LONGEST {
            return None;
        }
        let plain: String = typed.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
        let is_code = plain.len() == LENGTH && plain.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'));
        is_code.then(|| {
            let mut hash = [0; 32];
            hash.iter_mut().zip(digest(&SHA256, plain.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
            CodeHash(hash)
        })
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCodes(..)")
    }
}

/// How many codes somebody gets.
const COUNT: usize = 10;

/// How many letters and digits 128 bits are.
const LENGTH: usize = 26;

/// No code is typed longer than this.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::SeededEntropy;

    #[test]
    fn codes_differ_and_are_read_as_they_are_typed() {
        let codes = RecoveryCodes::generate(&SeededEntropy::new(3));
        assert_eq!(codes.hashes().into_iter().collect::<BTreeSet<_>>().len(), 10);
        assert_eq!(format!("{codes:?}"), "RecoveryCodes(..)");
        let code = codes.expose().next().unwrap();
        for typed in
            [code.to_owned(), code.to_lowercase(), code.replace('-', ""), code.replace('-', " "), format!(" {code} ")]
        {
            assert_eq!(RecoveryCodes::hash(&typed), codes.hashes().first().copied(), "{typed}");
        }
        let short: String = code.chars().take(31).collect();
        for typed in [
            "",
            "123456",
            &short,
            &format!("{code}A"),
            &code.replace('-', "_"),
            &code.replace('-', "0"),
            &"A".repeat(99),
        ] {
            assert_eq!(RecoveryCodes::hash(typed), None, "{typed}");
        }
    }
}
