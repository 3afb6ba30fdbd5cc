//! The introspection of a GraphQL API: every query and every mutation is an operation.
//!
//! What a query must be given, and every id, is a parameter of the path, though it travels in the variables: so it is
//! attacked like any id. Other arguments of a mutation are its body.

use std::collections::BTreeMap;

use http::Method;
use palisade_core::operation::Ownership;
use serde_json::{Map, Value, json};

use crate::surface::read::items;
use crate::surface::template::singular;
use crate::surface::{
    Access, Body, BodyForm, Defect, Endpoint, GraphQl, Known, Parameter, Place, ResponseForm, Surface,
};

/// The surface of an introspection; `None` when the document is none.
pub(crate) fn graphql(root: &Value) -> Option<Surface> {
    let schema = root.pointer("/data/__schema").or_else(|| root.get("__schema"))?;
    let types: BTreeMap<&str, &Value> =
        items(schema, "types").filter_map(|one| Some((one.get("name")?.as_str()?, one))).collect();
    let reader = Reader { types };
    let mut endpoints = Vec::new();
    for (key, word) in [("queryType", "query"), ("mutationType", "mutation")] {
        let name = schema.get(key).and_then(|one| one.get("name")).and_then(Value::as_str).unwrap_or_default();
        let fields = reader.types.get(name).into_iter().flat_map(|one| items(one, "fields"));
        endpoints.extend(fields.filter_map(|field| reader.endpoint(word, field)));
    }
    let schemas: Map<String, Value> =
        reader.types.iter().map(|(name, one)| ((*name).to_owned(), reader.schema(one))).collect();
    let message = "introspection is answered, and tells everybody every type".to_owned();
    let defects = vec![Defect { pointer: "/data/__schema".to_owned(), line: None, message }];
    let defects = if endpoints.is_empty() { Vec::new() } else { defects };
    Some(Surface { root: json!({ "types": schemas }), endpoints, base: None, defects })
}

struct Reader<'r> {
    types: BTreeMap<&'r str, &'r Value>,
}

impl Reader<'_> {
    fn endpoint(&self, word: &str, field: &Value) -> Option<Endpoint> {
        let name = field.get("name")?.as_str()?;
        let kind = field.get("type")?;
        let (mut parameters, mut properties, mut required) = (Vec::new(), Map::new(), Vec::new());
        let (mut variables, mut arguments) = (Vec::new(), Vec::new());
        for argument in items(field, "args") {
            let Some((name, kind)) = argument.get("name").and_then(Value::as_str).zip(argument.get("type")) else {
                continue;
            };
            variables.push(format!("${name}: {}", written(kind)));
            arguments.push(format!("{name}: ${name}"));
            let is_required = kind.get("kind").is_some_and(|kind| kind == "NON_NULL");
            let is_id = innermost(kind) == Some("ID") && !is_list(kind);
            let schema = self.reference(kind);
            if is_id && (is_required || word == "mutation") || word == "query" {
                let place = if is_required || is_id { Place::Path } else { Place::Query };
                parameters.push(Parameter { name: name.to_owned(), place, is_required, schema, example: None });
            } else {
                properties.insert(name.to_owned(), schema);
                if is_required {
                    required.push(name.to_owned());
                }
            }
        }
        let declared = if variables.is_empty() { String::new() } else { format!("({})", variables.join(", ")) };
        let given = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        let selection = self.selection(innermost(kind).unwrap_or_default(), 0);
        let text = format!("{word} {name}{declared} {{ {name}{given}{selection} }}");
        let returned = innermost(kind).filter(|name| self.is_object(name));
        let noun = returned.map(singular).unwrap_or_else(|| noun_in(name));
        let body = (!properties.is_empty()).then(|| Body {
            form: BodyForm::Json,
            schema: json!({ "type": "object", "properties": properties, "required": required }),
            example: None,
        });
        let data = json!({ "type": "object", "properties": { name: self.reference(kind) } });
        let schema = json!({ "type": "object", "properties": { "data": data } });
        let description = field.get("description").and_then(Value::as_str).unwrap_or_default();
        Some(Endpoint {
            id: name.to_owned(),
            method: Method::POST,
            template: "/graphql".to_owned(),
            line: None,
            words: format!("{name} {description}").to_lowercase(),
            parameters,
            body,
            responses: vec![ResponseForm { status: "200".to_owned(), media: "application/json".to_owned(), schema }],
            links: Vec::new(),
            access: Access::Unstated,
            is_public: false,
            is_third_party: false,
            roles: Vec::new(),
            owner: Ownership::default(),
            is_personal: false,
            known: Known::Declared,
            limits: Vec::new(),
            graphql: Some(GraphQl { text, noun }),
        })
    }

    /// What is asked back: every scalar, and objects to a depth.
    fn selection(&self, name: &str, depth: usize) -> String {
        let Some(one) = self.types.get(name).filter(|_| self.is_object(name)) else { return String::new() };
        let mut fields = Vec::new();
        for field in items(one, "fields") {
            let needs = items(field, "args")
                .any(|argument| argument.pointer("/type/kind").is_some_and(|kind| kind == "NON_NULL"));
            let Some((name, kind)) = field.get("name").and_then(Value::as_str).zip(field.get("type")) else { continue };
            let inner = innermost(kind).unwrap_or_default();
            if needs || self.is_object(inner) && depth >= MAXIMUM_DEPTH {
                continue;
            }
            let below = self.selection(inner, depth + 1);
            fields.push(format!("{name}{below}"));
        }
        if fields.is_empty() {
            fields.push("__typename".to_owned());
        }
        format!(" {{ {} }}", fields.join(" "))
    }

    fn is_object(&self, name: &str) -> bool {
        let kind = self.types.get(name).and_then(|one| one.get("kind")).and_then(Value::as_str);
        matches!(kind, Some("INTERFACE" | "OBJECT" | "UNION"))
    }

    fn reference(&self, kind: &Value) -> Value {
        match kind.get("kind").and_then(Value::as_str) {
            Some("NON_NULL") => kind.get("ofType").map(|one| self.reference(one)).unwrap_or_default(),
            Some("LIST") => {
                let item = kind.get("ofType").map(|one| self.reference(one)).unwrap_or_default();
                json!({ "type": "array", "items": item })
            }
            _ => match kind.get("name").and_then(Value::as_str) {
                Some("Boolean") => json!({ "type": "boolean" }),
                Some("Float") => json!({ "type": "number" }),
                Some("ID" | "String") => json!({ "type": "string" }),
                Some("Int") => json!({ "type": "integer" }),
                Some(name) => json!({ "$ref": format!("#/types/{name}") }),
                None => Value::Null,
            },
        }
    }

    fn schema(&self, one: &Value) -> Value {
        let member =
            |field: &Value| Some((field.get("name")?.as_str()?.to_owned(), self.reference(field.get("type")?)));
        match one.get("kind").and_then(Value::as_str) {
            Some("ENUM") => {
                let values: Vec<&Value> = items(one, "enumValues").filter_map(|value| value.get("name")).collect();
                json!({ "type": "string", "enum": values })
            }
            Some("INPUT_OBJECT") => {
                let properties: Map<String, Value> = items(one, "inputFields").filter_map(member).collect();
                let must = |field: &&Value| field.pointer("/type/kind").is_some_and(|kind| kind == "NON_NULL");
                let required: Vec<&Value> =
                    items(one, "inputFields").filter(must).filter_map(|field| field.get("name")).collect();
                json!({ "type": "object", "properties": properties, "required": required })
            }
            Some("INTERFACE" | "OBJECT") => {
                let properties: Map<String, Value> = items(one, "fields").filter_map(member).collect();
                json!({ "type": "object", "properties": properties })
            }
            _ => json!({ "type": "string" }),
        }
    }
}

/// A type as a query writes it.
fn written(kind: &Value) -> String {
    let inner = || kind.get("ofType").map(written).unwrap_or_default();
    match kind.get("kind").and_then(Value::as_str) {
        Some("LIST") => format!("[{}]", inner()),
        Some("NON_NULL") => format!("{}!", inner()),
        _ => kind.get("name").and_then(Value::as_str).unwrap_or("String").to_owned(),
    }
}

fn innermost(kind: &Value) -> Option<&str> {
    match kind.get("ofType").filter(|inner| inner.is_object()) {
        Some(inner) => innermost(inner),
        None => kind.get("name")?.as_str(),
    }
}

fn is_list(kind: &Value) -> bool {
    kind.get("kind").is_some_and(|kind| kind == "LIST") || kind.get("ofType").is_some_and(is_list)
}

/// What a field such as `deleteOrder` is about.
fn noun_in(name: &str) -> String {
    let verbs = ["add", "all", "create", "delete", "get", "list", "make", "my", "remove", "set", "update"];
    let rest =
        verbs.iter().find_map(|verb| name.strip_prefix(verb).filter(|rest| rest.starts_with(char::is_uppercase)));
    singular(rest.unwrap_or(name))
}

const MAXIMUM_DEPTH: usize = 2;

#[cfg(test)]
mod tests {
    use crate::exchange::Payload;
    use crate::surface::Values;

    use super::*;

    #[test]
    fn queries_and_mutations_become_operations() {
        let scalar = |name: &str| json!({ "kind": "SCALAR", "name": name });
        let must = |inner: Value| json!({ "kind": "NON_NULL", "ofType": inner });
        let order = json!({ "kind": "OBJECT", "name": "Order" });
        let field = |name: &str, args: Value, kind: Value| json!({ "name": name, "args": args, "type": kind });
        let id = json!([{ "name": "id", "type": must(scalar("ID")) }]);
        let change =
            json!([{ "name": "id", "type": must(scalar("ID")) }, { "name": "note", "type": scalar("String") }]);
        let root = json!({ "data": { "__schema": {
            "queryType": { "name": "Q" }, "mutationType": { "name": "M" },
            "types": [
                { "kind": "OBJECT", "name": "Q", "fields": [
                    field("orders", json!([]), json!({ "kind": "LIST", "ofType": order })), field("order", id, order.clone()) ] },
                { "kind": "OBJECT", "name": "M", "fields": [field("updateOrder", change, order.clone())] },
                { "kind": "OBJECT", "name": "Order", "fields": [
                    field("id", json!([]), must(scalar("ID"))), field("count", json!([]), scalar("Int")), field("next", json!([]), order) ] }
            ] } } });
        let surface = graphql(&root).unwrap();
        let text = |id: &str| surface.endpoint(id).unwrap().graphql.as_ref().unwrap().text.as_str();
        assert_eq!(text("orders"), "query orders { orders { id count next { id count next { id count } } } }");
        assert!(text("order").starts_with("query order($id: ID!) { order(id: $id) { id"));
        let change = surface.endpoint("updateOrder").unwrap();
        assert!(!change.is_read() && surface.endpoint("order").unwrap().is_read());
        let values = Values::default().with_path("id", "7");
        let payload = surface.payload(change, &values, Some(json!({ "note": "x" })));
        let Some(Payload::Json(sent)) = payload else { panic!("{payload:?}") };
        assert_eq!(sent["variables"], json!({ "note": "x", "id": "7" }));
        assert_eq!(change.path(&values), "/graphql");
        assert!(graphql(&json!({ "openapi": "3.1.0" })).is_none());
    }
}
