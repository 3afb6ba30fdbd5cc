//! The event log: its lines keep to the schema, none is lost at the end, and what had to be dropped is counted.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use expect_test::expect_file;
use palisade::extract::{Noted, Refusal};
use palisade::observe::{JsonLines, Sink as _, event_schema, to_json};
use palisade_core::denial::{Denial, DenialCode, Evidence};
use palisade_core::event::{EventKind, Outcome, SecurityEvent, Took};
use palisade_core::id::{OperationId, PolicyVersion, RequestId, RouteName, UserId};
use palisade_core::principal::Subject;
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;
use serde_json::{Value, json};

use crate::world::{Stand, ask};

fn event() -> SecurityEvent {
    let mut evidence = Evidence::default();
    for (fact, value) in [("violation", "/a"), ("stage", "contract"), ("violation", "/b \"quoted\"\n")] {
        evidence.add(fact, value);
    }
    SecurityEvent {
        index: 0,
        kind: EventKind::InputRefused,
        at: Timestamp::from_secs(1_795_305_600),
        request: RequestId::new("r-1"),
        who: Subject::User(UserId::new("u-1")),
        client: Some([192, 0, 2, 7].into()),
        method: http::Method::POST,
        host: Some("shop.example".into()),
        path: "/orders".into(),
        route: Some(RouteName::new("shop")),
        operation: Some(OperationId::new("createOrder")),
        outcome: Outcome::Denied(DenialCode::PayloadInvalid),
        evidence,
        took: None,
        policy: PolicyVersion::new("p-1"),
    }
}

fn access() -> SecurityEvent {
    SecurityEvent {
        kind: EventKind::Access,
        client: None,
        host: None,
        route: None,
        operation: None,
        who: Subject::Anonymous,
        outcome: Outcome::Answered(http::StatusCode::OK),
        evidence: Evidence::default(),
        took: Some(Took {
            status: http::StatusCode::OK,
            all: Duration::from_millis(12),
            backend: Some(Duration::from_millis(7)),
        }),
        ..event()
    }
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    expect_file!["../../../../schema/event.schema.json"].assert_eq(&format!("{:#}\n", event_schema()));
}

#[test]
fn a_line_holds_what_is_known_and_nothing_else() {
    let expect = json!({
        "at": "2026-11-22T00:00:00.000Z", "kind": "input_refused", "class_uid": 6003, "id": "r-1.0",
        "request_id": "r-1", "who": "user:u-1", "client": "192.0.2.7", "method": "POST", "host": "shop.example",
        "path": "/orders",
        "route": "shop", "operation": "createOrder", "outcome": {"denied": "payload-invalid"},
        "evidence": {"violation": ["/a", "/b \"quoted\"\n"], "stage": "contract"}, "policy": "p-1",
    });
    assert_eq!(to_json(&event()), expect);
    assert_eq!(to_json(&access())["outcome"], json!({"answered": 200}));
    assert_eq!(to_json(&access())["took"], json!({"status": 200, "millis": 12, "backend_millis": 7}));
    assert!(to_json(&access()).get("client").is_none());
}

#[tokio::test]
async fn lines_keep_to_the_schema() {
    let stand = Stand::new();
    let app = stand.app(|preset| preset);
    for request in ["GET /me\nhost: a", "GET /open\nhost: a", "GET /me\nhost: a\nauthorization: Bearer $TOKEN"] {
        ask(&app, stand.request(request)).await;
    }
    let mut lines: Vec<Value> = stand.kept.take().iter().map(to_json).collect();
    lines.extend([to_json(&event()), to_json(&access()), json!({"kind": "events_lost", "count": 3})]);
    for line in &lines {
        assert!(keeps_to(&event_schema(), line), "{line:#}");
    }
    for (change, value) in [
        ("kind", json!("made_up")),
        ("outcome", json!({"denied": "made-up"})),
        ("path", Value::Null),
        ("evidence", json!({"a": 1})),
        ("body", json!("secret")),
    ] {
        let mut line = to_json(&event());
        line[change] = value;
        assert!(!keeps_to(&event_schema(), &line), "{change}");
    }
}

/// As much of JSON Schema as the schema of events needs.
fn keeps_to(schema: &Value, value: &Value) -> bool {
    let rules = schema.as_object().unwrap();
    rules.iter().all(|(rule, wanted)| match rule.as_str() {
        "additionalProperties" => value.as_object().unwrap().iter().all(|(name, inner)| {
            let declared = schema["properties"].get(name).is_some();
            declared || wanted.is_object() && keeps_to(wanted, inner)
        }),
        "anyOf" => wanted.as_array().unwrap().iter().any(|option| keeps_to(option, value)),
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "items" => value.as_array().unwrap().iter().all(|item| keeps_to(wanted, item)),
        "minimum" => value.as_u64() >= wanted.as_u64(),
        "oneOf" => wanted.as_array().unwrap().iter().filter(|option| keeps_to(option, value)).count() == 1,
        "properties" => {
            let fits = |(name, inner): (&String, &Value)| value.get(name).is_none_or(|value| keeps_to(inner, value));
            wanted.as_object().unwrap().iter().all(fits)
        }
        "required" => wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "type" => match wanted.as_str().unwrap() {
            "array" => value.is_array(),
            "integer" => value.is_u64(),
            "object" => value.is_object(),
            "string" => value.is_string(),
            other => panic!("the check does not know the type {other}"),
        },
        "$schema" | "description" | "format" | "title" => true,
        other => panic!("the check does not know the rule {other}"),
    })
}

#[tokio::test]
async fn what_a_handler_notes_is_an_event_of_its_request() {
    let stand = Stand::new();
    let noted = || Noted::default().with(EventKind::WouldDeny, &[("reason", "an old client")]);
    let refused = || Refusal::from(Denial::new(DenialCode::ObjectForbidden, StageId::Forward));
    let routes = Router::new()
        .route("/open", get(move || async move { (noted(), "done") }))
        .route("/refused", get(move || async move { (noted(), refused()) }));
    let app = stand.preset().public("GET /refused").protect(routes, &stand.world).unwrap();
    let kinds = async |path: &str| {
        let answer = ask(&app, stand.request(&format!("GET {path}\nhost: a"))).await;
        let events = stand.kept.take();
        let id = answer.header("x-request-id").unwrap();
        assert!(events.iter().all(|event| event.request.as_str() == id), "{events:?}");
        events.iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds("/open").await, [EventKind::WouldDeny, EventKind::Access]);
    assert_eq!(kinds("/refused").await, [EventKind::AuthorizationDenied, EventKind::WouldDeny, EventKind::Access]);
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says when it is asked to write, and then waits until it may, once.
struct Gate {
    asked: Sender<()>,
    may: Receiver<()>,
    paper: Paper,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.asked.send(());
        // The other end is gone once the gate is open.
        let _ = self.may.recv();
        self.paper.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_line_is_lost_at_the_end() {
    let paper = Paper::default();
    let sink = JsonLines::new(paper.clone());
    for _ in 0..5_000 {
        sink.emit(event());
    }
    drop(sink);
    let lines = paper.lines();
    assert_eq!(lines.len(), 5_000);
    assert!(lines.iter().all(|line| *line == to_json(&event())));
}

#[test]
fn what_a_slow_writer_could_not_take_is_counted() {
    let (asked, was_asked) = channel();
    let (open, may) = channel();
    let paper = Paper::default();
    let sink = JsonLines::new(Gate { asked, may, paper: paper.clone() });
    sink.emit(event());
    was_asked.recv().unwrap();
    // The writer holds the first line; the queue takes 8,192 more and no others. Nobody waits.
    for _ in 0..8_192 + 10 {
        sink.emit(event());
    }
    drop(open);
    drop(sink);
    let lines = paper.lines();
    assert_eq!(lines.len(), 1 + 1 + 8_192);
    assert_eq!(lines[1], json!({"kind": "events_lost", "count": 10}));
    assert!(lines.iter().enumerate().all(|(at, line)| at == 1 || *line == to_json(&event())));
}

#[test]
fn what_could_not_be_written_is_counted() {
    /// Fails the first time, and says so.
    struct Flaky(Sender<()>, bool, Paper);
    impl Write for Flaky {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.1, true) { self.2.write(bytes) } else { Err(io::Error::other("disk full")) }
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.send(()).map_err(io::Error::other)
        }
    }
    let (written, was_written) = channel();
    let paper = Paper::default();
    let sink = JsonLines::new(Flaky(written, false, paper.clone()));
    // How many lines go out together is the writer's business; none of them may be missing without a word.
    let mut sent = 0;
    while was_written.try_recv().is_err() {
        sink.emit(event());
        sent += 1;
    }
    drop(sink);
    let lines = paper.lines();
    let count = |line: &Value| line.get("count").and_then(Value::as_u64);
    let lost: u64 = lines.iter().filter_map(count).sum();
    assert!(lost > 0);
    assert_eq!(lines.iter().filter(|line| count(line).is_none()).count() as u64 + lost, sent);
}
