//! Which schemas one pass can check: those made of the keywords that stand in [`Spec::read`].

use serde_json::{Map, Value};

use super::format::Format;
use super::pattern::Pattern;
use super::{Array, Bounds, Direct, Node, Object, Text};
use crate::schema::definition::Definition;
use crate::schema::keyword::{LINK, MARKUP};
use crate::schema::mode::Mode;

/// Reads all definitions.
pub(super) fn build(definitions: &[Definition]) -> Direct {
    let mut planner = Planner { definitions, nodes: Vec::new(), mode: Mode::Answer };
    planner.nodes.resize_with(definitions.len(), || None);
    for (id, definition) in definitions.iter().enumerate() {
        planner.mode = definition.mode;
        let node = planner.node(&definition.schema);
        if let Some(place) = planner.nodes.get_mut(id) {
            *place = node;
        }
    }
    Direct { nodes: planner.nodes }
}

struct Planner<'d> {
    definitions: &'d [Definition],
    nodes: Vec<Option<Node>>,
    /// Of the definition that is being read.
    mode: Mode,
}

/// What the parts of a schema say together.
#[derive(Default)]
struct Spec<'d> {
    kinds: Option<Vec<&'d str>>,
    bounds: Vec<(Bound, f64)>,
    lengths: Vec<(Size, usize)>,
    patterns: Vec<&'d str>,
    format: Option<&'d str>,
    values: Option<&'d [Value]>,
    is_markup: bool,
    properties: Vec<(&'d str, &'d Value)>,
    required: Vec<&'d str>,
    /// Whether one of the parts closes itself: then no other may have properties.
    closes: usize,
    parts_with_properties: usize,
    items: Option<&'d Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Least,
    Most,
    Above,
    Below,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    LeastText,
    MostText,
    LeastItems,
    MostItems,
}

impl<'d> Planner<'d> {
    /// The node of a schema, unless it takes the engine to check it.
    fn node(&mut self, schema: &'d Value) -> Option<Node> {
        let mut spec = Spec::default();
        spec.read(schema, self.definitions, MAX_PARTS)?;
        self.assemble(&spec)
    }

    /// The number of a node for a value within.
    fn within(&mut self, schema: &'d Value) -> usize {
        let linked = schema.as_object().filter(|object| object.len() == 1).and_then(|object| object.get(LINK));
        if let Some(id) = linked.and_then(number_of).filter(|id| *id < self.definitions.len()) {
            return id;
        }
        let node = self.node(schema);
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn assemble(&mut self, spec: &Spec<'d>) -> Option<Node> {
        let allows = |kind: &str| match &spec.kinds {
            Some(kinds) => kinds.contains(&kind),
            // Where no type is named, only what the other words speak of is looked at here.
            None if spec.speaks_of_objects() => kind == "object",
            None if spec.items.is_some() => kind == "array",
            None => !matches!(kind, "object" | "array"),
        };
        let has_null = spec.values.is_none_or(|values| values.contains(&Value::Null));
        let is_listed = spec.values.is_some();
        let whole = allows("integer") && !allows("number");
        let object = if allows("object") && !is_listed { self.object(spec) } else { None };
        let array = if allows("array") && !is_listed { self.array(spec) } else { None };
        Some(Node {
            null: allows("null") && has_null,
            boolean: allows("boolean") && !is_listed,
            number: ((allows("integer") || allows("number")) && !is_listed).then(|| spec.range(whole)),
            text: if allows("string") { spec.text(self.mode) } else { None },
            array,
            object,
        })
    }

    fn array(&mut self, spec: &Spec<'d>) -> Option<Array> {
        // Without a word about its items anything may be in it, such as an object of which nothing is known.
        let items = self.within(spec.items?);
        let most = spec.sizes(Size::MostItems).min().unwrap_or(usize::MAX);
        Some(Array { least: spec.sizes(Size::LeastItems).max().unwrap_or(0), most, items })
    }

    fn object(&mut self, spec: &Spec<'d>) -> Option<Object> {
        if spec.closes > 0 && spec.parts_with_properties > 1 {
            return None;
        }
        let mut properties: Vec<(Box<str>, usize)> = Vec::new();
        for (name, schema) in &spec.properties {
            // Of two rules for one property both hold, and none of them here.
            if properties.iter().any(|(known, _)| **known == **name) {
                return None;
            }
            let id = self.within(schema);
            properties.push(((*name).into(), id));
        }
        let mut required = 0_u64;
        for name in &spec.required {
            required |= 1 << properties.iter().position(|(known, _)| **known == **name)?;
        }
        Some(Object { properties: properties.into(), required })
    }
}

impl<'d> Spec<'d> {
    /// Adds what a schema says. `None` where it says something that is not known here.
    fn read(&mut self, schema: &'d Value, definitions: &'d [Definition], depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let object = schema.as_object()?;
        for (key, value) in object {
            match (key.as_str(), value) {
                ("type", kinds) => self.kinds(kinds)?,
                ("minimum", bound) => self.bounds.push((Bound::Least, bound.as_f64()?)),
                ("maximum", bound) => self.bounds.push((Bound::Most, bound.as_f64()?)),
                ("exclusiveMinimum", bound) => self.bounds.push((Bound::Above, bound.as_f64()?)),
                ("exclusiveMaximum", bound) => self.bounds.push((Bound::Below, bound.as_f64()?)),
                ("minLength", size) => self.size(Size::LeastText, size)?,
                ("maxLength", size) => self.size(Size::MostText, size)?,
                ("minItems", size) => self.size(Size::LeastItems, size)?,
                ("maxItems", size) => self.size(Size::MostItems, size)?,
                ("pattern", Value::String(pattern)) => self.patterns.push(pattern),
                ("format", Value::String(format)) if self.format.is_none() => self.format = Some(format),
                ("enum", Value::Array(values)) if self.values.is_none() => self.values = Some(values),
                ("const", value) if self.values.is_none() => self.values = Some(std::slice::from_ref(value)),
                (MARKUP, Value::Bool(is_markup)) => self.is_markup |= is_markup,
                ("properties", Value::Object(properties)) => self.properties(properties)?,
                ("required", Value::Array(names)) => {
                    for name in names {
                        self.required.push(name.as_str()?);
                    }
                }
                ("additionalProperties", Value::Bool(false)) => self.closes += 1,
                // All that is declared is known here, and nothing else is let through in any case.
                ("unevaluatedProperties", Value::Bool(false)) => {}
                ("items", items) if self.items.is_none() && items.is_object() => self.items = Some(items),
                ("allOf", Value::Array(parts)) => {
                    for part in parts {
                        self.read(part, definitions, depth)?;
                    }
                }
                ("$ref" | LINK, reference) => {
                    self.read(&definitions.get(number_of(reference)?)?.schema, definitions, depth)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// A value must have one of the kinds that each part names.
    fn kinds(&mut self, kinds: &'d Value) -> Option<()> {
        let named: Vec<&str> = match kinds {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().map(Value::as_str).collect::<Option<_>>()?,
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => return None,
        };
        match &mut self.kinds {
            None => self.kinds = Some(named),
            // `integer` and `number` overlap without being equal; two lists are left to the engine.
            Some(known) if *known != named => return None,
            Some(_) => {}
        }
        Some(())
    }

    fn size(&mut self, kind: Size, size: &Value) -> Option<()> {
        self.lengths.push((kind, usize::try_from(size.as_u64()?).ok()?));
        Some(())
    }

    fn properties(&mut self, properties: &'d Map<String, Value>) -> Option<()> {
        self.parts_with_properties += 1;
        self.properties.extend(properties.iter().map(|(name, schema)| (name.as_str(), schema)));
        (self.properties.len() <= MAX_PROPERTIES).then_some(())
    }

    fn speaks_of_objects(&self) -> bool {
        self.parts_with_properties > 0 || !self.required.is_empty() || self.closes > 0
    }

    fn sizes(&self, kind: Size) -> impl Iterator<Item = usize> {
        self.lengths.iter().filter(move |(other, _)| *other == kind).map(|(_, size)| *size)
    }

    fn range(&self, whole: bool) -> Bounds {
        let of = |kind: Bound| self.bounds.iter().filter(move |(other, _)| *other == kind).map(|(_, bound)| *bound);
        Bounds {
            whole,
            least: of(Bound::Least).fold(f64::NEG_INFINITY, f64::max),
            most: of(Bound::Most).fold(f64::INFINITY, f64::min),
            above: of(Bound::Above).fold(f64::NEG_INFINITY, f64::max),
            below: of(Bound::Below).fold(f64::INFINITY, f64::min),
        }
    }

    fn text(&self, mode: Mode) -> Option<Text> {
        // Members that are no texts are for values that are none.
        let texts = |values: &[Value]| values.iter().filter_map(Value::as_str).map(Into::into).collect();
        let values: Option<Box<[Box<str>]>> = self.values.map(texts);
        let format = match self.format {
            None => None,
            Some(name) => Format::of(name)?,
        };
        let patterns = self.patterns.iter().map(|pattern| Pattern::of(pattern)).collect::<Option<Vec<_>>>()?;
        let rules = values.is_some() || !patterns.is_empty() || format.is_some_and(|format| format != Format::Email);
        let is_free = mode != Mode::Answer && !rules;
        Some(Text {
            least: self.sizes(Size::LeastText).max().unwrap_or(0),
            most: self.sizes(Size::MostText).min(),
            patterns,
            format,
            is_narrow: values.is_some() || format.is_some_and(|format| format != Format::Email),
            values,
            is_free,
            has_no_markup: is_free && !self.is_markup,
        })
    }
}

/// The number of a definition that is referred to.
fn number_of(reference: &Value) -> Option<usize> {
    reference.as_str()?.rsplit('/').next()?.parse().ok()
}

/// As many as a mask has bits.
const MAX_PROPERTIES: usize = 64;
/// How deep parts of one schema may be within each other.
const MAX_PARTS: usize = 16;
