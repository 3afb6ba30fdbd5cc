//! Reading a source into a surface, whatever format it has.

use std::time::Duration;

use palisade_core::diagnostic::Source;
use palisade_core::operation::{Limit, LimitBy, Ownership, Pointer, RequestOwner, ResponseOwner};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::input;
use crate::surface::{Surface, openapi};

impl Surface {
    /// Reads an OpenAPI document of version 2 or 3 in YAML or JSON, a HAR archive, the introspection of a GraphQL API,
    /// a file of `curl` commands, or one of raw requests. `None` when it is none of them.
    pub(crate) fn read(source: &Source) -> Option<Self> {
        if let Some(requests) = input::requests(source.text()) {
            return Some(input::surface(&requests));
        }
        let document = palisade_contract::read_leniently(source.text())?;
        if let Some(surface) = input::graphql(&document.root) {
            return Some(surface);
        }
        if let Some(requests) = input::archive(&document.root) {
            return Some(input::surface(&requests));
        }
        Some(openapi::read(source, document))
    }
}

/// What a value stands for: itself, or what its `$ref` leads to in a document.
pub(crate) fn follow<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let mut value = value;
    for _ in 0..MAXIMUM_HOPS {
        let target = value.get("$ref").and_then(Value::as_str).and_then(target);
        let Some(next) = target.and_then(|pointer| root.pointer(&pointer)) else { break };
        value = next;
    }
    value
}

/// The JSON pointer of a reference within its document.
pub(crate) fn target(reference: &str) -> Option<String> {
    let fragment = reference.split_once('#').filter(|(document, _)| document.is_empty())?.1;
    let pointer = percent_decode_str(fragment).decode_utf8().ok()?;
    (pointer.is_empty() || pointer.starts_with('/')).then(|| pointer.into_owned())
}

pub(crate) fn ownership(value: &Value) -> Ownership {
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

pub(crate) fn limits(value: Option<&Value>) -> Vec<Limit> {
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

pub(crate) fn names(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

const MAXIMUM_HOPS: usize = 16;

#[cfg(test)]
mod tests {
    use crate::surface::{Access, BodyForm, Place};

    use super::*;

    fn surface(contract: &str) -> Surface {
        Surface::read(&Source::new("c.yaml", contract)).unwrap()
    }

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
        assert!(note.is_owned() && !note.is_public && note.access == Access::Declared);
        assert_eq!(note.line, Some(8));
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

    const SWAGGER: &str = "
swagger: '2.0'
host: elsewhere.example
basePath: /api/v3
consumes: [application/json]
securityDefinitions: { key: { type: apiKey, in: header, name: X-Key } }
parameters: { Tenant: { name: tenant, in: path, type: integer, required: true, x-example: 7 } }
paths:
  /tenants/{tenant}:
    parameters: [{ $ref: '#/parameters/Tenant' }]
    get:
      security: [{ key: [] }]
      parameters: [{ name: X-Key, in: header, type: string }, { name: lang, in: cookie, type: string, required: true }]
      responses: { 200: { schema: { $ref: '#/definitions/Tenant' } } }
    put:
      parameters: [{ name: it, in: body, schema: { $ref: '#/definitions/Tenant' } }]
      responses: { 200: { description: ok } }
  /upload:
    post:
      consumes: [multipart/form-data]
      parameters: [{ name: file, in: formData, type: file, required: true }, { name: note, in: formData, type: string }]
      responses: {}
definitions:
  Tenant: { type: object, properties: { id: { type: integer }, owner: { $ref: '#/definitions/Person' } } }
  Person: { allOf: [{ type: object, properties: { name: { type: string } } }, { $ref: '#/definitions/Person' }] }
";

    #[test]
    fn reads_version_two() {
        let surface = surface(SWAGGER);
        assert_eq!((surface.base.as_deref(), surface.defects.len()), (Some("/api/v3"), 0), "{:?}", surface.defects);
        let read = surface.endpoint("GET /tenants/{tenant}").unwrap();
        assert_eq!((read.access, read.line), (Access::Declared, Some(11)));
        let names: Vec<_> = read.parameters.iter().map(|one| (one.name.as_str(), one.place)).collect();
        assert_eq!(names, [("lang", Place::Cookie), ("tenant", Place::Path)], "the key is no parameter");
        assert_eq!(surface.sample_values(read).in_path("tenant"), Some("7"));
        let form = read.success("application/json").unwrap();
        let properties: Vec<_> = surface.properties(&form.schema).into_iter().map(|(name, _)| name).collect();
        assert_eq!(properties, ["id", "owner"]);
        let change = surface.endpoint("PUT /tenants/{tenant}").unwrap();
        assert!(change.body.is_some() && change.access == Access::Unstated && !change.is_public);
        let upload = surface.endpoint("POST /upload").unwrap();
        assert_eq!(upload.body.as_ref().unwrap().form, BodyForm::Multipart);
    }

    #[test]
    fn faults_are_noted_and_read_around() {
        let contract = "
openapi: 3.0.1
paths:
  /a/:id:
    get: { operationId: same, parameters: [{ in: query }, { name: gone, in: path }, { $ref: '#/nowhere' }] }
    post: wrong
   badly: indented
  /b: { get: { operationId: same, responses: { 200: { content: { text/json: { schema: { $ref: '#/loop' } } } } } } }
  /c: [1]
loop: { $ref: '#/loop' }
";
        let surface = surface(contract);
        let ids: Vec<&str> = surface.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        assert_eq!(ids, ["same", "GET /b"]);
        assert_eq!(surface.endpoints[0].path_parameters().next().unwrap().name, "id");
        let defects: Vec<String> =
            surface.defects.iter().map(|one| format!("{} {}", one.line.unwrap_or(0), one.message)).collect();
        for (line, part) in [
            (7, ""),
            (5, "`#/nowhere` leads to nothing"),
            (5, "a parameter has no name"),
            (5, "the path has no `{gone}`"),
            (5, "the path parameter `id` is not declared"),
            (6, "the operation is no object"),
            (8, "the operation id `same` is there twice"),
            (9, "the path `/c` is no object"),
        ] {
            let is_there = surface.defects.iter().any(|one| one.message.contains(part));
            assert!(is_there, "{line} {part}: {defects:#?}");
        }
    }

    #[test]
    fn a_thousand_operations_are_read_in_one_go() {
        let path = |at: usize| {
            format!(
                "  /things{at}/{{id}}:\n    get:\n      parameters: [{{ $ref: '#/components/parameters/Id' }}]\n      responses: {{ 200: {{ content: {{ application/json: {{ schema: {{ $ref: '#/components/schemas/Node' }} }} }} }} }}\n    put:\n      parameters: [{{ $ref: '#/components/parameters/Id' }}]\n      requestBody: {{ content: {{ application/json: {{ schema: {{ $ref: '#/components/schemas/Node' }} }} }} }}\n      responses: {{ 204: {{ description: done }} }}\n"
            )
        };
        let paths: String = (0..500).map(path).collect();
        let contract = format!(
            "openapi: 3.0.0\npaths:\n{paths}components:\n  parameters: {{ Id: {{ name: id, in: path, required: true, schema: {{ type: string }} }} }}\n  schemas: {{ Node: {{ type: object, properties: {{ left: {{ $ref: '#/components/schemas/Node' }}, right: {{ oneOf: [{{ $ref: '#/components/schemas/Node' }}, {{ $ref: '#/components/schemas/Node' }}] }} }} }} }}\n"
        );
        let surface = surface(&contract);
        assert_eq!(surface.endpoints.len(), 1_000);
        assert!(surface.defects.is_empty() && surface.endpoints.iter().all(|one| one.line.is_some()));
        // Schemas that contain themselves twice end, and bodies made of them stay small.
        for endpoint in &surface.endpoints {
            let body = surface.sample_body(endpoint).unwrap_or_default();
            assert!(body.to_string().len() < 4_000, "{}", body.to_string().len());
        }
    }
}
