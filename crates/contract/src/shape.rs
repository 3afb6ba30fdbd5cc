//! The schema of one type, compiled like those of a contract: for applications whose types are their contract.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use http::HeaderValue;
use palisade_core::diagnostic::{Diagnostic, Source};
use serde_json::Value;

use crate::document::{Dialect, Document};
use crate::json::{self, Caps};
use crate::media::{Media, Reading};
use crate::parameter::{Coercion, pairs};
use crate::percent::decode_form;
use crate::report::Report;
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;
use crate::violation::{Violation, ViolationCode as Code, child};

/// A JSON Schema (2020-12) compiled for input: undeclared properties are refused, whether or not the schema says so,
/// URLs may not lead into private networks, and everything that is wrong with a value is told at once.
///
/// ```
/// use http::HeaderValue;
/// use palisade_contract::Shape;
/// use serde_json::json;
///
/// let schema = json!({
///     "type": "object",
///     "required": ["name"],
///     "properties": {"name": {"type": "string", "maxLength": 20}, "count": {"type": "integer", "minimum": 1}},
/// });
/// let shape = Shape::compile("NewOrder", schema).unwrap();
/// let kind = HeaderValue::from_static("application/json");
/// assert!(shape.json(Some(&kind), br#"{"name": "pears", "count": 2}"#).is_ok());
/// let wrong = shape.json(Some(&kind), br#"{"count": 0, "is_admin": true}"#).unwrap_err();
/// let places: Vec<&str> = wrong.iter().map(|violation| violation.pointer.as_str()).collect();
/// assert_eq!(places, ["/body/count", "/body/is_admin", "/body/name"]);
/// ```
pub struct Shape {
    schemas: Schemas,
    definition: DefinitionId,
    coercion: Coercion,
}

impl Shape {
    /// Compiles a schema; `name` is what diagnostics call it. `Err` tells every reason why it could not be enforced,
    /// such as a pattern that no linear engine takes.
    pub fn compile(name: &str, schema: Value) -> Result<Self, Vec<Diagnostic>> {
        let source = Source::new(name, format!("{schema:#}"));
        let mut report = Report::new(&source);
        let document = Document { root: schema, dialect: Dialect::V31 };
        document.check_references(&mut report);
        let mut translator = Translator::new(&document, &mut report);
        let definition = translator.define("", Mode::Closed);
        let definitions = translator.finish();
        let schemas = Schemas::compile(&definitions, &BTreeSet::from([definition]), &mut report);
        match schemas {
            Some(schemas) if !report.has_errors() => {
                Ok(Self { schemas, definition, coercion: Coercion::of(&document, &document.root) })
            }
            _ => Err(report.finish()),
        }
    }

    /// Reads and checks a body that must be `application/json`.
    pub fn json(&self, content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Value, Vec<Violation>> {
        must_be("application/json", Reading::Json, content_type, body)?;
        let value = json::read(body, &Caps::default()).map_err(|fault| vec![fault.violation(BODY)])?;
        self.check(value, BODY)
    }

    /// Reads and checks a body that must be `application/x-www-form-urlencoded`.
    pub fn form(&self, content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Value, Vec<Violation>> {
        must_be("application/x-www-form-urlencoded", Reading::Form, content_type, body)?;
        let malformed = |_| vec![Violation::new(BODY, Code::Malformed, "must be a form in UTF-8")];
        self.pairs(std::str::from_utf8(body).map_err(malformed)?, BODY)
    }

    /// Reads and checks a query, written without its `?`. A list is a name that is given several times.
    pub fn query(&self, query: &str) -> Result<Value, Vec<Violation>> {
        self.pairs(query, QUERY)
    }

    /// Checks the decoded parameters of a path: an object of all of them, or one value where there is one parameter.
    pub fn path(&self, parameters: &[(String, String)]) -> Result<Value, Vec<Violation>> {
        match parameters {
            [(name, text)] if !self.coercion.is_object() => self.check(self.coercion.scalar(text), &child(PATH, name)),
            several => {
                let entries = several.iter().map(|(name, text)| (name.as_str().into(), text.as_str().into()));
                self.named(entries.collect(), PATH)
            }
        }
    }

    /// A query and a form are written alike. What a type says in an object or a list of lists has no agreed writing in
    /// either, so it stays a text, which its schema refuses.
    fn pairs(&self, text: &str, base: &str) -> Result<Value, Vec<Violation>> {
        if text.split('&').count() > Caps::default().parts {
            return Err(vec![Violation::new(base, Code::Malformed, "must not have this many fields")]);
        }
        let mut violations = Vec::new();
        let pairs = pairs::split(text, base, &mut violations);
        if !violations.is_empty() {
            return Err(violations);
        }
        // `split` has refused what cannot be decoded.
        let entries = pairs.into_iter().filter_map(|pair| Some((pair.name, decode_form(pair.raw)?)));
        self.named(entries.collect(), base)
    }

    fn named(&self, entries: Vec<(Cow<'_, str>, Cow<'_, str>)>, base: &str) -> Result<Value, Vec<Violation>> {
        let twice = |name: String| vec![Violation::new(child(base, &name), Code::Duplicate, "must be given once")];
        self.check(self.coercion.object(entries).map_err(twice)?, base)
    }

    fn check(&self, value: Value, base: &str) -> Result<Value, Vec<Violation>> {
        let violations = self.schemas.check(self.definition, &value, base);
        if !violations.is_empty() {
            return Err(violations);
        }
        self.schemas.examine(Some(self.definition), &value, base)?;
        Ok(value)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape").field("schemas", &self.schemas).finish_non_exhaustive()
    }
}

/// That a body is there and says that it is of the one type that is read. A JSON-based type (`+json`) may mean
/// something else than the type it is based on, so it is not accepted in its place.
fn must_be(
    name: &str,
    reading: Reading,
    content_type: Option<&HeaderValue>,
    body: &[u8],
) -> Result<(), Vec<Violation>> {
    if body.is_empty() && content_type.is_none() {
        return Err(vec![Violation::new(BODY, Code::Missing, "is required")]);
    }
    let sent = content_type.and_then(Media::of);
    let meant = sent.is_some_and(|sent| sent.reading() == reading && Media::parse(name).as_ref() == Some(&sent));
    if meant {
        Ok(())
    } else {
        Err(vec![Violation::new(BODY, Code::MediaType, format!("must have a declared content type: {name}"))])
    }
}

const BODY: &str = "/body";
const PATH: &str = "/path";
const QUERY: &str = "/query";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn places(result: Result<Value, Vec<Violation>>) -> Result<Value, Vec<String>> {
        result.map_err(|list| list.iter().map(|v| format!("{} {}", v.pointer, v.code.as_str())).collect())
    }

    fn shape() -> Shape {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Search",
            "type": "object",
            "required": ["q"],
            "properties": {
                "q": {"type": "string"},
                "page": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
                "tag": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
                "near": {"anyOf": [{"$ref": "#/$defs/Near"}, {"type": "null"}]},
                "hook": {"type": "string", "format": "uri"},
            },
            "$defs": {
                "Tag": {"type": "string", "enum": ["a", "b"]},
                "Near": {"type": "object", "properties": {"x": {"type": "number"}}},
            },
        });
        Shape::compile("Search", schema).unwrap()
    }

    #[test]
    fn a_query_is_read_by_the_schema() {
        for (query, expect) in [
            ("q=a%20b", Ok(json!({"q": "a b"}))),
            ("q=7&page=7&tag=a&tag=b", Ok(json!({"q": "7", "page": 7, "tag": ["a", "b"]}))),
            ("", Err(vec!["/query/q missing"])),
            ("q=a&page=07", Err(vec!["/query/page invalid"])),
            ("q=a&page=4294967296", Err(vec!["/query/page invalid"])),
            (
                "page=-1&tag=c&debug=1",
                Err(vec!["/query/page invalid", "/query/tag/0 invalid", "/query/q missing", "/query/debug undeclared"]),
            ),
            ("q=a&q=b", Err(vec!["/query/q duplicate"])),
            ("q=%ff", Err(vec!["/query/q malformed"])),
            ("q=a&hook=http://127.0.0.1/", Err(vec!["/query/hook destination-forbidden"])),
        ] {
            let found = places(shape().query(query)).map_err(|mut list| {
                list.sort();
                list
            });
            let expect = expect.map_err(|mut list| {
                list.sort_unstable();
                list.into_iter().map(str::to_owned).collect::<Vec<_>>()
            });
            assert_eq!(found, expect, "{query}");
        }
    }

    #[test]
    fn a_body_must_say_what_it_is() {
        const GOOD: &[u8] = br#"{"q": "a", "near": {"x": 1.5}}"#;
        for (kind, body, expect) in [
            (Some("application/json"), GOOD, None),
            (Some("Application/JSON; charset=utf-8"), GOOD, None),
            (Some("application/json; charset=utf-16"), GOOD, Some("/body media-type")),
            (Some("application/merge-patch+json"), GOOD, Some("/body media-type")),
            (Some("text/plain"), GOOD, Some("/body media-type")),
            (Some("*/*"), GOOD, Some("/body media-type")),
            (None, GOOD, Some("/body media-type")),
            (None, b"", Some("/body missing")),
            (Some("application/json"), b"", Some("/body malformed")),
            (Some("application/json"), br#"{"q":"a","q":"b"}"#, Some("/body/q duplicate")),
            (Some("application/json"), br#"{"q":"a","near":{"x":1,"y":2}}"#, Some("/body/near/y undeclared")),
            (Some("application/json"), br#"{"q":"a","page":18446744073709551616}"#, Some("/body/page malformed")),
        ] {
            let kind = kind.map(HeaderValue::from_static);
            let found = places(shape().json(kind.as_ref(), body)).err().unwrap_or_default();
            assert_eq!(found, expect.into_iter().collect::<Vec<_>>(), "{kind:?} {}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_form_is_read_like_a_query() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        assert_eq!(places(shape().form(Some(&form), b"q=a+b&page=2")), Ok(json!({"q": "a b", "page": 2})));
        assert_eq!(places(shape().form(Some(&form), b"q=\xff")), Err(vec!["/body malformed".to_owned()]));
        let json = HeaderValue::from_static("application/json");
        assert_eq!(places(shape().form(Some(&json), b"q=a")), Err(vec!["/body media-type".to_owned()]));
    }

    #[test]
    fn a_path_is_an_object_or_one_value() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let one = Shape::compile("Id", json!({"type": "integer", "minimum": 1})).unwrap();
        assert_eq!(places(one.path(&[pair("id", "7")])), Ok(json!(7)));
        assert_eq!(places(one.path(&[pair("id", "x")])), Err(vec!["/path/id invalid".to_owned()]));
        assert!(one.path(&[pair("id", "7"), pair("line", "8")]).is_err());
        assert_eq!(places(shape().path(&[pair("q", "7"), pair("page", "8")])), Ok(json!({"q": "7", "page": 8})));
    }

    #[test]
    fn what_cannot_be_enforced_does_not_compile() {
        for (schema, expect) in [
            (json!({"type": "string", "pattern": "^(?=a)b$"}), "pattern-unsupported"),
            (json!({"$ref": "https://example.com/schema.json"}), "reference-external"),
            (json!({"$ref": "#/$defs/Nothing"}), "reference-unresolved"),
            (json!({"type": "strin"}), "schema-invalid"),
            (json!({"allOf": [{"$ref": "#"}]}), "schema-invalid"),
            (json!(7), "schema-invalid"),
        ] {
            let codes: Vec<String> =
                Shape::compile("T", schema.clone()).unwrap_err().iter().map(|d| d.code().to_owned()).collect();
            assert!(codes.iter().any(|code| code == expect), "{schema}: {codes:?}");
        }
    }

    #[test]
    fn a_type_may_contain_itself() {
        let schema = json!({
            "type": "object",
            "properties": {"name": {"type": "string"}, "parts": {"type": "array", "items": {"$ref": "#"}}},
        });
        let shape = Shape::compile("Tree", schema).unwrap();
        let kind = HeaderValue::from_static("application/json");
        let deep = br#"{"name": "a", "parts": [{"parts": [{"nmae": "b"}]}]}"#;
        assert_eq!(
            places(shape.json(Some(&kind), deep)),
            Err(vec!["/body/parts/0/parts/0/nmae undeclared".to_owned()])
        );
    }

    proptest! {
        /// Whatever is sent, what passes has declared members of declared types, and a query is read as a form is.
        #[test]
        fn what_passes_is_declared(
            text in r"((q|page|tag|hook|x|%71)(=[a-z0-9%+&]{0,6})?[&;]?){0,6}",
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            let shape = shape();
            let query = shape.query(&text);
            if let Ok(value) = &query {
                let known = |name: &String| ["q", "page", "tag", "hook"].contains(&name.as_str());
                let members = value.as_object().unwrap();
                prop_assert!(members["q"].is_string() && members.keys().all(known));
                let fits = |page: &Value| page.as_u64().is_some_and(|page| u32::try_from(page).is_ok());
                prop_assert!(members.get("page").is_none_or(fits));
            }
            if !text.is_empty() {
                prop_assert_eq!(query.ok(), shape.form(Some(&form), text.as_bytes()).ok());
            }
            let json = HeaderValue::from_static("application/json");
            let _ = (shape.form(Some(&form), &bytes), shape.json(Some(&json), &bytes));
        }
    }
}
