//! An event as one line of JSON, and the schema of that line.

use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use serde_json::{Map, Value, json};

/// The event as a JSON object; `schema/event.schema.json` describes it.
pub fn to_json(event: &SecurityEvent) -> Value {
    let mut line = Map::new();
    let mut add = |name: &str, value: Value| {
        if !value.is_null() {
            line.insert(name.to_owned(), value);
        }
    };
    add("at", event.at.to_string().into());
    add("kind", event.kind.as_str().into());
    add("class_uid", event.kind.ocsf_class().into());
    add("id", event.id.as_str().into());
    add("request_id", event.request.as_str().into());
    add("who", event.who.to_string().into());
    add("client", event.client.map_or(Value::Null, |client| client.to_string().into()));
    add("method", event.method.as_str().into());
    add("path", (*event.path).into());
    add("route", event.route.as_ref().map_or(Value::Null, |route| route.as_str().into()));
    add("operation", event.operation.as_ref().map_or(Value::Null, |operation| operation.as_str().into()));
    match event.outcome {
        Outcome::Answered(status) => add("outcome", json!({"answered": status.as_u16()})),
        Outcome::Denied(code) => add("outcome", json!({"denied": code.slug()})),
    }
    let mut evidence = Map::new();
    for (fact, value) in event.evidence.iter() {
        // Several violations are several values of one fact.
        match evidence.get_mut(fact) {
            None => {
                evidence.insert(fact.to_owned(), value.into());
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    add("evidence", Value::Object(evidence));
    add("policy", event.policy.as_str().into());
    Value::Object(line)
}

/// The JSON Schema (draft 2020-12) of a line, made from the catalogues.
pub fn event_schema() -> Value {
    let text = json!({"type": "string"});
    let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let codes: Vec<&str> = DenialCode::ALL.iter().map(|code| code.slug()).collect();
    let lost = json!({
        "description": "so many events were dropped here, because the writer could not keep up",
        "type": "object",
        "required": ["kind", "count"],
        "properties": {"kind": {"const": "events_lost"}, "count": {"type": "integer", "minimum": 1}},
        "additionalProperties": false,
    });
    let event = json!({
        "type": "object",
        "required": ["at", "kind", "class_uid", "id", "request_id", "who", "method", "path", "outcome", "evidence", "policy"],
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "kind": {"enum": kinds},
            "class_uid": {"type": "integer", "description": "class of the Open Cybersecurity Schema Framework"},
            "id": text, "request_id": text,
            "who": {"type": "string", "description": "`anonymous`, `delegated`, or a kind and an id such as `user:u-1`"},
            "client": {"type": "string", "description": "the client's address"},
            "method": text, "path": text, "route": text, "operation": text,
            "outcome": {"oneOf": [
                {"type": "object", "required": ["answered"], "properties": {"answered": {"type": "integer"}}, "additionalProperties": false},
                {"type": "object", "required": ["denied"], "properties": {"denied": {"enum": codes}}, "additionalProperties": false},
            ]},
            "evidence": {"type": "object", "additionalProperties": {"anyOf": [text, {"type": "array", "items": text}]}},
            "policy": text,
        },
        "additionalProperties": false,
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Palisade event",
        "description": "One line of the event log.",
        "oneOf": [event, lost],
    })
}
