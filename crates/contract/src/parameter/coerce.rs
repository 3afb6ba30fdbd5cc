//! Texts of a URL, a header or a form turned into typed values, only where the writing is exact.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::document::{Document, items, members};

/// What types a text can become.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coercion {
    boolean: bool,
    integer: bool,
    number: bool,
    string: bool,
    items: Option<Box<Self>>,
    object: bool,
    /// Whether it may have properties that it does not name.
    open: bool,
    properties: Vec<(Box<str>, Self)>,
    /// Whether its bytes are not text, and how many of them there may be.
    binary: bool,
    lengths: (Option<u64>, Option<u64>),
}

impl Coercion {
    /// Reads the types out of a schema.
    pub(crate) fn of(document: &Document, schema: &Value) -> Self {
        let mut coercion = Self::default();
        let mut left = MAX_SCHEMAS;
        coercion.collect(document, schema, MAX_DEPTH, &mut left);
        coercion
    }

    /// Whether it is a list and nothing else.
    pub(crate) fn is_list(&self) -> bool {
        self.items.is_some()
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.object
    }

    /// Whether it is an object that states that it may have properties which it does not name.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether it is a file rather than a text: it says so, or it says nothing.
    pub(crate) fn is_binary(&self) -> bool {
        let typed = self.boolean || self.integer || self.number || self.string || self.object || self.items.is_some();
        self.binary || !typed
    }

    /// `minLength` and `maxLength`.
    pub(crate) fn lengths(&self) -> (Option<u64>, Option<u64>) {
        self.lengths
    }

    /// The coercion of the items of a list.
    pub(crate) fn items(&self) -> Option<&Self> {
        self.items.as_deref()
    }

    /// The named properties of an object.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.properties.iter().map(|(name, coercion)| (name.as_ref(), coercion))
    }

    /// The coercion of a property.
    pub(crate) fn property(&self, name: &str) -> Option<&Self> {
        self.properties.iter().find(|(known, _)| **known == *name).map(|(_, coercion)| coercion)
    }

    /// A text as the first type that it exactly is. A text that is none of them stays a text, which its schema refuses.
    pub(crate) fn scalar(&self, text: &str) -> Value {
        let boolean = || match text {
            "true" if self.boolean => Some(Value::Bool(true)),
            "false" if self.boolean => Some(Value::Bool(false)),
            _ => None,
        };
        let integer = || (self.integer || self.number).then(|| integer(text)).flatten();
        let number = || self.number.then(|| number(text)).flatten();
        boolean().or_else(integer).or_else(number).unwrap_or_else(|| Value::String(text.to_owned()))
    }

    /// Several texts as a list; one text where the schema also allows a single value as that.
    pub(crate) fn list(&self, texts: &[Cow<'_, str>]) -> Value {
        let single = self.boolean || self.integer || self.number || self.string;
        match (&self.items, texts) {
            (Some(_), [text]) if single => self.scalar(text),
            (Some(items), texts) => texts.iter().map(|text| items.scalar(text)).collect(),
            (None, texts) => texts.iter().map(|text| self.scalar(text)).collect(),
        }
    }

    /// Named texts as an object; `Err` names a property that is there twice and is no list.
    pub(crate) fn object(&self, pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<Value, String> {
        let mut groups: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
        for (name, text) in pairs {
            match groups.iter_mut().find(|(known, _)| *known == name) {
                None => groups.push((name, vec![text])),
                Some((_, texts)) if self.property(&name).is_some_and(Self::is_list) => texts.push(text),
                Some(_) => return Err(name.into_owned()),
            }
        }
        let read = |(name, texts): (Cow<'_, str>, Vec<Cow<'_, str>>)| {
            let value = match (self.property(&name), texts.as_slice()) {
                (Some(property), texts) if property.is_list() => property.list(texts),
                (Some(property), [text]) => property.scalar(text),
                (_, texts) => texts.concat().into(),
            };
            (name.into_owned(), value)
        };
        Ok(Value::Object(groups.into_iter().map(read).collect()))
    }

    /// Reads `schema`, whose properties and items may go `depth` levels down; `left` schemas may still be read.
    fn collect(&mut self, document: &Document, schema: &Value, depth: usize, left: &mut usize) {
        match left.checked_sub(1) {
            None => return,
            Some(fewer) => *left = fewer,
        }
        let schema = document.follow(schema);
        let mut name = |kind: &str| match kind {
            "array" => {
                self.items.get_or_insert_default();
            }
            "boolean" => self.boolean = true,
            "integer" => self.integer = true,
            "number" => self.number = true,
            "object" => self.object = true,
            "string" => self.string = true,
            _ => {}
        };
        match schema.get("type") {
            Some(Value::String(kind)) => name(kind),
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).for_each(name),
            _ => items(schema, "enum").chain(schema.get("const")).for_each(|value| name(type_of(value))),
        }
        if let Some(member) = schema.get("items") {
            let items = self.items.get_or_insert_default();
            if depth > 0 {
                items.collect(document, member, depth - 1, left);
            }
        }
        for (name, member) in members(schema, "properties") {
            self.object = true;
            if depth > 0 {
                let mut property = Self::default();
                property.collect(document, member, depth - 1, left);
                self.properties.push((name.as_str().into(), property));
            }
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        self.binary |= text("format") == Some("binary")
            || (text("contentMediaType").is_some() && text("contentEncoding").is_none());
        let number = |key: &str| schema.get(key).and_then(Value::as_u64);
        self.lengths = (number("minLength").or(self.lengths.0), number("maxLength").or(self.lengths.1));
        let stated = schema.get("additionalProperties").is_some_and(|rest| *rest != Value::Bool(false));
        self.open |= stated || schema.get("patternProperties").is_some();
        for part in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| items(schema, key)) {
            self.collect(document, part, depth, left);
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Object(_) => "object",
        Value::String(_) => "string",
    }
}

/// A whole number in its one canonical writing: no sign but `-`, no leading zero, no exponent.
fn integer(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

/// A number as JSON writes it (RFC 8259 section 6).
fn number(text: &str) -> Option<Value> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let exponent_fits = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    let canonical = digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0'));
    // A whole number that reached this place has no 64-bit type.
    let is_whole = fraction.is_none() && exponent.is_none();
    if !canonical || is_whole || !fraction.is_none_or(digits) || !exponent_fits {
        return None;
    }
    text.parse().ok().and_then(Number::from_f64).map(Value::Number)
}

/// A property of a form, a property of that, and an item of that.
const MAX_DEPTH: usize = 3;
/// Ends compositions that contain themselves.
const MAX_SCHEMAS: usize = 1000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_exact_writings_are_numbers() {
        let integers = Coercion { integer: true, ..Coercion::default() };
        for (text, expect) in [("0", json!(0)), ("-7", json!(-7)), ("18446744073709551615", json!(u64::MAX))] {
            assert_eq!(integers.scalar(text), expect, "{text}");
        }
        for text in ["01", "-0", "+1", "1e3", "1.0", " 1", "1 ", "", "-", "0x1", "１", "18446744073709551616"] {
            assert_eq!(integers.scalar(text), json!(text), "{text}");
        }
        let numbers = Coercion { number: true, ..Coercion::default() };
        for (text, expect) in [("1", json!(1)), ("1.5", json!(1.5)), ("-1e3", json!(-1000.0)), ("1E+2", json!(100.0))] {
            assert_eq!(numbers.scalar(text), expect, "{text}");
        }
        for text in ["1.", ".5", "1e", "01.5", "1e999", "NaN", "inf", "1_0", "18446744073709551616"] {
            assert_eq!(numbers.scalar(text), json!(text), "{text}");
        }
    }
}
