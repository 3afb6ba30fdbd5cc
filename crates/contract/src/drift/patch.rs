//! The change of a contract that would agree with what was seen.

use std::collections::BTreeSet;

use palisade_core::diagnostic::{Diagnostic, Source};
use serde_json::{Map, Value, json};

use super::infer::Kind;
use super::ledger::{Entry, Ledger};
use super::locate;
use super::observe::{ANY, Side};
use super::overlay::{act, quote, target};
use crate::contract::Contract;
use crate::document::{Dialect, Document, join};
use crate::report::Report;

/// A change of a contract.
///
/// ```
/// use palisade_contract::drift::{self, Ledger, Patch};
/// use palisade_core::diagnostic::Source;
///
/// let contract = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: []
///       responses: { 204: { description: None. } }
/// ");
/// // Nothing has departed from the contract, so that there is nothing to change.
/// let Patch { overlay, left } = drift::patch(&contract, &Ledger::default()).unwrap();
/// assert!(left.is_empty() && overlay["actions"].as_array().unwrap().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Patch {
    /// An OpenAPI Overlay 1.0 document; without actions where there is nothing to change.
    pub overlay: Value,
    /// What no change is offered for, in the order of the ledger: the entry's number, and why.
    pub left: Vec<(usize, &'static str)>,
}

/// The change that would declare everything in a ledger. The contract with the change is compiled before it is given
/// out: `Err` when the contract cannot be read, or the change would break it.
pub fn patch(source: &Source, ledger: &Ledger) -> Result<Patch, Vec<Diagnostic>> {
    let mut report = Report::new(source);
    let Some(mut document) = Document::read(source, &mut report) else { return Err(report.finish()) };
    let original = Document { root: document.root.clone(), dialect: document.dialect };
    let (mut actions, mut left) = (Vec::new(), Vec::new());
    for (number, entry) in ledger.entries().enumerate() {
        let planned = Planner { document: &document, original: &original, entry }.plan();
        // What could have been planned before an entry of the same place was dealt with is dealt with.
        let before = || Planner { document: &original, original: &original, entry }.plan();
        let planned = planned.or_else(|reason| before().map(|_| Vec::new()).map_err(|_| reason));
        let mut changed = document.root.clone();
        match planned {
            Err(reason) => left.push((number, reason)),
            Ok(planned) if planned.iter().any(|action| act(&mut changed, action).is_err()) => {
                left.push((number, BY_HAND));
            }
            Ok(planned) => {
                document.root = changed;
                actions.extend(planned);
            }
        }
    }
    let overlay = json!({
        "overlay": "1.0.0",
        "info": { "title": "What traffic has and the contract does not", "version": "1" },
        "extends": source.name(),
        "actions": actions,
    });
    Contract::compile(&Source::new(source.name(), document.root.to_string()))?;
    Ok(Patch { overlay, left })
}

/// Plans the actions for one entry.
struct Planner<'p> {
    /// The contract with the changes so far.
    document: &'p Document,
    /// The contract as it is written.
    original: &'p Document,
    entry: &'p Entry,
}

type Planned = Result<Vec<Value>, &'static str>;

impl Planner<'_> {
    fn plan(&self) -> Planned {
        let what = &self.entry.what;
        let places =
            locate::operation(self.document, &self.entry.operation).ok_or("the contract has no such operation")?;
        let steps: Vec<String> =
            what.at.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let (place, below) = steps.split_first().ok_or(BY_HAND)?;
        match (place.as_str(), what.side) {
            ("body", Side::Request) => self.request_body(&places.1, below),
            ("body", Side::Response) => self.response(&places.1, below),
            (location, Side::Request) => self.parameter(&places, location, below),
            (_, Side::Response) => Err(BY_HAND),
        }
    }

    fn parameter(&self, places: &(String, String), location: &str, steps: &[String]) -> Planned {
        let (name, below) = steps.split_first().ok_or(BY_HAND)?;
        let declared = locate::parameter(self.document, places, location, name);
        match (declared, self.entry.what.rule.as_str()) {
            (None, "undeclared") if location == "query" && name != ANY => {
                let parameter = json!({"name": name, "in": "query", "schema": self.parameter_schema()});
                let list = join(&places.1, "parameters");
                Ok(vec![match self.document.at(&list) {
                    Some(_) => self.update(&list, &parameter),
                    None => self.update(&places.1, &json!({"parameters": [parameter]})),
                }])
            }
            (Some(place), "required") if location != "path" => {
                Ok(vec![self.update(&place, &json!({"required": false}))])
            }
            (Some(place), _) => self.widen(&join(&place, "schema"), below),
            (None, _) => Err(BY_HAND),
        }
    }

    fn request_body(&self, operation: &str, below: &[String]) -> Planned {
        let media = self.entry.what.media.as_deref().ok_or("the body had no media type")?;
        let entry = json!({"content": {media: {"schema": self.schema()}}});
        match (locate::request_body(self.document, operation), self.entry.what.rule.as_str(), below) {
            (None, "undeclared", []) => Ok(vec![self.update(operation, &json!({"requestBody": entry}))]),
            (Some(body), "media", []) => Ok(vec![self.update(&body, &entry)]),
            (Some(body), "required", []) => Ok(vec![self.update(&body, &json!({"required": false}))]),
            (Some(body), _, below) => self.widen(&self.schema_in(&body, media)?, below),
            (None, ..) => Err(BY_HAND),
        }
    }

    fn response(&self, operation: &str, below: &[String]) -> Planned {
        let what = &self.entry.what;
        let status = what.status.ok_or(BY_HAND)?;
        let content = what.media.as_ref().map(|media| json!({media: {"schema": self.schema()}}));
        match (locate::response(self.document, operation, status), what.rule.as_str(), below, content) {
            (None, "status", [], content) => {
                let mut answer = Map::new();
                answer.insert("description".to_owned(), "Seen in traffic; say what it means.".into());
                answer.extend(content.map(|content| ("content".to_owned(), content)));
                Ok(vec![self.update(operation, &json!({"responses": {status.to_string(): answer}}))])
            }
            // The same status, declared by an entry before this one, with another type.
            (Some(answer), "media" | "status", [], Some(content)) => {
                Ok(vec![self.update(&answer, &json!({"content": content}))])
            }
            (Some(_), "status", [], None) => Ok(Vec::new()),
            (Some(answer), _, below, Some(_)) => {
                self.widen(&self.schema_in(&answer, what.media.as_deref().unwrap_or_default())?, below)
            }
            _ => Err(BY_HAND),
        }
    }

    fn schema_in(&self, holder: &str, media: &str) -> Result<String, &'static str> {
        locate::content(self.document, holder, media).map(|place| join(&place, "schema")).ok_or(BY_HAND)
    }

    /// Lets the schema of a part accept what was seen.
    fn widen(&self, schema: &str, below: &[String]) -> Planned {
        let located = locate::schema(self.document, schema, below);
        match (self.entry.what.rule.as_str(), below.split_last()) {
            ("undeclared", Some((name, parents))) => {
                if locate::schema(self.original, schema, below).is_some() {
                    return Err("it is declared, but not in this direction: the sender is at fault, not the contract");
                }
                // An entry before this one may have declared it, or a list of which nothing was known yet.
                if located.is_some_and(|place| self.document.at(&place) != Some(&json!({}))) {
                    return Ok(Vec::new());
                }
                let parent = locate::schema(self.document, schema, parents).ok_or(BY_HAND)?;
                Ok(self.declare(&parent, name))
            }
            ("required", Some((name, parents))) => {
                let parent = locate::schema(self.document, schema, parents).ok_or(BY_HAND)?;
                let requires = |schema: &Value| {
                    let list = schema.get("required").and_then(Value::as_array);
                    list.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(name)))
                };
                let holder = locate::part(self.document, &parent, &requires).ok_or(BY_HAND)?;
                let list = target(&self.document.root, &join(&holder, "required"));
                Ok(vec![self.removal(&format!("{list}[?@=={}]", quote(name)))])
            }
            (rule, _) => self.loosen(&located.ok_or(BY_HAND)?, rule),
        }
    }

    fn declare(&self, parent: &str, name: &str) -> Vec<Value> {
        let declared = self.document.at(parent).unwrap_or(&Value::Null);
        let is_array = declared.get("type").is_some_and(|kind| kind == "array" || *kind == json!(["array"]));
        match (name, is_array) {
            (ANY, true) => {
                let items = self.document.at(&join(parent, "items")).is_some();
                let drop = items.then(|| self.remove(&join(parent, "items")));
                drop.into_iter().chain([self.update(parent, &json!({"items": self.schema()}))]).collect()
            }
            (ANY, false) => {
                let closed = declared.get("additionalProperties").is_some();
                let drop = closed.then(|| self.remove(&join(parent, "additionalProperties")));
                drop.into_iter().chain([self.update(parent, &json!({"additionalProperties": self.schema()}))]).collect()
            }
            (name, _) => vec![self.update(parent, &json!({"properties": {name: self.schema()}}))],
        }
    }

    /// Takes a keyword back as far as needed. Values are not kept, so that what bounds values goes as a whole.
    fn loosen(&self, schema: &str, rule: &str) -> Planned {
        let has = |schema: &Value| schema.get(rule).is_some();
        let holder = locate::part(self.document, schema, &has).ok_or(BY_HAND)?;
        let place = join(&holder, rule);
        let (least, most) = self.entry.length.unwrap_or_default();
        match rule {
            "maxItems" | "maxLength" => Ok(vec![self.update(&holder, &json!({rule: most.next_power_of_two()}))]),
            "minItems" | "minLength" => Ok(vec![self.update(&holder, &json!({rule: least}))]),
            "type" => Ok(self.widen_type(&holder)),
            "" => Err(BY_HAND),
            _ => Ok(vec![self.remove(&place)]),
        }
    }

    fn widen_type(&self, holder: &str) -> Vec<Value> {
        let place = join(holder, "type");
        let words = match self.document.at(&place) {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(word)) => BTreeSet::from([word.as_str()]),
            _ => BTreeSet::new(),
        };
        let mut widened = words.clone();
        widened.extend(self.entry.kinds.iter().map(|kind| kind.as_str()));
        if widened.contains("number") {
            widened.remove("integer");
        }
        match (self.document.dialect, widened.len()) {
            (_, 1) => vec![self.update(holder, &json!({"type": widened.first()}))],
            (Dialect::V30, 2) if widened.contains("null") => vec![self.update(holder, &json!({"nullable": true}))],
            (Dialect::V30, _) => vec![self.remove(&place)],
            (Dialect::V31, _) => vec![self.remove(&place), self.update(holder, &json!({"type": widened}))],
        }
    }

    /// A schema for what was seen.
    fn schema(&self) -> Value {
        let mut kinds = self.entry.kinds.clone();
        if kinds.contains(&Kind::Number) {
            kinds.remove(&Kind::Integer);
        }
        let nullable = kinds.remove(&Kind::Null);
        let mut schema = Map::new();
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        match (words.as_slice(), nullable, self.document.dialect) {
            ([], true, Dialect::V31) => drop(schema.insert("type".to_owned(), "null".into())),
            ([], ..) | ([_, _, ..], _, Dialect::V30) => {}
            ([one], false, _) => drop(schema.insert("type".to_owned(), (*one).into())),
            ([one], true, Dialect::V30) => {
                schema.insert("type".to_owned(), (*one).into());
                schema.insert("nullable".to_owned(), true.into());
            }
            (many, nullable, Dialect::V31) => {
                let words = many.iter().copied().chain(nullable.then_some("null"));
                schema.insert("type".to_owned(), words.collect());
            }
        }
        if kinds.contains(&Kind::String) {
            match &self.entry.format {
                Some(format) => drop(schema.insert("format".to_owned(), format.as_str().into())),
                None => {
                    let most = self.entry.length.map_or(LEAST_ROOM, |(_, most)| most.max(LEAST_ROOM));
                    schema.insert("maxLength".to_owned(), most.next_power_of_two().into());
                }
            }
        }
        if kinds.contains(&Kind::Array) {
            schema.insert("items".to_owned(), json!({}));
        }
        if kinds.contains(&Kind::Object) {
            schema.insert("properties".to_owned(), json!({}));
        }
        Value::Object(schema)
    }

    /// A parameter that was not always written as one type is a text.
    fn parameter_schema(&self) -> Value {
        let kinds: Vec<Kind> = self.entry.kinds.iter().copied().collect();
        match kinds.as_slice() {
            [Kind::Array] => json!({"type": "array", "items": {"type": "string", "maxLength": 64}, "maxItems": 64}),
            [Kind::Boolean | Kind::Integer | Kind::Number] | [Kind::Integer, Kind::Number] => self.schema(),
            [Kind::String] => self.schema(),
            _ => json!({"type": "string", "maxLength": 64}),
        }
    }

    fn update(&self, pointer: &str, update: &Value) -> Value {
        let target = target(&self.document.root, pointer);
        json!({"target": target, "description": self.description(), "update": update})
    }

    fn remove(&self, pointer: &str) -> Value {
        self.removal(&target(&self.document.root, pointer))
    }

    fn removal(&self, target: &str) -> Value {
        json!({"target": target, "description": self.description(), "remove": true})
    }

    fn description(&self) -> String {
        let Entry { count, first, last, operation, what, .. } = self.entry;
        format!("{operation} {} {}: {count} times from {first} to {last}", what.at, what.rule)
    }
}

const BY_HAND: &str = "this has to be changed by hand";
/// Texts get some room beyond the longest that was seen.
const LEAST_ROOM: u64 = 16;
