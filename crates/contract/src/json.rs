//! A JSON reader that refuses every text which two programs could read differently.
//!
//! `serde_json` keeps the last of two equal keys and turns a whole number beyond 64 bits into the nearest float; a
//! backend may keep the first key, or every digit. What is checked here must be what is acted on there, so both are
//! errors (RFC 8259 sections 4 and 6 call them unpredictable). Depth and size have caps, and one text is one value.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::violation::Trail;

/// How deep and how large a text may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// Arrays and objects within each other.
    pub(crate) depth: usize,
    /// Values in all.
    pub(crate) nodes: usize,
}

impl Caps {
    /// For a message of a client or a backend.
    pub(crate) const MESSAGE: Self = Self { depth: 32, nodes: 100_000 };
    /// For a contract, which its owner wrote.
    pub(crate) const CONTRACT: Self = Self { depth: 100, nodes: 4_000_000 };
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A key is there twice; the pointer of the second.
    Duplicate(String),
    /// It is not JSON.
    Malformed,
    /// A number that no 64-bit type holds.
    Number,
    /// Too deep, or too many values.
    TooLarge,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate(_) => "must not name a property twice",
            Self::Malformed => "must be one JSON value",
            Self::Number => "must not contain a number beyond 64 bits",
            Self::TooLarge => "must not be nested this deep or hold this many values",
        })
    }
}

/// Reads one JSON text.
pub(crate) fn read(bytes: &[u8], caps: Caps) -> Result<Value, Fault> {
    if !numbers_fit(bytes) {
        return Err(Fault::Number);
    }
    let state = RefCell::new(State { fault: None, nodes: caps.nodes });
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { state: &state, depth: caps.depth, trail: &Trail::Root };
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|_| state.into_inner().fault.unwrap_or(Fault::Malformed))
}

struct State {
    fault: Option<Fault>,
    nodes: usize,
}

/// Reads one value at the end of `trail`.
struct Seed<'s> {
    state: &'s RefCell<State>,
    depth: usize,
    trail: &'s Trail<'s>,
}

impl Seed<'_> {
    fn refuse<E: serde::de::Error>(&self, fault: Fault) -> E {
        self.state.borrow_mut().fault.get_or_insert(fault);
        E::custom("refused")
    }

    fn deeper<'a, E: serde::de::Error>(&'a self, trail: &'a Trail<'a>) -> Result<Seed<'a>, E> {
        match self.depth.checked_sub(1) {
            None => Err(self.refuse(Fault::TooLarge)),
            Some(depth) => Ok(Seed { state: self.state, depth, trail }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.state.borrow().nodes.checked_sub(1);
        match left {
            None => return Err(self.refuse(Fault::TooLarge)),
            Some(left) => self.state.borrow_mut().nodes = left,
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| self.refuse(Fault::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper(self.trail)?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let trail = Trail::Name(self.trail, &key);
            if map.contains_key(&key) {
                return Err(self.refuse(Fault::Duplicate(trail.pointer())));
            }
            let value = members.next_value_seed(self.deeper::<A::Error>(&trail)?).map_err(A::Error::custom)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Whether every whole number of the text fits 64 bits and every other number is finite. A scan of its own, because a
/// deserializer no longer tells `18446744073709551616` from `18446744073709551616.0`.
fn numbers_fit(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
                let (token, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
                if !number_fits(token) {
                    return false;
                }
                after
            }
            _ => after,
        };
    }
    true
}

/// What follows the closing quote.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
        }
    }
}

fn number_fits(token: &[u8]) -> bool {
    // Tokens that are no numbers at all are left to the parser, which has the better error.
    let Ok(text) = std::str::from_utf8(token) else { return true };
    if text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()) {
        let leading_zero = text.trim_start_matches('-').starts_with('0');
        return text == "-" || leading_zero || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    }
    text.parse::<f64>().map_or(true, f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_message(text: &str) -> Result<Value, Fault> {
        read(text.as_bytes(), Caps::MESSAGE)
    }

    #[test]
    fn refuses_what_can_be_read_two_ways() {
        let duplicate = |pointer: &str| Fault::Duplicate(pointer.to_owned());
        for (text, expect) in [
            (r#"{"a":1,"a":2}"#, duplicate("/a")),
            (r#"{"a":1,"\u0061":2}"#, duplicate("/a")),
            (r#"[{"b":{"a":1,"a":2}}]"#, duplicate("/b/a")),
            ("18446744073709551616", Fault::Number),
            ("[-9223372036854775809]", Fault::Number),
            ("1e999", Fault::Number),
            (r#"{"a":-1e999}"#, Fault::Number),
            ("", Fault::Malformed),
            ("1 2", Fault::Malformed),
            ("{} x", Fault::Malformed),
            ("01", Fault::Malformed),
            ("-", Fault::Malformed),
            ("\u{feff}1", Fault::Malformed),
            ("[1,]", Fault::Malformed),
            ("NaN", Fault::Malformed),
            (r#""\ud800""#, Fault::Malformed),
        ] {
            assert_eq!(read_message(text), Err(expect), "{text}");
        }
        assert_eq!(read(b"\"\xff\"", Caps::MESSAGE), Err(Fault::Malformed));
    }

    #[test]
    fn caps_depth_and_size() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_message(&nested(32)).is_ok());
        assert_eq!(read_message(&format!("{}1{}", "[".repeat(33), "]".repeat(33))), Err(Fault::TooLarge));
        assert_eq!(read_message(&nested(5000)), Err(Fault::TooLarge));
        assert_eq!(read_message(&format!("[{}1]", "1,".repeat(100_000))), Err(Fault::TooLarge));
    }

    #[test]
    fn keeps_exact_numbers() {
        for (text, expect) in [
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1e30", json!(1e30)),
            ("0.1", json!(0.1)),
            (
                r#""99999999999999999999 \" 99999999999999999999""#,
                json!("99999999999999999999 \" 99999999999999999999"),
            ),
        ] {
            assert_eq!(read_message(text), Ok(expect), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}:,"\\0-9eE.+a \-]{0,60}"#) {
            let _ = read(&bytes, Caps::MESSAGE);
            // Whatever passes here, serde_json reads to the same value.
            if let Ok(value) = read_message(&text) {
                prop_assert_eq!(Some(value), serde_json::from_str(&text).ok());
            }
        }

        #[test]
        fn agrees_with_serde_json(value in values()) {
            let text = value.to_string();
            prop_assert_eq!(read_message(&text).ok(), serde_json::from_str(&text).ok());
        }
    }
}
