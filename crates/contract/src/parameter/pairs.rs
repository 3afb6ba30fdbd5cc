//! The pairs of a query or a form: which declared field each belongs to, what the fields say, and their canonical writing.

use std::borrow::Cow;

use palisade_core::canon::query::Writer;

use crate::json::{self, Caps};
use crate::parameter::style::{Field, Style};
use crate::parameter::value::{Found, Slot, malformed};
use crate::percent::decode_form;
use crate::violation::{Violation, child};

/// One `name=value`; the value is not yet decoded, because separators are found before.
#[derive(Debug)]
pub(crate) struct Pair<'q> {
    pub(crate) name: Cow<'q, str>,
    pub(crate) raw: &'q str,
}

/// Splits a query or form. Only `&` separates; `;` is data. What cannot be decoded is told and left out.
pub(crate) fn split<'q>(text: &'q str, base: &str, violations: &mut Vec<Violation>) -> Vec<Pair<'q>> {
    let mut pairs = Vec::new();
    for piece in text.split('&').filter(|piece| !piece.is_empty()) {
        let (name, raw) = piece.split_once('=').unwrap_or((piece, ""));
        match (decode_form(name), decode_form(raw)) {
            (None, _) => violations.push(malformed(base)),
            (Some(name), None) => violations.push(malformed(&child(base, &name))),
            (Some(name), Some(_)) => pairs.push(Pair { name, raw }),
        }
    }
    pairs
}

/// Whether a name of a pair belongs to a field. That of an open object takes every name, if nobody else does.
pub(crate) fn owns(slot: &Slot<'_>, name: &str) -> bool {
    match slot.field.style {
        Style::Deep => deep_key(slot.name, name).is_some(),
        Style::Spread => slot.field.coercion.property(name).is_some(),
        Style::Flat(_) | Style::Json | Style::List(_) | Style::Named(_) | Style::Repeated | Style::Single => {
            *slot.name == *name
        }
    }
}

/// Whether a field takes names that nobody else does.
pub(crate) fn takes_rest(field: &Field) -> bool {
    field.style == Style::Spread && field.coercion.is_open()
}

/// What a field says, out of its own pairs.
pub(crate) fn read<'q>(slot: &Slot<'_>, mine: &[&Pair<'q>], caps: &Caps) -> Result<Option<Found<'q>>, Violation> {
    match (slot.field.style, mine) {
        (_, []) => Ok(None),
        (Style::Deep, mine) => {
            let entry = |pair: &&Pair<'q>| {
                Some((Cow::Owned(deep_key(slot.name, &pair.name)?.to_owned()), decode_form(pair.raw)?))
            };
            slot.object(mine.iter().filter_map(entry).collect()).map(Some)
        }
        (Style::Spread, mine) => {
            let entry = |pair: &&Pair<'q>| Some((pair.name.clone(), decode_form(pair.raw)?));
            slot.object(mine.iter().filter_map(entry).collect()).map(Some)
        }
        (Style::Repeated, mine) => {
            let texts: Vec<Cow<'q, str>> = mine.iter().filter_map(|pair| decode_form(pair.raw)).collect();
            Ok(Some(Found { text: None, value: slot.field.coercion.list(&texts) }))
        }
        (_, [pair]) => slot.read(pair.raw, decode_form, caps).map(Some),
        (_, [_, _, ..]) => Err(slot.duplicate()),
    }
}

/// Writes one pair in the canonical way; `field` is what it belongs to.
pub(crate) fn write(writer: &mut Writer, pair: &Pair<'_>, field: Option<&Field>) {
    // Every pair was decoded before.
    let decoded = |raw| decode_form(raw).unwrap_or_default();
    writer.name(&pair.name);
    if field.is_some_and(|field| field.allow_reserved) {
        writer.allow(RESERVED);
    }
    match field.map(|field| field.style) {
        Some(Style::List(separator) | Style::Flat(separator)) => {
            for (at, item) in separator.split(pair.raw).into_iter().enumerate() {
                if at > 0 {
                    writer.separator(separator.canonical());
                }
                writer.text(&decoded(item));
            }
        }
        Some(Style::Json) => {
            let text = decoded(pair.raw);
            // It was read before, under the caps of its request.
            match json::read_canonical(text.as_bytes(), &Caps::MESSAGE) {
                Ok((_, Some(canonical))) => writer.text(&String::from_utf8_lossy(&canonical)),
                Ok((_, None)) | Err(_) => writer.text(&text),
            }
        }
        _ => writer.text(&decoded(pair.raw)),
    }
}

/// `key` of `name[key]`; nested brackets have no agreed meaning.
fn deep_key<'n>(field: &str, name: &'n str) -> Option<&'n str> {
    let key = name.strip_prefix(field)?.strip_prefix('[')?.strip_suffix(']')?;
    (!key.is_empty() && !key.contains(['[', ']'])).then_some(key)
}

/// Reserved characters (RFC 3986 section 2.2) that mean nothing to who splits a query into pairs or a list into items.
const RESERVED: &str = ":/?@!$'()*";
