//! A query that passes has one reading: written anew it says the same, to us and to a reader who knows no styles.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;

const SEARCH: &str = r#"
openapi: 3.1.0
info: { title: Search, version: "1" }
paths:
  /:
    get:
      security: []
      parameters:
        - { name: q, in: query, schema: { type: string } }
        - { name: n, in: query, allowEmptyValue: true, schema: { type: number } }
        - { name: url, in: query, allowReserved: true, schema: { type: string } }
        - { name: tag, in: query, schema: { type: array, items: { type: string } } }
        - { name: c, in: query, explode: false, schema: { type: array, items: { type: string } } }
        - { name: p, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: { type: string } } }
        - { name: s, in: query, style: spaceDelimited, explode: false, schema: { type: array, items: { type: string } } }
        - { name: f, in: query, explode: false, schema: { type: object, additionalProperties: { type: string } } }
        - { name: d, in: query, style: deepObject, schema: { type: object, additionalProperties: { type: string } } }
        - { name: j, in: query, content: { application/json: { schema: {} } } }
        - { name: rest, in: query, schema: { type: object, additionalProperties: { type: string } } }
      responses: { 204: { description: Found. } }
"#;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| match Contract::compile(&Source::new("search.yaml", SEARCH)) {
    Ok(loaded) => loaded.contract,
    Err(problems) => panic!("the contract of this target is wrong: {problems:?}"),
});

fuzz_target!(|text: &str| {
    let Found::Operation(operation, path) = CONTRACT.find(&Method::GET, "/") else { panic!("not found") };
    let Ok(given) = operation.check_parameters(&path, Some(text), &HeaderMap::new()) else { return };
    let sent = given.canonical_query().unwrap_or(text);
    assert!(sent.bytes().all(|byte| byte.is_ascii_graphic() && !b"+;[]{}|\\^`\"<>#".contains(&byte)), "{sent}");
    let again = operation.check_parameters(&path, Some(sent), &HeaderMap::new()).expect("what goes on is valid");
    assert!(again.canonical_query().is_none_or(str::is_empty), "and in its last writing");
    assert!(again.iter().eq(given.iter()), "and says the same");
});
