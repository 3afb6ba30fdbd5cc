//! Which passwords may be chosen (NIST SP 800-63B-4 section 3.1.1.2, OWASP ASVS 5.0 section 6.2).
//!
//! Length is what counts. There are no rules about kinds of letters, and no password ever becomes too old: both make
//! people choose worse ones.

use std::fmt;

use palisade_core::port::account::Strength;
use palisade_core::secret::Secret;
use unicode_normalization::UnicodeNormalization as _;

use super::BlockList;

/// A password as somebody has typed it, in the one spelling that is hashed: normalization form C, and nothing else
/// changed or cut off. It cannot be printed.
///
/// ```
/// use palisade::credential::password::{Password, PasswordRefusal};
///
/// assert!(Password::new("Ångström").is_ok());
/// // Before anything is done with it: a megabyte costs nothing.
/// assert_eq!(Password::new(&"x".repeat(1 << 20)).unwrap_err(), PasswordRefusal::TooLong);
/// ```
#[derive(Clone)]
pub struct Password(pub(super) Secret);

impl Password {
    /// The longest password in bytes.
    pub const LONGEST: usize = 1024;

    /// Takes any text that is not too long.
    pub fn new(text: &str) -> Result<Self, PasswordRefusal> {
        if text.len() > Self::LONGEST {
            return Err(PasswordRefusal::TooLong);
        }
        Ok(Self(Secret::new(text.nfc().collect::<String>())))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Which passwords may be chosen.
///
/// ```
/// use palisade::core::port::account::Strength;
/// use palisade::credential::password::{PasswordPolicy, PasswordRefusal};
///
/// let policy = PasswordPolicy { context: vec!["Palisade".to_owned()], ..PasswordPolicy::default() };
/// let (_, strength) = policy.check("a boat full of green tea", Strength::Alone, &["alice@example.com"])?;
/// assert_eq!(strength, Strength::Alone);
/// let refused = |password, needs| policy.check(password, needs, &["alice@example.com"]).unwrap_err().slug();
/// assert_eq!(refused("green tea", Strength::Alone), "too-short");
/// assert_eq!(refused("palisade-2026", Strength::WithSecondFactor), "context");
/// assert_eq!(refused("passwordpassword", Strength::Alone), "common");
/// # Ok::<(), PasswordRefusal>(())
/// ```
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// The fewest characters of a password that is the only factor.
    pub alone: usize,
    /// The fewest characters of a password that a second factor stands beside.
    pub with_second_factor: usize,
    /// What is refused for being known.
    pub blocked: BlockList,
    /// What everybody here thinks of: the names of the service, of the organization, of its products.
    pub context: Vec<String>,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { alone: 15, with_second_factor: 8, blocked: BlockList::common(), context: Vec::new() }
    }
}

/// The rule that a password breaks. It says nothing about accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordRefusal {
    /// It is among those that are tried first, or made of them.
    #[error("this password is one of those that are tried first")]
    Common,
    /// It is little more than the name of the user or of the service.
    #[error("this password is little more than the name of the user or of the service")]
    Context,
    /// It is longer than anything that is hashed.
    #[error("a password has at most {} bytes", Password::LONGEST)]
    TooLong,
    /// It has too few characters.
    #[error("this password needs at least {at_least} characters")]
    TooShort {
        /// How many it needs.
        at_least: usize,
    },
}

impl PasswordRefusal {
    /// The rule as one word, for programs.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Context => "context",
            Self::TooLong => "too-long",
            Self::TooShort { .. } => "too-short",
        }
    }
}

impl PasswordPolicy {
    /// Whether a new password may be chosen, and what it suffices for: `needs` says what it has to suffice for, `user`
    /// what the user is called.
    pub fn check(&self, text: &str, needs: Strength, user: &[&str]) -> Result<(Password, Strength), PasswordRefusal> {
        let password = Password::new(text)?;
        let characters = password.text().chars().count();
        let at_least = match needs {
            Strength::Alone => self.alone,
            Strength::WithSecondFactor => self.with_second_factor,
        };
        if characters < at_least {
            return Err(PasswordRefusal::TooShort { at_least });
        }
        if self.is_of_context(password.text(), user) {
            return Err(PasswordRefusal::Context);
        }
        if self.blocked.contains(password.text()) {
            return Err(PasswordRefusal::Common);
        }
        let strength = if characters >= self.alone { Strength::Alone } else { Strength::WithSecondFactor };
        Ok((password, strength))
    }

    /// Whether fewer than eight characters are left when the names are taken out, of which at least one was in it.
    fn is_of_context(&self, password: &str, user: &[&str]) -> bool {
        let mut left = password.to_lowercase();
        let whole = left.len();
        let names = self.context.iter().map(String::as_str).chain(user.iter().copied());
        let mut words: Vec<String> = names
            .flat_map(|name| std::iter::once(name).chain(name.split(|letter: char| !letter.is_alphanumeric())))
            .map(|word| word.nfc().collect::<String>().to_lowercase())
            .filter(|word| word.chars().count() >= 4)
            .collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        for word in words {
            left = left.replace(&word, "");
        }
        left.len() < whole && left.chars().count() < 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, needs: Strength, expect: Result<Strength, &str>) {
        let policy = PasswordPolicy { context: vec!["Orchard Shop".to_owned()], ..PasswordPolicy::default() };
        let found = policy.check(text, needs, &["alice.smith@example.com"]);
        assert_eq!(found.map(|(_, strength)| strength).map_err(PasswordRefusal::slug), expect, "{text:?}");
    }

    #[test]
    fn length_counts_and_nothing_else() {
        use Strength::{Alone, WithSecondFactor};
        for (text, needs, expect) in [
            ("tea & 15 otters", Alone, Ok(Alone)),
            ("tea & 14 otter", Alone, Err("too-short")),
            ("tea & 14 otter", WithSecondFactor, Ok(WithSecondFactor)),
            ("tea & 15 otters", WithSecondFactor, Ok(Alone)),
            ("otters 8", WithSecondFactor, Ok(WithSecondFactor)),
            ("otters7", WithSecondFactor, Err("too-short")),
            ("", WithSecondFactor, Err("too-short")),
            // Only spaces and letters, only digits that are in no row: kinds of letters do not matter.
            ("a boat in the rain", Alone, Ok(Alone)),
            ("83620175948261903", Alone, Ok(Alone)),
            // Fifteen code points, whatever they take in bytes; a letter with its accent apart is one.
            ("лиса и сыр днём!", Alone, Ok(Alone)),
            ("e\u{301}e\u{301}e\u{301}xyz", WithSecondFactor, Err("too-short")),
            ("\u{1f98a}\u{1f9c0}\u{1f35e}\u{1f347} fox & more", Alone, Ok(Alone)),
        ] {
            check(text, needs, expect);
        }
        check(&"ox en".repeat(205), Alone, Err("too-long"));
        check(&"x".repeat(1 << 20), Alone, Err("too-long"));
        let long: String = (0..170).map(|n| format!("{n:03} tea")).collect::<String>().chars().take(1024).collect();
        check(&long, Alone, Ok(Alone));
    }

    #[test]
    fn names_are_no_passwords() {
        use Strength::{Alone, WithSecondFactor};
        for (text, needs, expect) in [
            ("orchardshop2026", Alone, Err("context")),
            ("Orchard Shop 26", Alone, Err("context")),
            ("alice.smith@example.com", Alone, Err("context")),
            ("SmithAlice12345", Alone, Err("context")),
            ("alice keeps 7 bees", Alone, Ok(Alone)),
            ("orchard!", WithSecondFactor, Err("context")),
            ("password123", WithSecondFactor, Err("common")),
        ] {
            check(text, needs, expect);
        }
    }

    #[test]
    fn an_operators_list_is_refused_too() {
        let policy = PasswordPolicy {
            blocked: BlockList::common().with(["otter under 3 blue moons", ""]),
            ..PasswordPolicy::default()
        };
        let found = policy.check("Otter under 3 blue moons", Strength::Alone, &[]).map(|(_, strength)| strength);
        assert_eq!(found, Err(PasswordRefusal::Common));
    }
}
