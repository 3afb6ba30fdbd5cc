//! Lets through only what the contract declares: parameters, media type and payload; and in one writing.
//!
//! 1. Every declared parameter is checked against its schema; one that is missing, repeated or undeclared is refused.
//! 2. A body is read whole if its type is one that can be checked, and checked against its schema. Properties that the
//!    contract does not declare are refused, which ends mass assignment.
//! 3. URL-valued properties may not point into private networks, nor outside their declared destinations.
//! 4. All violations are told at once, each with its place, never with its value.
//! 5. The backend gets what was understood: query, JSON and forms are written anew from what was read, so that no other
//!    reader can understand them otherwise. What came in that writing is not copied.
//! 6. The answer of a deprecated operation says so (RFC 9745) and until when it is served (RFC 8594). Who still calls it
//!    is noted, once an hour for each caller.
//! 7. By route and operation the stage may only report, or be off ([`State`]). Reported, a request passes as it came and
//!    an event says what would have refused it; off, it is not read at all. The limits of size hold in every state.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
pub use palisade_contract::Caps;
use palisade_contract::drift;
use palisade_contract::{BodyRule, Canonical, ContractOperation, Handling, Payload, Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::Lifecycle;
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::settings::{PerOperation, PerRoute, State};
use crate::violations;
use crate::would_deny::WouldDeny;

/// The stage. Its rules come from the contract.
#[derive(Debug, Default)]
pub struct Contract {
    settings: PerRoute<ContractSettings>,
    seen: Seen,
}

/// How payloads are read, and in which writing they go on.
#[derive(Clone, Debug, Default)]
pub struct ContractSettings {
    /// How deep, large and many the values of a payload may be.
    pub caps: Caps,
    /// What the backend gets.
    pub forward: Writing,
    /// How strictly operations are held to the contract.
    pub states: PerOperation<State>,
}

/// What the backend gets of a query and a body that are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// Their one canonical writing.
    #[default]
    Canonical,
    /// The bytes as they came, for a backend that verifies a signature over them. Escapes, white space and the borders of
    /// multipart are then the backend's to read as we did.
    PreserveBytes,
}

impl Contract {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<ContractSettings>) -> Self {
        Self { settings, seen: Seen::default() }
    }

    async fn check(&self, head: &mut Head, body: Body) -> Result<Body, Denial> {
        let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref()) else {
            return Ok(body);
        };
        let operation = Arc::clone(&found.operation);
        self.announce(&operation, head);
        let settings = self.settings.of(head);
        let state = *settings.states.of(head);
        let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref()) else {
            return Ok(body);
        };
        if state == State::Off {
            return Ok(body);
        }
        let (caps, parts) = (&settings.caps, &head.parts);
        let parameters = operation.check_parameters_within(caps, &found.path, parts.uri.query(), &parts.headers);
        let (query, in_head) = match parameters {
            Ok(parameters) => (parameters.canonical_query().map(str::to_owned), Vec::new()),
            Err(violations) => (None, violations),
        };
        let incoming = read(&operation, caps, state, head, body).await?;
        if !in_head.is_empty() || matches!(incoming, Incoming::Wrong(..)) {
            return judge(state, head, &in_head, incoming);
        }
        if let Some(query) = query.filter(|_| settings.forward == Writing::Canonical) {
            rewrite(head, &query)?;
        }
        Ok(match incoming {
            Incoming::Read(bytes, mut payload) => {
                let canonical = payload.canonical.take().filter(|_| settings.forward == Writing::Canonical);
                head.facts.payload = Some(payload);
                Body::from(canonical.map_or(bytes, |canonical| replace(head, canonical)))
            }
            other => other.unchanged(head),
        })
    }

    /// Says on the answer that the operation is to go, and notes who calls it all the same.
    fn announce(&self, operation: &ContractOperation, head: &mut Head) {
        if operation.operation.lifecycle != Lifecycle::Deprecated {
            return;
        }
        let notice = operation.notice();
        for (name, value) in [("deprecation", &notice.deprecation), ("sunset", &notice.sunset)] {
            if let Some(value) = value {
                head.plan.set(HeaderName::from_static(name), value.clone());
            }
        }
        let id = operation.operation.id.as_str();
        if self.seen.is_first(head, id) {
            head.facts.note(EventKind::DeprecatedUsed, &[("operation", id)]);
        }
    }
}

impl Stage for Contract {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = self.check(head, body).await?;
            next.run(head, body).await
        })
    }

    fn dangers(&self) -> Vec<String> {
        let loose = |settings: &ContractSettings| settings.states.any(|state| *state != State::Enforce);
        let preserved = |settings: &ContractSettings| settings.forward == Writing::PreserveBytes;
        let sentences = [
            (self.settings.any(loose), "requests of an operation are not held to the contract"),
            (self.settings.any(preserved), "bodies reach the backend as their sender wrote them on a route"),
        ];
        sentences.into_iter().filter(|(holds, _)| *holds).map(|(_, sentence)| sentence.to_owned()).collect()
    }
}

/// A body behind its check.
enum Incoming {
    Read(Bytes, Payload),
    Stream(Body),
    /// What came of it and what is wrong with it. Where that refuses the request, the rest was not waited for.
    Wrong(Bytes, Vec<Violation>),
}

impl Incoming {
    fn unchanged(self, head: &mut Head) -> Body {
        match self {
            Self::Read(bytes, payload) => {
                head.facts.payload = Some(payload);
                Body::from(bytes)
            }
            Self::Stream(body) => body,
            Self::Wrong(bytes, _) => Body::from(bytes),
        }
    }
}

/// Reads and checks a body as its type asks for. The error is one of the connection.
async fn read(
    operation: &ContractOperation,
    caps: &Caps,
    state: State,
    head: &Head,
    mut body: Body,
) -> Result<Incoming, Denial> {
    let mut types = head.parts.headers.get_all(CONTENT_TYPE).iter();
    // Two types are none: whoever reads behind us may take the other one.
    let content_type = types.next().filter(|_| types.next().is_none());
    let announced = has_body(head, &body);
    let handling = match operation.request_body() {
        BodyRule::None if !announced => return Ok(Incoming::Stream(body)),
        BodyRule::None => {
            let violation = Violation::new("/body", ViolationCode::Undeclared, "is not declared");
            return nothing(body, state, violation).await;
        }
        BodyRule::Optional(_) | BodyRule::Required(_) if !announced => Handling::Buffer,
        BodyRule::Optional(_) | BodyRule::Required(_) => match operation.body_handling(content_type) {
            Ok(handling) => handling,
            // A body that turns out to be empty has no type.
            Err(violation) => match nothing(body, state, violation).await? {
                Incoming::Stream(empty) => {
                    body = empty;
                    Handling::Buffer
                }
                wrong => return Ok(wrong),
            },
        },
    };
    if handling == Handling::Stream {
        return Ok(Incoming::Stream(body));
    }
    let bytes = body::read(body, StageId::Contract).await?;
    Ok(match operation.check_body_within(caps, content_type, &bytes) {
        Ok(payload) => Incoming::Read(bytes, payload),
        Err(violations) => Incoming::Wrong(bytes, violations),
    })
}

/// An empty body, or the violation that there is one: read no further than its first byte, unless it is to go on.
async fn nothing(mut body: Body, state: State, violation: Violation) -> Result<Incoming, Denial> {
    if state == State::Report {
        let bytes = body::read(body, StageId::Contract).await?;
        return Ok(match bytes.is_empty() {
            true => Incoming::Stream(Body::empty()),
            false => Incoming::Wrong(bytes, vec![violation]),
        });
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body::fault_denial(&error, StageId::Contract))?;
        if frame.data_ref().is_some_and(|data| !data.is_empty()) {
            return Ok(Incoming::Wrong(Bytes::new(), vec![violation]));
        }
    }
    Ok(Incoming::Stream(Body::empty()))
}

/// A refusal under `enforce`; else the request as it came, and a word of what would have refused it.
fn judge(state: State, head: &mut Head, in_head: &[Violation], incoming: Incoming) -> Result<Body, Denial> {
    let in_body = if let Incoming::Wrong(_, violations) = &incoming { violations.as_slice() } else { &[] };
    let denial = violations::of_request(&[in_head, in_body].concat(), in_head.len(), StageId::Contract);
    if state == State::Enforce {
        return Err(denial);
    }
    let mut seen = drift::of_query(head.parts.uri.query().unwrap_or_default(), in_head);
    if let Incoming::Wrong(bytes, violations) = &incoming {
        seen.extend(drift::of_body(head.parts.headers.get(CONTENT_TYPE), bytes, violations));
    }
    WouldDeny::new(denial, seen).tell(head);
    Ok(incoming.unchanged(head))
}

/// Puts a body in place of what came.
fn replace(head: &mut Head, canonical: Canonical) -> Bytes {
    if let Some(content_type) = canonical.content_type {
        head.parts.headers.insert(CONTENT_TYPE, content_type);
    }
    if head.parts.headers.contains_key(CONTENT_LENGTH) {
        head.parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(canonical.bytes.len()));
    }
    canonical.bytes.into()
}

/// Puts a query in place of what came.
fn rewrite(head: &mut Head, query: &str) -> Result<(), Denial> {
    let path = head.parts.uri.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let uri = target.parse::<Uri>();
    head.parts.uri = uri.map_err(|error| {
        Denial::new(DenialCode::ParameterInvalid, StageId::Contract).because("error", error.to_string())
    })?;
    Ok(())
}

/// Which callers of deprecated operations have been noted in this hour. What is kept is bounded: beyond that many callers
/// nobody reads one by one.
#[derive(Debug, Default)]
struct Seen {
    hasher: std::hash::RandomState,
    hour: Mutex<(u64, HashSet<u64>)>,
}

impl Seen {
    fn is_first(&self, head: &Head, operation: &str) -> bool {
        let hour = head.facts.received.as_secs() / 3600;
        let caller = self.hasher.hash_one((head.facts.principal.subject(), operation));
        let mut seen = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != hour {
            *seen = (hour, HashSet::new());
        }
        seen.1.len() < MOST_CALLERS && seen.1.insert(caller)
    }
}

fn has_body(head: &Head, body: &Body) -> bool {
    let declared = head.text(CONTENT_LENGTH).is_some_and(|length| length != "0");
    declared || head.parts.headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

const MOST_CALLERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use palisade_core::denial::PublicDetail;
    use palisade_core::event::EventKind;
    use palisade_core::id::OperationId;

    use super::*;
    use crate::testing::{answer, assert_stage, declared, head};

    const SHOP: &str = r#"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders:
    get:
      security: []
      parameters:
        - { name: limit, in: query, schema: { type: integer, maximum: 50 } }
        - { name: callback, in: query, schema: { type: string, format: uri } }
      responses: { 200: { description: Orders. } }
    post:
      security: []
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, maxLength: 20 }
                site: { type: string, format: uri }
      responses: { 201: { description: Made. } }
    delete:
      security: []
      deprecated: true
      responses: { 204: { description: Gone. } }
  /uploads:
    post:
      security: []
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema: { type: object, properties: { title: { type: string, maxLength: 20 } } }
      responses: { 204: { description: Kept. } }
  /files:
    put:
      security: []
      requestBody: { required: true, content: { image/png: {} } }
      responses: { 204: { description: Kept. } }
"#;

    /// The code of a request's refusal and the places that the caller is told.
    async fn refusal(request: &str, body: &str) -> Option<(DenialCode, Vec<String>)> {
        match answer(&Contract::default(), &mut declared(SHOP, request), body).await {
            Ok(_) => None,
            Err(super::super::Stop::Answer(answer)) => panic!("{answer:?}"),
            Err(super::super::Stop::Deny(denial)) => {
                assert_eq!(denial.code().event(), EventKind::InputRefused);
                let PublicDetail::Violations(told) = denial.public() else { panic!("{denial:?}") };
                let shown = format!("{told:?}");
                assert!(!shown.contains("marker"), "the value is not repeated: {shown}");
                Some((denial.code(), told.iter().map(|violation| violation.pointer.clone()).collect()))
            }
        }
    }

    #[tokio::test]
    async fn only_what_is_declared_passes() {
        const JSON: &str = "POST /orders\ncontent-type: application/json";
        for (request, body, expect) in [
            ("GET /orders", "", None),
            ("GET /orders?limit=50", "", None),
            ("GET /orders?limit=51", "", Some((DenialCode::ParameterInvalid, vec!["/query/limit"]))),
            ("GET /orders?limit=1&limit=2", "", Some((DenialCode::ParameterInvalid, vec!["/query/limit"]))),
            ("GET /orders?debug=marker", "", Some((DenialCode::ParameterInvalid, vec!["/query/debug"]))),
            (
                "GET /orders?callback=http://169.254.169.254/",
                "",
                Some((DenialCode::DestinationForbidden, vec!["/query/callback"])),
            ),
            // A body that nobody declared.
            ("GET /orders\ncontent-length: 2", "{}", Some((DenialCode::PayloadInvalid, vec!["/body"]))),
            (JSON, r#"{"name":"pears"}"#, None),
            (JSON, r#"{"name":"pears","is_admin":true}"#, Some((DenialCode::PayloadInvalid, vec!["/body/is_admin"]))),
            (JSON, r#"{"name":7}"#, Some((DenialCode::PayloadInvalid, vec!["/body/name"]))),
            (JSON, r#"{"name":"marker","name":"b"}"#, Some((DenialCode::PayloadInvalid, vec!["/body/name"]))),
            (JSON, "{", Some((DenialCode::PayloadInvalid, vec!["/body"]))),
            (JSON, "", Some((DenialCode::PayloadInvalid, vec!["/body"]))),
            (
                JSON,
                r#"{"name":"a","site":"http://127.0.0.1/marker"}"#,
                Some((DenialCode::DestinationForbidden, vec!["/body/site"])),
            ),
            ("POST /orders", "{}", Some((DenialCode::MediaTypeUndeclared, vec!["/body"]))),
            ("POST /orders\ncontent-type: text/plain", "{}", Some((DenialCode::MediaTypeUndeclared, vec!["/body"]))),
            ("PUT /files\ncontent-type: image/png", "\u{1}\u{2}", None),
        ] {
            let found = refusal(request, body).await;
            let found = found.as_ref().map(|(code, told)| (*code, told.iter().map(String::as_str).collect()));
            assert_eq!(found, expect, "{request} {body}");
        }
    }

    /// What goes on of a body that arrives in pieces of this size: type and bytes, or the code of the refusal.
    async fn forwarded(
        stage: &Contract,
        request: &str,
        body: &[u8],
        size: usize,
    ) -> Result<(String, Bytes), DenialCode> {
        let pieces: Vec<_> =
            body.chunks(size).map(|piece| Ok::<_, axum_core::Error>(Bytes::copy_from_slice(piece))).collect();
        let mut head = declared(SHOP, request);
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let body = stage.check(&mut head, body).await.map_err(|denial| denial.code())?;
        Ok((head.text(CONTENT_TYPE).unwrap_or_default().to_owned(), body::read(body, StageId::Forward).await.unwrap()))
    }

    #[tokio::test]
    async fn the_verdict_does_not_depend_on_how_a_body_arrives() {
        let stage = Contract::default();
        let part = "--B\r\nContent-Disposition: form-data; name=\"title\"\r\n";
        let upload = "POST /uploads\ncontent-type: multipart/form-data; boundary=B";
        for (request, body, passes) in [
            (upload, format!("{part}\r\n\r\n--b\r\n\r\n--B--\r\n"), true),
            (upload, format!("{part}\r\nt\r\n--B--\r\nepilogue"), false),
            (upload, format!("{part}{part}\r\nt\r\n--B--\r\n"), false),
            ("POST /orders\ncontent-type: application/json", " {\"name\" : \"\\u00e9\"}".to_owned(), true),
            ("POST /orders\ncontent-type: application/json", "{\"name\":\"a\",\"name\":\"b\"}".to_owned(), false),
        ] {
            let whole = forwarded(&stage, request, body.as_bytes(), body.len()).await;
            assert_eq!(whole.is_ok(), passes, "{request} {body}: {whole:?}");
            for size in 1..body.len() {
                assert_eq!(forwarded(&stage, request, body.as_bytes(), size).await, whole, "{body} by {size}");
            }
        }
    }

    #[tokio::test]
    async fn length_and_type_follow_the_body() {
        let body = " { \"name\" : \"pears\" } ";
        let request = format!("POST /orders\ncontent-type: application/json\ncontent-length: {}", body.len());
        for (forward, length, expect) in [
            (Writing::Canonical, "16", "{\"name\":\"pears\"}"),
            (Writing::PreserveBytes, &*body.len().to_string(), body),
        ] {
            let stage = Contract::new(PerRoute::same(ContractSettings { forward, ..ContractSettings::default() }));
            let mut head = declared(SHOP, &request);
            let sent = stage.check(&mut head, Body::from(body)).await.unwrap();
            assert_eq!(body::read(sent, StageId::Forward).await.unwrap(), expect);
            assert_eq!(head.text(CONTENT_LENGTH), Some(length));
            assert_eq!(stage.dangers().is_empty(), forward == Writing::Canonical);
        }
    }

    #[tokio::test]
    async fn a_caller_of_what_is_deprecated_is_noted_once_an_hour() {
        let stage = Contract::default();
        let mut noted = Vec::new();
        for (user, hour) in [("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 2)] {
            let mut head = declared(SHOP, "DELETE /orders");
            head.facts.principal = crate::testing::user(user);
            head.facts.received = palisade_core::time::Timestamp::from_secs(hour * 3600 + 7);
            let _ = stage.check(&mut head, Body::empty()).await.unwrap();
            noted.push(head.facts.notes.iter().filter(|note| note.kind == EventKind::DeprecatedUsed).count());
        }
        assert_eq!(noted, [1, 0, 1, 1, 0]);
    }

    #[test]
    fn callers_are_not_remembered_without_end() {
        let (seen, mut head) = (Seen::default(), head("GET /"));
        let first = (0..MOST_CALLERS + 10).filter(|n| {
            head.facts.principal = crate::testing::user(&n.to_string());
            seen.is_first(&head, "old")
        });
        assert_eq!(first.count(), MOST_CALLERS);
    }

    #[tokio::test]
    async fn the_payload_is_kept_for_those_who_look_at_texts() {
        let mut head = declared(SHOP, "POST /orders\ncontent-type: application/json");
        answer(&Contract::default(), &mut head, r#"{"name":"pears"}"#).await.unwrap();
        let payload = head.facts.payload.unwrap();
        assert_eq!(
            (payload.value, payload.free_text),
            (Some(serde_json::json!({"name": "pears"})), vec!["/name".to_owned()])
        );
    }

    #[tokio::test]
    async fn an_answer_does_not_grow_with_the_violations() {
        let many: Vec<String> = (0..100).map(|n| format!("\"x{n}\":1")).collect();
        let request = "POST /orders\ncontent-type: application/json";
        let (_, told) = refusal(request, &format!("{{{}}}", many.join(","))).await.unwrap();
        assert_eq!(told.len(), 50);
    }

    #[tokio::test]
    async fn what_is_only_reported_passes_with_an_event() {
        const JSON: &str = "POST /orders\ncontent-type: application/json";
        let stage = |state| {
            let states = PerOperation::new(
                State::Enforce,
                [(OperationId::new("POST /orders"), state), (OperationId::new("GET /orders"), state)],
            );
            Contract::new(PerRoute::same(ContractSettings { states, ..ContractSettings::default() }))
        };
        for (request, body, code, drift) in [
            (JSON, r#"{"name":"pears"}"#, "", vec![]),
            (
                JSON,
                r#"{"name":"pears","is_admin":true}"#,
                "payload-invalid",
                vec![
                    r#"{"in":"request","media":"application/json","at":"/body/is_admin","rule":"undeclared","type":"boolean"}"#,
                ],
            ),
            (JSON, "{", "payload-invalid", vec![]),
            (
                "GET /orders?limit=51&marker=secret",
                "",
                "parameter-invalid",
                vec![
                    r#"{"in":"request","at":"/query/limit","rule":"maximum","type":"integer"}"#,
                    r#"{"in":"request","at":"/query/marker","rule":"undeclared","type":"string","length":6}"#,
                ],
            ),
        ] {
            let mut head = declared(SHOP, request);
            let passed = answer(&stage(State::Report), &mut head, body).await;
            assert!(passed.is_ok(), "{request} {body}: {passed:?}");
            let notes: Vec<Vec<(&str, &str)>> =
                head.facts.notes.iter().map(|note| note.evidence.iter().collect()).collect();
            let of = |wanted: &str| {
                notes.iter().flatten().filter(|(fact, _)| *fact == wanted).map(|(_, value)| *value).collect::<Vec<_>>()
            };
            assert!(head.facts.notes.iter().all(|note| note.kind == EventKind::WouldDeny));
            assert_eq!(of("code"), Vec::from_iter(Some(code).filter(|code| !code.is_empty())), "{request} {body}");
            assert_eq!(of("drift"), drift, "{request} {body}");
            assert!(!format!("{notes:?}").contains("secret"), "no value is kept: {notes:?}");

            let mut head = declared(SHOP, request);
            assert!(answer(&stage(State::Off), &mut head, body).await.is_ok());
            assert!(head.facts.notes.is_empty() && head.facts.payload.is_none());
            let enforced = answer(&stage(State::Enforce), &mut declared(SHOP, request), body).await;
            assert_eq!(enforced.is_err(), !code.is_empty(), "{request} {body}");
        }
        assert_eq!(stage(State::Enforce).dangers().len(), 0);
        assert_eq!(stage(State::Off).dangers().len(), 1);
        assert_eq!(stage(State::Report).dangers().len(), 1);
    }

    #[tokio::test]
    async fn without_a_contract_nothing_is_checked() {
        assert!(answer(&Contract::default(), &mut head("POST /anything?at=all"), "text").await.is_ok());
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Contract::default());
    }
}
