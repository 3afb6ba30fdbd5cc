//! An event as one line of JSON, and the schema of that line.

use std::net::IpAddr;
use std::time::Duration;

use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use serde_json::{Value, json};

use crate::plain;

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
    let mut line = Vec::new();
    write_line(event, &mut line);
    serde_json::from_slice(&line).unwrap_or_default()
}

/// Adds the event to `lines`, as one of them. Written by hand, because every request has one: a serializer takes three
/// times as long.
pub(super) fn write_line(event: &SecurityEvent, lines: &mut Vec<u8>) {
    let mut line = Object::open(lines);
    line.text("at", &event.at.to_string());
    line.text("kind", event.kind.as_str());
    line.number("class_uid", event.kind.ocsf_class().into());
    line.joined("id", [event.request.as_str(), ".", itoa::Buffer::new().format(event.index)]);
    line.text("request_id", event.request.as_str());
    match event.who.id() {
        None => line.text("who", event.who.kind()),
        Some(id) => line.joined("who", [event.who.kind(), ":", id]),
    }
    if let Some(client) = event.client {
        line.address("client", client);
    }
    line.text("method", event.method.as_str());
    if let Some(host) = &event.host {
        line.text("host", host);
    }
    line.text("path", &event.path);
    if let Some(route) = &event.route {
        line.text("route", route.as_str());
    }
    if let Some(operation) = &event.operation {
        line.text("operation", operation.as_str());
    }
    let mut outcome = line.object("outcome");
    match event.outcome {
        Outcome::Answered(status) => outcome.number("answered", status.as_u16().into()),
        Outcome::Denied(code) => outcome.text("denied", code.slug()),
        Outcome::Done => outcome.text("task", "done"),
        Outcome::Failed => outcome.text("task", "failed"),
    }
    outcome.close();
    if let Some(took) = &event.took {
        let mut times = line.object("took");
        times.number("status", took.status.as_u16().into());
        times.number("millis", millis(took.all));
        if let Some(backend) = took.backend {
            times.number("backend_millis", millis(backend));
        }
        times.close();
    }
    evidence(event, line.object("evidence"));
    line.text("policy", event.policy.as_str());
    line.close();
    lines.push(b'\n');
}

/// The evidence by fact; several violations are several values of one fact.
fn evidence(event: &SecurityEvent, mut facts: Object<'_>) {
    let all = || event.evidence.iter();
    for (at, (fact, value)) in all().enumerate() {
        if all().take(at).any(|(earlier, _)| earlier == fact) {
            continue;
        }
        if all().filter(|(name, _)| *name == fact).count() == 1 {
            facts.text(fact, value);
            continue;
        }
        facts.name(fact);
        let mut before = b'[';
        for (_, value) in all().filter(|(name, _)| *name == fact) {
            facts.out.push(before);
            quote(value, facts.out);
            before = b',';
        }
        facts.out.push(b']');
    }
    facts.close();
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A JSON object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    /// What stands before the next name.
    before: u8,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        Self { out, before: b'{' }
    }

    /// Names are our own words, which have nothing to escape.
    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(&[std::mem::replace(&mut self.before, b','), b'"']);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        quote(text, self.out);
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        plain::number(number, self.out);
    }

    fn address(&mut self, name: &str, address: IpAddr) {
        self.name(name);
        self.out.push(b'"');
        plain::address(address, self.out);
        self.out.push(b'"');
    }

    /// A text of three parts.
    fn joined(&mut self, name: &str, parts: [&str; 3]) {
        self.name(name);
        if parts.iter().any(|part| !is_plain(part.as_bytes())) {
            return quote(&parts.concat(), self.out);
        }
        self.out.push(b'"');
        parts.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
        self.out.push(b'"');
    }

    fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::open(self.out)
    }

    fn close(self) {
        if self.before == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let _ = serde_json::to_writer(out, text);
    }
}

/// Whether a text is written in JSON as it is (RFC 8259 section 7).
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & (*byte >= b' ') & (*byte != b'"') & (*byte != b'\\'))
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
                {"type": "object", "required": ["task"], "properties": {"task": {"enum": ["done", "failed"]}}, "additionalProperties": false},
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
