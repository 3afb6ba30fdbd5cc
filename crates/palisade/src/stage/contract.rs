//! Lets through only what the contract declares: parameters, media type and payload.
//!
//! 1. Every declared parameter is checked against its schema; one that is missing, repeated or undeclared is refused.
//! 2. A body is read whole if its type is one that can be checked, and checked against its schema. Properties that the
//!    contract does not declare are refused, which ends mass assignment.
//! 3. URL-valued properties may not point into private networks, nor outside their declared destinations.
//! 4. All violations are told at once, each with its place, never with its value.
//! 5. The backend gets the bytes that were checked.
//! 6. By route and operation the stage may only report, or be off ([`State`]). Reported, a request passes as it came and
//!    an event says what would have refused it; off, it is not read at all. The limits of size hold in every state.

use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use palisade_contract::drift::{self, Observation};
use palisade_contract::{BodyRule, Handling, Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::settings::{PerOperation, PerRoute, State};
use crate::would_deny::WouldDeny;

/// The stage. Its rules come from the contract.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    states: PerRoute<PerOperation<State>>,
}

impl Contract {
    /// The stage with a state for each operation.
    pub fn new(states: PerRoute<PerOperation<State>>) -> Self {
        Self { states }
    }
}

impl Stage for Contract {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let state = *self.states.of(head).of(head);
            let body = if state == State::Off { body } else { check(head, body, state).await? };
            next.run(head, body).await
        })
    }

    fn dangers(&self) -> Vec<String> {
        match self.states.any(|states| states.any(|state| *state != State::Enforce)) {
            true => vec!["requests of an operation are not held to the contract".to_owned()],
            false => Vec::new(),
        }
    }
}

async fn check(head: &mut Head, body: Body, state: State) -> Result<Body, Denial> {
    let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.clone()) else { return Ok(body) };
    let (operation, parts) = (found.operation, &head.parts);
    if let Err(violations) = operation.check_parameters(&found.path, parts.uri.query(), &parts.headers) {
        let destination = violations.iter().any(|violation| violation.code == ViolationCode::DestinationForbidden);
        let code = if destination { DenialCode::DestinationForbidden } else { DenialCode::ParameterInvalid };
        let seen = || drift::of_query(head.parts.uri.query().unwrap_or_default(), &violations);
        judge(state, denial(code, &violations), seen)?.tell(head);
    }
    let content_type = head.parts.headers.get(CONTENT_TYPE).cloned();
    let handling = match operation.request_body() {
        // A body that nobody declared is read so that it can be refused; a request without one costs nothing.
        BodyRule::None if !has_body(head, &body) => return Ok(body),
        BodyRule::None => Handling::Buffer,
        BodyRule::Optional(handling) | BodyRule::Required(handling) => handling,
    };
    if handling == Handling::Stream {
        // Nothing is read: a byte stands for the body, so that its type is checked where there is one.
        let stand_in: &[u8] = if has_body(head, &body) { b"\0" } else { b"" };
        if let Err(violations) = operation.check_body(content_type.as_ref(), stand_in) {
            let seen = || drift::of_body(content_type.as_ref(), b"", &violations);
            judge(state, payload_denial(&violations), seen)?.tell(head);
        }
        return Ok(body);
    }
    let bytes = body::read(body, StageId::Contract).await?;
    match operation.check_body(content_type.as_ref(), &bytes) {
        Ok(payload) => head.facts.payload = Some(payload),
        Err(violations) => {
            let seen = || drift::of_body(content_type.as_ref(), &bytes, &violations);
            judge(state, payload_denial(&violations), seen)?.tell(head);
        }
    }
    Ok(Body::from(bytes))
}

/// A refusal under `enforce`; else what is to be told instead.
fn judge(state: State, denial: Denial, seen: impl FnOnce() -> Vec<Observation>) -> Result<WouldDeny, Denial> {
    if state == State::Enforce { Err(denial) } else { Ok(WouldDeny::new(denial, seen())) }
}

fn has_body(head: &Head, body: &Body) -> bool {
    use http_body::Body as _;

    let declared = head.text(CONTENT_LENGTH).is_some_and(|length| length != "0");
    declared || head.parts.headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

fn payload_denial(violations: &[Violation]) -> Denial {
    let has = |code| violations.iter().any(|violation| violation.code == code);
    let code = if has(ViolationCode::MediaType) {
        DenialCode::MediaTypeUndeclared
    } else if has(ViolationCode::DestinationForbidden) {
        DenialCode::DestinationForbidden
    } else {
        DenialCode::PayloadInvalid
    };
    denial(code, violations)
}

fn denial(code: DenialCode, violations: &[Violation]) -> Denial {
    // The caller hears of the first few; a body of a thousand wrong items need not have an answer of a thousand lines.
    let told = violations.iter().take(20);
    let public = told.map(|v| PublicViolation { pointer: v.pointer.clone(), detail: v.message.clone() }).collect();
    let denial = Denial::new(code, StageId::Contract).telling(PublicDetail::Violations(public));
    violations.iter().take(5).fold(denial, |denial, violation| {
        denial.because("violation", format!("{} {}: {}", violation.pointer, violation.code.as_str(), violation.message))
    })
}

#[cfg(test)]
mod tests {
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
        assert_eq!(told.len(), 20);
    }

    #[tokio::test]
    async fn what_is_only_reported_passes_with_an_event() {
        const JSON: &str = "POST /orders\ncontent-type: application/json";
        let stage = |state| {
            Contract::new(PerRoute::same(PerOperation::new(
                State::Enforce,
                [(OperationId::new("POST /orders"), state), (OperationId::new("GET /orders"), state)],
            )))
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
