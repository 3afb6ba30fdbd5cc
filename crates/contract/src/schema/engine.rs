//! Translated schemas compiled into validators, once, without ever fetching anything.
//!
//! The engine compiles a `$ref` by compiling its target again, so a contract whose schemas all refer to each other
//! would take quadratic time and memory. References from a property or an item are therefore links: a keyword of our
//! own that asks the validator of the other definition when a value is checked. Only references that speak about the
//! same value stay references, because `unevaluatedProperties` has to see through them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::Location;
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, ValidationOptions, Validator};
use palisade_core::diagnostic::Diagnostic;
use serde_json::{Map, Value, json};

use crate::destination::Destinations;
use crate::direct::{Checked, Direct, Wanted};
use crate::json::Caps;
use crate::report::Report;
use crate::schema::definition::{Definition, DefinitionId};
use crate::schema::keyword::{DESTINATIONS, LINK};
use crate::schema::shape::Shapes;
use crate::schema::{circle, explain, pattern};
use crate::violation::Violation;

/// All compiled schemas of a contract.
pub(crate) struct Schemas {
    table: Arc<Table>,
    shapes: Shapes,
    direct: Direct,
}

/// The validators, by definition. Links hold it weakly: it holds them.
type Table = OnceLock<BTreeMap<DefinitionId, Validator>>;

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.table.get().map_or(0, BTreeMap::len);
        f.debug_struct("Schemas").field("validators", &count).finish_non_exhaustive()
    }
}

impl Schemas {
    /// Compiles those definitions that are `wanted`, and all that they link to. `None` when a problem was reported.
    pub(crate) fn compile(
        definitions: &[Definition],
        wanted: &BTreeSet<DefinitionId>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let mut sound = true;
        let mut patterns = HashSet::new();
        for definition in definitions {
            sound &= check_against_meta_schema(definition, report);
            sound &= pattern::check(&definition.schema, &definition.pointer, &mut patterns, report);
        }
        // A circle of references is already told; following it again would tell it twice.
        if !sound || report.has_errors() || !circle::check(definitions, report) {
            return None;
        }
        let mut roots = wanted.clone();
        for definition in definitions {
            let mut linked = Vec::new();
            circle::collect_named(&definition.schema, LINK, &mut linked);
            roots.extend(linked);
        }
        let table = Arc::new(Table::new());
        let options = linking(&Arc::downgrade(&table));
        let mut validators = BTreeMap::new();
        for id in roots {
            match options.build(&with_parts(id, definitions)) {
                Ok(validator) => {
                    validators.insert(id, validator);
                }
                Err(error) => {
                    sound = false;
                    let pointer = definitions.get(id).map_or("", |definition| &definition.pointer);
                    let message = format!("the schema cannot be compiled: {}", error.masked());
                    report.add(pointer, Diagnostic::error("schema-invalid", message));
                }
            }
        }
        // Fresh tables are empty, so this cannot fail.
        let filled = table.set(validators).is_ok();
        (sound && filled).then(|| Self {
            table,
            shapes: Shapes::build(definitions),
            direct: Direct::build(definitions),
        })
    }

    /// Everything in which a value departs from a definition; `base` is the pointer of the value itself.
    pub(crate) fn check(&self, id: DefinitionId, value: &Value, base: &str) -> Vec<Violation> {
        if self.is_valid(id, value) { Vec::new() } else { self.explain(id, value, base) }
    }

    /// Whether a value meets a definition.
    pub(crate) fn is_valid(&self, id: DefinitionId, value: &Value) -> bool {
        self.validator(id).is_some_and(|validator| validator.is_valid(value))
    }

    /// Everything in which a value that is not valid departs from a definition.
    pub(crate) fn explain(&self, id: DefinitionId, value: &Value, base: &str) -> Vec<Violation> {
        match self.validator(id) {
            Some(validator) => explain::violations(validator.iter_errors(value), value, base, self),
            // INVARIANT: every id that an operation keeps was wanted. A gap must refuse, not let pass.
            None => vec![explain::uncompiled(base)],
        }
    }

    /// Whether a text is valid as it is, if one pass over it can tell. In an answer, nothing of it has to be taken out; in a
    /// request, [`Schemas::examine`] would refuse nothing and find no text with `<`.
    pub(crate) fn direct(&self, id: DefinitionId, text: &[u8], caps: &Caps, wanted: Wanted) -> Option<Checked> {
        self.direct.check(id, text, caps, wanted)
    }

    /// Whether one look at a single value of a request tells that it is valid, and that [`Schemas::examine`] would refuse
    /// nothing.
    pub(crate) fn is_plainly_valid(&self, id: DefinitionId, value: &Value) -> bool {
        self.direct.check_single(id, value).is_some()
    }

    fn validator(&self, id: DefinitionId) -> Option<&Validator> {
        self.table.get().and_then(|table| table.get(&id))
    }

    /// Takes out of a value what a definition does not declare, and names the places.
    pub(crate) fn strip(&self, id: DefinitionId, value: &mut Value) -> Vec<String> {
        self.shapes.strip(id, value)
    }

    /// The pointers of all texts with a `<` that a definition does not restrict; refuses what no schema says a word about and no
    /// backend expects ([`Shapes::examine`]).
    pub(crate) fn examine(
        &self,
        id: Option<DefinitionId>,
        value: &Value,
        base: &str,
    ) -> Result<Vec<String>, Vec<Violation>> {
        self.shapes.examine(id, value, base)
    }
}

/// The engine's settings, which are the same everywhere.
pub(crate) fn options<'r>() -> ValidationOptions<'r> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_LIMIT))
        .should_validate_formats(true)
        .offline()
        .with_format("byte", is_base64)
        .with_keyword(DESTINATIONS, destinations)
}

fn linking<'r>(table: &Weak<Table>) -> ValidationOptions<'r> {
    let table = Weak::clone(table);
    options().with_keyword(LINK, move |_, value, _| {
        let id = value.as_str().and_then(|id| id.parse().ok());
        let link = id.map(|id| Box::new(Link { id, table: Weak::clone(&table) }) as Box<dyn for<'i> Keyword<'i>>);
        link.ok_or_else(|| ValidationError::custom("a link names a definition"))
    })
}

/// A definition together with those that it refers to about the same value.
fn with_parts(id: DefinitionId, definitions: &[Definition]) -> Value {
    let mut parts = Map::new();
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        let Some(definition) = definitions.get(id).filter(|_| !parts.contains_key(&id.to_string())) else { continue };
        circle::collect_named(&definition.schema, "$ref", &mut waiting);
        parts.insert(id.to_string(), definition.schema.clone());
    }
    json!({"$ref": format!("#/$defs/{id}"), "$defs": parts})
}

struct Link {
    id: DefinitionId,
    table: Weak<Table>,
}

impl<'i> Keyword<'i> for Link {
    /// The message is the number of the definition; [`explain`] asks that one what is wrong.
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(self.id.to_string())) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let table = self.table.upgrade();
        let validator = table.as_ref().and_then(|table| table.get()).and_then(|table| table.get(&self.id));
        validator.is_some_and(|validator| validator.is_valid(instance))
    }
}

fn destinations<'a>(
    _: &'a Map<String, Value>,
    value: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let hosts = value.as_array().map(|hosts| hosts.iter().filter_map(Value::as_str).map(Into::into).collect());
    Ok(Box::new(DestinationKeyword(hosts.map_or(Destinations::Public, Destinations::Listed))))
}

struct DestinationKeyword(Destinations);

impl<'i> Keyword<'i> for DestinationKeyword {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(self.0.describe())) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        instance.as_str().is_none_or(|text| self.0.allow(text))
    }
}

/// OpenAPI 3.0's `format: byte` (RFC 4648 section 4).
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padded = text.len().is_multiple_of(4) && text.len() - body.len() <= 2;
    padded && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn check_against_meta_schema(definition: &Definition, report: &mut Report<'_>) -> bool {
    let Err(error) = jsonschema::draft202012::meta::validate(&definition.schema) else { return true };
    // The translation has the places of the original, but for what it moved into `allOf`.
    let pointer = format!("{}{}", definition.pointer, error.instance_path().as_str());
    let message = match (error.kind(), pointer.rsplit('/').next()) {
        (ValidationErrorKind::AnyOf { .. }, Some(keyword)) => format!("`{keyword}` cannot have this value"),
        _ => format!("not a valid schema: {error}"),
    };
    report.add(&pointer, Diagnostic::error("schema-invalid", message));
    false
}

const PATTERN_LIMIT: usize = 10 * 1024 * 1024;
