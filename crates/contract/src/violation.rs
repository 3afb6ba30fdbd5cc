//! One way in which a message departs from its contract, told so that the caller may read it.

use std::fmt;

/// What is wrong, and where.
///
/// The pointer and the message repeat names that the caller sent and rules that the contract publishes, never a value:
/// both may be sent back.
///
/// ```
/// use palisade_contract::{Violation, ViolationCode};
///
/// let violation = Violation::new("/query/limit", ViolationCode::Invalid, "must be at most 100");
/// assert_eq!(violation.to_string(), "/query/limit: must be at most 100");
/// assert_eq!(violation.code, ViolationCode::Invalid);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: `/body/items/0/name`, `/query/limit`, `/path/id`, `/header/x-a`, `/cookie/theme`.
    pub pointer: String,
    /// What kind of departure.
    pub code: ViolationCode,
    /// The rule, in words.
    pub message: String,
    /// The keyword of the contract that would have to change: `maximum`, `required`; `undeclared` and `media` where
    /// something would have to be added, empty where the contract cannot help.
    pub rule: &'static str,
}

impl Violation {
    /// A violation at a place.
    pub fn new(pointer: impl Into<String>, code: ViolationCode, message: impl Into<String>) -> Self {
        let rule = match code {
            ViolationCode::MediaType => "media",
            ViolationCode::Missing => "required",
            ViolationCode::Undeclared => "undeclared",
            ViolationCode::DestinationForbidden
            | ViolationCode::Duplicate
            | ViolationCode::Invalid
            | ViolationCode::Malformed => "",
        };
        Self { pointer: pointer.into(), code, message: message.into(), rule }
    }

    /// The same violation, of this keyword.
    pub(crate) fn of(mut self, rule: &'static str) -> Self {
        self.rule = rule;
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

/// The kinds of departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViolationCode {
    /// A URL leads where the contract does not allow.
    DestinationForbidden,
    /// A name is given twice where one value is meant.
    Duplicate,
    /// A value breaks its declared rule.
    Invalid,
    /// The bytes cannot be read at all.
    Malformed,
    /// The content type is not declared.
    MediaType,
    /// Something required is absent.
    Missing,
    /// Something is there that the contract does not declare.
    Undeclared,
}

impl ViolationCode {
    /// The code as a slug.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DestinationForbidden => "destination-forbidden",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Malformed => "malformed",
            Self::MediaType => "media-type",
            Self::Missing => "missing",
            Self::Undeclared => "undeclared",
        }
    }
}

/// Where a value is, as the way to it from the root: written out only when somebody has to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail<'t> {
    Index(&'t Self, usize),
    Name(&'t Self, &'t str),
    Root,
}

impl Trail<'_> {
    /// The way as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Index(parent, at) => format!("{}/{at}", parent.pointer()),
            Self::Name(parent, name) => child(&parent.pointer(), name),
            Self::Root => String::new(),
        }
    }
}

/// `parent/name` with the name escaped for a JSON pointer, without control characters and cut after 64 characters:
/// the name may come from the caller.
pub(crate) fn child(parent: &str, name: &str) -> String {
    let mut pointer = String::with_capacity(parent.len() + name.len() + 1);
    pointer.push_str(parent);
    pointer.push('/');
    for (at, letter) in name.chars().enumerate() {
        match letter {
            _ if at == NAME_LIMIT => {
                pointer.push('…');
                break;
            }
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ if letter.is_control() => pointer.push('\u{fffd}'),
            _ => pointer.push(letter),
        }
    }
    pointer
}

const NAME_LIMIT: usize = 64;

/// How many violations are told; a body of a thousand wrong items need not have an answer of a thousand lines.
pub(crate) const LIMIT: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_callers_are_tamed() {
        assert_eq!(child("/body", "a/b~c\n"), "/body/a~1b~0c\u{fffd}");
        assert_eq!(child("", &"x".repeat(70)), format!("/{}…", "x".repeat(64)));
    }
}
