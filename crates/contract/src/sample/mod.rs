//! Valid requests made up from a contract, for the reviewer to start its attacks from.
//!
//! What the contract gives as an example is used as it is; the rest is made from types, formats, bounds and patterns.
//! A pattern that is too intricate yields a text which the operation refuses; `check_body` and `check_parameters` tell.

mod pattern;
mod value;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::contract::Contract;
use crate::document::Document;
use crate::media::{Media, Reading};
use crate::operation::ContractOperation;
use crate::parameter::{Lead, Location, Parameter, Separator, Style};

/// A text that meets a pattern and has at least `least` and at most `most` characters, when one is easily found.
///
/// ```
/// let text = palisade_contract::sample::meet_pattern("^[A-Z]{2}-[0-9]{4}$", 0, 20).unwrap();
/// assert_eq!(text.len(), 7);
/// ```
pub fn meet_pattern(pattern: &str, least: usize, most: usize) -> Option<String> {
    pattern::meet(pattern, least, most)
}

/// One request.
///
/// ```
/// use palisade_contract::sample::{self, Sample};
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: []
///       parameters: [{ name: limit, in: query, required: true, schema: { type: integer, minimum: 3 } }]
///       responses: { 204: { description: None. } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let Sample { path, query, body, .. } = sample::request(operation);
/// assert_eq!((path.as_str(), query.as_deref(), body), ("/notes", Some("limit=3"), None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The path, percent-encoded.
    pub path: String,
    /// The query without `?`.
    pub query: Option<String>,
    /// Header fields besides `Content-Type`; cookies are one field.
    pub headers: Vec<(String, String)>,
    /// The content type and the body.
    pub body: Option<(String, Vec<u8>)>,
}

/// A valid request of an operation: everything required, and of the optional only what has an example.
pub fn request(operation: &ContractOperation) -> Sample {
    let document = &*operation.document;
    let mut sample = Sample { path: operation.template.to_string(), ..Sample::default() };
    let (mut query, mut cookies) = (Vec::new(), Vec::new());
    for parameter in operation.parameters().iter().filter(|p| p.required || p.example.is_some()) {
        let value = of_parameter(parameter, document);
        match parameter.location {
            Location::Cookie => cookies.push(format!("{}={}", parameter.name, written(parameter, &value))),
            Location::Header => sample.headers.push((parameter.name.to_string(), plain(&value, ","))),
            Location::Path => {
                sample.path = sample.path.replace(&format!("{{{}}}", parameter.name), &written(parameter, &value));
            }
            Location::Query => query.extend(in_query(parameter, &value)),
        }
    }
    sample.query = (!query.is_empty()).then(|| query.join("&"));
    if !cookies.is_empty() {
        sample.headers.push(("cookie".to_owned(), cookies.join("; ")));
    }
    sample.body = body(operation);
    sample
}

/// A value that a schema of the contract accepts in a request.
pub fn value(schema: &Value, contract: &Contract) -> Value {
    value::of(schema, &contract.document)
}

/// A valid value of one parameter.
pub fn parameter(parameter: &Parameter, contract: &Contract) -> Value {
    of_parameter(parameter, &contract.document)
}

fn of_parameter(parameter: &Parameter, document: &Document) -> Value {
    parameter.example.clone().unwrap_or_else(|| value::of(&parameter.schema, document))
}

fn body(operation: &ContractOperation) -> Option<(String, Vec<u8>)> {
    let (media, schema, required) = operation.body_schema()?;
    let example = operation.body_example();
    if !required && example.is_none() {
        return None;
    }
    let value = example.cloned().unwrap_or_else(|| value::of(schema, &operation.document));
    let parsed = Media::parse(media)?;
    let (name, reading) =
        if parsed.is_range() { ("application/json", Reading::Json) } else { (media, parsed.reading()) };
    let bytes = match reading {
        Reading::Form => {
            let members = value.as_object().into_iter().flatten();
            let pairs = members.flat_map(|(name, member)| match member {
                Value::Array(items) => items.iter().map(|item| pair(name, &plain(item, ","))).collect(),
                other => vec![pair(name, &plain(other, ","))],
            });
            pairs.collect::<Vec<_>>().join("&").into_bytes()
        }
        Reading::Json => value.to_string().into_bytes(),
        Reading::Multipart => {
            let (media, bytes) = operation.parts.body.as_ref()?.form(media)?.sample(&value)?;
            return Some((media, bytes));
        }
        Reading::Opaque | Reading::Text | Reading::Xml => plain(&value, ",").into_bytes(),
    };
    Some((name.to_owned(), bytes))
}

fn in_query(parameter: &Parameter, value: &Value) -> Vec<String> {
    match (parameter.field.style, value) {
        (Style::Repeated, Value::Array(items)) => {
            items.iter().map(|item| pair(&parameter.name, &plain(item, ","))).collect()
        }
        (Style::Deep, Value::Object(members)) => members
            .iter()
            .map(|(key, member)| pair(&format!("{}[{key}]", parameter.name), &plain(member, ",")))
            .collect(),
        (Style::Spread, Value::Object(members)) => {
            members.iter().map(|(key, member)| pair(key, &plain(member, ","))).collect()
        }
        _ => vec![format!("{}={}", encode(&parameter.name), written(parameter, value))],
    }
}

/// One value in its parameter's style, encoded.
fn written(parameter: &Parameter, value: &Value) -> String {
    let (style, lead) = (parameter.field.style, parameter.field.lead);
    let repeated = lead == Lead::Matrix && style == Style::List(Separator::Semicolon);
    let text = match (style, value) {
        (Style::Json, value) => encode(&value.to_string()),
        (Style::List(separator), Value::Array(items)) => {
            let by = if repeated { format!(";{}=", parameter.name) } else { separator.canonical().to_owned() };
            items.iter().map(|item| encode(&plain(item, ","))).collect::<Vec<_>>().join(&by)
        }
        (Style::Flat(separator), Value::Object(members)) => {
            let texts = members.iter().flat_map(|(key, member)| [encode(key), encode(&plain(member, ","))]);
            texts.collect::<Vec<_>>().join(separator.canonical())
        }
        (Style::Named(separator), Value::Object(members)) => {
            let texts = members.iter().map(|(key, member)| pair(key, &plain(member, ",")));
            texts.collect::<Vec<_>>().join(separator.canonical())
        }
        (_, value) => encode(&plain(value, ",")),
    };
    match (lead, style) {
        (Lead::None, _) => text,
        (Lead::Label, _) => format!(".{text}"),
        (Lead::Matrix, Style::Named(_)) => format!(";{text}"),
        (Lead::Matrix, _) => format!(";{}={text}", parameter.name),
    }
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", encode(name), encode(value))
}

/// A value without JSON's quotes.
fn plain(value: &Value, by: &str) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| plain(item, by)).collect::<Vec<_>>().join(by),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// All but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
