//! No text, request or answer makes the crate panic or work without end.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use palisade_contract::{Contract, Found, Revealed, Said};
use palisade_core::diagnostic::Source;
use proptest::prelude::*;

use crate::support::{contract, only, thing};

const YAML: &str = "
openapi: 3.1.0
info: { title: R, version: '1' }
security: []
paths:
  /a/{id}.json:
    post:
      parameters:
        - { name: id, in: path, required: true, schema: { type: integer } }
        - { name: q, in: query, schema: { type: string, maxLength: 5 } }
        - { name: f, in: query, style: deepObject, schema: { type: object, properties: { a: { type: array, items: { type: integer } } } } }
        - { name: l, in: query, explode: false, schema: { type: array, items: { type: number } } }
        - { name: c, in: cookie, schema: { type: boolean } }
      requestBody: { content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { a: {} } } } } }
      responses: { 200: { description: ok } }
";

#[test]
fn a_contract_can_be_shared() {
    fn shared<T: Send + Sync + std::fmt::Debug>() {}
    shared::<Contract>();
}

#[test]
fn schemas_that_all_refer_to_each_other_are_compiled_once() {
    let count = 200;
    let mut schemas = String::from("Thing: { $ref: '#/components/schemas/S0' }\n");
    for n in 0..count {
        schemas
            .push_str(&format!("S{n}:\n  type: object\n  properties:\n    name: {{ type: string, maxLength: 9 }}\n"));
        for k in 1..8 {
            let other = (n * 7 + k * 13) % count;
            schemas.push_str(&format!("    p{k}: {{ $ref: '#/components/schemas/S{other}' }}\n"));
        }
    }
    let contract = thing("3.1.0", &schemas);
    let json = HeaderValue::from_static("application/json");
    let body = br#"{"p1":{"p2":{"p3":{"nobody":1}}}}"#;
    let violations = only(&contract).check_body(Some(&json), body).unwrap_err();
    assert_eq!(violations.first().unwrap().pointer, "/body/p1/p2/p3/nobody");
}

proptest! {
    #[test]
    fn any_text_is_read(text in ".{0,200}", at in 0..YAML.len(), cut in 0..40_usize, put in "[ a-z0-9{}:\\[\\],'$#/&*-]{0,12}") {
        let _ = Contract::compile(&Source::new("any", text));
        // A good contract with a piece cut out or put in reaches further.
        let mut broken = YAML.to_owned();
        let end = (at + cut).min(broken.len());
        broken.replace_range(at..end, &put);
        let _ = Contract::compile(&Source::new("broken", broken));
    }

    #[test]
    fn any_request_is_answered(
        id in "[0-9a-z%.]{0,6}",
        query in "([qflx]|f\\[a\\]|%5B)?(=[0-9a-z%,+&;\\[\\]é]{0,8})?(&[qfl]=[0-9.e-]{0,4}){0,3}",
        cookie in "(c=[a-z%;= ]{0,8}){0,2}",
        body in "[a-c=&%0-9+]{0,30}",
    ) {
        let contract = contract(YAML);
        if let Found::Operation(operation, path) = contract.find(&Method::POST, &format!("/a/{id}.json")) {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", HeaderValue::from_str(&cookie).unwrap());
            let _ = operation.check_parameters(&path, Some(&query), &headers);
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            let _ = operation.check_body(Some(&form), body.as_bytes());
        }
    }

    #[test]
    fn what_was_stripped_needs_no_stripping(names in prop::collection::vec("[abcx]", 0..4), inner in "[abcx]") {
        let contract = thing("3.1.0", "
Thing:
  anyOf:
    - { type: object, properties: { a: { $ref: '#/components/schemas/Thing' }, b: {} } }
    - { type: object, properties: { c: { type: object, additionalProperties: true } } }
    - { type: 'null' }
");
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":{{\"{inner}\":{{}}}}")).collect();
        let body = format!("{{{}}}", members.join(","));
        let json = HeaderValue::from_static("application/json");
        let operation = only(&contract);
        if let Revealed::Stripped { body, .. } = operation.reveal(StatusCode::OK, Some(&json), body.as_bytes()) {
            let again = operation.reveal(StatusCode::OK, Some(&json), &body);
            prop_assert!(matches!(again, Revealed::Pass(Said::Checked(_) | Said::Value(_))), "{:?}", again);
        }
    }
}
