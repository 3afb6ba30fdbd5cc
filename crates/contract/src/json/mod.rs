//! A JSON reader that refuses every text which two programs could read differently, and writes down what it has read.
//!
//! Of two equal keys one program keeps the first and another the last; a whole number beyond 64 bits becomes the nearest
//! float here and stays exact there; an unpaired surrogate is a replacement character or an error. What is checked here
//! must be what is acted on behind us, so all of these are errors (RFC 8259 sections 4, 6 and 8.2 call them
//! unpredictable). Depth, size and number of everything have caps, and one text is one value.
//!
//! What is left of a text's freedom is how it is written. [`read_canonical`] gives back the same value in one writing: no
//! white space, the shortest escapes, and numbers as they were written where a 64-bit float holds all of their digits. A text
//! that is written so already is not copied.

mod reader;

use std::fmt;

use serde_json::Value;

use crate::violation::{Violation, ViolationCode as Code};
use reader::Reader;

/// How deep, how large and how many the values of a message may be.
///
/// ```
/// use palisade_contract::Caps;
///
/// let caps = Caps { depth: 8, ..Caps::default() };
/// assert_eq!(caps.items, 10_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Arrays and objects within each other; at most [`Caps::DEEPEST`].
    pub depth: usize,
    /// Values in all.
    pub nodes: usize,
    /// Properties of one object.
    pub keys: usize,
    /// Items of one array.
    pub items: usize,
    /// Bytes of one text or name.
    pub string: usize,
    /// Parts of a `multipart/form-data` body, or pairs of a form.
    pub parts: usize,
    /// Bytes of one part of a `multipart/form-data` body.
    pub part: usize,
}

impl Caps {
    /// Deeper than this is refused whatever the settings say: each level takes a frame of the stack.
    pub const DEEPEST: usize = 128;

    /// For the answer of a backend: only what would exhaust us.
    pub(crate) const MESSAGE: Self = Self {
        depth: 32,
        nodes: 100_000,
        keys: usize::MAX,
        items: usize::MAX,
        string: usize::MAX,
        parts: usize::MAX,
        part: usize::MAX,
    };
    /// For a contract, which its owner wrote.
    pub(crate) const CONTRACT: Self = Self { depth: 100, nodes: 4_000_000, ..Self::MESSAGE };
}

impl Default for Caps {
    /// What no honest request of a usual API exceeds.
    fn default() -> Self {
        Self { depth: 32, nodes: 100_000, keys: 1_000, items: 10_000, string: 1 << 20, parts: 1_000, part: usize::MAX }
    }
}

/// What the JSON of an answer says, where it has one reading; `None` for anything else, such as a name that stands twice.
///
/// ```
/// use palisade_contract::read_answer;
///
/// assert_eq!(read_answer(br#"{"owner": "alice"}"#), Some(serde_json::json!({"owner": "alice"})));
/// assert_eq!(read_answer(br#"{"owner": "bob", "owner": "alice"}"#), None);
/// ```
pub fn read_answer(bytes: &[u8]) -> Option<Value> {
    read(bytes, &Caps::MESSAGE).ok()
}

/// Why a text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) kind: FaultKind,
    /// The pointer of what is wrong, or of the value in which it is; the empty one is the whole text.
    pub(crate) pointer: String,
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// More arrays and objects within each other than the cap.
    Deep,
    /// A key is there twice.
    Duplicate,
    /// More items in an array than the cap.
    Items,
    /// More properties in an object than the cap.
    Keys,
    /// It is not JSON.
    Malformed,
    /// A number that no 64-bit type holds.
    Number,
    /// A text longer than the cap.
    Text,
    /// More values than the cap.
    Values,
}

impl Fault {
    /// The fault as the caller is told of it, in a value at `base`.
    pub(crate) fn violation(&self, base: &str) -> Violation {
        let code = if self.kind == FaultKind::Duplicate { Code::Duplicate } else { Code::Malformed };
        Violation::new(format!("{base}{}", self.pointer), code, self.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FaultKind::Deep => "must not be nested this deep",
            FaultKind::Duplicate => "must not name a property twice",
            FaultKind::Items => "must not have this many items",
            FaultKind::Keys => "must not have this many properties",
            FaultKind::Malformed => "must be one JSON value",
            FaultKind::Number => "must not contain a number beyond 64 bits",
            FaultKind::Text => "must not be a text of this length",
            FaultKind::Values => "must not hold this many values",
        })
    }
}

/// Reads one JSON text.
pub(crate) fn read(bytes: &[u8], caps: &Caps) -> Result<Value, Fault> {
    Reader::new(bytes, caps, false)?.document().map(|(value, _)| value)
}

/// Reads one JSON text; with its canonical writing, unless it is written so already.
pub(crate) fn read_canonical(bytes: &[u8], caps: &Caps) -> Result<(Value, Option<Vec<u8>>), Fault> {
    Reader::new(bytes, caps, true)?.document()
}

#[cfg(test)]
mod tests;
