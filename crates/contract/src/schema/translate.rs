//! Schemas of OpenAPI 3.0 and 3.1 rewritten as JSON Schema 2020-12, once for every meaning they need.
//!
//! A component that is referenced both as a body of its own and as a part of an `allOf` must be closed in the first
//! place and open in the second. So references lead to twins: each pair of pointer and [`Mode`] becomes one entry of
//! `$defs`, written when it is first asked for, which also ends recursion.

use std::collections::{BTreeSet, HashMap};

use palisade_core::diagnostic::Diagnostic;
use serde_json::{Map, Value, json};

use crate::document::{Dialect, Document, flag, join, target};
use crate::report::{Report, did_you_mean};
use crate::schema::definition::{Definition, DefinitionId};
use crate::schema::keyword::{self, DESTINATIONS, Keyword, LINK};
use crate::schema::mode::Mode;
use crate::schema::rewrite::{and, discriminator_values, integer_bounds, may_be_object, names_type, nullable};
use crate::schema::{hidden, inherit, pattern};

/// Translates schemas on demand.
#[derive(Debug)]
pub(crate) struct Translator<'d, 's> {
    document: &'d Document,
    report: &'d mut Report<'s>,
    definitions: Vec<Definition>,
    index: HashMap<(String, Mode), DefinitionId>,
    waiting: Vec<DefinitionId>,
}

impl<'d, 's> Translator<'d, 's> {
    /// A translator of one document's schemas.
    pub(crate) fn new(document: &'d Document, report: &'d mut Report<'s>) -> Self {
        Self { document, report, definitions: Vec::new(), index: HashMap::new(), waiting: Vec::new() }
    }

    /// The document.
    pub(crate) fn document(&self) -> &'d Document {
        self.document
    }

    /// Where problems go.
    pub(crate) fn report(&mut self) -> &mut Report<'s> {
        self.report
    }

    /// The definition of the schema at a pointer, in a mode.
    pub(crate) fn define(&mut self, pointer: &str, mode: Mode) -> DefinitionId {
        let id = self.enter(pointer, mode);
        while let Some(next) = self.waiting.pop() {
            let Some(pointer) = self.definitions.get(next).map(|definition| definition.pointer.clone()) else {
                continue;
            };
            let mode = self.definitions.get(next).map_or(mode, |definition| definition.mode);
            let document = self.document;
            let schema = document.at(&pointer).unwrap_or(&Value::Bool(false));
            let schema = self.translate(schema, &pointer, mode, &BTreeSet::new());
            if let Some(definition) = self.definitions.get_mut(next) {
                definition.schema = schema;
            }
        }
        id
    }

    /// Everything translated.
    pub(crate) fn finish(self) -> Vec<Definition> {
        self.definitions
    }

    fn enter(&mut self, pointer: &str, mode: Mode) -> DefinitionId {
        // A schema that is nothing but a reference shares the definition of what it leads to.
        let pointer = self.skip_references(pointer);
        if let Some(id) = self.index.get(&(pointer.clone(), mode)) {
            return *id;
        }
        let id = self.definitions.len();
        self.definitions.push(Definition { pointer: pointer.clone(), mode, schema: Value::Bool(false) });
        self.index.insert((pointer, mode), id);
        self.waiting.push(id);
        id
    }

    fn skip_references(&self, pointer: &str) -> String {
        let mut pointer = pointer.to_owned();
        for _ in 0..MAX_PARTS {
            let Some(schema) = self.document.at(&pointer).filter(|schema| self.is_plain_reference(schema)) else {
                break;
            };
            let Some(Ok(next)) = schema.get("$ref").and_then(Value::as_str).map(target) else { break };
            if self.document.at(&next).is_none() {
                break;
            }
            pointer = next;
        }
        pointer
    }

    fn is_plain_reference(&self, schema: &Value) -> bool {
        let Some(object) = schema.as_object() else { return false };
        object.get("$ref").is_some_and(Value::is_string)
            && (self.document.dialect == Dialect::V30 || !object.keys().any(|key| keyword::stands_beside_ref(key)))
    }

    fn reference(&mut self, schema: &Value, pointer: &str, mode: Mode) -> Value {
        let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
        self.document.check_reference(schema, reference, &join(pointer, "$ref"), self.report);
        match target(reference) {
            Ok(target) if self.document.at(&target).is_some() => {
                let id = self.enter(&target, mode);
                json!(format!("#/$defs/{id}"))
            }
            // Already reported; the contract will not be used.
            _ => json!("#/$defs/0"),
        }
    }

    /// Rewrites the schema of a property, an item or another value within. A reference there becomes a link, which the
    /// engine follows when it checks: every definition is compiled once, however many others refer to it.
    fn translate_within(&mut self, schema: &Value, pointer: &str, mode: Mode) -> Value {
        if !self.is_plain_reference(schema) {
            return self.translate(schema, pointer, mode, &BTreeSet::new());
        }
        let reference = self.reference(schema, pointer, mode);
        let id = reference.as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
        json!({LINK: id})
    }

    /// Rewrites one schema. `hidden` are the names that the schema around this part hides in this direction.
    fn translate(&mut self, schema: &Value, pointer: &str, mode: Mode, hidden: &BTreeSet<String>) -> Value {
        let object = match schema {
            Value::Bool(all) => return Value::Bool(*all),
            Value::Object(object) => object,
            Value::Array(_) | Value::Null | Value::Number(_) | Value::String(_) => {
                let diagnostic = Diagnostic::error("schema-invalid", "a schema must be an object");
                self.report.add(pointer, diagnostic);
                return Value::Bool(false);
            }
        };
        if self.is_plain_reference(schema) {
            return json!({"$ref": self.reference(schema, pointer, mode)});
        }
        if mode == Mode::Closed
            && let Some(choice) = self.choice_of_heirs(schema, pointer)
        {
            return choice;
        }
        let mut hidden = hidden.clone();
        if let Some(keyword) = mode.hiding_keyword() {
            hidden::collect(self.document, schema, keyword, &mut hidden);
        }
        let mut out = Map::new();
        for (key, value) in object {
            let place = join(pointer, key);
            match keyword::classify(key) {
                Keyword::Assertion => self.assertion(key, value, object, &hidden, &mut out),
                Keyword::Special => {
                    self.special(key, value, object, &Here { place: &place, mode, hidden: &hidden }, &mut out)
                }
                Keyword::Annotation | Keyword::Definitions => {}
                Keyword::Dynamic => {
                    let message = format!("`{key}` is not supported in a contract");
                    let help = "refer to schemas by `#/components/schemas/...`";
                    self.report.add(&place, Diagnostic::error("schema-invalid", message).help(help));
                }
                Keyword::Unknown => {
                    let message = format!("`{key}` is not a schema keyword and has no effect");
                    let mut diagnostic = Diagnostic::warning("keyword-unknown", message);
                    if let Some(help) = did_you_mean(key, &keyword::all()) {
                        diagnostic = diagnostic.help(help);
                    }
                    self.report.add_key(&place, diagnostic);
                }
            }
        }
        self.destinations(object, pointer, mode, &mut out);
        if mode == Mode::Closed {
            self.close(schema, pointer, &mut out);
        }
        if self.document.dialect == Dialect::V30 && flag(schema, "nullable") {
            nullable(out)
        } else {
            Value::Object(out)
        }
    }

    fn assertion(
        &self,
        key: &str,
        value: &Value,
        object: &Map<String, Value>,
        hidden: &BTreeSet<String>,
        out: &mut Map<String, Value>,
    ) {
        let exclusive =
            |bound: &str| object.get(bound) == Some(&Value::Bool(true)) && self.document.dialect == Dialect::V30;
        match (key, value) {
            ("required", Value::Array(names)) => {
                let kept = names.iter().filter(|name| !name.as_str().is_some_and(|name| hidden.contains(name)));
                out.insert(key.to_owned(), kept.cloned().collect());
            }
            ("minimum", _) if exclusive("exclusiveMinimum") => {
                out.insert("exclusiveMinimum".to_owned(), value.clone());
            }
            ("maximum", _) if exclusive("exclusiveMaximum") => {
                out.insert("exclusiveMaximum".to_owned(), value.clone());
            }
            ("pattern", Value::String(written)) => match pattern::simplify(written) {
                Some((pattern, lengths)) => {
                    out.insert(key.to_owned(), pattern.into());
                    and(out, lengths);
                }
                None => {
                    out.insert(key.to_owned(), value.clone());
                }
            },
            ("format", Value::String(format)) if object.get("type").is_some_and(|kind| names_type(kind, "integer")) => {
                if let Some((low, high)) = integer_bounds(format) {
                    and(out, json!({"minimum": low, "maximum": high}));
                }
            }
            _ => {
                out.insert(key.to_owned(), value.clone());
            }
        }
    }

    fn special(
        &mut self,
        key: &str,
        value: &Value,
        object: &Map<String, Value>,
        here: &Here<'_>,
        out: &mut Map<String, Value>,
    ) {
        let Here { place, mode, hidden } = *here;
        let translated = match key {
            "$ref" => {
                let pointer = place.strip_suffix("/$ref").unwrap_or(place);
                self.reference(&Value::Object(object.clone()), pointer, mode.part())
            }
            "properties" => {
                let mut properties = Map::new();
                for (name, member) in value.as_object().into_iter().flatten() {
                    let hides =
                        mode.hiding_keyword().is_some_and(|keyword| hidden::hides(self.document, member, keyword));
                    let place = join(place, name);
                    let schema =
                        if hides { json!(false) } else { self.translate_within(member, &place, mode.within()) };
                    properties.insert(name.clone(), schema);
                }
                Value::Object(properties)
            }
            "patternProperties" => {
                self.each(value, |this, member, name| this.translate_within(member, &join(place, name), mode.within()))
            }
            "dependentSchemas" => self.each(value, |this, member, name| {
                this.translate(member, &join(place, name), mode.part(), &BTreeSet::new())
            }),
            "additionalProperties" | "unevaluatedProperties" if mode == Mode::Answer && *value == json!(false) => {
                // An object that is closed and names nothing still declares that it has nothing.
                out.entry("properties").or_insert_with(|| json!({}));
                return;
            }
            "additionalProperties" | "unevaluatedProperties" | "items" | "unevaluatedItems" if !value.is_array() => {
                self.translate_within(value, place, mode.within())
            }
            "prefixItems" => match value.as_array() {
                None => value.clone(),
                Some(items) => {
                    let items = items.iter().enumerate();
                    items
                        .map(|(at, item)| self.translate_within(item, &format!("{place}/{at}"), mode.within()))
                        .collect()
                }
            },
            "contains" | "propertyNames" | "if" | "not" => {
                self.translate(value, place, mode.condition(), &BTreeSet::new())
            }
            "then" | "else" => self.translate(value, place, mode.part(), hidden),
            "allOf" => {
                let list = self.list(value, place, mode.part(), hidden);
                for part in list.as_array().into_iter().flatten() {
                    and(out, part.clone());
                }
                if list.as_array().is_none_or(Vec::is_empty) {
                    out.insert(key.to_owned(), list);
                }
                return;
            }
            "anyOf" | "oneOf" => {
                let list = self.alternatives(value, place, here, object.get("discriminator"));
                if let Some(known) = object.get("discriminator").and_then(|d| known_values(value, d)) {
                    and(out, known);
                }
                // Two forms that a response meets at once are a flaw of the contract, not a leak.
                if mode == Mode::Answer {
                    and(out, json!({"anyOf": list}));
                    return;
                }
                list
            }
            "exclusiveMinimum" | "exclusiveMaximum" if value.is_boolean() && self.document.dialect == Dialect::V30 => {
                return;
            }
            "nullable" | "discriminator" => return,
            _ if key == DESTINATIONS => return,
            // Wrong kinds of values are left for the meta-schema to refuse.
            _ => value.clone(),
        };
        out.insert(key.to_owned(), translated);
    }

    fn each(&mut self, value: &Value, translate: impl Fn(&mut Self, &Value, &str) -> Value) -> Value {
        let Some(object) = value.as_object() else { return value.clone() };
        Value::Object(object.iter().map(|(name, member)| (name.clone(), translate(self, member, name))).collect())
    }

    fn list(&mut self, value: &Value, place: &str, mode: Mode, hidden: &BTreeSet<String>) -> Value {
        let Some(list) = value.as_array() else { return value.clone() };
        let translated = list.iter().enumerate();
        translated.map(|(at, item)| self.translate(item, &format!("{place}/{at}"), mode, hidden)).collect()
    }

    /// The members of `anyOf` and `oneOf`: a discriminator becomes a condition of each, and a member without any
    /// rule declares every property, for the object around it would otherwise refuse them all.
    fn alternatives(&mut self, value: &Value, place: &str, here: &Here<'_>, discriminator: Option<&Value>) -> Value {
        let Value::Array(mut list) = self.list(value, place, here.mode.part(), here.hidden) else {
            return value.clone();
        };
        for (at, member) in list.iter_mut().enumerate() {
            if *member == json!({}) || *member == json!(true) {
                *member = json!({"additionalProperties": true});
            }
            let written = value.get(at).and_then(|written| written.get("$ref")).and_then(Value::as_str);
            let name = discriminator.and_then(|d| d.get("propertyName")).and_then(Value::as_str);
            if let (Some(reference), Some(name), Some(discriminator)) = (written, name, discriminator) {
                let condition = names(name, &discriminator_values(reference, discriminator));
                *member = json!({"allOf": [condition, member.take()]});
            }
        }
        Value::Array(list)
    }

    /// A schema with a discriminator and without alternatives stands for its heirs: the schemas that name it in their
    /// `allOf`. The value of the discriminator says which of them is meant; its own name means itself.
    fn choice_of_heirs(&mut self, schema: &Value, pointer: &str) -> Option<Value> {
        let discriminator = schema.get("discriminator")?;
        let name = discriminator.get("propertyName").and_then(Value::as_str)?;
        let heirs = inherit::heirs(self.document, pointer);
        if heirs.is_empty() || schema.get("oneOf").is_some() || schema.get("anyOf").is_some() {
            return None;
        }
        let (mut list, mut known) = (Vec::new(), Vec::new());
        for heir in std::iter::once(pointer.to_owned()).chain(heirs) {
            let values = discriminator_values(&format!("#{heir}"), discriminator);
            known.extend(values.iter().cloned());
            let part = if heir == pointer { Mode::Part } else { Mode::Closed };
            let id = self.enter(&heir, part);
            let mut form = json!({"allOf": [names(name, &values), {"$ref": format!("#/$defs/{id}")}]});
            if let Some(form) = form.as_object_mut().filter(|_| heir == pointer) {
                form.insert("unevaluatedProperties".to_owned(), json!(false));
            }
            list.push(form);
        }
        Some(json!({"oneOf": list, "allOf": [names(name, &known)]}))
    }

    /// The rule for a URL, as the keyword that the engine knows.
    fn destinations(&mut self, object: &Map<String, Value>, pointer: &str, mode: Mode, out: &mut Map<String, Value>) {
        if let Some(listed) = object.get(DESTINATIONS) {
            let hosts = listed.as_array().map(|hosts| {
                hosts
                    .iter()
                    .map(|host| host.as_str().and_then(crate::destination::normalize))
                    .collect::<Option<Vec<_>>>()
            });
            match hosts.flatten() {
                // What comes back was stored before; nobody fetches it because of this answer.
                Some(hosts) if !hosts.is_empty() && mode == Mode::Answer => {}
                Some(hosts) if !hosts.is_empty() => {
                    out.insert(DESTINATIONS.to_owned(), hosts.into_iter().map(String::from).collect());
                }
                _ => {
                    let message = format!("`{DESTINATIONS}` must be a list of host names");
                    let diagnostic = Diagnostic::error("extension-invalid", message);
                    self.report.add(
                        &join(pointer, DESTINATIONS),
                        diagnostic.help("write `[hooks.example.com]`, without scheme and port"),
                    );
                }
            }
        } else if matches!(mode, Mode::Closed | Mode::Part)
            && object.get("format").and_then(Value::as_str).is_some_and(|format| URL_FORMATS.contains(&format))
        {
            out.insert(DESTINATIONS.to_owned(), json!(true));
        }
    }

    /// Refuses properties that no part of the schema declares.
    fn close(&mut self, schema: &Value, pointer: &str, out: &mut Map<String, Value>) {
        let stated = out.contains_key("additionalProperties") || out.contains_key("unevaluatedProperties");
        if stated || !may_be_object(schema) {
            return;
        }
        let composed = COMPOSING.iter().any(|key| out.contains_key(*key));
        let names_properties = out.contains_key("properties") || out.contains_key("patternProperties");
        if !composed && !names_properties {
            // What the author left open is a gap in the contract, not a rule that callers could break.
            let message = "this object declares no properties, so all are accepted";
            let help = "declare them under `properties`, or state `additionalProperties: true` if all are meant";
            self.report.add(pointer, Diagnostic::warning("object-undeclared", message).help(help));
            return;
        }
        let keyword = if composed { "unevaluatedProperties" } else { "additionalProperties" };
        out.insert(keyword.to_owned(), json!(false));
    }
}

/// That a property names one of these values.
fn names(property: &str, values: &[String]) -> Value {
    json!({"properties": {property: {"enum": values}}, "required": [property]})
}

/// That the discriminator names one of the alternatives at all, where each of them has a name: so that a caller hears of
/// the name and not of every form that the value does not have.
fn known_values(alternatives: &Value, discriminator: &Value) -> Option<Value> {
    let property = discriminator.get("propertyName").and_then(Value::as_str)?;
    let reference = |member: &Value| member.get("$ref").and_then(Value::as_str).map(str::to_owned);
    let references = alternatives.as_array()?.iter().map(reference).collect::<Option<Vec<_>>>()?;
    let values = references.iter().flat_map(|reference| discriminator_values(reference, discriminator));
    Some(names(property, &values.collect::<Vec<_>>()))
}

/// Where a keyword is, and what for.
#[derive(Clone, Copy)]
struct Here<'h> {
    place: &'h str,
    mode: Mode,
    hidden: &'h BTreeSet<String>,
}

const MAX_PARTS: usize = 16;
const COMPOSING: [&str; 8] = ["$ref", "allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "then"];
const URL_FORMATS: [&str; 5] = ["iri", "iri-reference", "uri", "uri-reference", "url"];
