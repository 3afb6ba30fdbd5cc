//! Input is what describes an API besides OpenAPI: recorded requests, and the introspection of a GraphQL API.
//!
//! Recorded requests become operations: what looks like an id in a path becomes a parameter with the id as its example,
//! and bodies become schemas of what was seen. Their hosts and credentials are not used.

mod archive;
mod curl;
mod graphql;
mod raw;

use std::collections::BTreeSet;

use http::Method;
use palisade_core::operation::Ownership;
use serde_json::{Map, Value, json};

pub(crate) use crate::input::archive::archive;
pub(crate) use crate::input::graphql::graphql;
use crate::surface::template::{noun, plain};
use crate::surface::{Access, Body, BodyForm, Endpoint, Known, Parameter, Place, ResponseForm, Surface};

/// One request that somebody has made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) line: Option<usize>,
    pub(crate) method: String,
    /// An absolute URL, or a path.
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// The status, and the body when it is JSON.
    pub(crate) answer: Option<(u64, Option<Value>)>,
}

impl Recorded {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The host, when the URL or a header names one.
    fn host(&self) -> Option<&str> {
        let absolute = self.url.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
        absolute.or_else(|| self.header("host"))
    }

    /// The path, and what is behind the question mark.
    fn target(&self) -> (&str, &str) {
        let target = match self.url.split_once("://") {
            Some((_, rest)) => rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => self.url.as_str(),
        };
        let target = target.split('#').next().unwrap_or_default();
        target.split_once('?').unwrap_or((target, ""))
    }
}

/// The requests in a text of `curl` commands or raw HTTP; `None` when it is something else.
pub(crate) fn requests(text: &str) -> Option<Vec<Recorded>> {
    curl::read(text).or_else(|| raw::read(text))
}

/// The operations that requests are examples of. Where several hosts were asked, only the one asked most counts.
pub(crate) fn surface(requests: &[Recorded]) -> Surface {
    let count = |host: Option<&str>| requests.iter().filter(|one| one.host() == host).count();
    let hosts: BTreeSet<Option<&str>> = requests.iter().map(Recorded::host).collect();
    let host = hosts.into_iter().max_by_key(|host| count(*host)).flatten();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for request in requests.iter().filter(|one| one.host() == host) {
        let Ok(method) = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes()) else { continue };
        if method == Method::OPTIONS || method == Method::CONNECT {
            continue;
        }
        let made = endpoint(request, method);
        match endpoints.iter_mut().find(|known| known.id == made.id) {
            Some(known) => merge(known, made),
            None => endpoints.push(made),
        }
    }
    Surface { root: Value::Null, endpoints, base: None, defects: Vec::new() }
}

fn endpoint(request: &Recorded, method: Method) -> Endpoint {
    let (path, query) = request.target();
    let (template, mut parameters) = template(path);
    for (name, value) in pairs(query) {
        if !parameters.iter().any(|known: &Parameter| known.name == name && known.place == Place::Query) {
            parameters.push(parameter(name, Place::Query, &value));
        }
    }
    let body = request.body.as_deref().filter(|text| !text.trim().is_empty()).map(|text| body(request, text));
    let answer = request.answer.iter().map(|(status, body)| ResponseForm {
        status: status.to_string(),
        media: "application/json".to_owned(),
        schema: body.as_ref().map(schema_of).unwrap_or_default(),
    });
    Endpoint {
        id: format!("{method} {template}"),
        method,
        line: request.line,
        words: template.to_lowercase(),
        template,
        parameters,
        body,
        responses: answer.collect(),
        links: Vec::new(),
        access: Access::Unstated,
        is_public: false,
        is_third_party: false,
        roles: Vec::new(),
        owner: Ownership::default(),
        is_personal: false,
        known: Known::Declared,
        limits: Vec::new(),
        graphql: None,
    }
}

/// What a second request adds: parameters, and a body or an answer where there was none.
fn merge(known: &mut Endpoint, other: Endpoint) {
    for parameter in &mut known.parameters {
        let is_common = other.parameters.iter().any(|one| one.name == parameter.name);
        parameter.is_required = parameter.place == Place::Path || parameter.is_required && is_common;
    }
    for mut parameter in other.parameters {
        if !known.parameters.iter().any(|one| one.name == parameter.name && one.place == parameter.place) {
            parameter.is_required = false;
            known.parameters.push(parameter);
        }
    }
    known.body = known.body.take().or(other.body);
    for form in other.responses {
        if !known.responses.iter().any(|one| one.status == form.status) {
            known.responses.push(form);
        }
    }
}

/// A path with what looks like an id made a parameter that is named after the collection before it.
fn template(path: &str) -> (String, Vec<Parameter>) {
    let (mut template, mut parameters) = (String::new(), Vec::new());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let segment = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
        if is_id(&segment) {
            let collection = noun(&template);
            let name = if collection.is_empty() { "id".to_owned() } else { format!("{collection}_id") };
            let is_taken = parameters.iter().any(|one: &Parameter| one.name == name);
            let name = if is_taken { format!("{name}{}", parameters.len() + 1) } else { name };
            template.push_str(&format!("/{{{name}}}"));
            parameters.push(parameter(name, Place::Path, &segment));
        } else {
            template.push_str(&format!("/{segment}"));
        }
    }
    if template.is_empty() { ("/".to_owned(), parameters) } else { (template, parameters) }
}

/// Numbers, UUIDs, long hexadecimal, e-mail addresses, and words that end in digits, but no versions.
fn is_id(segment: &str) -> bool {
    let digits = segment.chars().filter(char::is_ascii_digit).count();
    let is_version = segment.strip_prefix('v').is_some_and(|rest| rest.len() < 4 && digits == rest.len() && digits > 0);
    let is_hexadecimal = segment.len() >= 12 && segment.chars().all(|one| one.is_ascii_hexdigit() || one == '-');
    let ends_in_digits = digits >= 2 && segment.chars().next_back().is_some_and(|one| one.is_ascii_digit());
    !is_version && (digits == segment.len() || is_hexadecimal || segment.contains('@') || ends_in_digits)
}

fn parameter(name: String, place: Place, value: &str) -> Parameter {
    let example = Value::from(value);
    let kind = if value.parse::<i64>().is_ok() { "integer" } else { "string" };
    // An id may be a number today and a word tomorrow; what is asked for is what was seen.
    Parameter { name, place, is_required: true, schema: json!({ "type": kind }), example: Some(example) }
}

/// The names and values of a query or a form, decoded.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn body(request: &Recorded, text: &str) -> Body {
    let media = request.header("content-type").and_then(BodyForm::of).map(|(_, form)| form);
    let read = serde_json::from_str::<Value>(text).ok();
    let (form, example) = match (media, read) {
        (Some(BodyForm::Json) | None, Some(value)) if value.is_object() || value.is_array() => (BodyForm::Json, value),
        (Some(BodyForm::UrlEncoded) | None, _) if text.contains('=') => {
            let members = pairs(text).into_iter().map(|(name, value)| (name, Value::from(value)));
            (BodyForm::UrlEncoded, Value::Object(members.collect()))
        }
        (Some(form @ BodyForm::Xml), _) => (form, Value::from(text)),
        _ => (BodyForm::Text, Value::from(text)),
    };
    Body { form, schema: schema_of(&example), example: Some(example) }
}

/// A schema of what was seen. Texts that are addresses or identifiers keep that.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Array(items) => json!({ "type": "array", "items": items.first().map(schema_of).unwrap_or_default() }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({}),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Object(members) => {
            let properties: Map<String, Value> =
                members.iter().map(|(name, member)| (name.clone(), schema_of(member))).collect();
            json!({ "type": "object", "properties": properties })
        }
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {
            json!({ "type": "string", "format": "uri" })
        }
        Value::String(_) => json!({ "type": "string" }),
    }
}

/// Whether a header signs a request or belongs to the connection, so that it is not part of the operation.
fn is_ignored(name: &str) -> bool {
    let name = plain(name);
    ["authorization", "cookie", "host", "contentlength", "connection"].contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use palisade_core::diagnostic::Source;

    use super::*;

    fn ids(text: &str) -> Vec<String> {
        let surface = Surface::read(&Source::new("requests", text)).unwrap();
        surface.endpoints.into_iter().map(|endpoint| endpoint.id).collect()
    }

    #[test]
    fn every_format_becomes_the_same_operations() {
        let expect = ["GET /v1/orders/{order_id}", "POST /v1/orders"];
        let curl = "# two\ncurl 'http://a.example/v1/orders/1001?full=1' -H 'Authorization: Bearer x'\n\ncurl -X POST \\\n  http://a.example/v1/orders -H 'Content-Type: application/json' --data-raw '{\"item\": \"it'\\''s\"}'\n";
        assert_eq!(ids(curl), expect);
        let raw = "GET /v1/orders/1001?full=1 HTTP/1.1\nHost: a\n\n###\nPOST /v1/orders HTTP/1.1\nHost: a\nContent-Type: application/json\n\n{\"item\": 1}\n";
        assert_eq!(ids(raw), expect);
        let har = json!({ "log": { "entries": [
            { "request": { "method": "GET", "url": "http://a/v1/orders/1001?full=1", "headers": [] }, "response": { "status": 200, "content": { "mimeType": "application/json", "text": "{\"id\":1001,\"total\":2.5}" } } },
            { "request": { "method": "GET", "url": "http://a/app.js", "headers": [] }, "response": { "status": 200, "content": { "mimeType": "text/javascript" } } },
            { "request": { "method": "POST", "url": "http://a/v1/orders", "headers": [], "postData": { "mimeType": "application/json", "text": "{\"item\":1}" } }, "response": { "status": 201, "content": {} } },
            { "request": { "method": "GET", "url": "http://cdn/x/1", "headers": [] }, "response": { "status": 200, "content": { "mimeType": "application/json", "text": "{}" } } }
        ] } });
        assert_eq!(ids(&har.to_string()), expect);
        let surface = Surface::read(&Source::new("a.har", har.to_string())).unwrap();
        let order = surface.endpoint("GET /v1/orders/{order_id}").unwrap();
        assert_eq!(surface.sample_values(order).path, [("order_id".to_owned(), "1001".to_owned())]);
        let form = order.success("application/json").unwrap();
        assert_eq!(surface.properties(&form.schema).len(), 2);
    }

    #[test]
    fn ids_are_told_from_words() {
        for id in ["7", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "a@b.example", "o-1001", "507f1f77bcf86cd799439011"] {
            assert!(is_id(id), "{id}");
        }
        for word in ["v1", "v12", "orders", "oauth2", "me"] {
            assert!(!is_id(word), "{word}");
        }
    }

    #[test]
    fn hostile_texts_are_read_without_harm() {
        for text in ["curl", "curl '", "curl -H", "GET", "GET  HTTP/1.1", "curl http://", "GET / HTTP/1.1\n\n\u{0}"] {
            let _ = Surface::read(&Source::new("x", text));
        }
    }
}
