//! A JSON text that passes has one reading: it goes on in a writing that every reader understands like ours.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;

const ANYTHING: &str = r#"
openapi: 3.1.0
info: { title: Anything, version: "1" }
paths:
  /:
    post:
      security: []
      requestBody: { required: true, content: { application/json: { schema: {} } } }
      responses: { 204: { description: Received. } }
"#;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| match Contract::compile(&Source::new("any.yaml", ANYTHING)) {
    Ok(loaded) => loaded.contract,
    Err(problems) => panic!("the contract of this target is wrong: {problems:?}"),
});

fuzz_target!(|body: &[u8]| {
    let Found::Operation(operation, _) = CONTRACT.find(&Method::POST, "/") else { panic!("not found") };
    let json = HeaderValue::from_static("application/json");
    let Ok(payload) = operation.check_body(Some(&json), body) else { return };
    let value = serde_json::from_slice::<serde_json::Value>(body).expect("read as by others");
    assert!(payload.value.is_none_or(|own| own == value), "read as by others");
    let sent = payload.canonical.map_or_else(|| body.to_vec(), |canonical| canonical.bytes);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&sent).ok().as_ref(), Some(&value), "written as read");
    let again = operation.check_body(Some(&json), &sent).expect("what goes on is valid");
    assert_eq!(again.canonical, None, "and in its last writing");
});
