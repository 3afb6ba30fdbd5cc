//! Repairing a request that was refused, by reading in the answer what is missing or what it should look like.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::exchange::Answer;
use crate::surface::template::plain;
use crate::surface::{Endpoint, Place, Surface, Values, dictionary};

/// Changes the values and the body by what an answer complains about. Whether there is anything new to try.
pub(crate) fn repair(
    surface: &Surface,
    endpoint: &Endpoint,
    values: &mut Values,
    body: &mut Option<Value>,
    answer: &Answer,
    marker: &str,
) -> bool {
    let text = answer.text.chars().take(MAXIMUM_TEXT).collect::<String>();
    let lower = text.to_lowercase();
    let is_taken =
        ["already", "conflict", "duplicate", "exist", "taken", "unique"].iter().any(|word| lower.contains(word));
    match answer.meaning() {
        StatusCode::CONFLICT => return body.as_mut().is_some_and(|body| freshen(body, marker)),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {}
        _ => return false,
    }
    if is_taken && !lower.contains("does not exist") && body.as_mut().is_some_and(|body| freshen(body, marker)) {
        return true;
    }
    let before = (values.clone(), body.clone());
    for parameter in endpoint.parameters.iter().filter(|one| one.place == Place::Query) {
        let is_given = values.query.iter().any(|(name, _)| *name == parameter.name);
        if !is_given && complaint(&text, &parameter.name).is_some() {
            values.query.push((parameter.name.clone(), surface.sample(parameter)));
        }
    }
    let schema = endpoint.body.as_ref().map(|body| &body.schema);
    if endpoint.graphql.is_none() && (schema.is_some() || endpoint.method != http::Method::GET) {
        let mut members = match body.take() {
            Some(Value::Object(members)) => members,
            Some(other) => {
                *body = Some(other);
                return false;
            }
            None => Map::new(),
        };
        let declared = schema.map(|schema| surface.properties(schema)).unwrap_or_default();
        let mut names: Vec<String> = declared.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.extend(demanded(&text, answer.json()));
        names.retain(|name| !endpoint.parameters.iter().any(|one| one.name == *name));
        for name in names {
            let Some(said) = complaint(&text, &name) else { continue };
            let known = declared.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema);
            let made = match (members.get(&name), known) {
                (None, Some(schema)) => surface.value_named(schema, &name),
                (given, _) => mended(&name, given, &said),
            };
            members.insert(name, made);
        }
        *body = if members.is_empty() { before.1.clone() } else { Some(Value::Object(members)) };
    }
    before != (values.clone(), body.clone())
}

/// Another value for everything that may have to be there only once.
fn freshen(body: &mut Value, marker: &str) -> bool {
    let mut is_changed = false;
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        let name = plain(name);
        let is_key = ["code", "email", "handle", "login", "name", "nick", "phone", "slug", "title", "username"]
            .iter()
            .any(|word| name.contains(word));
        if let (true, Some(text)) = (is_key, value.as_str()) {
            *value = Value::from(match text.split_once('@') {
                Some((_, domain)) => format!("{marker}@{domain}"),
                None if name.contains("phone") => format!("+1202{}", digits(marker)),
                None => format!("{text}{marker}"),
            });
            is_changed = true;
        }
    }
    is_changed
}

fn digits(marker: &str) -> String {
    marker.bytes().map(|byte| char::from(b'0' + byte % 10)).rev().take(7).collect()
}

/// What an answer says about a property: the text around its name.
fn complaint(text: &str, name: &str) -> Option<String> {
    let is_part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let place = text.match_indices(name).map(|(at, _)| at).find(|at| {
        let (before, after) = (text.get(..*at).unwrap_or_default(), text.get(at + name.len()..).unwrap_or_default());
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })?;
    Some(text.get(place..).unwrap_or_default().chars().take(AROUND).collect::<String>().to_lowercase())
}

/// The names that an answer demands, beyond those of the contract.
fn demanded(text: &str, json: Option<&Value>) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(json) = json {
        named(json, &mut names, 0);
    }
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    for pair in words.windows(4) {
        match pair {
            [name, "is" | "are", "required" | "missing", _] | [name, "is", "a", "required"] => {
                names.push((*name).to_owned())
            }
            ["missing" | "Missing", "field" | "parameter" | "property" | "key", name, _] => {
                names.push((*name).to_owned())
            }
            _ => {}
        }
    }
    names.retain(|name| name.len() < 40 && !STOPS.contains(&name.to_lowercase().as_str()));
    names
}

/// The names in lists of faults, where frameworks put them.
fn named(json: &Value, names: &mut Vec<String>, depth: usize) {
    match json {
        Value::Array(items) if depth < 5 => items.iter().for_each(|item| named(item, names, depth + 1)),
        Value::Object(members) if depth < 5 => {
            for (key, value) in members {
                match (plain(key).as_str(), value) {
                    ("field" | "param" | "path" | "property" | "instancepath" | "loc", value) => {
                        let last = match value {
                            Value::Array(parts) => parts.last().and_then(Value::as_str),
                            value => value.as_str().and_then(|path| path.rsplit(['/', '.']).next()),
                        };
                        names.extend(last.filter(|name| !name.is_empty()).map(str::to_owned));
                    }
                    // `{"errors": {"email": ["is invalid"]}}`
                    ("errors" | "fields" | "violations", Value::Object(faults)) => names.extend(faults.keys().cloned()),
                    (_, value) => named(value, names, depth + 1),
                }
            }
        }
        _ => {}
    }
}

/// A value by what is said about it.
fn mended(name: &str, given: Option<&Value>, said: &str) -> Value {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let text = given.and_then(Value::as_str).map(str::to_owned);
    let text = text.unwrap_or_else(|| dictionary::text(name).unwrap_or("sample").to_owned());
    let number: Option<usize> = said.split(|letter: char| !letter.is_ascii_digit()).find_map(|part| part.parse().ok());
    match () {
        () if has(&["integer", "number", "numeric", " int"]) => dictionary::number(name),
        () if has(&["boolean"]) => Value::Bool(true),
        () if has(&["array", "list"]) => {
            Value::Array(given.filter(|one| !one.is_array()).cloned().into_iter().collect())
        }
        () if has(&["uuid"]) => Value::from("3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        () if has(&["e-mail", "valid email"]) => Value::from("someone@example.com"),
        () if has(&["url", "uri"]) => Value::from("https://example.com/"),
        () if has(&["date-time", "datetime"]) => Value::from("2031-01-31T12:00:00Z"),
        () if has(&["valid date", "date format", "yyyy"]) => Value::from("2031-01-31"),
        () if has(&["at most", "max", "too long"]) => {
            Value::from(text.chars().take(number.unwrap_or(4)).collect::<String>())
        }
        () if has(&["at least", "min", "too short", "longer"]) => {
            let missing = number.unwrap_or(12).min(1_000).saturating_sub(text.chars().count());
            Value::from(format!("{text}{}", "a".repeat(missing)))
        }
        () => given.cloned().unwrap_or_else(|| Value::from(text)),
    }
}

const AROUND: usize = 120;
const MAXIMUM_TEXT: usize = 4_000;
const STOPS: [&str; 12] =
    ["body", "field", "it", "json", "parameter", "property", "query", "request", "that", "this", "value", "which"];

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use palisade_core::diagnostic::Source;
    use serde_json::json;

    use super::*;

    const CONTRACT: &str = "
openapi: 3.0.0
paths:
  /a:
    post:
      requestBody: { content: { application/json: { schema: { type: object, required: [name], properties: { name: { type: string }, email: { type: string }, age: {} } } } } }
      responses: {}
";

    #[test]
    fn bodies_are_mended_by_what_is_said() {
        let surface = Surface::read(&Source::new("c", CONTRACT)).unwrap();
        let check = |status: u16, said: &str, expect: Option<Value>| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            let answer = Answer::new(StatusCode::from_u16(status).unwrap(), headers, said.as_bytes());
            let mut body = surface.sample_body(&surface.endpoints[0]);
            let is_new = repair(&surface, &surface.endpoints[0], &mut Values::default(), &mut body, &answer, "m1");
            assert_eq!(is_new.then(|| body.unwrap()), expect, "{said}");
        };
        check(
            400,
            r#"{"error":"email is required"}"#,
            Some(json!({ "name": "sample", "email": "someone@example.com" })),
        );
        check(
            422,
            r#"{"detail":[{"loc":["body","age"],"msg":"value is not a valid integer"}]}"#,
            Some(json!({ "name": "sample", "age": 30 })),
        );
        check(
            400,
            r#"{"error":"'quantity' is a required property, an integer"}"#,
            Some(json!({ "name": "sample", "quantity": 1 })),
        );
        check(400, r#"{"error":"name must have at least 8 characters"}"#, Some(json!({ "name": "sampleaa" })));
        check(409, "there is one", Some(json!({ "name": "samplem1" })));
        check(400, r#"{"message":"name already taken"}"#, Some(json!({ "name": "samplem1" })));
        check(400, "bad request", None);
        check(500, "email is required", None);
    }
}
