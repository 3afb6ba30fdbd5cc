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
mod plan;

use std::fmt;

use regex::Regex;

use crate::json::Caps;
use crate::schema::definition::{Definition, DefinitionId};
use format::Format;
use pass::Pass;

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
    number: Option<Range>,
    text: Option<Text>,
    array: Option<Array>,
    object: Option<Object>,
}

/// The numbers that are valid. Numbers here have at most 15 digits, so that a float holds each of them.
#[derive(Clone, Copy, Debug)]
struct Range {
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
    patterns: Vec<Regex>,
    format: Option<Format>,
    values: Option<Box<[Box<str>]>>,
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
}

impl Direct {
    /// Reads the translated schemas.
    pub(crate) fn build(definitions: &[Definition]) -> Self {
        plan::build(definitions)
    }

    /// Checks a text. `None` says nothing about it.
    pub(crate) fn check(&self, id: DefinitionId, bytes: &[u8], caps: &Caps, canonical: bool) -> Option<Checked> {
        self.node(id)?;
        Pass::new(self, bytes, caps, canonical)?.document(id)
    }

    fn node(&self, id: usize) -> Option<&Node> {
        self.nodes.get(id)?.as_ref()
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
