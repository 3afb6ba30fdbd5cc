//! A contract as FastAPI writes it, in JSON, and one as people write 3.0 by hand.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use palisade_contract::{ContractOperation, Revealed, Said};
use palisade_core::operation::{Audience, Limit, LimitBy, OnFailure, Safety};
use palisade_core::port::counter::Algorithm;
use palisade_core::principal::Level;
use std::time::Duration;

use crate::support::{contract, operation, told};

const FASTAPI: &str = r##"{
  "openapi": "3.1.0",
  "info": {"title": "FastAPI", "version": "0.1.0"},
  "paths": {
    "/items/{item_id}": {
      "put": {
        "summary": "Update Item",
        "operationId": "update_item_items__item_id__put",
        "security": [{"OAuth2PasswordBearer": ["items:write"]}],
        "parameters": [
          {"name": "item_id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid", "title": "Item Id"}},
          {"name": "q", "in": "query", "required": false,
           "schema": {"anyOf": [{"type": "string", "maxLength": 50}, {"type": "null"}], "title": "Q"}},
          {"name": "tags", "in": "query", "required": false,
           "schema": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "title": "Tags"}}
        ],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
        },
        "responses": {
          "200": {"description": "Successful Response", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}},
          "422": {"description": "Validation Error", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}}}
        }
      },
      "get": {
        "operationId": "raw", "parameters": [{"name": "item_id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "responses": {"200": {"description": "Successful Response", "content": {"application/json": {"schema": {}}}}}
      }
    }
  },
  "components": {
    "schemas": {
      "HTTPValidationError": {
        "properties": {"detail": {"items": {"$ref": "#/components/schemas/ValidationError"}, "type": "array", "title": "Detail"}},
        "type": "object", "title": "HTTPValidationError"
      },
      "Image": {"properties": {"url": {"type": "string", "maxLength": 2083, "minLength": 1, "format": "uri"}}, "type": "object", "required": ["url"]},
      "Item": {
        "properties": {
          "name": {"type": "string", "title": "Name"},
          "price": {"type": "number", "exclusiveMinimum": 0.0},
          "image": {"anyOf": [{"$ref": "#/components/schemas/Image"}, {"type": "null"}]},
          "extra": {"additionalProperties": true, "type": "object"}
        },
        "type": "object", "required": ["name", "price"], "title": "Item"
      },
      "ValidationError": {
        "properties": {
          "loc": {"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "type": "array"},
          "msg": {"type": "string"}, "type": {"type": "string"}
        },
        "type": "object", "required": ["loc", "msg", "type"]
      }
    },
    "securitySchemes": {
      "OAuth2PasswordBearer": {"type": "oauth2", "flows": {"password": {"scopes": {"items:write": "Write"}, "tokenUrl": "token"}}}
    }
  }
}"##;

#[test]
fn fastapi_contracts_work_as_they_are() {
    let contract = contract(FASTAPI);
    let (put, path) = operation(&contract, &Method::PUT, "/items/123e4567-e89b-42d3-a456-426614174000");
    let none = HeaderMap::new();
    assert_eq!(told(put.check_parameters(&path, Some("q=a&tags=x&tags=y"), &none)), "ok");
    assert_eq!(told(put.check_parameters(&path, Some("tags=x"), &none)), "ok");
    assert_eq!(told(put.check_parameters(&path, Some("tags=x&role=admin"), &none)), "/query/role undeclared");
    let json = HeaderValue::from_static("application/json");
    let body = |body: &str| told(put.check_body(Some(&json), body.as_bytes()));
    assert_eq!(body(r#"{"name":"a","price":1.5,"image":null,"extra":{"x":1}}"#), "ok");
    assert_eq!(body(r#"{"name":"a","price":0,"is_admin":true}"#), "/body/is_admin undeclared, /body/price invalid");
    assert_eq!(body(r#"{"name":"a","price":1,"image":{}}"#), "/body/image/url missing");
    let internal = r#"{"name":"a","price":1,"image":{"url":"http://10.0.0.1/"}}"#;
    assert_eq!(body(internal), "/body/image/url destination-forbidden");
    let access = &put.operation.access;
    assert_eq!((access.audience, access.scopes.to_string()), (Audience::Authenticated, "items:write".to_owned()));
    let answer = put.reveal(
        StatusCode::UNPROCESSABLE_ENTITY,
        Some(&json),
        br#"{"detail":[{"loc":["body",0],"msg":"m","type":"t","input":"secret","ctx":{}}]}"#,
    );
    let Revealed::Stripped { body, removed, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(body, br#"{"detail":[{"loc":["body",0],"msg":"m","type":"t"}]}"#);
    assert_eq!(removed, ["/detail/0/input", "/detail/0/ctx"]);
    let (get, _) = operation(&contract, &Method::GET, "/items/1");
    assert!(matches!(get.reveal(StatusCode::OK, Some(&json), br#"{"any":[1]}"#), Revealed::Pass(Said::Value(_))));
    // Silence about security is not a permission.
    assert!(!get.is_public());
}

const BY_HAND: &str = "
openapi: 3.0.3
info: { title: By hand, version: 2.1.0 }
security:
  - oauth: ['read']
paths:
  /public: { get: { security: [], responses: { default: { description: ok } } } }
  /declared: { get: { x-palisade: { public: true }, responses: { default: { description: ok } } } }
  /optional: { get: { security: [{ oauth: [] }, {}], responses: { default: { description: ok } } } }
  /users/{user_id}:
    parameters: [{ $ref: '#/components/parameters/UserId' }]
    delete:
      operationId: removeUser
      deprecated: true
      x-palisade:
        scopes: ['users:write']
        roles: [admin, support]
        level: aal2
        third_party: true
        owner:
          request: [{ parameter: user_id, claim: sub }]
          response: [{ pointer: /items/*/owner, claim: sub }]
          exempt_roles: [admin]
        limit: [{ requests: 10, per: 60s, by: client }, { requests: 100, per: 1d, by: principal },
          { requests: 500, per: 1h, by: tenant, algorithm: sliding-window, cost: 5, on_failure: local }, { requests: 9, per: 1s, by: all }]
      responses: { 2XX: { description: ok } }
components:
  parameters:
    UserId: { name: user_id, in: path, required: true, schema: { type: string, maxLength: 20 } }
  securitySchemes:
    oauth: { type: oauth2, flows: { clientCredentials: { tokenUrl: /token, scopes: { read: Read } } } }
";

#[test]
fn an_operation_has_its_rules() {
    let contract = contract(BY_HAND);
    let public: Vec<&str> = contract
        .operations()
        .iter()
        .filter(|operation| operation.is_public())
        .map(|operation| operation.template.as_ref())
        .collect();
    assert_eq!(public, ["/public", "/declared"]);
    let (remove, _): (std::sync::Arc<ContractOperation>, _) = operation(&contract, &Method::DELETE, "/users/7");
    let operation = &remove.operation;
    assert_eq!(operation.id.as_str(), "removeUser");
    assert_eq!(operation.safety, Safety::Idempotent);
    assert_eq!(operation.access.scopes.to_string(), "read users:write");
    assert_eq!(operation.access.roles.to_string(), "admin support");
    assert_eq!(operation.access.level, Level::Aal2);
    assert_eq!(operation.access.owner.request.len(), 1);
    assert_eq!(operation.access.owner.response.first().unwrap().pointer.to_string(), "/items/*/owner");
    assert!(operation.access.owner.exempt.contains("admin"));
    assert_eq!(
        *operation.limits,
        [
            Limit::new(10, Duration::from_secs(60), LimitBy::Client),
            Limit::new(100, Duration::from_secs(86_400), LimitBy::Principal),
            Limit {
                algorithm: Algorithm::SlidingWindow,
                cost: 5,
                on_failure: OnFailure::Local,
                ..Limit::new(500, Duration::from_secs(3600), LimitBy::Tenant)
            },
            Limit::new(9, Duration::from_secs(1), LimitBy::All),
        ]
    );
    assert!(remove.extension().third_party);
    assert_eq!(contract.operations().first().unwrap().operation.id.as_str(), "GET /public");
}

#[test]
fn an_empty_list_is_a_statement_of_an_operation_and_silence_of_a_document() {
    let contract = contract(
        "
openapi: 3.1.0
info: { title: Generated, version: '1' }
security: []
paths:
  /silent: { get: { operationId: silent, responses: { 204: { description: ok } } } }
  /public: { get: { operationId: public, security: [], responses: { 204: { description: ok } } } }
",
    );
    let unsecured: Vec<&str> = contract.unsecured().iter().map(palisade_core::id::OperationId::as_str).collect();
    assert_eq!(unsecured, ["silent"]);
    let is_public = |path: &str| operation(&contract, &Method::GET, path).0.is_public();
    assert!(is_public("/public") && !is_public("/silent"));
}
