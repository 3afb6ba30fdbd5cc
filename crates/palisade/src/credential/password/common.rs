//! Passwords that an attacker tries first: a list that comes with the library, and what people make of its entries.
//!
//! Lists of stolen passwords have few long entries, because few people choose long passwords. Who is made to choose a
//! long one takes a short one twice, or puts digits in a row behind it; so that is what is looked for beside the entries
//! themselves. Whoever has a longer list adds it as a [`BlockList`].

use std::sync::LazyLock;

/// Passwords that are refused for being known.
///
/// ```
/// use palisade::credential::password::BlockList;
///
/// let list = BlockList::common();
/// assert!(list.contains("Iloveyou1"));
/// // Fifteen characters and more do not help if they are made of what is in the list.
/// assert!(list.contains("passwordpassword") && list.contains("Sunshine1234567!"));
/// assert!(!list.contains("a boat full of green tea"));
///
/// let own = list.with(["Tr0ub4dor&3 forever"]);
/// assert!(own.contains("tr0ub4dor&3 forever"));
/// ```
#[derive(Clone, Debug)]
pub struct BlockList {
    own: Vec<Box<str>>,
}

impl BlockList {
    /// The list that comes with the library.
    pub fn common() -> Self {
        Self { own: Vec::new() }
    }

    /// The same with further passwords, such as the lines of a file. The case of letters does not matter.
    #[must_use]
    pub fn with<'t>(mut self, passwords: impl IntoIterator<Item = &'t str>) -> Self {
        let folded = passwords.into_iter().map(str::trim).filter(|line| !line.is_empty()).map(str::to_lowercase);
        self.own.extend(folded.map(String::into_boxed_str));
        self.own.sort_unstable();
        self.own.dedup();
        self
    }

    /// Whether a password is an entry, or hardly more than entries.
    pub fn contains(&self, password: &str) -> bool {
        let folded = password.to_lowercase();
        if self.has(&folded) {
            return true;
        }
        let letters: Vec<char> = folded.chars().collect();
        if letters.len() > LONGEST {
            return is_repeated(&letters);
        }
        // What stands behind for the sake of a rule: `!`, `.`, `01`.
        let ends = folded.len().saturating_sub(4);
        let tails = folded.char_indices().map(|(at, _)| at).filter(|at| *at > ends).chain([folded.len()]);
        tails
            .filter_map(|at| folded.split_at_checked(at))
            .filter(|(_, tail)| !tail.chars().any(char::is_alphabetic))
            .any(|(body, _)| self.is_made_of_entries(body))
            || is_repeated(&letters)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        COMMON.len() + self.own.len()
    }

    /// Whether there are none, which is never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn has(&self, folded: &str) -> bool {
        COMMON.binary_search(&folded).is_ok() || self.own.binary_search_by(|own| (**own).cmp(folded)).is_ok()
    }

    /// One entry, or two pieces of which each is an entry or a row of keys.
    fn is_made_of_entries(&self, text: &str) -> bool {
        let is_piece = |piece: &str| self.has(piece) || is_row(piece);
        is_piece(text)
            || text
                .char_indices()
                .filter_map(|(at, _)| text.split_at_checked(at))
                .any(|(one, other)| is_piece(one) && is_piece(other))
    }
}

impl Default for BlockList {
    fn default() -> Self {
        Self::common()
    }
}

/// Whether a text is one short piece again and again.
fn is_repeated(letters: &[char]) -> bool {
    let half = letters.len() / 2;
    (1..=half.min(LONGEST_PIECE))
        .any(|period| letters.iter().zip(letters.iter().skip(period)).all(|(letter, later)| letter == later))
}

/// Whether each key is beside the one before, in the alphabet, among the digits or on a keyboard, always in one
/// direction; or always the same.
fn is_row(text: &str) -> bool {
    let backwards: String = text.chars().rev().collect();
    let mut letters = text.chars();
    let first = letters.next();
    text.chars().nth(2).is_some() && letters.all(|letter| Some(letter) == first)
        || text.len() >= 3 && ROWS.iter().any(|row| row.contains(text) || row.contains(&backwards))
}

/// Twice over, because some go on from the end to the beginning.
const ROWS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
    "01234567890123456789",
    "qwertyuiopqwertyuiop",
    "qwertyuiopasdfghjklzxcvbnm",
    "asdfghjklasdfghjkl",
    "zxcvbnmzxcvbnm",
    "qwertzuiopqwertzuiop",
    "azertyuiopazertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
    "112233445566778899",
    "111222333444555666777888999",
    "24681012141618202224",
    "13579111315171921",
];

/// The longest text that is cut into pieces.
const LONGEST: usize = 64;

/// The longest piece that makes nothing strong by being repeated.
const LONGEST_PIECE: usize = 14;

static COMMON: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").lines().filter(|line| !line.starts_with('#')).collect());

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_list_is_in_order_and_large_enough() {
        assert!(COMMON.windows(2).all(|pair| pair[0] < pair[1]));
        let long = COMMON.iter().filter(|entry| entry.chars().count() >= 8).count();
        assert!(long >= 15_000, "{long}");
    }

    /// What ASVS 6.2.4 asks for: at least 3,000 that fit the policy. Each is refused.
    #[test]
    fn more_than_three_thousand_of_fifteen_characters_are_refused() {
        let list = BlockList::common();
        // A part of them, because each takes half a millisecond here.
        let twice = COMMON.iter().step_by(5).map(|entry| entry.repeat(2));
        let counted = COMMON.iter().step_by(5).map(|entry| format!("{entry}1234567"));
        let mut refused = 0;
        for password in twice.chain(counted).filter(|password| password.chars().count() >= 15) {
            assert!(list.contains(&password), "{password}");
            refused += 1;
        }
        assert!(refused >= 6_000, "{refused}");
    }

    #[test]
    fn knows_what_people_do_to_pass_a_rule() {
        let list = BlockList::common();
        for password in [
            "password",
            "PASSWORD",
            "Password1",
            "passwordpassword",
            "password12345678",
            "iloveyousunshine",
            "qwertyuiop123456",
            "1qaz2wsx3edc4rfv5tgb",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "winter2026winter2026",
            "abcdefghijklmnop",
            "987654321987654321",
            "Princess1234567!!",
            &"ab".repeat(500),
        ] {
            assert!(list.contains(password), "{password}");
        }
        for password in [
            "correct horse battery staple",
            "otter under 3 blue moons",
            "mein hund heißt nicht so",
            "7c9e6679f7425de944b",
            "быстрая лисица и сыр",
            "",
            "\u{1f600}\u{1f601}\u{1f602} and a kettle",
        ] {
            assert!(!list.contains(password), "{password}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,80}") {
            let _ = BlockList::common().contains(&text);
        }
    }
}
