//! Reading a contract into a surface, leaving out what cannot be understood.

use std::time::Duration;

use http::Method;
use palisade_core::diagnostic::Source;
use palisade_core::operation::{Limit, LimitBy, Ownership, Pointer, RequestOwner, ResponseOwner};
use serde_json::{Map, Value};

use crate::surface::{Body, Endpoint, Parameter, Place, ResponseForm, Surface};

impl Surface {
    /// Reads a contract in YAML or JSON. `None` when it is neither.
    pub(crate) fn read(source: &Source) -> Option<Self> {
        let text = source.text();
        let root = palisade_contract::read_tolerantly(text)?;
        let mut surface = Self { root, endpoints: Vec::new() };
        let mut endpoints = Vec::new();
        for (template, item) in object(&surface.root, "paths") {
            let item = surface.resolve(item);
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Some(method) = known_method(method) else { continue };
                if operation.is_object() {
                    endpoints.push(surface.endpoint_of(template, &method, item, operation));
                }
            }
        }
        surface.endpoints = endpoints;
        Some(surface)
    }

    fn endpoint_of(&self, template: &str, method: &Method, item: &Value, operation: &Value) -> Endpoint {
        let extension = operation.get("x-palisade").unwrap_or(&Value::Null);
        let security = operation.get("security").or_else(|| self.root.get("security")).and_then(Value::as_array);
        let is_open =
            security.is_none_or(|list| list.is_empty() || list.iter().any(|one| *one == Value::Object(Map::new())));
        let id = operation.get("operationId").and_then(Value::as_str);
        Endpoint {
            id: id.map_or_else(|| format!("{method} {template}"), str::to_owned),
            method: method.clone(),
            template: template.to_owned(),
            parameters: self.parameters(item, operation),
            body: self.body(operation),
            responses: self.responses(operation),
            is_public: flag(extension, "public") || is_open,
            is_third_party: flag(extension, "third_party"),
            roles: names(extension.get("roles")),
            owner: ownership(extension.get("owner").unwrap_or(&Value::Null)),
            limits: limits(extension.get("limit")),
        }
    }

    /// The parameters of the operation, then those of the path that it does not replace.
    fn parameters(&self, item: &Value, operation: &Value) -> Vec<Parameter> {
        let mut parameters: Vec<Parameter> = Vec::new();
        for written in items(operation, "parameters").chain(items(item, "parameters")) {
            let written = self.resolve(written);
            let name = written.get("name").and_then(Value::as_str);
            let place = match written.get("in").and_then(Value::as_str) {
                Some("header") => Place::Header,
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                _ => continue,
            };
            let Some(name) = name else { continue };
            if parameters.iter().any(|known| known.name == name && known.place == place) {
                continue;
            }
            parameters.push(Parameter {
                name: name.to_owned(),
                place,
                is_required: place == Place::Path || flag(written, "required"),
                schema: written.get("schema").cloned().unwrap_or_default(),
                example: self.example(written),
            });
        }
        parameters
    }

    fn body(&self, operation: &Value) -> Option<Body> {
        let body = self.resolve(operation.get("requestBody")?);
        let (_, media) = object(body, "content").find(|(media, _)| is_json(media))?;
        let schema = media.get("schema").cloned().unwrap_or_default();
        Some(Body { schema, example: self.example(media) })
    }

    fn responses(&self, operation: &Value) -> Vec<ResponseForm> {
        let mut forms = Vec::new();
        for (status, response) in object(operation, "responses") {
            for (media, form) in object(self.resolve(response), "content") {
                let schema = form.get("schema").cloned().unwrap_or_default();
                forms.push(ResponseForm { status: status.clone(), media: media.clone(), schema });
            }
        }
        forms
    }

    fn example(&self, written: &Value) -> Option<Value> {
        let named = || self.resolve(object(written, "examples").next()?.1).get("value");
        written.get("example").or_else(named).cloned()
    }
}

fn ownership(value: &Value) -> Ownership {
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let request = items(value, "request").filter_map(|item| {
        Some(RequestOwner { parameter: text(item, "parameter")?.into(), claim: text(item, "claim")?.into() })
    });
    let response = items(value, "response").filter_map(|item| {
        Some(ResponseOwner { pointer: Pointer::parse(&text(item, "pointer")?)?, claim: text(item, "claim")?.into() })
    });
    let exempt = names(value.get("exempt_roles")).into_iter().collect();
    Ownership { request: request.collect(), response: response.collect(), exempt }
}

fn limits(value: Option<&Value>) -> Vec<Limit> {
    let list: Vec<&Value> = match value {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let limit = |one: &Value| {
        let requests = u32::try_from(one.get("requests")?.as_u64()?).ok()?;
        let by =
            if one.get("by").and_then(Value::as_str) == Some("client") { LimitBy::Client } else { LimitBy::Principal };
        Some(Limit::new(requests, span(one.get("per")?.as_str()?)?, by))
    };
    list.into_iter().filter_map(limit).collect()
}

fn span(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

fn known_method(key: &str) -> Option<Method> {
    match key {
        "delete" => Some(Method::DELETE),
        "get" => Some(Method::GET),
        "head" => Some(Method::HEAD),
        "options" => Some(Method::OPTIONS),
        "patch" => Some(Method::PATCH),
        "post" => Some(Method::POST),
        "put" => Some(Method::PUT),
        _ => None,
    }
}

/// Whether a media type is JSON.
pub(crate) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

/// The entries of an object at a key; nothing when it is no object.
pub(crate) fn object<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> + use<'v> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// The items of an array at a key; nothing when it is no array.
pub(crate) fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn names(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = "
openapi: 3.1.0
security: [{ bearer: [] }]
paths:
  /notes/{id}:
    parameters:
      - { name: id, in: path, schema: { $ref: '#/components/schemas/Id' }, example: n-1 }
    get:
      x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] }, limit: { requests: 3, per: 1h } }
      responses: { '200': { content: { application/json: { schema: { type: object } } } } }
  /open:
    get: { operationId: open, security: [], responses: {} }
components: { schemas: { Id: { type: string } } }
";

    #[test]
    fn reads_what_an_attacker_needs() {
        let surface = Surface::read(&Source::new("c.yaml", CONTRACT)).unwrap();
        let note = surface.endpoint("GET /notes/{id}").unwrap();
        assert!(note.is_owned() && !note.is_public);
        assert_eq!(note.limit_by(LimitBy::Principal).map(|limit| limit.requests), Some(3));
        assert_eq!(note.path_parameters().next().unwrap().example, Some("n-1".into()));
        assert!(note.success("application/json").is_some());
        assert!(surface.endpoint("open").unwrap().is_public);
    }

    #[test]
    fn reads_spans() {
        assert_eq!(span("2h"), Some(Duration::from_secs(7_200)));
        assert!(["", "h", "1ä", "x"].iter().all(|text| span(text).is_none()));
    }
}
