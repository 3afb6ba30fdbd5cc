//! OpenAPI 2.0, known as Swagger, rewritten as 3.0 where operations are concerned. Definitions stay where they are, so
//! that references keep leading to them.

use serde_json::{Map, Value, json};

use crate::surface::read::{follow, items, object};

/// Rewrites a document of version 2 in place; leaves others alone.
pub(crate) fn modernize(root: &mut Value) {
    let is_old = root.get("swagger").is_some() && root.get("openapi").is_none();
    if !is_old {
        return;
    }
    let mut paths = Map::new();
    for (template, item) in object(root, "paths") {
        let item = follow(root, item);
        let shared: Vec<&Value> = items(item, "parameters").map(|one| follow(root, one)).collect();
        let mut entry = Map::new();
        for (method, operation) in item.as_object().into_iter().flatten() {
            let rewritten = match operation {
                Value::Object(members) if METHODS.contains(&method.as_str()) => rewrite(root, members, &shared),
                _ if method == "parameters" => continue,
                other => other.clone(),
            };
            entry.insert(method.clone(), rewritten);
        }
        paths.insert(template.clone(), Value::Object(entry));
    }
    let schemes = root.get("securityDefinitions").cloned().unwrap_or_default();
    let base = root.get("basePath").cloned();
    if let Value::Object(members) = root {
        members.insert("paths".to_owned(), Value::Object(paths));
        members.insert("components".to_owned(), json!({ "securitySchemes": schemes }));
        if let Some(base) = base {
            members.insert("servers".to_owned(), json!([{ "url": base }]));
        }
    }
}

fn rewrite(root: &Value, operation: &Map<String, Value>, shared: &[&Value]) -> Value {
    let mut rewritten = operation.clone();
    let own: Vec<&Value> = operation.get("parameters").and_then(Value::as_array).into_iter().flatten().collect();
    let own: Vec<&Value> = own.into_iter().map(|one| follow(root, one)).collect();
    let is_same =
        |left: &Value, right: &Value| left.get("name") == right.get("name") && left.get("in") == right.get("in");
    let kept = shared.iter().copied().filter(|one| !own.iter().any(|known| is_same(known, one)));
    let (mut parameters, mut fields, mut required, mut has_file) = (Vec::new(), Map::new(), Vec::new(), false);
    for parameter in own.iter().copied().chain(kept) {
        let name = parameter.get("name").cloned().unwrap_or_default();
        match parameter.get("in").and_then(Value::as_str) {
            Some("body") => {
                let media = media(root, operation, "consumes", "application/json");
                let mut form = json!({ "schema": parameter.get("schema").cloned().unwrap_or_default() });
                if let (Some(example), Value::Object(form)) = (example(parameter), &mut form) {
                    form.insert("example".to_owned(), example);
                }
                rewritten.insert("requestBody".to_owned(), json!({ "content": { media: form } }));
            }
            Some("formData") => {
                if parameter.get("required") == Some(&Value::Bool(true)) {
                    required.push(name.clone());
                }
                has_file |= parameter.get("type").is_some_and(|kind| kind == "file");
                if let Value::String(name) = name {
                    fields.insert(name, schema(parameter));
                }
            }
            _ => {
                let mut modern = json!({ "name": name, "in": parameter.get("in"), "required": parameter.get("required"), "schema": schema(parameter) });
                if let (Some(example), Value::Object(modern)) = (example(parameter), &mut modern) {
                    modern.insert("example".to_owned(), example);
                }
                parameters.push(modern);
            }
        }
    }
    if !fields.is_empty() {
        let usual = if has_file { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
        let media = media(root, operation, "consumes", usual);
        let media = if media.ends_with("json") { usual.to_owned() } else { media };
        let schema = json!({ "type": "object", "properties": fields, "required": required });
        rewritten.insert("requestBody".to_owned(), json!({ "content": { media: { "schema": schema } } }));
    }
    rewritten.insert("parameters".to_owned(), Value::Array(parameters));
    rewritten.insert("responses".to_owned(), responses(root, operation));
    Value::Object(rewritten)
}

fn responses(root: &Value, operation: &Map<String, Value>) -> Value {
    let media = media(root, operation, "produces", "application/json");
    let mut modern = Map::new();
    for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let response = follow(root, response);
        let mut rewritten = response.clone();
        if let (Some(schema), Value::Object(members)) = (response.get("schema"), &mut rewritten) {
            members.insert("content".to_owned(), json!({ media.as_str(): { "schema": schema } }));
        }
        modern.insert(status.clone(), rewritten);
    }
    Value::Object(modern)
}

/// The first media type of the operation or the document; JSON where it is among them.
fn media(root: &Value, operation: &Map<String, Value>, key: &str, usual: &str) -> String {
    let list = operation.get(key).or_else(|| root.get(key)).and_then(Value::as_array);
    let names: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
    let json = names.iter().find(|name| name.ends_with("json"));
    json.or(names.first()).map_or(usual, |name| name).to_owned()
}

fn schema(parameter: &Value) -> Value {
    let mut schema = parameter.clone();
    if let Value::Object(members) = &mut schema {
        members
            .retain(|name, _| !["name", "in", "required", "description", "collectionFormat"].contains(&name.as_str()));
        if members.get("type").is_some_and(|kind| kind == "file") {
            members.insert("type".to_owned(), Value::from("string"));
            members.insert("format".to_owned(), Value::from("binary"));
        }
    }
    schema
}

fn example(parameter: &Value) -> Option<Value> {
    ["x-example", "example"].iter().find_map(|key| parameter.get(*key)).cloned()
}

const METHODS: [&str; 7] = ["delete", "get", "head", "options", "patch", "post", "put"];
