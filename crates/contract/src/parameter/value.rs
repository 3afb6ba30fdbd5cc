//! One value, read as its style writes it.

use std::borrow::Cow;

use serde_json::Value;

use crate::json::{self, Caps};
use crate::parameter::style::{Field, Lead, Separator, Style};
use crate::violation::{Violation, ViolationCode as Code, child};

/// A declared name with the way in which its value is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'f> {
    /// `/query`, `/body` and so on.
    pub(crate) base: &'static str,
    pub(crate) name: &'f str,
    pub(crate) field: &'f Field,
}

/// A value that was sent.
#[derive(Debug)]
pub(crate) struct Found<'r> {
    /// Its text, where it is one plain value.
    pub(crate) text: Option<Cow<'r, str>>,
    pub(crate) value: Value,
}

/// Reads a text out of its encoding; `None` where it cannot be.
pub(crate) type Decode = for<'r> fn(&'r str) -> Option<Cow<'r, str>>;

impl<'f> Slot<'f> {
    /// `/query/limit`.
    pub(crate) fn pointer(&self) -> String {
        child(self.base, self.name)
    }

    /// Reads a value that is written in one text.
    pub(crate) fn read<'r>(&self, raw: &'r str, decode: Decode, caps: &Caps) -> Result<Found<'r>, Violation> {
        let field = self.field;
        let malformed = || self.malformed();
        match field.style {
            Style::Json => {
                let text = decode(raw).ok_or_else(malformed)?;
                let value = json::read(text.as_bytes(), caps).map_err(|fault| fault.violation(&self.pointer()))?;
                Ok(Found { text: None, value })
            }
            Style::List(separator) => {
                let texts = self.items(raw, separator).and_then(|items| decode_all(items, decode));
                Ok(Found { text: None, value: field.coercion.list(&texts.ok_or_else(malformed)?) })
            }
            Style::Flat(separator) => {
                let texts = self.items(raw, separator).and_then(|items| decode_all(items, decode));
                let texts = texts.ok_or_else(malformed)?;
                let (pairs, rest) = texts.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err(self.malformed());
                }
                self.object(pairs.iter().cloned().map(|[name, text]| (name, text)).collect())
            }
            Style::Named(separator) => {
                let raw = field.lead.strip(self.name, false, raw).ok_or_else(malformed)?;
                let mut pairs = Vec::new();
                for item in separator.split(raw) {
                    let (name, text) = item.split_once('=').unwrap_or((item, ""));
                    pairs.push((decode(name).ok_or_else(malformed)?, decode(text).ok_or_else(malformed)?));
                }
                self.object(pairs)
            }
            Style::Deep | Style::Repeated | Style::Single | Style::Spread => {
                let raw = field.lead.strip(self.name, true, raw).ok_or_else(malformed)?;
                let text = decode(raw).ok_or_else(malformed)?;
                let value = field.coercion.scalar(&text);
                Ok(Found { text: Some(text), value })
            }
        }
    }

    /// Named texts as an object.
    pub(crate) fn object<'r>(&self, pairs: Vec<(Cow<'r, str>, Cow<'r, str>)>) -> Result<Found<'r>, Violation> {
        match self.field.coercion.object(pairs) {
            Ok(value) => Ok(Found { text: None, value }),
            Err(name) => Err(Violation::new(child(&self.pointer(), &name), Code::Duplicate, TWICE)),
        }
    }

    /// The items of a list in one text, not yet decoded.
    fn items<'r>(&self, raw: &'r str, separator: Separator) -> Option<Vec<&'r str>> {
        if self.field.lead == Lead::Matrix && separator == Separator::Semicolon {
            let items = raw.strip_prefix(';')?.split(';');
            return items.map(|item| item.strip_prefix(self.name)?.strip_prefix('=')).collect();
        }
        let raw = self.field.lead.strip(self.name, true, raw)?;
        Some(if raw.is_empty() { Vec::new() } else { separator.split(raw) })
    }

    pub(crate) fn malformed(&self) -> Violation {
        malformed(&self.pointer())
    }

    pub(crate) fn duplicate(&self) -> Violation {
        Violation::new(self.pointer(), Code::Duplicate, TWICE)
    }
}

fn decode_all<'r>(items: Vec<&'r str>, decode: Decode) -> Option<Vec<Cow<'r, str>>> {
    items.into_iter().map(decode).collect()
}

pub(crate) fn malformed(pointer: &str) -> Violation {
    Violation::new(
        pointer,
        Code::Malformed,
        "must be valid UTF-8 text, correctly written and percent-encoded, without NUL",
    )
}

const TWICE: &str = "must be given once";
