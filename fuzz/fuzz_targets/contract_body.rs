//! A body that passes holds what the contract declares and nothing else, in both directions.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found, Revealed, Said};
use palisade_core::diagnostic::Source;
use serde_json::Value;

const SHOP: &str = r##"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /items:
    post:
      security: []
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } }
      responses:
        200: { description: It., content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } } }
components:
  schemas:
    Item:
      type: object
      required: [name, count]
      properties:
        name: { type: string, maxLength: 40 }
        count: { type: integer, minimum: 0 }
        site: { type: string, format: uri }
"##;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| match Contract::compile(&Source::new("openapi.yaml", SHOP)) {
    Ok(loaded) => loaded.contract,
    Err(problems) => panic!("the contract of this target is wrong: {problems:?}"),
});

fuzz_target!(|body: &[u8]| {
    let Found::Operation(operation, _) = CONTRACT.find(&Method::POST, "/items") else { panic!("not found") };
    let json = HeaderValue::from_static("application/json");
    if let Ok(payload) = operation.check_body(Some(&json), body) {
        let value: Value = serde_json::from_slice(body).expect("JSON has a value");
        assert!(payload.value.is_none_or(|own| own == value));
        let members = value.as_object().expect("the schema asks for an object");
        assert!(members.keys().all(|name| ["name", "count", "site"].contains(&name.as_str())), "{value}");
        assert!(members["name"].is_string() && members["count"].is_number());
        assert!(payload.free_text.iter().all(|pointer| value.pointer(pointer).is_some_and(|text| text.is_string())));
    }
    match operation.reveal(StatusCode::OK, Some(&json), body) {
        Revealed::Stripped { body: stripped, value, removed } => {
            assert!(!removed.is_empty());
            let Revealed::Pass(again) = operation.reveal(StatusCode::OK, Some(&json), &stripped) else {
                panic!("nothing is left to strip");
            };
            assert!(!matches!(again, Said::Value(again) if again != value));
        }
        Revealed::Pass(said) => {
            let read: Value = serde_json::from_slice(body).expect("it is JSON");
            match said {
                Said::Checked(places) => assert!(places.into_iter().all(|place| body[place.end] == b'"')),
                Said::Unread => panic!("there is a schema to check it by"),
                Said::Value(value) => assert_eq!(value, read),
            }
            let members = read.as_object().expect("the schema asks for an object");
            assert!(members.keys().all(|name| ["name", "count", "site"].contains(&name.as_str())), "{read}");
        }
        Revealed::Violates { violations, .. } => assert!(!violations.is_empty()),
        Revealed::Malformed(_) => {}
    }
});
