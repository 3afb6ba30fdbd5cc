//! Parameters of an operation: how each is written in a request, and which values it may have.

mod coerce;
pub(crate) mod pairs;
mod read;
pub(crate) mod style;
pub(crate) mod value;

use std::borrow::Cow;
use std::fmt;

use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

pub(crate) use coerce::Coercion;
pub(crate) use read::{Keys, Sent, read};
pub(crate) use style::{Field, Lead, Separator, Style};
pub(crate) use value::Slot;

use crate::document::{items, join, members};
use crate::media::{Media, Reading};
use crate::schema::definition::DefinitionId;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;

/// Where a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// In `Cookie`.
    Cookie,
    /// In a header field.
    Header,
    /// In the path.
    Path,
    /// In the query.
    Query,
}

impl Location {
    /// `cookie`, `header`, `path` or `query`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Header => "header",
            Self::Path => "path",
            Self::Query => "query",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Cookie, Self::Header, Self::Path, Self::Query].into_iter().find(|location| location.as_str() == text)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name; that of a header in lower case.
    pub name: Box<str>,
    /// Where it is.
    pub location: Location,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Its schema as the contract has it, after following a `$ref`.
    pub schema: Value,
    /// The first example that the contract gives for it.
    pub example: Option<Value>,
    pub(crate) field: Field,
    pub(crate) definition: DefinitionId,
}

impl Parameter {
    /// `/query/limit`.
    pub(crate) fn pointer(&self) -> String {
        self.slot().pointer()
    }

    pub(crate) fn slot(&self) -> Slot<'_> {
        let base = match self.location {
            Location::Cookie => "/cookie",
            Location::Header => "/header",
            Location::Path => "/path",
            Location::Query => "/query",
        };
        Slot { base, name: &self.name, field: &self.field }
    }
}

/// The typed values of a request's parameters.
///
/// ```
/// use http::HeaderMap;
/// use palisade_contract::{Found, Location, Parameter};
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: []
///       parameters: [{ name: limit, in: query, schema: { type: integer } }]
///       responses: { 204: { description: None. } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let Parameter { name, location, .. } = &operation.parameters()[0];
/// assert_eq!((&**name, *location), ("limit", Location::Query));
/// let Found::Operation(_, path) = contract.find(&http::Method::GET, "/notes") else { panic!() };
/// let (empty, query) = (HeaderMap::new(), Some("limit=5"));
/// let parameters = operation.check_parameters(&path, query, &empty).unwrap();
/// assert_eq!(parameters.get(Location::Query, "limit"), Some(&serde_json::json!(5)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters<'o> {
    given: Vec<Given<'o>>,
    canonical_query: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Given<'o> {
    location: Location,
    name: &'o str,
    text: Option<Box<str>>,
    value: Value,
}

impl<'o> Parameters<'o> {
    /// All parameters that were given.
    pub fn iter(&self) -> impl Iterator<Item = (Location, &str, &Value)> {
        self.given.iter().map(|given| (given.location, given.name, &given.value))
    }

    /// The value of one.
    pub fn get(&self, location: Location, name: &str) -> Option<&Value> {
        self.given(location, name).map(|given| &given.value)
    }

    /// The decoded text of one that is a single plain value, as an ownership check compares it. `None` for lists and
    /// objects, which are nobody's identifier.
    pub fn text(&self, location: Location, name: &str) -> Option<&str> {
        self.given(location, name).and_then(|given| given.text.as_deref().or_else(|| given.value.as_str()))
    }

    /// The query in its canonical writing, rebuilt from what was read; `None` where it came like that.
    pub fn canonical_query(&self) -> Option<&str> {
        self.canonical_query.as_deref()
    }

    pub(crate) fn add(&mut self, parameter: &'o Parameter, text: Option<Cow<'_, str>>, value: Value) {
        // The text of a text is its value.
        let text = text.filter(|_| !value.is_string()).map(|text| text.into());
        self.given.push(Given { location: parameter.location, name: &parameter.name, text, value });
    }

    fn given(&self, location: Location, name: &str) -> Option<&Given<'o>> {
        self.given.iter().find(|given| given.location == location && *given.name == *name)
    }
}

/// Compiles the parameters of the operation at `pointer` within the path item at `parent`; those of the operation
/// replace those of the path item.
pub(crate) fn compile(translator: &mut Translator<'_, '_>, parent: &str, pointer: &str) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for holder in [parent, pointer] {
        let document = translator.document();
        let Some(list) = document.at(holder) else { continue };
        let mut own: Vec<Parameter> = Vec::new();
        for (at, item) in items(list, "parameters").enumerate() {
            let (item, place) = document.resolve(item, &format!("{holder}/parameters/{at}"));
            let Some(parameter) = compile_one(translator, item, &place) else { continue };
            let same = |other: &Parameter| other.location == parameter.location && other.name == parameter.name;
            if own.iter().any(same) {
                let message = format!("the {} parameter `{}` is declared twice", parameter.location, parameter.name);
                translator.report().add(&place, Diagnostic::error("parameter-invalid", message).help("remove one"));
            }
            parameters.retain(|other| !same(other));
            own.push(parameter);
        }
        parameters.extend(own);
    }
    parameters
}

fn compile_one(translator: &mut Translator<'_, '_>, item: &Value, place: &str) -> Option<Parameter> {
    let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
    let Some(location) = item.get("in").and_then(Value::as_str).and_then(Location::parse).filter(|_| !name.is_empty())
    else {
        let help = "`in` is query, header, path or cookie";
        let diagnostic = Diagnostic::error("parameter-invalid", "a parameter needs `name` and `in`").help(help);
        translator.report().add(place, diagnostic);
        return None;
    };
    let name = if location == Location::Header { name.to_ascii_lowercase() } else { name.to_owned() };
    if location == Location::Header && IGNORED_HEADERS.contains(&name.as_str()) {
        return None;
    }
    let reads = |media: &str, reading| Media::parse(media).is_some_and(|media| media.reading() == reading);
    let is_json = |media: &str| reads(media, Reading::Json);
    let is_text = |media: &str| reads(media, Reading::Text);
    let content = members(item, "content").next().map(|(media, entry)| (media.clone(), entry));
    let (holder, schema_place) = match &content {
        Some((media, entry)) => (*entry, join(&join(&join(place, "content"), media), "schema")),
        None => (item, join(place, "schema")),
    };
    let document = translator.document();
    let Some(schema) = holder.get("schema") else {
        let message = format!("the parameter `{name}` has no schema, so any value is accepted");
        let diagnostic =
            Diagnostic::error("parameter-invalid", message).help("add `schema: { type: string, maxLength: 64 }`");
        translator.report().add(place, diagnostic);
        return None;
    };
    let coercion = Coercion::of(document, schema);
    let field = match &content {
        Some((media, _)) if is_json(media) => Some(Field::plain(Style::Json, coercion)),
        Some((media, _)) if is_text(media) && !coercion.is_list() && !coercion.is_object() => {
            Some(Field::plain(Style::Single, coercion))
        }
        Some(_) => None,
        None => Field::of(item, location, coercion),
    };
    let Some(field) = field else {
        let message = format!("the way in which the parameter `{name}` is written is not supported");
        let help = "see the styles of OpenAPI for its place; an object in a cookie is `explode: false` or JSON content";
        translator.report().add(place, Diagnostic::error("parameter-unsupported", message).help(help));
        return None;
    };
    if field.lead == Lead::Matrix {
        let message = format!("the path parameter `{name}` is written with `;`, which is refused in every path");
        let help = "write it in the style `simple` or `label`: servers disagree whether `;` ends a path";
        translator.report().add(place, Diagnostic::warning("parameter-unreachable", message).help(help));
    }
    let definition = translator.define(&schema_place, Mode::Closed);
    let schema = document.follow(schema);
    let example = example(holder).or_else(|| example(item)).or_else(|| example(schema));
    Some(Parameter {
        name: name.into(),
        location,
        required: location == Location::Path || crate::document::flag(item, "required"),
        schema: schema.clone(),
        example: example.map(|example| document.follow(example).clone()),
        field,
        definition,
    })
}

/// `example`, the first of `examples` in either of its forms, or `default`.
pub(crate) fn example(value: &Value) -> Option<&Value> {
    let examples = value.get("examples").and_then(|examples| match examples {
        Value::Array(list) => list.first(),
        Value::Object(named) => named.values().find_map(|example| example.get("value")),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    });
    value.get("example").or(examples)
}

/// Header parameters by these names are ignored (OpenAPI 3.1, Parameter Object): they have rules of their own.
const IGNORED_HEADERS: [&str; 3] = ["accept", "authorization", "content-type"];
