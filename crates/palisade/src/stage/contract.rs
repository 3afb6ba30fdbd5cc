//! Lets through only what the contract declares: parameters, media type and payload.
//!
//! 1. Every declared parameter is checked against its schema; one that is missing, repeated or undeclared is refused.
//! 2. A body is read whole if its type is one that can be checked, and checked against its schema. Properties that the
//!    contract does not declare are refused, which ends mass assignment.
//! 3. URL-valued properties may not point into private networks, nor outside their declared destinations.
//! 4. All violations are told at once, each with its place, never with its value.
//! 5. The backend gets the bytes that were checked.

use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use palisade_contract::{BodyRule, Handling, Violation};
use palisade_core::denial::Denial;
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body};
use crate::violations;

/// The stage. Its rules come from the contract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contract;

impl Stage for Contract {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = check(head, body).await?;
            next.run(head, body).await
        })
    }
}

async fn check(head: &mut Head, body: Body) -> Result<Body, Denial> {
    let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.clone()) else { return Ok(body) };
    let (operation, parts) = (found.operation, &head.parts);
    operation
        .check_parameters(&found.path, parts.uri.query(), &parts.headers)
        .map_err(|v| violations::of_parameters(&v, StageId::Contract))?;
    let payload = |v: &[Violation]| violations::of_payload(v, StageId::Contract);
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    let handling = match operation.request_body() {
        // A body that nobody declared is read so that it can be refused; a request without one costs nothing.
        BodyRule::None if !has_body(head, &body) => return Ok(body),
        BodyRule::None => Handling::Buffer,
        BodyRule::Optional(handling) | BodyRule::Required(handling) => handling,
    };
    if handling == Handling::Stream {
        // Nothing is read: a byte stands for the body, so that its type is checked where there is one.
        let stand_in: &[u8] = if has_body(head, &body) { b"\0" } else { b"" };
        operation.check_body(content_type.as_ref(), stand_in).map_err(|v| payload(&v))?;
        return Ok(body);
    }
    let bytes = body::read(body, StageId::Contract).await?;
    let payload = operation.check_body(content_type.as_ref(), &bytes).map_err(|v| payload(&v))?;
    head.facts.payload = Some(payload);
    Ok(Body::from(bytes))
}

fn has_body(head: &Head, body: &Body) -> bool {
    use http_body::Body as _;

    let declared = head.text(CONTENT_LENGTH).is_some_and(|length| length != "0");
    declared || head.parts.headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

#[cfg(test)]
mod tests {
    use palisade_core::denial::{DenialCode, PublicDetail};
    use palisade_core::event::EventKind;

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
        match answer(&Contract, &mut declared(SHOP, request), body).await {
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
        answer(&Contract, &mut head, r#"{"name":"pears"}"#).await.unwrap();
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
    async fn without_a_contract_nothing_is_checked() {
        assert!(answer(&Contract, &mut head("POST /anything?at=all"), "text").await.is_ok());
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Contract);
    }
}
