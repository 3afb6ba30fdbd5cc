//! An XML body that passes asks its parser for nothing: no document type, no entity but those of XML itself.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;

const ORDER: &str = r#"
openapi: 3.1.0
info: { title: Orders, version: "1" }
paths:
  /:
    post:
      security: []
      requestBody: { required: true, content: { application/xml: {} } }
      responses: { 204: { description: Received. } }
"#;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let source = Source::new("openapi.yaml", ORDER);
    Contract::compile(&source).unwrap_or_else(|problems| panic!("{problems:?}")).contract
});

fuzz_target!(|body: &[u8]| {
    let Found::Operation(operation, _) = CONTRACT.find(&Method::POST, "/") else { panic!("it is declared") };
    let media = HeaderValue::from_static("application/xml");
    if operation.check_body(Some(&media), body).is_err() {
        return;
    }
    let text = std::str::from_utf8(body).expect("what passes is UTF-8");
    // In a comment or a CDATA section the words mean nothing.
    if !text.contains("<!--") && !text.contains("<![CDATA[") {
        assert!(!text.contains("<!"), "{text}");
        assert!(!text.trim_start_matches('\u{feff}').get(1..).unwrap_or_default().contains("<?"), "{text}");
    }
});
