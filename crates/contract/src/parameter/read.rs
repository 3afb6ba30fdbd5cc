//! Finds the declared parameters in a request and reads each in its style.

use std::borrow::Cow;

use http::HeaderMap;
use palisade_core::canon::query::{Writer, is_unreserved};
use serde_json::Value;

use crate::json::Caps;
use crate::parameter::pairs::{self, Pair, owns, takes_rest};
use crate::parameter::style::Style;
use crate::parameter::value::{Found, Slot, malformed};
use crate::parameter::{Location, Parameter, Parameters};
use crate::path::PathValues;
use crate::percent::decode;
use crate::schema::engine::Schemas;
use crate::schema::shape::deceives;
use crate::violation::{Violation, ViolationCode as Code, child};

/// The parts of a request that carry parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'r> {
    pub(crate) path: &'r PathValues,
    pub(crate) query: Option<&'r str>,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) caps: &'r Caps,
}

/// Names of query parameters that carry API keys, which are declared by their security scheme.
pub(crate) type Keys = Box<[Box<str>]>;

/// Reads and checks all declared parameters; refuses query parameters that are not.
pub(crate) fn read<'o>(
    sent: Sent<'_>,
    declared: &'o [Parameter],
    keys: &Keys,
    schemas: &Schemas,
) -> Result<Parameters<'o>, Vec<Violation>> {
    let mut violations = Vec::new();
    let pairs = pairs::split(sent.query.unwrap_or_default(), "/query", &mut violations);
    let unreadable = !violations.is_empty();
    let cookies = cookies(&sent, declared, &mut violations);
    let owners: Vec<Option<&Parameter>> = pairs.iter().map(|pair| owner(declared, keys, &pair.name)).collect();
    let mut parameters = Parameters::default();
    for parameter in declared.iter().filter(|parameter| !unreadable || parameter.location != Location::Query) {
        let found = match parameter.location {
            Location::Cookie => in_cookies(parameter, &cookies, sent.caps),
            Location::Header => in_headers(parameter, &sent),
            Location::Path => in_path(parameter, &sent),
            Location::Query => {
                let is_owner = |owner: &Option<&Parameter>| owner.is_some_and(|owner| std::ptr::eq(owner, parameter));
                let own = pairs.iter().zip(&owners).filter(|(_, owner)| is_owner(owner)).map(|(pair, _)| pair);
                pairs::read(&parameter.slot(), &own.collect::<Vec<_>>(), sent.caps)
            }
        };
        match found {
            Ok(None) if parameter.required => {
                violations.push(Violation::new(parameter.pointer(), Code::Missing, "is required"));
            }
            Ok(None) => {}
            Ok(Some(found)) => {
                let is_empty = parameter.field.allow_empty && found.text.as_deref() == Some("");
                let problems = if is_empty { Vec::new() } else { problems(parameter, &found.value, schemas) };
                if problems.is_empty() {
                    parameters.add(parameter, found.text, found.value);
                }
                violations.extend(problems);
            }
            Err(violation) => violations.push(violation),
        }
    }
    let mut unknown: Vec<&str> = Vec::new();
    for (pair, owner) in pairs.iter().zip(&owners) {
        let known = owner.is_some() || keys.iter().any(|key| **key == *pair.name);
        if !known && !unknown.contains(&&*pair.name) && unknown.len() < MAX_UNKNOWN {
            unknown.push(&pair.name);
            violations.push(Violation::new(child("/query", &pair.name), Code::Undeclared, "is not declared"));
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    let is_canonical = |query| is_plain(query) && owners.iter().flatten().all(|owner| owner.field.style != Style::Json);
    parameters.canonical_query =
        sent.query.filter(|query| !is_canonical(query)).and_then(|query| canonical(query, &pairs, &owners));
    Ok(parameters)
}

/// Everything that is wrong with a value.
fn problems(parameter: &Parameter, value: &Value, schemas: &Schemas) -> Vec<Violation> {
    if schemas.is_plainly_valid(parameter.definition, value) {
        return Vec::new();
    }
    if !schemas.is_valid(parameter.definition, value) {
        return schemas.explain(parameter.definition, value, &parameter.pointer());
    }
    // A plain value has neither names nor, behind the decoding, characters worth a walk.
    let is_plain = match value {
        Value::String(text) => deceives(text).is_none(),
        Value::Array(_) | Value::Object(_) => false,
        Value::Bool(_) | Value::Null | Value::Number(_) => true,
    };
    if is_plain {
        return Vec::new();
    }
    schemas.examine(Some(parameter.definition), value, &parameter.pointer()).err().unwrap_or_default()
}

/// Whether a query is in its canonical writing, whatever it means, as most are.
fn is_plain(query: &str) -> bool {
    !query.is_empty()
        && query.split('&').all(|pair| match pair.split_once('=') {
            Some((name, text)) => name.bytes().chain(text.bytes()).all(is_unreserved),
            None => false,
        })
}

/// The query as it goes on, where that is not how it came.
fn canonical(query: &str, pairs: &[Pair<'_>], owners: &[Option<&Parameter>]) -> Option<String> {
    let mut writer = Writer::default();
    for (pair, owner) in pairs.iter().zip(owners) {
        pairs::write(&mut writer, pair, owner.map(|owner| &owner.field));
    }
    let written = writer.finish();
    // A `?` with nothing behind it goes too.
    (query.is_empty() || written != query).then_some(written)
}

/// The query parameter to which a name belongs.
fn owner<'o>(declared: &'o [Parameter], keys: &Keys, name: &str) -> Option<&'o Parameter> {
    let in_query = || declared.iter().filter(|parameter| parameter.location == Location::Query);
    let named = in_query().find(|parameter| owns(&parameter.slot(), name));
    let is_key = || keys.iter().any(|key| **key == *name);
    named.or_else(|| in_query().find(|parameter| takes_rest(&parameter.field)).filter(|_| !is_key()))
}

fn in_cookies<'r>(
    parameter: &Parameter,
    cookies: &[(&'r str, &'r str)],
    caps: &Caps,
) -> Result<Option<Found<'r>>, Violation> {
    let mut found = cookies.iter().filter(|(name, _)| **name == *parameter.name).map(|(_, raw)| *raw);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(raw), None) => parameter.slot().read(raw, decode, caps).map(Some),
        (Some(_), Some(_)) => Err(parameter.slot().duplicate()),
    }
}

fn in_headers<'r>(parameter: &Parameter, sent: &Sent<'r>) -> Result<Option<Found<'r>>, Violation> {
    let slot: Slot<'_> = parameter.slot();
    let mut lines = sent.headers.get_all(parameter.name.as_ref()).iter();
    let Some(first) = lines.next() else { return Ok(None) };
    let text = |value: &'r http::HeaderValue| std::str::from_utf8(value.as_bytes()).map_err(|_| slot.malformed());
    let first = text(first)?;
    let mut rest = lines.peekable();
    if rest.peek().is_none() {
        return slot.read(first.trim(), trimmed, sent.caps).map(Some);
    }
    if !matches!(parameter.field.style, Style::List(_)) {
        return Err(slot.duplicate());
    }
    // Several lines are one list (RFC 9110 section 5.3).
    let mut joined = first.to_owned();
    for line in rest {
        joined.push(',');
        joined.push_str(text(line)?);
    }
    let found = slot.read(joined.trim(), trimmed, sent.caps)?;
    Ok(Some(Found { text: None, value: found.value }))
}

fn in_path<'r>(parameter: &Parameter, sent: &Sent<'r>) -> Result<Option<Found<'r>>, Violation> {
    let raw = sent.path.raw(&parameter.name);
    raw.map(|raw| parameter.slot().read(raw, decode, sent.caps)).transpose()
}

/// Headers are not encoded; around the items of a list there may be blanks.
fn trimmed(raw: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(raw.trim_matches([' ', '\t'])))
}

/// All cookies of a request (RFC 6265 section 5.4), not decoded; none where nobody asks for one.
fn cookies<'r>(sent: &Sent<'r>, declared: &[Parameter], violations: &mut Vec<Violation>) -> Vec<(&'r str, &'r str)> {
    let mut cookies = Vec::new();
    if !declared.iter().any(|parameter| parameter.location == Location::Cookie) {
        return cookies;
    }
    for line in sent.headers.get_all(http::header::COOKIE) {
        match std::str::from_utf8(line.as_bytes()) {
            Ok(line) => cookies.extend(line.split(';').filter_map(|pair| pair.trim().split_once('='))),
            Err(_) => violations.push(malformed("/cookie")),
        }
    }
    cookies
}

const MAX_UNKNOWN: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_plain_is_written_as_it_came(query in "[ab1~%+=&.]{1,10}") {
            let mut violations = Vec::new();
            let pairs = pairs::split(&query, "/query", &mut violations);
            if is_plain(&query) {
                prop_assert!(violations.is_empty());
                prop_assert_eq!(canonical(&query, &pairs, &vec![None; pairs.len()]), None);
            }
        }
    }
}
