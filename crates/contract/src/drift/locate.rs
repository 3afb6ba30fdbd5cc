//! Where in the text of a contract it speaks of a part of a message.

use http::StatusCode;
use serde_json::Value;

use super::observe::ANY;
use crate::document::{Document, items, join, members};
use crate::media::{Media, select};

/// The pointers of an operation: its path item, and itself.
pub(super) fn operation(document: &Document, id: &str) -> Option<(String, String)> {
    for (template, item) in members(&document.root, "paths") {
        let (item, parent) = document.resolve(item, &join("/paths", template));
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let unnamed = || format!("{} {template}", method.to_ascii_uppercase()) == id;
            if operation.get("operationId").and_then(Value::as_str).map_or_else(unnamed, |own| own == id) {
                return Some((parent.clone(), join(&parent, method)));
            }
        }
    }
    None
}

/// The pointer of a parameter, after following its reference.
pub(super) fn parameter(document: &Document, places: &(String, String), location: &str, name: &str) -> Option<String> {
    for holder in [&places.1, &places.0] {
        let declared = document.at(holder)?;
        for (at, item) in items(declared, "parameters").enumerate() {
            let (item, place) = document.resolve(item, &format!("{holder}/parameters/{at}"));
            let own = item.get("name").and_then(Value::as_str).unwrap_or_default();
            let same = if location == "header" { own.eq_ignore_ascii_case(name) } else { own == name };
            if same && item.get("in").and_then(Value::as_str) == Some(location) {
                return Some(place);
            }
        }
    }
    None
}

/// The pointer of the request body, after following its reference.
pub(super) fn request_body(document: &Document, operation: &str) -> Option<String> {
    member(document, operation, "requestBody")
}

/// The pointer of the answer that is declared for a status: exactly, by its range, or by default.
pub(super) fn response(document: &Document, operation: &str, status: u16) -> Option<String> {
    let responses = join(operation, "responses");
    let code = StatusCode::from_u16(status).ok()?;
    let range = code.as_str().chars().next()?;
    let keys = [code.as_str().to_owned(), format!("{range}XX"), format!("{range}xx"), "default".to_owned()];
    keys.iter().find_map(|key| member(document, &responses, key))
}

/// The pointer of the media type that covers `media`, in the `content` of what is at a pointer.
pub(super) fn content(document: &Document, holder: &str, media: &str) -> Option<String> {
    let sent = Media::parse(media)?;
    let declared: Vec<(Media, &str)> = members(document.at(holder)?, "content")
        .filter_map(|(name, _)| Some((Media::parse(name)?, name.as_str())))
        .collect();
    Some(join(&join(holder, "content"), select(&declared, &sent)?))
}

/// The schema of a part of a value: from the schema at `start`, along `steps`.
pub(super) fn schema(document: &Document, start: &str, steps: &[String]) -> Option<String> {
    let (_, mut pointer) = document.resolve(document.at(start)?, start);
    for step in steps {
        pointer = next(document, &pointer, step, 0)?;
    }
    Some(pointer)
}

/// The schema, or the part of a composition at a pointer, of which `holds` is true.
pub(super) fn part(document: &Document, pointer: &str, holds: &dyn Fn(&Value) -> bool) -> Option<String> {
    part_below(document, pointer, holds, 0)
}

fn part_below(document: &Document, pointer: &str, holds: &dyn Fn(&Value) -> bool, depth: usize) -> Option<String> {
    let (found, pointer) = document.resolve(document.at(pointer)?, pointer);
    if depth > DEEPEST || holds(found) {
        return (depth <= DEEPEST).then_some(pointer);
    }
    parts(found, &pointer).find_map(|part| part_below(document, &part, holds, depth + 1))
}

fn next(document: &Document, pointer: &str, step: &str, depth: usize) -> Option<String> {
    let (found, pointer) = document.resolve(document.at(pointer)?, pointer);
    if depth > DEEPEST {
        return None;
    }
    let own = if step == ANY { None } else { member(document, &join(&pointer, "properties"), step) };
    let any = |key| member(document, &pointer, key).filter(|place| document.at(place).is_some_and(Value::is_object));
    own.or_else(|| if step == ANY { any("items") } else { None })
        .or_else(|| any("additionalProperties"))
        .or_else(|| parts(found, &pointer).find_map(|part| next(document, &part, step, depth + 1)))
}

fn parts<'v>(found: &'v Value, pointer: &str) -> impl Iterator<Item = String> + use<'v> {
    let pointer = pointer.to_owned();
    ["allOf", "anyOf", "oneOf"].into_iter().flat_map(move |key| {
        let place = join(&pointer, key);
        items(found, key).enumerate().map(move |(at, _)| format!("{place}/{at}")).collect::<Vec<_>>()
    })
}

/// The pointer of a member, after following its reference.
fn member(document: &Document, holder: &str, name: &str) -> Option<String> {
    let place = join(holder, name);
    Some(document.resolve(document.at(&place)?, &place).1)
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const DEEPEST: usize = 8;
