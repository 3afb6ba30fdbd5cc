//! Planning looks at each operation once: a contract of a thousand is planned as one of a hundred is, ten times over.

use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Mode, Plan};
use serde_json::{Map, Value, json};

/// A contract of so many kinds of things, each with the five usual operations and a reference to another kind.
fn contract(kinds: usize) -> Source {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in 0..kinds {
        let thing = json!({ "$ref": format!("#/components/schemas/Kind{kind}") });
        let parent = json!({ "$ref": format!("#/components/schemas/Kind{}", (kind * 7 + 1) % kinds) });
        let schema = json!({ "type": "object", "required": ["name"], "properties": {
            "id": { "type": "string", "readOnly": true }, "name": { "type": "string" },
            "email": { "type": "string", "format": "email" }, "callback_url": { "type": "string", "format": "uri" },
            "quantity": { "type": "integer" }, "parent": parent,
        }});
        schemas.insert(format!("Kind{kind}"), schema);
        let content = |schema: Value| json!({ "content": { "application/json": { "schema": schema } } });
        let found = json!({ "200": content(thing.clone()) });
        let all = json!({ "200": content(json!({ "type": "array", "items": thing })) });
        let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }]);
        let page = json!([{ "name": "limit", "in": "query", "schema": { "type": "integer" } }]);
        let body = content(thing);
        let of = |verb: &str| format!("{verb}Kind{kind}");
        paths.insert(
            format!("/kinds{kind}"),
            json!({
                "get": { "operationId": of("list"), "parameters": page, "responses": all },
                "post": { "operationId": of("make"), "requestBody": body, "responses": found },
            }),
        );
        paths.insert(
            format!("/kinds{kind}/{{id}}"),
            json!({
                "get": { "operationId": of("show"), "parameters": id, "responses": found },
                "put": { "operationId": of("change"), "parameters": id, "requestBody": body, "responses": found },
                "delete": { "operationId": of("drop"), "parameters": id, "responses": {} },
            }),
        );
    }
    let schemes = json!({ "bearer": { "type": "http", "scheme": "bearer" } });
    let text = json!({
        "openapi": "3.1.0", "info": { "title": "kinds", "version": "1" }, "security": [{ "bearer": [] }],
        "components": { "securitySchemes": schemes, "schemas": schemas }, "paths": paths,
    });
    Source::new("kinds.json", text.to_string())
}

fn plan(kinds: usize) -> Plan {
    let identities = ["ann", "ben"].map(|name| Identity::new(name, Login::header("x-api-key", name)));
    Plan::new(&contract(kinds), identities.to_vec()).unwrap().with_mode(Mode::Full)
}

#[test]
fn a_thousand_operations_need_ten_times_what_a_hundred_need() {
    let (small, large) = (plan(20), plan(200));
    assert_eq!((small.operations().len(), large.operations().len()), (100, 1_000));
    assert_eq!(large.defects(), []);
    let (few, many) = (small.estimate(), large.estimate());
    for (one, ten) in few.probes.iter().zip(&many.probes) {
        assert!(ten.requests <= one.requests * 10, "{}: {} and {}", one.probe, one.requests, ten.requests);
    }
    assert!(many.requests > 10_000, "{}", many.requests);
    assert_eq!(large.operations().iter().filter(|operation| operation.is_read).count(), 400);
}
