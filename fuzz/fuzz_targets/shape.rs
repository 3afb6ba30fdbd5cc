//! A query, form or body that passes the schema of a type has its declared members, of the declared types.
#![no_main]

use std::sync::LazyLock;

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use palisade_contract::Shape;
use serde_json::{Value, json};

static SEARCH: LazyLock<Shape> = LazyLock::new(|| {
    let schema = json!({
        "type": "object",
        "required": ["q"],
        "properties": {
            "q": {"type": "string", "maxLength": 40},
            "page": {"type": ["integer", "null"], "format": "uint32"},
            "tag": {"type": "array", "items": {"type": "boolean"}},
        },
    });
    match Shape::compile("Search", schema) {
        Ok(shape) => shape,
        Err(problems) => panic!("the schema of this target is wrong: {problems:?}"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let body = SEARCH.json(Some(&HeaderValue::from_static(json)), bytes);
    let form = SEARCH.form(Some(&HeaderValue::from_static(form)), bytes);
    let query = std::str::from_utf8(bytes).ok().map(|text| SEARCH.query(text));
    for value in [Some(body), Some(form.clone()), query.clone()].into_iter().flatten().flatten() {
        let members = value.as_object().expect("the schema asks for an object");
        assert!(members["q"].as_str().is_some_and(|q| q.chars().count() <= 40), "{value}");
        for (name, member) in members {
            assert!(
                match name.as_str() {
                    "q" => true,
                    "page" => member.is_null() || member.as_f64().is_some_and(|page| page <= f64::from(u32::MAX)),
                    "tag" => member.as_array().is_some_and(|tags| tags.iter().all(Value::is_boolean)),
                    _ => false,
                },
                "{value}"
            );
        }
    }
    // A form says the same wherever it stands.
    if let Some(query) = query {
        assert!(bytes.is_empty() || query.ok() == form.ok());
    }
});
