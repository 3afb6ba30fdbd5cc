//! Which operation a request means.

use http::Method;
use palisade_contract::{Contract, Found};

use crate::support::contract;

const YAML: &str = "
openapi: 3.1.0
info: { title: Paths, version: '7' }
servers: [{ url: 'https://api.example.com/v1/' }]
security: []
paths:
  /a/b:
    get: { operationId: fixed, responses: { 200: { description: ok } } }
  /a/{x}:
    parameters: [{ name: x, in: path, required: true, schema: { type: string, maxLength: 9 } }]
    get: { operationId: whole, responses: { 200: { description: ok } } }
    delete: { responses: { 204: { description: ok } } }
  /a/{x}.json:
    parameters: [{ name: x, in: path, required: true, schema: { type: string, maxLength: 9 } }]
    head: { operationId: mixed, responses: { 200: { description: ok } } }
";

fn found(contract: &Contract, method: &Method, path: &str) -> String {
    match contract.find(method, path) {
        Found::MethodUndeclared { allow } => {
            format!("allow {}", allow.iter().map(Method::as_str).collect::<Vec<_>>().join(" "))
        }
        Found::Operation(operation, values) => {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", operation.operation.id, values.join(" ")).trim_end().to_owned()
        }
        Found::Unknown => "unknown".to_owned(),
    }
}

#[test]
fn the_most_specific_path_answers() {
    let contract = contract(YAML);
    assert_eq!((contract.title(), contract.version()), ("Paths", "7"));
    assert_eq!(contract.bases(), ["/v1"]);
    for (method, path, expect) in [
        (Method::GET, "/a/b", "fixed"),
        (Method::HEAD, "/a/b", "fixed"),
        (Method::GET, "/a/c", "whole x=c"),
        (Method::DELETE, "/a/c%20d", "DELETE /a/{x} x=c%20d"),
        // The fixed path is the resource; that the other one has the method does not matter.
        (Method::DELETE, "/a/b", "allow GET HEAD"),
        (Method::HEAD, "/a/c.json", "mixed x=c"),
        (Method::GET, "/a/c.json", "allow HEAD"),
        (Method::PUT, "/a/c", "allow GET DELETE HEAD"),
        (Method::GET, "/a", "unknown"),
        (Method::GET, "/a/b/", "unknown"),
    ] {
        assert_eq!(found(&contract, &method, &format!("/v1{path}")), expect, "{method} {path}");
    }
    for outside in ["/a/b", "/v2/a/b", "/v1a/b", "/v1"] {
        assert_eq!(found(&contract, &Method::GET, outside), "unknown", "{outside}");
    }
}

#[test]
fn a_configuration_can_place_the_operations_elsewhere() {
    let mut contract = contract(YAML);
    contract.place_under("/shop/");
    assert_eq!(found(&contract, &Method::GET, "/shop/a/b"), "fixed");
    assert_eq!(found(&contract, &Method::GET, "/v1/a/b"), "unknown");
    contract.place_under("/");
    assert_eq!(found(&contract, &Method::GET, "/a/b"), "fixed");
}
