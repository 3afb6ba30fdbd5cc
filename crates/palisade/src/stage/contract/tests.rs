//! What the contract lets through, refuses, reports and rewrites.

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
async fn forwarded(stage: &Contract, request: &str, body: &[u8], size: usize) -> Result<(String, Bytes), DenialCode> {
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
    for (forward, length, expect) in
        [(Writing::Canonical, "16", "{\"name\":\"pears\"}"), (Writing::PreserveBytes, &*body.len().to_string(), body)]
    {
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

#[tokio::test]
async fn the_payload_is_kept_for_those_who_look_at_texts() {
    let mut head = declared(SHOP, "POST /orders\ncontent-type: application/json");
    answer(&Contract::default(), &mut head, r#"{"name":"<pears"}"#).await.unwrap();
    let payload = head.facts.payload.unwrap();
    assert_eq!(
        (payload.value, payload.free_text),
        (Some(serde_json::json!({"name": "<pears"})), vec!["/name".to_owned()])
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
