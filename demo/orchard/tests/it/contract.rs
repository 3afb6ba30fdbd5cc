//! Every documented operation serves the contract's own example, weak or not, and the contract is complete.

use http::Method;
use orchard::{CONTRACT, Weaknesses};
use serde_json::Value;

use crate::client::{HONEST, HOSTILE, Scene};

/// One operation of the contract with its example filled in.
struct Example {
    id: String,
    method: Method,
    path: String,
    body: Option<Value>,
    is_public: bool,
    is_admins: bool,
    success: u16,
    request_schema: Value,
    response_schema: Value,
}

#[tokio::test]
async fn every_example_is_served_weak_or_not() {
    for weaknesses in [Weaknesses::none(), Weaknesses::all()] {
        let scene = Scene::open(weaknesses, HONEST).await;
        let (alice, admin) = (scene.token("alice").await, scene.token("admin").await);
        let examples = examples();
        assert_eq!(examples.len(), 19);
        for Example { id, method, path, body, is_public, is_admins, success, request_schema, response_schema } in
            examples
        {
            let token = match (is_public, is_admins) {
                (true, _) => None,
                (false, true) => Some(admin.as_str()),
                (false, false) => Some(alice.as_str()),
            };
            let answer = scene.call(method.clone(), token, &path, body.clone()).await;
            assert_eq!(answer.status.as_u16(), success, "{id} {method} {path}: {}", answer.text);
            if let Some(body) = &body {
                assert_fits(&request_schema, body, &id);
            }
            if weaknesses == Weaknesses::none() && !response_schema.is_null() {
                assert_fits(&response_schema, &answer.json(), &id);
            }
            // Two of the weaknesses are that these ask nobody for a token.
            let is_open = weaknesses == Weaknesses::all() && ["quoteShipping", "writeReview"].contains(&id.as_str());
            if !is_public && !is_open {
                let refused = scene.call(method, None, &path, body).await;
                assert_eq!(refused.status.as_u16(), 401, "{id} without a token");
                assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{id}");
            }
        }
        scene.orchard.stop().await;
    }
}

#[tokio::test]
async fn a_forgotten_route_is_a_problem_when_it_is_gone() {
    let scene = Scene::open(Weaknesses::none(), HOSTILE).await;
    let cases = [
        (Method::GET, "/v0/users", 404),
        (Method::GET, "/v1/nothing", 404),
        (Method::PUT, "/v1/products", 405),
        (Method::GET, "/v1/products?limit=51", 400),
        (Method::GET, "/v1/products?limit=-1", 400),
        (Method::GET, "/v1/products?limit=many", 400),
        (Method::POST, "/v1/login", 415),
    ];
    for (method, path, status) in cases {
        let answer = scene.call(method, None, path, None).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json()["status"], status, "{path}");
    }
}

#[tokio::test]
async fn the_key_set_is_one_es256_key() {
    let scene = Scene::open(Weaknesses::none(), HOSTILE).await;
    let keys = scene.get("/.well-known/jwks.json").await.json();
    let key = &keys["keys"][0];
    assert_eq!(
        (key["kty"].as_str(), key["alg"].as_str(), key["use"].as_str()),
        (Some("EC"), Some("ES256"), Some("sig"))
    );
    assert_eq!((key["x"].as_str().unwrap().len(), key["y"].as_str().unwrap().len()), (43, 43));
}

#[test]
fn every_object_of_the_contract_is_closed_and_every_text_bounded() {
    let contract = contract();
    let mut open = Vec::new();
    walk(&contract["components"]["schemas"], "schemas", &mut |path, schema| {
        let is_closed = schema["additionalProperties"] == Value::Bool(false);
        let is_bounded =
            schema.get("maxLength").is_some() || schema.get("pattern").is_some() || schema.get("enum").is_some();
        match schema["type"].as_str() {
            Some("object") if !is_closed => open.push(path.to_owned()),
            Some("string") if !is_bounded => open.push(path.to_owned()),
            Some("integer") if schema.get("minimum").is_none() || schema.get("maximum").is_none() => {
                open.push(path.to_owned());
            }
            Some("array") if schema.get("maxItems").is_none() => open.push(path.to_owned()),
            _ => {}
        }
    });
    assert!(open.is_empty(), "{open:?}");
}

/// Checks a body against a schema that refers into the contract's components.
fn assert_fits(schema: &Value, body: &Value, id: &str) {
    let mut schema = schema.clone();
    schema["components"] = contract()["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Err(error) = validator.validate(body) {
        panic!("{id}: {error} in {body}");
    }
}

fn contract() -> Value {
    serde_saphyr::from_str(CONTRACT).unwrap()
}

fn examples() -> Vec<Example> {
    let contract = contract();
    let mut examples = Vec::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            let mut path = path.clone();
            let mut query = Vec::new();
            for list in [&item["parameters"], &operation["parameters"]] {
                for parameter in list.as_array().into_iter().flatten() {
                    let parameter = resolve(&contract, parameter);
                    let name = parameter["name"].as_str().unwrap();
                    let example = match &parameter["example"] {
                        Value::String(text) => text.clone(),
                        Value::Null => panic!("{name} has no example"),
                        other => other.to_string(),
                    };
                    match parameter["in"].as_str() {
                        Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
                        _ => query.push(format!("{name}={example}")),
                    }
                }
            }
            if !query.is_empty() {
                path = format!("{path}?{}", query.join("&"));
            }
            let body = operation.get("requestBody").map(|body| {
                let content = &body["content"]["application/json"];
                content.get("example").expect("every request body has an example").clone()
            });
            let success = operation["responses"].as_object().unwrap().keys().find_map(|key| key.parse().ok()).unwrap();
            let response = &operation["responses"][u16::to_string(&success)];
            let is_public = operation["x-palisade"]["public"] == true;
            assert_eq!(is_public, operation.get("security").is_some(), "{path}");
            examples.push(Example {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path,
                body,
                is_public,
                is_admins: operation["x-palisade"].get("roles").is_some(),
                success,
                request_schema: operation["requestBody"]["content"]["application/json"]["schema"].clone(),
                response_schema: response["content"]["application/json"]["schema"].clone(),
            });
        }
    }
    examples
}

fn resolve<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => contract.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn walk(value: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, value);
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| walk(member, &format!("{path}/{key}"), visit))
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, visit)),
        _ => {}
    }
}
