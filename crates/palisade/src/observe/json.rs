//! An event as one line of JSON, and the schema of that line.

use std::fmt;
use std::time::Duration;

use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent, Took};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// The event as a JSON object; `schema/event.schema.json` describes it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade::{observe::to_json, testing::TestWorld};
///
/// let test = TestWorld::new();
/// let app = palisade::Chain::api().protect(axum::Router::new(), &test.world).unwrap();
/// let answer = test.client(app).ask("GET /.env").await;
/// let line = to_json(&answer.events[0]);
/// assert_eq!((&line["path"], &line["outcome"]["denied"]), (&"/.env".into(), &"operation-undeclared".into()));
/// # });
/// ```
pub fn to_json(event: &SecurityEvent) -> Value {
    serde_json::to_value(Line(event)).unwrap_or_default()
}

/// Adds the event to `lines`, as one of them.
pub(super) fn write_line(event: &SecurityEvent, lines: &mut Vec<u8>) {
    // Writing to memory cannot fail, and every key of a line is a text.
    if serde_json::to_writer(&mut *lines, &Line(event)).is_ok() {
        lines.push(b'\n');
    }
}

/// How an event is written, without a tree of values in between.
struct Line<'a>(&'a SecurityEvent);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("at", &event.at)?;
        line.serialize_entry("kind", event.kind.as_str())?;
        line.serialize_entry("class_uid", &event.kind.ocsf_class())?;
        line.serialize_entry("id", &Shown(format_args!("{}.{}", event.request, event.index)))?;
        line.serialize_entry("request_id", &event.request)?;
        line.serialize_entry("who", &Shown(&event.who))?;
        if let Some(client) = event.client {
            line.serialize_entry("client", &Shown(client))?;
        }
        line.serialize_entry("method", event.method.as_str())?;
        if let Some(host) = &event.host {
            line.serialize_entry("host", &**host)?;
        }
        line.serialize_entry("path", &*event.path)?;
        if let Some(route) = &event.route {
            line.serialize_entry("route", route)?;
        }
        if let Some(operation) = &event.operation {
            line.serialize_entry("operation", operation)?;
        }
        line.serialize_entry("outcome", &Ended(event.outcome))?;
        if let Some(took) = &event.took {
            line.serialize_entry("took", &Times(took))?;
        }
        line.serialize_entry("evidence", &Facts(event))?;
        line.serialize_entry("policy", &event.policy)?;
        line.end()
    }
}

/// What shows itself, as a text.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Ended(Outcome);

impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ended = serializer.serialize_map(Some(1))?;
        match self.0 {
            Outcome::Answered(status) => ended.serialize_entry("answered", &status.as_u16())?,
            Outcome::Denied(code) => ended.serialize_entry("denied", code.slug())?,
        }
        ended.end()
    }
}

struct Times<'a>(&'a Took);

impl Serialize for Times<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut times = serializer.serialize_map(None)?;
        times.serialize_entry("status", &self.0.status.as_u16())?;
        times.serialize_entry("millis", &millis(self.0.all))?;
        if let Some(backend) = self.0.backend {
            times.serialize_entry("backend_millis", &millis(backend))?;
        }
        times.end()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The evidence by fact; several violations are several values of one fact.
struct Facts<'a>(&'a SecurityEvent);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = || self.0.evidence.iter();
        let mut facts = serializer.serialize_map(None)?;
        for (at, (fact, value)) in all().enumerate() {
            if all().take(at).any(|(earlier, _)| earlier == fact) {
                continue;
            }
            let values: Vec<&str> = all().filter(|(name, _)| *name == fact).map(|(_, value)| value).collect();
            match values.as_slice() {
                [_] => facts.serialize_entry(fact, value)?,
                several => facts.serialize_entry(fact, several)?,
            }
        }
        facts.end()
    }
}

/// The JSON Schema (draft 2020-12) of a line, made from the catalogues.
///
/// ```
/// assert_eq!(palisade::observe::event_schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// ```
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
            "method": text, "host": text, "path": text, "route": text, "operation": text,
            "outcome": {"oneOf": [
                {"type": "object", "required": ["answered"], "properties": {"answered": {"type": "integer"}}, "additionalProperties": false},
                {"type": "object", "required": ["denied"], "properties": {"denied": {"enum": codes}}, "additionalProperties": false},
            ]},
            "took": {
                "type": "object",
                "description": "with an access event: the status that the caller got, and how long it took to make the answer",
                "required": ["status", "millis"],
                "properties": {
                    "status": {"type": "integer"}, "millis": {"type": "integer"}, "backend_millis": {"type": "integer"},
                },
                "additionalProperties": false,
            },
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
