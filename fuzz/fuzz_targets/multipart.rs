//! A multipart body that passes has one reading: its parts are declared, and go on under a boundary that is not in them.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;

const UPLOAD: &str = r#"
openapi: 3.1.0
info: { title: Upload, version: "1" }
paths:
  /:
    post:
      security: []
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              properties:
                title: { type: string, maxLength: 40 }
                tags: { type: array, items: { type: string, maxLength: 9 } }
                meta: { type: object, properties: { a: { type: number } } }
                picture: { type: string, format: binary }
            encoding: { picture: { contentType: "image/png, image/jpeg" } }
      responses: { 204: { description: Received. } }
"#;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| match Contract::compile(&Source::new("upload.yaml", UPLOAD)) {
    Ok(loaded) => loaded.contract,
    Err(problems) => panic!("the contract of this target is wrong: {problems:?}"),
});

// A seed is the body; its boundary is `B`.
fuzz_target!(|body: &[u8]| {
    let Found::Operation(operation, _) = CONTRACT.find(&Method::POST, "/") else { panic!("not found") };
    let media = HeaderValue::from_static("multipart/form-data; boundary=B");
    let Ok(payload) = operation.check_body(Some(&media), body) else { return };
    assert!(body.starts_with(b"--B") && (body.ends_with(b"--B--") || body.ends_with(b"--B--\r\n")));
    let value = payload.value.expect("a form has a value");
    let known = ["title", "tags", "meta", "picture"];
    assert!(value.as_object().expect("of fields").keys().all(|name| known.contains(&name.as_str())), "{value}");
    let canonical = payload.canonical.expect("written anew");
    let media = canonical.content_type.expect("under another boundary");
    let again = operation.check_body(Some(&media), &canonical.bytes).expect("what goes on is valid");
    assert_eq!((again.value, again.canonical.map(|canonical| canonical.bytes)), (Some(value), Some(canonical.bytes)));
});
