//! What can be said of a value without keeping it: its type, its format and its length.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of a value, in the words of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A list.
    Array,
    /// Yes or no.
    Boolean,
    /// A whole number.
    Integer,
    /// Nothing.
    Null,
    /// Another number.
    Number,
    /// Members by name.
    Object,
    /// A text.
    String,
}

impl Kind {
    /// As a contract writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Null => "null",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }
}

/// What was seen of a value.
///
/// ```
/// use palisade_contract::drift::{self, Kind, Seen};
///
/// let line = r#"{"in":"request","at":"/body/mail","rule":"undeclared","type":"string","format":"email","length":9}"#;
/// let Seen { kind, format, length } = drift::read(line).unwrap().seen;
/// assert_eq!((kind, format.as_deref(), length), (Some(Kind::String), Some("email"), Some(9)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The format of a text, by the name that contracts have for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How many characters or items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

impl Seen {
    /// Of a value.
    pub(super) fn of(value: &Value) -> Self {
        let (kind, length) = match value {
            Value::Array(items) => (Kind::Array, Some(items.len())),
            Value::Bool(_) => (Kind::Boolean, None),
            Value::Null => (Kind::Null, None),
            Value::Number(number) if number.is_f64() => (Kind::Number, None),
            Value::Number(_) => (Kind::Integer, None),
            Value::Object(_) => (Kind::Object, None),
            Value::String(text) => (Kind::String, Some(text.chars().count())),
        };
        let format = value.as_str().and_then(format).map(str::to_owned);
        Self { kind: Some(kind), format, length: length.and_then(|length| u64::try_from(length).ok()) }
    }

    /// Of a text that may stand for a number or a truth value, as parameters do.
    pub(super) fn of_text(text: &str) -> Self {
        let plain = text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        let value = match text {
            "true" | "false" => Value::Bool(true),
            _ if plain && text.parse::<i64>().is_ok() => Value::from(0),
            _ if plain && text.parse::<f64>().is_ok() => Value::from(0.5),
            _ => return Self::of(&Value::from(text)),
        };
        Self::of(&value)
    }
}

/// The format of a text, where it has one that people would write into a contract. An empty text has none.
fn format(text: &str) -> Option<&'static str> {
    let is = |pattern: &str| text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(|(b, p)| fits(b, p));
    if is("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") {
        return Some("uuid");
    }
    if is("dddd-dd-dd") {
        return Some("date");
    }
    let (date, time) = (text.get(..11).unwrap_or_default(), text.get(11..).unwrap_or_default());
    let ends = time.ends_with('Z') || time.get(time.len().saturating_sub(6)..).is_some_and(is_offset);
    if date.ends_with('T')
        && time.get(..8).is_some_and(|time| time.bytes().zip(*b"dd:dd:dd").all(|(b, p)| fits(b, p)))
        && ends
    {
        return Some("date-time");
    }
    (text.starts_with("https://") || text.starts_with("http://")).then_some("uri")
}

fn is_offset(text: &str) -> bool {
    text.len() == 6 && text.starts_with(['+', '-']) && text.bytes().skip(1).zip(*b"dd:dd").all(|(b, p)| fits(b, p))
}

fn fits(byte: u8, pattern: u8) -> bool {
    match pattern {
        b'd' => byte.is_ascii_digit(),
        b'h' => byte.is_ascii_hexdigit(),
        other => byte == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_contracts() {
        for (text, expect) in [
            ("2026-11-01", Some("date")),
            ("2026-11-01T10:00:00Z", Some("date-time")),
            ("2026-11-01T10:00:00.123+02:00", Some("date-time")),
            ("2026-11-01T10:00", None),
            ("c56a4180-65aa-42ec-a945-5fd21dec0538", Some("uuid")),
            ("https://a.example", Some("uri")),
            ("ä-ö", None),
            ("", None),
        ] {
            assert_eq!(format(text), expect, "{text}");
        }
    }

    #[test]
    fn texts_of_parameters_have_types() {
        for (text, expect) in [
            ("7", Kind::Integer),
            ("-7", Kind::Integer),
            ("7.5", Kind::Number),
            ("true", Kind::Boolean),
            ("a", Kind::String),
            ("", Kind::String),
            ("99999999999999999999", Kind::String),
            ("inf", Kind::String),
        ] {
            assert_eq!(Seen::of_text(text).kind, Some(expect), "{text}");
        }
    }
}
