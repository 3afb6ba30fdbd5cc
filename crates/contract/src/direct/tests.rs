//! One pass against the tree and the engine: what it lets through, they let through.

use proptest::prelude::*;
use std::collections::BTreeSet;

use palisade_core::diagnostic::Source;
use serde_json::{Value, json};

use super::Wanted;
use crate::document::{Dialect, Document};
use crate::json::{self, Caps};
use crate::report::Report;
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;

/// A schema compiled for one direction.
struct Compiled {
    schemas: Schemas,
    id: DefinitionId,
    mode: Mode,
}

fn compile(schema: Value, mode: Mode) -> Compiled {
    let source = Source::new("schema.json", format!("{schema:#}"));
    let mut report = Report::new(&source);
    let document = Document { root: schema, dialect: Dialect::V31 };
    let mut translator = Translator::new(&document, &mut report);
    let id = translator.define("", mode);
    let definitions = translator.finish();
    let schemas = Schemas::compile(&definitions, &BTreeSet::from([id]), &mut report);
    Compiled { schemas: schemas.unwrap_or_else(|| panic!("{:?}", report.finish())), id, mode }
}

impl Compiled {
    /// What one pass says: the canonical writing of the text if it knows it to be valid.
    fn direct(&self, text: &str, caps: &Caps) -> Option<Vec<u8>> {
        let checked = self.schemas.direct(self.id, text.as_bytes(), caps, Wanted::Canonical)?;
        Some(checked.canonical.unwrap_or_else(|| text.as_bytes().to_vec()))
    }

    /// The same by way of a tree and the engine.
    fn thorough(&self, text: &str, caps: &Caps) -> Option<Vec<u8>> {
        let (mut value, canonical) = json::read_canonical(text.as_bytes(), caps).ok()?;
        let is_whole = match self.mode {
            Mode::Answer => self.schemas.strip(self.id, &mut value).is_empty(),
            _ => self.schemas.examine(Some(self.id), &value, "").is_ok_and(|free| free.is_empty()),
        };
        let is_valid = is_whole && self.schemas.check(self.id, &value, "").is_empty();
        is_valid.then(|| canonical.unwrap_or_else(|| text.as_bytes().to_vec()))
    }

    /// Never wider: what one pass accepts, the others accept, and in the same writing.
    fn agrees(&self, text: &str, caps: &Caps) -> bool {
        let direct = self.direct(text, caps);
        let is_known = direct.is_some();
        if is_known {
            assert_eq!(direct, self.thorough(text, caps), "{text} {:?}", self.mode);
        }
        is_known
    }
}

/// One property for each rule that is known here.
fn rules() -> Value {
    json!({
        "type": "object",
        "required": ["id", "tag"],
        "properties": {
            "id": {"type": "integer", "minimum": 1, "format": "int64"},
            "tag": {"enum": ["a", "b", null]},
            "note": {"type": "string", "minLength": 1, "maxLength": 4},
            "page": {"type": "string", "x-palisade-markup": true},
            "sku": {"type": "string", "pattern": "^[A-Z]{1,3}-\\d+$"},
            "word": {"type": "string", "pattern": "^[a-z]{1,3}$"},
            "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 10.5},
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "date-time"},
            "mail": {"type": "string", "format": "email"},
            "key": {"type": "string", "format": "uuid"},
            "four": {"type": "string", "format": "ipv4"},
            "six": {"type": "string", "format": "ipv6"},
            "is_new": {"type": ["boolean", "null"]},
            "kind": {"const": "x"},
            "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"$ref": "#/$defs/part"}},
            "parts": {"allOf": [{"$ref": "#/$defs/part"}, {"type": "object", "properties": {"more": {"type": "string"}}}]},
            "any": {},
            "choice": {"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 2}]},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "secret": {"type": "string", "writeOnly": true},
            "given": {"type": "string", "readOnly": true}
        },
        "$defs": {"part": {"type": "object", "properties": {"n": {"type": "integer"}, "part": {"$ref": "#/$defs/part"}}}}
    })
}

fn both() -> [Compiled; 2] {
    [compile(rules(), Mode::Closed), compile(rules(), Mode::Answer)]
}

#[test]
fn what_is_usual_is_known() {
    for text in [
        r#"{"id":7,"tag":"a"}"#,
        r#"{"tag":null,"id":900000000000000}"#,
        "{ \"id\" : 7 ,\n\t\"tag\" : \"b\" }",
        r#"{"id":7,"tag":"a","note":"é\"\n","sku":"APL-17","word":"abc"}"#,
        r#"{"id":7,"tag":"a","price":10.5,"is_new":null,"kind":"x","any":true}"#,
        r#"{"id":7,"tag":"a","day":"2026-11-30","at":"2024-02-28T23:59:59.25+01:00","mail":"a.b@c.de"}"#,
        r#"{"id":7,"tag":"a","key":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","four":"10.0.0.1","six":"::1"}"#,
        r#"{"id":7,"tag":"a","list":[{"n":1},{"part":{"part":{"n":-5}}}],"parts":{"n":0,"more":"x","part":{}}}"#,
        r#"{"id":7,"tag":"a","page":"<b>bold</b>"}"#,
    ] {
        for compiled in both() {
            assert!(compiled.agrees(text, &Caps::default()), "{text} {:?}", compiled.mode);
        }
    }
}

#[test]
fn what_is_wrong_or_rare_is_left_to_others() {
    for text in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"id":7}"#,
        r#"{"id":7,"tag":"c"}"#,
        r#"{"id":7,"tag":"a"} x"#,
        r#"{"id":7,"tag":"a",}"#,
        r#"{"id":7,"tag":"a","id":7}"#,
        r#"{"id":0,"tag":"a"}"#,
        r#"{"id":7.5,"tag":"a"}"#,
        r#"{"id":07,"tag":"a"}"#,
        r#"{"id":-0,"tag":"a"}"#,
        r#"{"id":1e3,"tag":"a"}"#,
        r#"{"id":9007199254740993,"tag":"a"}"#,
        r#"{"id":7,"tag":7}"#,
        r#"{"id":7,"tag":"a","admin":true}"#,
        r#"{"id":7,"tag":"a","note":""}"#,
        r#"{"id":7,"tag":"a","note":"12345"}"#,
        r#"{"id":7,"tag":"a","sku":"APL-"}"#,
        r#"{"id":7,"tag":"a","word":"abcd"}"#,
        r#"{"id":7,"tag":"a","word":"ab1"}"#,
        r#"{"id":7,"tag":"a","price":0}"#,
        r#"{"id":7,"tag":"a","price":10.51}"#,
        r#"{"id":7,"tag":"a","price":.5}"#,
        r#"{"id":7,"tag":"a","day":"2026-02-30"}"#,
        r#"{"id":7,"tag":"a","at":"2026-11-30T24:00:00Z"}"#,
        r#"{"id":7,"tag":"a","mail":"a@b"}"#,
        r#"{"id":7,"tag":"a","key":"6ba7b810"}"#,
        r#"{"id":7,"tag":"a","four":"10.0.0.01"}"#,
        r#"{"id":7,"tag":"a","is_new":1}"#,
        r#"{"id":7,"tag":"a","kind":"y"}"#,
        r#"{"id":7,"tag":"a","list":[]}"#,
        r#"{"id":7,"tag":"a","list":[{},{},{}]}"#,
        r#"{"id":7,"tag":"a","list":[{"x":1}]}"#,
        r#"{"id":7,"tag":"a","parts":{"x":1}}"#,
        r#"{"id":7,"tag":"a","note":"\u0041"}"#,
        r#"{"id":7,"tag":"\u0061"}"#,
        "{\"id\":7,\"tag\":\"a\",\"note\":\"a\nb\"}",
        r#"{"id":7,"tag":"a","any":{"a":1,"a":2}}"#,
        r#"{"id":7,"tag":"a","choice":"abc"}"#,
        r#"{"id":7,"tag":"a","map":{"a":"b"}}"#,
        r#"{"id":7,"tag":"a","\u0069d":8}"#,
        r#"{"id":7,"tag":"a","is_new":tru}"#,
        r#"{"id":7,"tag":"a","is_new":trueish}"#,
    ] {
        for compiled in both() {
            assert_eq!(compiled.direct(text, &Caps::default()), None, "{text} {:?}", compiled.mode);
        }
    }
    let [request, answer] = both();
    for text in [r#"{"id":7,"tag":"a","note":"<b>"}"#, "{\"id\":7,\"tag\":\"a\",\"note\":\"\u{202e}\"}"] {
        assert!(request.direct(text, &Caps::default()).is_none() && answer.agrees(text, &Caps::default()), "{text}");
    }
    let (secret, given) = (r#"{"id":7,"tag":"a","secret":"s"}"#, r#"{"id":7,"tag":"a","given":"g"}"#);
    assert!(request.agrees(secret, &Caps::default()) && answer.direct(secret, &Caps::default()).is_none());
    assert!(answer.agrees(given, &Caps::default()) && request.direct(given, &Caps::default()).is_none());
}

#[test]
fn the_end_of_a_text_is_found_wherever_it_is() {
    for length in 0..40 {
        for (byte, letter) in [("\\u0041", "a"), ("\n", "é"), ("\u{1f}", "\u{80}")] {
            let plain = letter.repeat(length);
            let document = |note: &str| format!(r#"{{"id":7,"tag":"a","any":"{note}"}}"#);
            let answer = &both_once()[1];
            assert!(answer.agrees(&document(&plain), &Caps::default()), "{plain}");
            assert!(!answer.agrees(&document(&format!("{plain}{byte}{plain}")), &Caps::default()), "{plain}{byte:?}");
        }
    }
}

#[test]
fn texts_that_may_say_anything_are_named() {
    let answer = &both_once()[1];
    let text =
        r#"{"id":7,"tag":"a","note":"n\"1","day":"2026-11-30","mail":"a@b.cd","sku":"A-1","list":[{}],"any":""}"#;
    let checked = answer.schemas.direct(answer.id, text.as_bytes(), &Caps::default(), Wanted::Open).unwrap();
    let said: Vec<&str> = checked.open.into_iter().map(|place| text.get(place).unwrap()).collect();
    assert_eq!(said, [r#"n\"1"#, "a@b.cd", "A-1", ""]);
}

#[test]
fn single_values_are_known_as_they_are_in_an_object() {
    let known = rules();
    for (name, value, expect) in [
        ("id", json!(7), true),
        ("id", json!(0), false),
        ("id", json!(1_i64 << 40), false),
        ("tag", json!("b"), true),
        ("tag", json!(null), true),
        ("tag", json!("c"), false),
        ("note", json!("\u{1F34E}\u{1F34E}\u{1F34E}\u{1F34E}"), true),
        ("note", json!("12345"), false),
        ("note", json!("<b>"), false),
        ("is_new", json!(true), true),
        ("is_new", json!("true"), false),
    ] {
        let compiled = compile(known["properties"][name].clone(), Mode::Closed);
        assert_eq!(compiled.schemas.is_plainly_valid(compiled.id, &value), expect, "{name} {value}");
    }
}

#[test]
fn caps_hold() {
    let text = r#"{"id":7,"tag":"a","note":"1234","list":[{},{"part":{}}]}"#;
    let compiled = compile(rules(), Mode::Closed);
    let whole = Caps { depth: 4, nodes: 8, keys: 4, items: 2, string: 4, ..Caps::default() };
    assert!(compiled.agrees(text, &whole));
    for less in [
        Caps { depth: 3, ..whole },
        Caps { nodes: 7, ..whole },
        Caps { keys: 3, ..whole },
        Caps { items: 1, ..whole },
        Caps { string: 3, ..whole },
    ] {
        assert_eq!((compiled.direct(text, &less), compiled.thorough(text, &less)), (None, None), "{less:?}");
    }
}

/// Values that meet the rules more often than not.
fn values() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![
            Just("a"),
            Just("b"),
            Just("x"),
            Just("abc"),
            Just("A-1"),
            Just("<b>"),
            Just("é"),
            Just("a\"\\\n"),
            Just("\u{7f}"),
            Just("2026-11-30"),
            Just("2026-02-29"),
            Just("2026-11-30T10:00:00Z"),
            Just("a@b.cd"),
            Just("10.0.0.1"),
            Just("::1"),
            Just(""),
            Just("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            Just("\u{202e}"),
            Just("12345"),
            Just("\u{1F34E}\u{1F34E}"),
        ]
        .prop_map(Value::from)
    };
    let number = prop_oneof![
        (-3_i64..12).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-2.0_f64..12.0).prop_map(Value::from),
        Just(json!(10.5)),
    ];
    let scalar =
        prop_oneof![4 => text(), 4 => number, 1 => Just(Value::Null), 1 => any::<bool>().prop_map(Value::Bool)];
    let names = prop::sample::select(vec!["n", "part", "more", "a", "__proto__"]);
    scalar.prop_recursive(4, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..4).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

/// Valid values for each property, so that whole objects are valid often enough.
fn objects() -> impl Strategy<Value = String> {
    let names: Vec<String> = rules()["properties"].as_object().unwrap().keys().cloned().collect();
    let likely = |name: &str| match name {
        "id" => json!(7),
        "tag" | "note" | "page" | "word" | "any" | "choice" | "secret" | "given" => json!("a"),
        "sku" => json!("A-1"),
        "price" => json!(1.25),
        "day" => json!("2026-11-30"),
        "at" => json!("2026-11-30T10:00:00Z"),
        "mail" => json!("a@b.cd"),
        "key" => json!("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        "four" => json!("10.0.0.1"),
        "six" => json!("::1"),
        "is_new" => json!(true),
        "kind" => json!("x"),
        "list" => json!([{"n": 1}]),
        "map" => json!({"a": 1}),
        _ => json!({"n": 1, "more": "a"}),
    };
    let member = prop::sample::select(names).prop_flat_map(move |name| {
        let usual = likely(&name);
        prop_oneof![6 => Just(usual), 1 => values()].prop_map(move |value| (name.clone(), value))
    });
    (prop::collection::vec(member, 0..5), any::<bool>(), prop::sample::select(vec!["", " ", "\n\t"])).prop_map(
        |(members, is_whole, space)| {
            let fixed = [("id".to_owned(), json!(1)), ("tag".to_owned(), json!("a"))];
            let all = fixed.into_iter().filter(|_| is_whole).chain(members);
            let text: Vec<String> =
                all.map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}")).collect();
            format!("{space}{{{}{space}}}{space}", text.join(&format!("{space},")))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn is_never_wider_than_the_engine(text in objects()) {
        for compiled in both_once() {
            compiled.agrees(&text, &Caps::default());
        }
    }

    #[test]
    fn is_never_wider_where_bytes_are_changed(text in objects(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            for compiled in both_once() {
                compiled.agrees(&text, &Caps::default());
            }
        }
    }
}

fn both_once() -> &'static [Compiled; 2] {
    static BOTH: std::sync::LazyLock<[Compiled; 2]> = std::sync::LazyLock::new(both);
    &BOTH
}
