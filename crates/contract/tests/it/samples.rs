//! Made-up requests pass the checks they are made from.

use http::{HeaderValue, Method};
use palisade_contract::{Contract, Location, sample};
use serde_json::json;

use crate::support::{contract, headers, operation, told};

const YAML: &str = r#"
openapi: 3.1.0
info: { title: Samples, version: '1' }
security: []
paths:
  /orders/{id}/{part}.json:
    put:
      parameters:
        - { name: id, in: path, required: true, schema: { type: string, pattern: '^o-[0-9]{4,}$' } }
        - { name: part, in: path, required: true, schema: { type: integer, minimum: 3, exclusiveMaximum: 5 } }
        - { name: day, in: query, required: true, schema: { type: string, format: date } }
        - { name: word, in: query, example: 'a&b c', schema: { type: string, maxLength: 9 } }
        - { name: skipped, in: query, schema: { type: string, maxLength: 9 } }
        - { name: list, in: query, required: true, schema: { type: array, minItems: 2, items: { type: integer } } }
        - { name: pipes, in: query, required: true, style: pipeDelimited, explode: false, schema: { type: array, minItems: 2, items: { type: string, maxLength: 9 } } }
        - { name: deep, in: query, required: true, style: deepObject, schema: { type: object, required: [a], properties: { a: { type: boolean } } } }
        - { name: json, in: query, required: true, content: { application/json: { schema: { type: object, properties: { a: { const: 1 } }, required: [a] } } } }
        - { name: X-Id, in: header, required: true, schema: { type: string, format: uuid } }
        - { name: sid, in: cookie, required: true, schema: { type: string, minLength: 12, maxLength: 12 } }
      requestBody: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } }
      responses: { 200: { description: ok } }
  /form:
    post:
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema: { type: object, required: [n, t], properties: { n: { type: number, multipleOf: 0.5, minimum: 2 }, t: { type: array, minItems: 2, items: { type: string, maxLength: 9 } } } }
      responses: { 200: { description: ok } }
  /given:
    post:
      requestBody:
        required: true
        content: { application/json: { schema: { type: object, properties: { a: { type: integer } } }, examples: { one: { value: { a: 7 } } } } }
      responses: { 200: { description: ok } }
components:
  schemas:
    Order:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [email, hook, pet, tags, parent, pair]
          properties:
            email: { type: string, format: email }
            hook: { type: string, x-palisade-destinations: [h.example.com] }
            pet: { $ref: '#/components/schemas/Pet' }
            tags: { type: array, minItems: 3, uniqueItems: true, items: { type: string, maxLength: 20 } }
            parent: { anyOf: [{ type: 'null' }, { $ref: '#/components/schemas/Base' }] }
            pair: { type: array, prefixItems: [{ type: integer }, { type: 'null' }], minItems: 2, maxItems: 2 }
            note: { type: string, maxLength: 9, example: hello }
    Base:
      type: object
      required: [id, kind]
      properties: { id: { type: integer, readOnly: true }, kind: { enum: [a, b] } }
    Pet:
      oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }]
      discriminator: { propertyName: type, mapping: { cat: '#/components/schemas/Cat' } }
    Cat: { type: object, required: [type, lives], properties: { type: { type: string }, lives: { type: integer, exclusiveMinimum: 3 } } }
    Dog: { type: object, required: [type], properties: { type: { type: string } } }
"#;

fn check(contract: &Contract, method: &Method, path: &str) -> sample::Sample {
    let (wanted, _) = operation(contract, method, path);
    let sample = sample::request(&wanted);
    let (found, values) = operation(contract, method, &sample.path);
    assert_eq!(found.template, wanted.template);
    let pairs: Vec<(&str, &str)> = sample.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(told(found.check_parameters(&values, sample.query.as_deref(), &headers(&pairs))), "ok", "{sample:?}");
    let (media, body) = sample.body.clone().unwrap();
    let media = HeaderValue::from_str(&media).unwrap();
    assert_eq!(told(found.check_body(Some(&media), &body)), "ok", "{}", String::from_utf8_lossy(&body));
    sample
}

#[test]
fn samples_are_accepted() {
    let contract = contract(YAML);
    let sample = check(&contract, &Method::PUT, "/orders/o-1/3.json");
    assert!(sample.path.starts_with("/orders/o-1111/3.json"), "{}", sample.path);
    let query = sample.query.unwrap();
    assert!(query.contains("word=a%26b%20c") && !query.contains("skipped"), "{query}");
    let body: serde_json::Value = serde_json::from_slice(&sample.body.unwrap().1).unwrap();
    assert_eq!(body["note"], "hello");
    assert_eq!(body["pet"], json!({"type": "cat", "lives": 4}));
    check(&contract, &Method::POST, "/form");
    let given = check(&contract, &Method::POST, "/given");
    assert_eq!(given.body.unwrap().1, br#"{"a":7}"#);
}

#[test]
fn values_can_be_made_for_any_schema() {
    let contract = contract(YAML);
    let (put, _) = operation(&contract, &Method::PUT, "/orders/o-1/3.json");
    let day = put.parameters().iter().find(|p| p.location == Location::Query && &*p.name == "day").unwrap();
    assert_eq!(sample::parameter(day, &contract), json!("2026-01-02"));
    assert_eq!(sample::value(&json!({"$ref": "#/components/schemas/Base"}), &contract), json!({"kind": "a"}));
    assert_eq!(put.body_schema().map(|(media, _, required)| (media, required)), Some(("application/json", true)));
}
