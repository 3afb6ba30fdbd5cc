//! What may leave.

use http::{HeaderValue, StatusCode};
use palisade_contract::{ResponseRule, Revealed, Said};
use serde_json::json;

use crate::support::{contract, only, reveal, thing};

#[test]
fn undeclared_properties_are_taken_out() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  additionalProperties: false
  required: [id]
  properties:
    id: { type: integer }
    tags: { type: array, items: { type: object, properties: { name: { type: string } } } }
    pair: { type: array, prefixItems: [{ type: object, properties: { a: {} } }], items: { type: object, properties: { b: {} } } }
    map: { type: object, additionalProperties: { type: object, properties: { v: { type: integer } } } }
    open: { type: object, additionalProperties: true, properties: { secret: { type: string, writeOnly: true } } }
    form: { oneOf: [{ type: object, properties: { x: { type: integer } } }, { type: object, properties: { y: { type: integer } } }] }
    any: {}
    named: { type: object, patternProperties: { '^x-': {} } }
",
    );
    for (body, expect) in [
        (r#"{ "id": 1 }"#, "pass"),
        (r#"{"id":1,"any":{"deep":{"z":1}}}"#, "pass"),
        (r#"{"id":1,"hash":"s"}"#, r#"{"id":1} without /hash"#),
        (
            r#"{"id":1,"tags":[{"name":"a","n":1},{"m":2}]}"#,
            r#"{"id":1,"tags":[{"name":"a"},{}]} without /tags/0/n /tags/1/m"#,
        ),
        (
            r#"{"id":1,"pair":[{"a":1,"b":1},{"a":1,"b":1}]}"#,
            r#"{"id":1,"pair":[{"a":1},{"b":1}]} without /pair/0/b /pair/1/a"#,
        ),
        (r#"{"id":1,"map":{"k":{"v":1,"w":2}}}"#, r#"{"id":1,"map":{"k":{"v":1}}} without /map/k/w"#),
        (r#"{"id":1,"open":{"z":1}}"#, "pass"),
        (r#"{"id":1,"open":{"z":1,"secret":"s"}}"#, r#"{"id":1,"open":{"z":1}} without /open/secret"#),
        (r#"{"id":1,"form":{"y":1,"z":1}}"#, r#"{"id":1,"form":{"y":1}} without /form/z"#),
        (r#"{"id":1,"named":{"x-a":1,"b":2}}"#, r#"{"id":1,"named":{"x-a":1}} without /named/b"#),
        (r#"{"id":"1","hash":"s"}"#, "violates: /body/id invalid"),
        (r#"{"hash":"s"}"#, "violates: /body/id missing"),
        (r#"[{"id":1}]"#, "violates: /body invalid"),
        (r#"{"id":1,"id":2}"#, "malformed: /body/id: must not name a property twice"),
        ("<html>", "malformed: /body: must be one JSON value"),
    ] {
        assert_eq!(reveal(&contract, body), expect, "{body}");
    }
}

#[test]
fn an_answer_has_a_declared_status_and_type() {
    let contract = contract(
        "
openapi: 3.1.0
info: { title: Answers, version: '1' }
paths:
  /a:
    get:
      security: []
      responses:
        200:
          description: ok
          content:
            application/json: { schema: { type: object, properties: { a: { type: integer } } } }
            text/event-stream: {}
            text/html: { schema: { type: string } }
        204: { description: nothing, content: { application/json: { schema: {} } } }
        4XX: { $ref: '#/components/responses/Problem' }
        404: { description: no words }
components:
  responses:
    Problem:
      description: problem
      content: { application/problem+json: { schema: { type: object, properties: { title: { type: string } } } } }
",
    );
    let operation = only(&contract);
    let check = |status: u16, media: &str, expect: ResponseRule| {
        let header = HeaderValue::from_str(media).unwrap();
        let header = (!media.is_empty()).then_some(&header);
        assert_eq!(operation.response_rule(StatusCode::from_u16(status).unwrap(), header), expect, "{status} {media}");
    };
    check(200, "application/json", ResponseRule::Check);
    check(200, "application/json; charset=utf-8", ResponseRule::Check);
    check(200, "text/event-stream", ResponseRule::Stream);
    check(200, "text/html", ResponseRule::Stream);
    check(200, "application/xml", ResponseRule::UndeclaredMedia);
    check(200, "", ResponseRule::UndeclaredMedia);
    check(204, "", ResponseRule::Empty);
    check(404, "text/html", ResponseRule::Empty);
    check(403, "application/problem+json", ResponseRule::Check);
    check(403, "application/json", ResponseRule::UndeclaredMedia);
    check(500, "application/json", ResponseRule::UndeclaredStatus);
    let html = HeaderValue::from_static("text/html");
    assert_eq!(
        operation.reveal(StatusCode::NOT_FOUND, Some(&html), b"stack trace"),
        Revealed::Stripped { body: Vec::new(), value: json!(null), removed: vec![String::new()] }
    );
    assert_eq!(operation.reveal(StatusCode::NOT_FOUND, None, b""), Revealed::Pass(Said::Unread));
    assert_eq!(operation.response_schema(StatusCode::FORBIDDEN).unwrap()["properties"]["title"]["type"], "string");
    assert!(operation.response_schema(StatusCode::NOT_FOUND).is_none());
}
