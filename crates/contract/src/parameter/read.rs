//! Finds the declared parameters in a request and reads each in its style.

use http::HeaderMap;
use serde_json::Value;

use crate::json;
use crate::parameter::{Location, Parameter, Parameters, Separator, Style};
use crate::path::PathValues;
use crate::percent::{decode, decode_form};
use crate::schema::engine::Schemas;
use crate::violation::{Violation, ViolationCode as Code, child};

/// The parts of a request that carry parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'r> {
    pub(crate) path: &'r PathValues,
    pub(crate) query: Option<&'r str>,
    pub(crate) headers: &'r HeaderMap,
}

/// Names of query parameters that carry API keys, which are declared by their security scheme.
pub(crate) type Keys = Box<[Box<str>]>;

/// Reads and checks all declared parameters; refuses query parameters that are not.
pub(crate) fn read(
    sent: Sent<'_>,
    declared: &[Parameter],
    keys: &Keys,
    schemas: &Schemas,
) -> Result<Parameters, Vec<Violation>> {
    let mut violations = Vec::new();
    let pairs = form_pairs(sent.query.unwrap_or_default(), "/query");
    let unreadable = pairs.is_err();
    let pairs = pairs.unwrap_or_else(|violation| {
        violations.push(violation);
        Vec::new()
    });
    let cookies = cookies(sent.headers);
    let mut parameters = Parameters::default();
    for parameter in declared.iter().filter(|parameter| !unreadable || parameter.location != Location::Query) {
        let pointer = parameter.pointer();
        match find(parameter, &sent, &pairs, &cookies) {
            Ok(None) if parameter.required => violations.push(Violation::new(pointer, Code::Missing, "is required")),
            Ok(None) => {}
            Ok(Some(found)) => {
                let problems = schemas.check(parameter.definition, &found.value, &pointer);
                if problems.is_empty() {
                    parameters.add(parameter, found.text, found.value);
                }
                violations.extend(problems);
            }
            Err(violation) => violations.push(violation),
        }
    }
    let mut unknown: Vec<&str> = Vec::new();
    for pair in &pairs {
        let name = pair.name.as_str();
        let known = keys.iter().any(|key| **key == *name)
            || declared.iter().any(|parameter| parameter.location == Location::Query && names(parameter, name));
        if !known && !unknown.contains(&name) && unknown.len() < MAX_UNKNOWN {
            unknown.push(name);
            violations.push(Violation::new(child("/query", name), Code::Undeclared, "is not declared"));
        }
    }
    if violations.is_empty() { Ok(parameters) } else { Err(violations) }
}

/// One `name=value` of a query or form; the value is not yet decoded, because separators are found before.
#[derive(Debug)]
pub(crate) struct Pair<'q> {
    pub(crate) name: String,
    pub(crate) raw: &'q str,
}

/// Splits a query or form. Only `&` separates; `;` is data.
pub(crate) fn form_pairs<'q>(text: &'q str, base: &str) -> Result<Vec<Pair<'q>>, Violation> {
    let mut pairs = Vec::new();
    for piece in text.split('&').filter(|piece| !piece.is_empty()) {
        let (name, raw) = piece.split_once('=').unwrap_or((piece, ""));
        let name = decode_form(name).ok_or_else(|| malformed(base))?.into_owned();
        if decode_form(raw).is_none() {
            return Err(malformed(&child(base, &name)));
        }
        pairs.push(Pair { name, raw });
    }
    Ok(pairs)
}

struct Found {
    text: Option<String>,
    value: Value,
}

fn find(
    parameter: &Parameter,
    sent: &Sent<'_>,
    pairs: &[Pair<'_>],
    cookies: &[(String, String)],
) -> Result<Option<Found>, Violation> {
    match parameter.location {
        Location::Cookie => {
            let mut found = cookies.iter().filter(|(name, _)| **name == *parameter.name).map(|(_, raw)| raw.as_str());
            match (found.next(), found.next()) {
                (None, _) => Ok(None),
                (Some(raw), None) => written(parameter, raw, decode_owned).map(Some),
                (Some(_), Some(_)) => Err(duplicate(parameter)),
            }
        }
        Location::Header => {
            let lines: Vec<&[u8]> =
                sent.headers.get_all(parameter.name.as_ref()).iter().map(|value| value.as_bytes()).collect();
            let joined = match (lines.as_slice(), parameter.style) {
                ([], _) => return Ok(None),
                ([line], _) => line.to_vec(),
                (lines, Style::List(_)) => lines.join(&b","[..]),
                _ => return Err(duplicate(parameter)),
            };
            let text = std::str::from_utf8(&joined).map_err(|_| malformed(&parameter.pointer()))?;
            written(parameter, text.trim(), |raw| Some(raw.trim().to_owned())).map(Some)
        }
        Location::Path => match sent.path.raw(&parameter.name) {
            None => Ok(None),
            Some(raw) => written(parameter, raw, decode_owned).map(Some),
        },
        Location::Query => {
            let mine = || pairs.iter().filter(|pair| names(parameter, &pair.name));
            match parameter.style {
                Style::Deep => deep(parameter, mine()),
                Style::Repeated => {
                    let texts: Vec<String> = mine().filter_map(|pair| form_owned(pair.raw)).collect();
                    let value = || parameter.coercion.list(&texts);
                    Ok((!texts.is_empty()).then(|| Found { text: None, value: value() }))
                }
                Style::Json | Style::List(_) | Style::Single => match (mine().next(), mine().nth(1)) {
                    (None, _) => Ok(None),
                    (Some(pair), None) => written(parameter, pair.raw, form_owned).map(Some),
                    (Some(_), Some(_)) => Err(duplicate(parameter)),
                },
            }
        }
    }
}

/// Whether a query name belongs to a parameter.
fn names(parameter: &Parameter, name: &str) -> bool {
    match parameter.style {
        Style::Deep => deep_key(parameter, name).is_some(),
        Style::Json | Style::List(_) | Style::Repeated | Style::Single => *parameter.name == *name,
    }
}

/// `key` of `name[key]`; nested brackets have no agreed meaning.
fn deep_key<'n>(parameter: &Parameter, name: &'n str) -> Option<&'n str> {
    let key = name.strip_prefix(parameter.name.as_ref())?.strip_prefix('[')?.strip_suffix(']')?;
    (!key.is_empty() && !key.contains(['[', ']'])).then_some(key)
}

fn deep<'p>(parameter: &Parameter, pairs: impl Iterator<Item = &'p Pair<'p>>) -> Result<Option<Found>, Violation> {
    let entries: Vec<(String, String)> =
        pairs.filter_map(|pair| Some((deep_key(parameter, &pair.name)?.to_owned(), form_owned(pair.raw)?))).collect();
    if entries.is_empty() {
        return Ok(None);
    }
    match parameter.coercion.object(&entries) {
        Ok(value) => Ok(Some(Found { text: None, value })),
        Err(name) => Err(Violation::new(child(&parameter.pointer(), &name), Code::Duplicate, TWICE)),
    }
}

/// Reads one written value.
fn written(parameter: &Parameter, raw: &str, decode: impl Fn(&str) -> Option<String>) -> Result<Found, Violation> {
    let refuse = || malformed(&parameter.pointer());
    match parameter.style {
        Style::Json => {
            let text = decode(raw).ok_or_else(refuse)?;
            let value = json::read(text.as_bytes(), json::Caps::MESSAGE).map_err(|fault| {
                let pointer = parameter.pointer();
                match &fault {
                    json::Fault::Duplicate(inner) => {
                        Violation::new(format!("{pointer}{inner}"), Code::Duplicate, fault.to_string())
                    }
                    _ => Violation::new(pointer, Code::Malformed, fault.to_string()),
                }
            })?;
            Ok(Found { text: None, value })
        }
        Style::List(separator) => {
            let items = split(raw, separator).into_iter().map(|item| decode(&item));
            let texts = items.collect::<Option<Vec<String>>>().ok_or_else(refuse)?;
            let texts = if raw.is_empty() { Vec::new() } else { texts };
            Ok(Found { text: None, value: parameter.coercion.list(&texts) })
        }
        Style::Deep | Style::Repeated | Style::Single => {
            let text = decode(raw).ok_or_else(refuse)?;
            let value = parameter.coercion.scalar(&text);
            Ok(Found { text: Some(text), value })
        }
    }
}

/// Splits before decoding, so that an encoded comma is data. The other separators have to be encoded in a URL.
fn split(raw: &str, separator: Separator) -> Vec<String> {
    let raw = match separator {
        Separator::Comma => return raw.split(',').map(str::to_owned).collect(),
        Separator::Pipe => raw.replace("%7C", "|").replace("%7c", "|"),
        Separator::Space => raw.replace("%20", " ").replace('+', " "),
    };
    let by = if separator == Separator::Pipe { '|' } else { ' ' };
    raw.split(by).map(str::to_owned).collect()
}

/// All cookies of a request (RFC 6265 section 5.4), not decoded.
fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines =
        headers.get_all(http::header::COOKIE).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn decode_owned(raw: &str) -> Option<String> {
    decode(raw).map(|text| text.into_owned())
}

pub(crate) fn form_owned(raw: &str) -> Option<String> {
    decode_form(raw).map(|text| text.into_owned())
}

fn malformed(pointer: &str) -> Violation {
    Violation::new(pointer, Code::Malformed, "must be valid UTF-8 text, correctly percent-encoded, without NUL")
}

fn duplicate(parameter: &Parameter) -> Violation {
    Violation::new(parameter.pointer(), Code::Duplicate, TWICE)
}

const TWICE: &str = "must be given once";
const MAX_UNKNOWN: usize = 16;
