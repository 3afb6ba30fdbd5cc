//! What the reader refuses, and that what it writes is what it has read.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read_message(text: &str) -> Result<Value, Fault> {
    read(text.as_bytes(), &Caps::MESSAGE)
}

fn fault(kind: FaultKind, pointer: &str) -> Result<Value, Fault> {
    Err(Fault { kind, pointer: pointer.to_owned() })
}

/// The canonical writing of a text.
fn canonical(text: &str) -> String {
    let (_, changed) = read_canonical(text.as_bytes(), &Caps::default()).unwrap();
    changed.map_or_else(|| text.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn refuses_what_can_be_read_two_ways() {
    use FaultKind::*;
    for (text, kind, pointer) in [
        (r#"{"a":1,"a":2}"#, Duplicate, "/a"),
        (r#"{"a":1,"\u0061":2}"#, Duplicate, "/a"),
        (r#"{"😀":1,"\ud83d\ude00":2}"#, Duplicate, "/😀"),
        (r#"[{"b":{"a":1,"a":2}}]"#, Duplicate, "/0/b/a"),
        ("18446744073709551616", Number, ""),
        ("[1,-9223372036854775809]", Number, "/1"),
        ("1e999", Number, ""),
        (r#"{"a":-1e999}"#, Number, "/a"),
        ("", Malformed, ""),
        (" ", Malformed, ""),
        ("1 2", Malformed, ""),
        ("{} x", Malformed, ""),
        ("{}\0", Malformed, ""),
        ("01", Malformed, ""),
        ("-01", Malformed, ""),
        ("-", Malformed, ""),
        ("+1", Malformed, ""),
        ("1.", Malformed, ""),
        (".5", Malformed, ""),
        ("1e", Malformed, ""),
        ("1e+", Malformed, ""),
        ("1.5.2", Malformed, ""),
        ("0x10", Malformed, ""),
        ("\u{feff}1", Malformed, ""),
        ("[1,]", Malformed, "/1"),
        ("[,1]", Malformed, "/0"),
        ("[1 2]", Malformed, ""),
        (r#"{"a":1,}"#, Malformed, ""),
        (r#"{"a" 1}"#, Malformed, "/a"),
        (r#"{a:1}"#, Malformed, ""),
        ("{'a':1}", Malformed, ""),
        ("[1", Malformed, ""),
        ("NaN", Malformed, ""),
        ("nulls", Malformed, ""),
        ("tru", Malformed, ""),
        ("// a\n1", Malformed, ""),
        ("\u{a0}1", Malformed, ""),
        (r#""\ud800""#, Malformed, ""),
        (r#""\ud800\u0041""#, Malformed, ""),
        (r#""\ud800\ud800""#, Malformed, ""),
        (r#""\udc00\ud800""#, Malformed, ""),
        (r#""\u00g0""#, Malformed, ""),
        (r#""\u00""#, Malformed, ""),
        (r#""\x41""#, Malformed, ""),
        (r#""\"#, Malformed, ""),
        (r#""a"#, Malformed, ""),
        ("\"a\nb\"", Malformed, ""),
        ("\"a\0b\"", Malformed, ""),
    ] {
        assert_eq!(read_message(text), fault(kind, pointer), "{text}");
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xed\xa0\x80\"", b"\"\xc0\x80\"", b"\xff\xfe1\0"] {
        assert_eq!(read(bytes, &Caps::MESSAGE), fault(Malformed, ""), "{bytes:?}");
    }
}

#[test]
fn caps_everything() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read_message(&nested(32)).is_ok());
    assert_eq!(read_message(&nested(33)), fault(FaultKind::Deep, &"/0".repeat(32)));
    assert!(read_message(&nested(500_000)).is_err());
    let unlimited = Caps { depth: usize::MAX, ..Caps::MESSAGE };
    assert!(read(nested(500_000).as_bytes(), &unlimited).is_err(), "the stack has an end whatever the settings say");
    assert_eq!(read_message(&format!("[{}1]", "1,".repeat(100_000))), fault(FaultKind::Values, "/99999"));
    let small = Caps { depth: 3, nodes: 6, keys: 2, items: 3, string: 4, ..Caps::default() };
    let check = |text: &str, expect: Option<(FaultKind, &str)>| {
        let expect = expect.map(|(kind, pointer)| Fault { kind, pointer: pointer.to_owned() });
        assert_eq!(read(text.as_bytes(), &small).err(), expect, "{text}");
    };
    check(r#"{"a":1,"b":2}"#, None);
    check(r#"{"a":1,"b":2,"c":3}"#, Some((FaultKind::Keys, "")));
    check(r#"{"x":[1,2,3]}"#, None);
    check(r#"{"x":[1,2,3,4]}"#, Some((FaultKind::Items, "/x")));
    check(r#"["abcd"]"#, None);
    check(r#"["abcde"]"#, Some((FaultKind::Text, "/0")));
    check(r#"["\u0061\u0062\u0063d"]"#, None);
    check(r#"["é😀"]"#, Some((FaultKind::Text, "/0")));
    check(r#"{"abcde":1}"#, Some((FaultKind::Text, "")));
    check("[[1,2],[3,4]]", Some((FaultKind::Values, "/1/1")));
    check("[[[]]]", None);
    check("[[[[]]]]", Some((FaultKind::Deep, "/0/0/0")));
}

#[test]
fn keeps_exact_numbers() {
    for (text, expect) in [
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1e30", json!(1e30)),
        ("0.1", json!(0.1)),
        ("-0", json!(-0.0)),
        (r#""99999999999999999999 \" 99999999999999999999""#, json!("99999999999999999999 \" 99999999999999999999")),
    ] {
        assert_eq!(read_message(text), Ok(expect), "{text}");
    }
}

#[test]
fn writes_one_way() {
    for (text, expect) in [
        (r#"{"a":[1,true,null,"x"],"b":{}}"#, r#"{"a":[1,true,null,"x"],"b":{}}"#),
        (" {\r\n\t\"b\" : 1 ,\"a\": [ ] }\n", r#"{"b":1,"a":[]}"#),
        (r#"["\u0041\/\u00e9\t\u0000\u001f\u2028"]"#, "[\"A/é\\t\\u0000\\u001f\u{2028}\"]"),
        (r#"["\ud83d\ude00","\"\\"]"#, r#"["😀","\"\\"]"#),
        (r#"{"\u0061":"b"}"#, r#"{"a":"b"}"#),
        // Numbers stay as they were written, down to their zeros, where the float that was checked tells them apart.
        ("[1.50,1e0,1E+2,-0,-0.0,0.000,100.0]", "[1.50,1e0,1E+2,-0,-0.0,0.000,100.0]"),
        ("[18446744073709551615,0.30000000000000004]", "[18446744073709551615,0.30000000000000004]"),
        // What a decimal type would read as more than one, the schema's `maximum: 1` has seen as one.
        ("1.00000000000000000001", "1.0"),
        ("[1,12345678901234567890.000]", "[1,1.2345678901234567e+19]"),
        ("[1e-400, 3e-310]", "[0.0,3e-310]"),
    ] {
        assert_eq!(canonical(text), expect, "{text}");
        assert_eq!(canonical(expect), expect, "what is canonical stays so");
    }
}

#[test]
fn what_is_canonical_is_not_copied() {
    for text in [r#"{"a":[1,2.5,"\n\"é"],"b":null}"#, "0", "\"\"", "[]"] {
        assert_eq!(read_canonical(text.as_bytes(), &Caps::default()).unwrap().1, None, "{text}");
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
            prop::collection::vec((".*", inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}:,"\\0-9eE.+a \-]{0,60}"#) {
        let _ = read_canonical(&bytes, &Caps::default());
        // Whatever passes here, serde_json reads to the same value.
        if let Ok(value) = read_message(&text) {
            prop_assert_eq!(Some(value), serde_json::from_str(&text).ok());
        }
    }

    #[test]
    fn agrees_with_serde_json(value in values()) {
        let compact = value.to_string();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        for text in [&compact, &pretty] {
            prop_assert_eq!(read_message(text).ok(), serde_json::from_str(text).ok());
        }
        prop_assert_eq!(canonical(&pretty), compact, "serde_json's compact writing is the canonical one");
    }

    #[test]
    fn the_canonical_writing_says_the_same(text in r#"[\[\]{}:,"\\0-9eE.+a \-u]{0,60}|\{("[a-c\\u0-9]{0,6}" ?: ?[0-9.eE+-]{1,25},? ?){0,3}\}|-?[0-9]{1,22}(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?"#) {
        if let Ok((value, changed)) = read_canonical(text.as_bytes(), &Caps::default()) {
            let bytes = changed.unwrap_or_else(|| text.clone().into_bytes());
            let again = read_canonical(&bytes, &Caps::default()).unwrap();
            prop_assert_eq!(again, (value.clone(), None));
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).ok(), Some(value));
        }
    }
}
