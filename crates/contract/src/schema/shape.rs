//! Which properties a response may have, so that the others can be taken out of it.
//!
//! A backend that answers with its whole database row is the commonest leak of all (OWASP API3). Refusing such an
//! answer would break the client; taking out what the contract does not declare breaks nobody.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value;

use crate::schema::definition::{Definition, DefinitionId};
use crate::schema::keyword::{LINK, MARKUP};
use crate::violation::{LIMIT, Trail, Violation, ViolationCode as Code};

/// The shapes of all schemas. The first ones have the numbers of the definitions.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    nodes: Vec<Shape>,
}

/// What one schema object says about names.
#[derive(Debug, Default)]
struct Shape {
    /// Whether it speaks of an object's properties at all.
    declares: bool,
    /// Whether it lets every property through.
    open: bool,
    properties: HashMap<Box<str>, Property>,
    patterns: Vec<(Regex, usize)>,
    additional: Option<usize>,
    prefix: Vec<usize>,
    items: Option<usize>,
    /// Further shapes of the same value.
    parts: Vec<usize>,
    /// This shape, its parts and theirs; known when all shapes are read.
    whole: Box<[usize]>,
    /// Whether it says more about a text than how long it may be.
    rules_text: bool,
    /// Whether it declares a text to be markup.
    is_markup: bool,
}

#[derive(Clone, Copy, Debug)]
enum Property {
    /// Write-only: it never leaves.
    Hidden,
    Shown(usize),
}

/// What an examination has found so far.
struct Examined<'b> {
    base: &'b str,
    free: Vec<String>,
    violations: Vec<Violation>,
}

impl Examined<'_> {
    fn refuse(&mut self, trail: &Trail<'_>, code: Code, message: &str) {
        if self.violations.len() < LIMIT {
            self.violations.push(Violation::new(format!("{}{}", self.base, trail.pointer()), code, message));
        }
    }
}

impl Shapes {
    /// Reads the shapes out of the translated schemas.
    pub(crate) fn build(definitions: &[Definition]) -> Self {
        let mut shapes = Self::default();
        shapes.nodes.resize_with(definitions.len(), Shape::default);
        for (id, definition) in definitions.iter().enumerate() {
            let shape = shapes.shape(&definition.schema);
            if let Some(node) = shapes.nodes.get_mut(id) {
                *node = shape;
            }
        }
        let closures: Vec<Box<[usize]>> = (0..shapes.nodes.len()).map(|id| shapes.closure(id)).collect();
        for (node, closure) in shapes.nodes.iter_mut().zip(closures) {
            node.whole = closure;
        }
        shapes
    }

    /// Takes undeclared properties out and names the places.
    pub(crate) fn strip(&self, id: DefinitionId, value: &mut Value) -> Vec<String> {
        let mut removed = Vec::new();
        self.strip_below(&[id], value, &Trail::Root, &mut removed);
        removed
    }

    fn strip_below(&self, ids: &[usize], value: &mut Value, trail: &Trail<'_>, removed: &mut Vec<String>) {
        if !value.is_array() && !value.is_object() {
            return;
        }
        let shapes = self.expand(ids);
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    let within = shapes.iter().filter_map(|shape| shape.prefix.get(at).copied().or(shape.items));
                    let within: Vec<usize> = within.collect();
                    if !within.is_empty() {
                        self.strip_below(&within, item, &Trail::Index(trail, at), removed);
                    }
                }
            }
            Value::Object(members) if shapes.iter().any(|shape| shape.declares) => {
                members.retain(|name, member| {
                    let place = Trail::Name(trail, name);
                    match verdict(&shapes, name) {
                        None => {
                            removed.push(place.pointer());
                            false
                        }
                        Some(within) => {
                            self.strip_below(&within, member, &place, removed);
                            true
                        }
                    }
                });
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) | Value::String(_) => {}
        }
    }

    /// The pointers of all texts with a `<` that no shape restricts.
    ///
    /// Refused is what passes a schema that is silent about it: control characters in such a text or in a name that is
    /// not declared, characters that turn the direction of what follows, so that a person reads another text than a program
    /// (CVE-2021-42574), and names by which JavaScript reaches the prototype of all objects (CWE-1321). A schema that names
    /// the property, or gives the text a pattern or a list of values, has spoken.
    pub(crate) fn examine(
        &self,
        id: Option<DefinitionId>,
        value: &Value,
        base: &str,
    ) -> Result<Vec<String>, Vec<Violation>> {
        let mut found = Examined { base, free: Vec::new(), violations: Vec::new() };
        self.examine_below(id.as_slice(), value, &Trail::Root, &mut found);
        if found.violations.is_empty() { Ok(found.free) } else { Err(found.violations) }
    }

    fn examine_below(&self, ids: &[usize], value: &Value, trail: &Trail<'_>, found: &mut Examined<'_>) {
        if matches!(value, Value::Bool(_) | Value::Null | Value::Number(_)) {
            return;
        }
        let shapes = self.expand(ids);
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let within = shapes.iter().filter_map(|shape| shape.prefix.get(at).copied().or(shape.items));
                    self.examine_below(&within.collect::<Vec<_>>(), item, &Trail::Index(trail, at), found);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let place = Trail::Name(trail, name);
                    if !shapes.iter().any(|shape| shape.properties.contains_key(name.as_str())) {
                        if PROTOTYPES.contains(&name.as_str()) {
                            found.refuse(&place, Code::Undeclared, "is not declared");
                        } else if let Some(message) = deceives(name) {
                            found.refuse(&place, Code::Invalid, message);
                        }
                    }
                    let within = verdict(&shapes, name).unwrap_or_default();
                    self.examine_below(&within, member, &place, found);
                }
            }
            Value::String(text) if !shapes.iter().any(|shape| shape.rules_text) => {
                if let Some(message) = deceives(text) {
                    found.refuse(trail, Code::Invalid, message);
                }
                if text.contains('<') && !shapes.iter().any(|shape| shape.is_markup) {
                    found.free.push(trail.pointer());
                }
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The shapes together with all their parts, each once.
    fn expand(&self, ids: &[usize]) -> Vec<&Shape> {
        let mut seen: Vec<usize> = Vec::with_capacity(8);
        for whole in ids.iter().filter_map(|id| self.nodes.get(*id)) {
            for id in &whole.whole {
                if !seen.contains(id) {
                    seen.push(*id);
                }
            }
        }
        seen.into_iter().filter_map(|id| self.nodes.get(id)).collect()
    }

    /// The shape at `id` and all its parts, and theirs.
    fn closure(&self, id: usize) -> Box<[usize]> {
        let (mut seen, mut waiting) = (Vec::new(), vec![id]);
        while let Some(id) = waiting.pop() {
            if !seen.contains(&id) {
                seen.push(id);
                waiting.extend(self.nodes.get(id).into_iter().flat_map(|shape| shape.parts.iter().copied()));
            }
        }
        seen.into()
    }

    fn add(&mut self, schema: &Value) -> usize {
        let shape = self.shape(schema);
        self.nodes.push(shape);
        self.nodes.len() - 1
    }

    fn shape(&mut self, schema: &Value) -> Shape {
        let mut shape = Shape::default();
        for (key, value) in schema.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("$ref" | LINK, Value::String(reference)) => {
                    shape.parts.extend(reference.rsplit('/').next().and_then(|id| id.parse::<usize>().ok()));
                }
                ("const" | "enum" | "pattern", _) => shape.rules_text = true,
                // A format that nobody checks restricts nothing.
                ("format", Value::String(format)) => shape.rules_text |= CHECKED_FORMATS.contains(&format.as_str()),
                (MARKUP, Value::Bool(true)) => shape.is_markup = true,
                ("properties", Value::Object(properties)) => {
                    shape.declares = true;
                    for (name, member) in properties {
                        let property = if *member == Value::Bool(false) {
                            Property::Hidden
                        } else {
                            Property::Shown(self.add(member))
                        };
                        shape.properties.insert(name.as_str().into(), property);
                    }
                }
                ("patternProperties", Value::Object(patterns)) => {
                    shape.declares = true;
                    for (pattern, member) in patterns {
                        // Every pattern was compiled before, by the same engine after a translation; one that needs
                        // the translation matches nothing here, and so hides.
                        if let Ok(regex) = Regex::new(pattern) {
                            shape.patterns.push((regex, self.add(member)));
                        }
                    }
                }
                ("additionalProperties" | "unevaluatedProperties", Value::Bool(open)) => {
                    shape.declares = true;
                    shape.open |= *open;
                }
                ("additionalProperties" | "unevaluatedProperties", member) => {
                    shape.declares = true;
                    shape.additional = Some(self.add(member));
                }
                ("prefixItems", Value::Array(items)) => {
                    shape.prefix = items.iter().map(|item| self.add(item)).collect()
                }
                ("items", member) => shape.items = Some(self.add(member)),
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                    shape.parts.extend(parts.iter().map(|part| self.add(part)).collect::<Vec<_>>());
                }
                ("then" | "else", part) => shape.parts.push(self.add(part)),
                ("dependentSchemas", Value::Object(parts)) => {
                    shape.parts.extend(parts.values().map(|part| self.add(part)).collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        shape
    }
}

/// The shapes of a property's value, or `None` when no shape declares the property or one hides it.
fn verdict(shapes: &[&Shape], name: &str) -> Option<Vec<usize>> {
    let mut within = Vec::new();
    let mut declared = false;
    for shape in shapes {
        let before = within.len();
        match shape.properties.get(name) {
            Some(Property::Hidden) => return None,
            Some(Property::Shown(id)) => within.push(*id),
            None => {}
        }
        within.extend(shape.patterns.iter().filter(|(regex, _)| regex.is_match(name)).map(|(_, id)| *id));
        if within.len() == before {
            within.extend(shape.additional);
            declared |= shape.open;
        }
    }
    (declared || !within.is_empty()).then_some(within)
}

/// Whether a text has characters that no text needs: terminals, logs and C programs act on them.
pub(crate) fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, 0..0x20 | 0x7f) && !matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// What is wrong with a text that no schema restricts, whatever it says.
pub(crate) fn deceives(text: &str) -> Option<&'static str> {
    if has_control(text) {
        return Some("must not contain control characters");
    }
    // Most texts are ASCII, which has none of these.
    (!text.is_ascii() && text.contains(TURNS))
        .then_some("must not contain characters that turn the direction of writing")
}

/// The embeddings, overrides and isolates of the bidirectional algorithm (UAX #9 section 2). The marks U+200E, U+200F and
/// U+061C, which turn nothing but themselves, are part of ordinary Arabic and Hebrew.
const TURNS: [char; 9] =
    ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
const PROTOTYPES: [&str; 3] = ["__proto__", "constructor", "prototype"];
/// The formats that the engine checks and that leave no room for other text.
const CHECKED_FORMATS: [&str; 15] = [
    "byte",
    "date",
    "date-time",
    "duration",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];
