//! Reading the operations of an OpenAPI document, leaving out and noting what cannot be understood.

use std::collections::BTreeSet;

use http::Method;
use palisade_contract::{Lenient, Lines};
use palisade_core::diagnostic::Source;
use serde_json::{Map, Value};

use crate::surface::faults::{Faults, join};
use crate::surface::read::{flag, follow, is_json, items, limits, names, object, ownership};
use crate::surface::{
    Access, Body, BodyForm, Endpoint, Known, Link, Parameter, Place, ResponseForm, Surface, swagger, template,
};

/// The surface of a document with `paths`.
pub(crate) fn read(source: &Source, document: Lenient) -> Surface {
    let lines = Lines::new(source);
    let mut faults = Faults::new(&lines, document.faults);
    let mut root = document.root;
    faults.check_references(&root);
    swagger::modernize(&mut root);
    let mut reader = Reader { root: &root, lines: &lines, faults, ids: BTreeSet::new(), endpoints: Vec::new() };
    reader.paths();
    let Reader { faults, endpoints, .. } = reader;
    let (base, defects) = (base_path(&root), faults.into_defects());
    Surface { root, endpoints, base, defects }
}

struct Reader<'r> {
    root: &'r Value,
    lines: &'r Lines,
    faults: Faults<'r>,
    ids: BTreeSet<String>,
    endpoints: Vec<Endpoint>,
}

/// An operation, with what stands around it.
struct Site<'o> {
    pointer: &'o str,
    template: &'o str,
    item: &'o Value,
    operation: &'o Value,
}

impl<'r> Reader<'r> {
    fn paths(&mut self) {
        let root = self.root;
        if !root.get("paths").is_some_and(Value::is_object) {
            self.faults.note("/paths", "`paths` is missing or no object");
        }
        for (written, item) in object(root, "paths") {
            let pointer = join("/paths", written);
            let item = follow(root, item);
            let Some(members) = item.as_object() else {
                self.faults.note(&pointer, format!("the path `{written}` is no object"));
                continue;
            };
            let template = template::normal(written);
            for (key, operation) in members {
                let Some(method) = known_method(key) else { continue };
                let pointer = join(&pointer, key);
                let operation = follow(root, operation);
                if operation.is_object() {
                    let place = Site { pointer: &pointer, template: &template, item, operation };
                    let endpoint = self.endpoint(&place, &method);
                    self.endpoints.push(endpoint);
                } else {
                    self.faults.note(&pointer, "the operation is no object");
                }
            }
        }
    }

    fn endpoint(&mut self, place: &Site<'_>, method: &Method) -> Endpoint {
        let operation = place.operation;
        let extension = operation.get("x-palisade").unwrap_or(&Value::Null);
        let parameters = self.parameters(place);
        let access = self.access(extension, operation, place);
        let words = words(operation);
        let owner = ownership(extension.get("owner").unwrap_or(&Value::Null));
        let roles = names(extension.get("roles"));
        Endpoint {
            id: self.id(place, method),
            method: method.clone(),
            template: place.template.to_owned(),
            line: self.lines.of(place.pointer),
            is_public: access == Access::Open || access == Access::Unstated && is_entrance(method, place.template),
            parameters,
            body: self.body(place),
            responses: self.responses(operation),
            links: self.links(operation),
            access,
            is_third_party: flag(extension, "third_party"),
            roles,
            owner,
            is_personal: false,
            known: Known::Declared,
            limits: limits(extension.get("limit")),
            words,
            graphql: None,
        }
    }

    fn id(&mut self, place: &Site<'_>, method: &Method) -> String {
        let made = format!("{method} {}", place.template);
        let Some(id) = place.operation.get("operationId").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            self.ids.insert(made.clone());
            return made;
        };
        if self.ids.insert(id.to_owned()) {
            return id.to_owned();
        }
        self.faults.note(&join(place.pointer, "operationId"), format!("the operation id `{id}` is there twice"));
        made
    }

    /// The parameters of the operation, then those of the path that it does not replace, then those that only the
    /// template names.
    fn parameters(&mut self, place: &Site<'_>) -> Vec<Parameter> {
        let in_template = template::names(place.template);
        let credentials = credential_parameters(self.root);
        let mut parameters: Vec<Parameter> = Vec::new();
        for written in items(place.operation, "parameters").chain(items(place.item, "parameters")) {
            let written = follow(self.root, written);
            let Some(name) = written.get("name").and_then(Value::as_str) else {
                self.faults.note(&join(place.pointer, "parameters"), "a parameter has no name");
                continue;
            };
            let put = match written.get("in").and_then(Value::as_str) {
                Some("cookie") => Place::Cookie,
                Some("header") => Place::Header,
                Some("path") => Place::Path,
                Some("query") => Place::Query,
                _ => {
                    let message = format!("it is not said where the parameter `{name}` is");
                    self.faults.note(&join(place.pointer, "parameters"), message);
                    continue;
                }
            };
            if put == Place::Path && !in_template.contains(&name) {
                let message = format!("the path has no `{{{name}}}`");
                self.faults.note(&join(place.pointer, "parameters"), message);
                continue;
            }
            // What signs a request is the identity's business.
            let is_signature = put != Place::Path && credentials.contains(&name.to_ascii_lowercase());
            if is_signature || parameters.iter().any(|known| known.name == name && known.place == put) {
                continue;
            }
            parameters.push(self.parameter(name, put, written));
        }
        for name in in_template {
            if !parameters.iter().any(|known| known.place == Place::Path && known.name == name) {
                self.faults.note(place.pointer, format!("the path parameter `{name}` is not declared"));
                let schema = serde_json::json!({ "type": "string" });
                let name = name.to_owned();
                parameters.push(Parameter { name, place: Place::Path, is_required: true, schema, example: None });
            }
        }
        parameters
    }

    fn parameter(&self, name: &str, place: Place, written: &Value) -> Parameter {
        let content = object(written, "content").next().map(|(_, media)| media);
        let schema = written.get("schema").or_else(|| content.and_then(|media| media.get("schema")));
        let example = self.example(written).or_else(|| content.and_then(|media| self.example(media)));
        Parameter {
            name: name.to_owned(),
            place,
            is_required: place == Place::Path || flag(written, "required"),
            schema: schema.cloned().unwrap_or_default(),
            example,
        }
    }

    fn body(&self, place: &Site<'_>) -> Option<Body> {
        let body = follow(self.root, place.operation.get("requestBody")?);
        let known = object(body, "content").filter_map(|(media, form)| Some((BodyForm::of(media)?, form)));
        let ((_, form), media) = known.min_by_key(|((rank, _), _)| *rank)?;
        let schema = media.get("schema").cloned().unwrap_or_default();
        Some(Body { form, schema, example: self.example(media) })
    }

    fn responses(&self, operation: &Value) -> Vec<ResponseForm> {
        let mut forms = Vec::new();
        for (status, response) in object(operation, "responses") {
            for (media, form) in object(follow(self.root, response), "content") {
                let schema = form.get("schema").cloned().unwrap_or_default();
                let media = if is_json(media) || media == "*/*" { "application/json" } else { media };
                forms.push(ResponseForm { status: status.clone(), media: media.to_owned(), schema });
            }
        }
        forms
    }

    /// The links of successful answers that name an operation by its id.
    fn links(&self, operation: &Value) -> Vec<Link> {
        let good = object(operation, "responses").filter(|(status, _)| status.starts_with('2'));
        let links = good.flat_map(|(_, response)| object(follow(self.root, response), "links"));
        let mut found = Vec::new();
        for (_, link) in links {
            let link = follow(self.root, link);
            let Some(operation) = link.get("operationId").and_then(Value::as_str) else { continue };
            for (parameter, expression) in object(link, "parameters") {
                let pointer = expression.as_str().and_then(|text| text.strip_prefix("$response.body#"));
                if let Some(pointer) = pointer {
                    // A parameter may be named with its place: `path.id`.
                    let parameter = parameter.rsplit('.').next().unwrap_or(parameter).to_owned();
                    found.push(Link { operation: operation.to_owned(), parameter, pointer: pointer.to_owned() });
                }
            }
        }
        found
    }

    fn example(&self, written: &Value) -> Option<Value> {
        let first = || match written.get("examples")? {
            Value::Array(list) => list.first(),
            _ => follow(self.root, object(written, "examples").next()?.1).get("value"),
        };
        written.get("example").or_else(|| written.get("x-example")).or_else(first).cloned()
    }

    fn access(&self, extension: &Value, operation: &Value, place: &Site<'_>) -> Access {
        if flag(extension, "public") {
            return Access::Open;
        }
        let security = operation.get("security").or_else(|| self.root.get("security")).and_then(Value::as_array);
        match security {
            Some(list) if list.is_empty() || list.iter().any(|one| *one == Value::Object(Map::new())) => Access::Open,
            Some(_) => Access::Declared,
            None => {
                // A credential among the parameters is a statement, too.
                let known = credential_parameters(self.root);
                let asks = items(operation, "parameters").chain(items(place.item, "parameters")).any(|one| {
                    let one = follow(self.root, one);
                    let name = one.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
                    one.get("in").is_some_and(|place| place != "path") && known.contains(&name) && flag(one, "required")
                });
                if asks { Access::Declared } else { Access::Unstated }
            }
        }
    }
}

/// The names of headers, cookies and parameters that carry credentials: the usual ones, and those of the schemes.
fn credential_parameters(root: &Value) -> BTreeSet<String> {
    let schemes = root.get("components").map(|components| object(components, "securitySchemes"));
    let named = schemes.into_iter().flatten().map(|(_, scheme)| follow(root, scheme));
    let keys = named.filter(|scheme| scheme.get("type").is_some_and(|kind| kind == "apiKey"));
    let keys = keys.filter_map(|scheme| scheme.get("name").and_then(Value::as_str)).map(str::to_ascii_lowercase);
    keys.chain(["authorization", "x-access-token", "x-api-key", "x-auth-token"].map(str::to_owned)).collect()
}

/// Signing in and up are for nobody in particular, whatever the contract leaves out.
fn is_entrance(method: &Method, template: &str) -> bool {
    let last = template.rsplit('/').find(|segment| !segment.is_empty() && !segment.contains('{')).unwrap_or_default();
    let last = template::plain(last);
    *method == Method::POST
        && ["login", "logon", "oauth", "register", "session", "sessions", "signin", "signup", "token"]
            .contains(&last.as_str())
}

fn words(operation: &Value) -> String {
    let texts = ["operationId", "summary", "description"].iter().filter_map(|key| operation.get(*key)?.as_str());
    let tags = items(operation, "tags").filter_map(Value::as_str);
    texts.chain(tags).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The path of the first server, its variables filled in; nothing for the root.
fn base_path(root: &Value) -> Option<String> {
    let server = items(root, "servers").next()?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in object(server, "variables") {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => url.as_str(),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let is_plain =
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}\\@".contains(&byte)) && !path.contains("..");
    (path.starts_with('/') && is_plain).then(|| path.to_owned())
}

fn known_method(key: &str) -> Option<Method> {
    match key.to_ascii_lowercase().as_str() {
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
