//! Checks a JSON text against its schema while it is read, and keeps nothing of what it says.
//!
//! Nearly all messages are valid, have nothing that must be taken out, and say nothing that anybody asks for later. For
//! these one pass over the bytes is enough. It gives one of two answers: that the text is such a one, or nothing. Nothing
//! means that somebody else has to look: the reader that makes a tree of it ([`crate::json`]), and the engine, which also says what is wrong. So
//! what is here may know less than they do, but must never let through what they would refuse. Whatever is rare is
//! therefore left to them: most escapes, long numbers, and every keyword that [`plan`] does not name. Property tests hold the two ways against each
//! other.

mod format;
mod pass;
mod pattern;
mod plan;

use std::fmt;
use std::ops::Range;

use serde_json::Value;

use crate::json::Caps;
use crate::schema::definition::{Definition, DefinitionId};
use crate::schema::shape::deceives;
use format::Format;
use pass::Pass;
use pattern::Pattern;

/// The schemas that one pass can check.
#[derive(Default)]
pub(crate) struct Direct {
    /// The first ones have the numbers of the definitions. `None` is a schema with a keyword that needs the engine.
    nodes: Vec<Option<Node>>,
}

/// What may stand in one place. A kind of value without a rule is left to others.
#[derive(Debug, Default)]
struct Node {
    null: bool,
    boolean: bool,
    number: Option<Bounds>,
    text: Option<Text>,
    array: Option<Array>,
    object: Option<Object>,
}

/// The numbers that are valid. Numbers here have at most 15 digits, so that a float holds each of them.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Whether a fraction is refused.
    whole: bool,
    least: f64,
    most: f64,
    above: f64,
    below: f64,
}

#[derive(Debug, Default)]
struct Text {
    /// In characters, as all lengths are.
    least: usize,
    most: Option<usize>,
    patterns: Vec<Pattern>,
    format: Option<Format>,
    values: Option<Box<[Box<str>]>>,
    /// Whether its format or its values leave no room for other words.
    is_narrow: bool,
    /// Whether nothing but its length is ruled: then it must not deceive.
    is_free: bool,
    /// Whether markup in it is somebody's business.
    has_no_markup: bool,
}

#[derive(Debug)]
struct Array {
    least: usize,
    most: usize,
    items: usize,
}

/// An object whose names are all known.
#[derive(Debug, Default)]
struct Object {
    /// At most as many as a mask has bits.
    properties: Box<[(Box<str>, usize)]>,
    /// One bit for each property that must be there.
    required: u64,
}

/// A text that is valid as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Its canonical writing, where that was wanted and is another one.
    pub(crate) canonical: Option<Vec<u8>>,
    /// Where in it texts stand that may say anything, as they are written, in an answer.
    pub(crate) open: Vec<Range<usize>>,
}

/// What is asked for besides the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The canonical writing.
    Canonical,
    /// Where texts stand that may say anything.
    Open,
}

impl Direct {
    /// Reads the translated schemas.
    pub(crate) fn build(definitions: &[Definition]) -> Self {
        plan::build(definitions)
    }

    /// Checks a text. `None` says nothing about it.
    pub(crate) fn check(&self, id: DefinitionId, bytes: &[u8], caps: &Caps, wanted: Wanted) -> Option<Checked> {
        self.node(id)?;
        Pass::new(self, bytes, caps, wanted)?.document(id)
    }

    /// Whether a single value, which is no list and has no names, is valid and says nothing that deceives. `None` says nothing
    /// about it.
    pub(crate) fn check_single(&self, id: DefinitionId, value: &Value) -> Option<()> {
        let node = self.node(id)?;
        match value {
            Value::Bool(_) => node.boolean.then_some(()),
            Value::Null => node.null.then_some(()),
            Value::Number(number) => {
                let (bounds, number) = (node.number.as_ref()?, number.as_i64()?);
                // Of more digits a float does not hold each.
                let number = i32::try_from(number).ok()?;
                bounds.hold(f64::from(number)).then_some(())
            }
            Value::String(text) => node.text.as_ref()?.holds(text, 0).then_some(()),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn node(&self, id: usize) -> Option<&Node> {
        self.nodes.get(id)?.as_ref()
    }
}

impl Bounds {
    fn hold(&self, number: f64) -> bool {
        number >= self.least && number <= self.most && number > self.above && number < self.below
    }
}

impl Text {
    /// Whether a text is valid. It is written with `escapes`, each of which has one letter more than it stands for.
    fn holds(&self, written: &str, escapes: usize) -> bool {
        // A letter has one to four bytes; only where that leaves it open they are counted.
        let bytes = written.len() - escapes;
        let is_long_enough = || self.least <= bytes.div_ceil(4) || self.least <= written.chars().count() - escapes;
        let is_short_enough =
            || self.most.is_none_or(|most| bytes <= most || written.chars().count() - escapes <= most);
        if !is_long_enough() || !is_short_enough() {
            return false;
        }
        if self.is_free && (deceives(written).is_some() || self.has_no_markup && written.contains('<')) {
            return false;
        }
        let is_plain = self.values.is_none() && self.format.is_none() && self.patterns.is_empty();
        // What it says behind its escapes would have to be written down to be looked at.
        is_plain
            || escapes == 0
                && self.values.as_ref().is_none_or(|values| values.iter().any(|value| **value == *written))
                && self.format.is_none_or(|format| format.holds(written))
                && self.patterns.iter().all(|pattern| pattern.is_match(written))
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
