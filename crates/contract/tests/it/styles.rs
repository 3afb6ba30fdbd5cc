//! Every way in which OpenAPI writes a parameter, read and written anew.

use http::Method;
use palisade_contract::{Contract, Location};
use serde_json::{Value, json};

use crate::support::{contract, headers, operation, told};

const COLOR: &str = "{ type: object, required: [r], properties: { r: { type: integer }, g: { type: integer }, name: { type: string, maxLength: 9 } } }";

/// A contract with one parameter `v` in a place, and `q`.
fn with(place: &str, rest: &str) -> Contract {
    let path = if place == "path" { "/a/{v}" } else { "/a" };
    contract(&format!(
        "
openapi: 3.1.0
info: {{ title: Styles, version: '1' }}
security: []
paths:
  {path}:
    get:
      parameters:
        - {{ name: v, in: {place}, required: {}, {rest} }}
        - {{ name: q, in: query, schema: {{ type: string, maxLength: 20 }} }}
      responses: {{ 200: {{ description: ok }} }}
",
        place == "path"
    ))
}

/// The value of `v` in what was sent, or the violations.
fn read(contract: &Contract, place: &str, sent: &str) -> Result<Value, String> {
    let path = if place == "path" { format!("/a/{sent}") } else { "/a".to_owned() };
    let (operation, values) = operation(contract, &Method::GET, &path);
    let sent_headers = match place {
        "header" => headers(&[("v", sent)]),
        "cookie" => headers(&[("cookie", sent)]),
        _ => headers(&[]),
    };
    let given = operation.check_parameters(&values, (place == "query").then_some(sent), &sent_headers);
    let location = match place {
        "header" => Location::Header,
        "cookie" => Location::Cookie,
        "path" => Location::Path,
        _ => Location::Query,
    };
    match given {
        Ok(given) => Ok(given.get(location, "v").cloned().unwrap_or(Value::Null)),
        Err(violations) => Err(told::<()>(Err(violations))),
    }
}

fn check(place: &str, rest: &str, table: &[(&str, Result<Value, &str>)]) {
    let contract = with(place, rest);
    for (sent, expect) in table {
        let expect = expect.clone().map_err(str::to_owned);
        assert_eq!(read(&contract, place, sent), expect, "{place} {rest}: {sent}");
    }
}

#[test]
fn in_a_path() {
    let number = "schema: { type: integer }";
    let list = "schema: { type: array, items: { type: integer }, maxItems: 3 }";
    let object = format!("schema: {COLOR}");
    let bad = "/path/v invalid";
    let odd = "/path/v malformed";
    check("path", number, &[("7", Ok(json!(7))), ("07", Err(bad)), (".7", Err(bad)), (";v=7", Err(bad))]);
    check(
        "path",
        list,
        &[
            ("1,2", Ok(json!([1, 2]))),
            ("1", Ok(json!([1]))),
            ("1,2,3,4", Err(bad)),
            ("1%2C2", Err("/path/v/0 invalid")),
        ],
    );
    check(
        "path",
        &object,
        &[
            ("r,1,g,2", Ok(json!({"r": 1, "g": 2}))),
            ("r,1,g", Err(odd)),
            ("g,1", Err("/path/v/r missing")),
            ("r,1,r,2", Err("/path/v/r duplicate")),
            ("r,1,b,2", Err("/path/v/b undeclared")),
        ],
    );
    check(
        "path",
        &format!("explode: true, {object}"),
        &[
            ("r=1,name=a%2Cb", Ok(json!({"r": 1, "name": "a,b"}))),
            ("r,1", Err("/path/v/1 undeclared, /path/v/r invalid")),
        ],
    );
    check("path", &format!("style: label, {number}"), &[(".7", Ok(json!(7))), ("7", Err(odd)), ("..7", Err(bad))]);
    check("path", &format!("style: label, {list}"), &[(".1,2", Ok(json!([1, 2]))), (".1.2", Err("/path/v/0 invalid"))]);
    check("path", &format!("style: label, explode: true, {list}"), &[(".1.2", Ok(json!([1, 2]))), ("1.2", Err(odd))]);
    check("path", &format!("style: label, {object}"), &[(".r,1", Ok(json!({"r": 1})))]);
    check(
        "path",
        &format!("style: label, explode: true, {object}"),
        &[(".r=1.g=2", Ok(json!({"r": 1, "g": 2}))), (".r=1.r=2", Err("/path/v/r duplicate"))],
    );
    check(
        "path",
        &format!("style: matrix, {number}"),
        &[(";v=7", Ok(json!(7))), ("7", Err(odd)), (";w=7", Err(odd)), (";v=7;v=8", Err(bad))],
    );
    check(
        "path",
        &format!("style: matrix, {list}"),
        &[(";v=1,2", Ok(json!([1, 2]))), (";v=1;v=2", Err("/path/v/0 invalid"))],
    );
    check(
        "path",
        &format!("style: matrix, explode: true, {list}"),
        &[(";v=1;v=2", Ok(json!([1, 2]))), (";v=1;w=2", Err(odd))],
    );
    check("path", &format!("style: matrix, {object}"), &[(";v=r,1", Ok(json!({"r": 1}))), (";r=1", Err(odd))]);
    check("path", &format!("style: matrix, explode: true, {object}"), &[(";r=1;g=2", Ok(json!({"r": 1, "g": 2})))]);
    check(
        "path",
        "content: { application/json: { schema: { type: object, properties: { a: { type: integer } } } } }",
        &[("%7B%22a%22:1%7D", Ok(json!({"a": 1}))), ("%7B%22a%22:1,%22a%22:2%7D", Err("/path/v/a duplicate"))],
    );
}

#[test]
fn in_a_query() {
    let list = "schema: { type: array, items: { type: integer }, maxItems: 3 }";
    let object = format!("schema: {COLOR}");
    let twice = "/query/v duplicate";
    check(
        "query",
        list,
        &[
            ("v=1&v=2", Ok(json!([1, 2]))),
            ("v=1,2", Err("/query/v/0 invalid")),
            ("v[]=1", Err("/query/v[] undeclared")),
        ],
    );
    check(
        "query",
        &format!("explode: false, {list}"),
        &[("v=1,2", Ok(json!([1, 2]))), ("v=", Ok(json!([]))), ("v=1&v=2", Err(twice))],
    );
    check(
        "query",
        &format!("style: spaceDelimited, explode: false, {list}"),
        &[("v=1%202", Ok(json!([1, 2]))), ("v=1+2", Ok(json!([1, 2]))), ("v=1,2", Err("/query/v/0 invalid"))],
    );
    check(
        "query",
        &format!("style: pipeDelimited, explode: false, {list}"),
        &[("v=1|2%7C3", Ok(json!([1, 2, 3]))), ("v=1%7c2", Ok(json!([1, 2])))],
    );
    check("query", &format!("style: pipeDelimited, explode: true, {list}"), &[("v=1&v=2", Ok(json!([1, 2])))]);
    check(
        "query",
        &object,
        &[
            ("r=1&q=a&g=2", Ok(json!({"r": 1, "g": 2}))),
            ("", Ok(json!(null))),
            ("g=2", Err("/query/v/r missing")),
            ("r=1&r=2", Err("/query/v/r duplicate")),
            ("r=1&b=2", Err("/query/b undeclared")),
            ("v=1", Err("/query/v undeclared")),
        ],
    );
    check(
        "query",
        &format!("explode: false, {object}"),
        &[("v=r,1,name,a%2Cb", Ok(json!({"r": 1, "name": "a,b"}))), ("v=r", Err("/query/v malformed"))],
    );
    check("query", &format!("style: pipeDelimited, explode: false, {object}"), &[("v=r|1", Ok(json!({"r": 1})))]);
    check("query", &format!("style: spaceDelimited, explode: false, {object}"), &[("v=r%201", Ok(json!({"r": 1})))]);
    check(
        "query",
        &format!("style: deepObject, {object}"),
        &[
            ("v[r]=1&v%5Bg%5D=2", Ok(json!({"r": 1, "g": 2}))),
            ("v[r]=1&v[r]=2", Err("/query/v/r duplicate")),
            ("v[r]=1&v[b]=2", Err("/query/v/b undeclared")),
            ("v[r][x]=1", Err("/query/v[r][x] undeclared")),
            ("v.r=1", Err("/query/v.r undeclared")),
        ],
    );
    check(
        "query",
        "schema: { type: object, additionalProperties: { type: integer } }",
        &[("a=1&q=x&b=2", Ok(json!({"a": "1", "b": "2"})).and(Err("/query/v/a invalid, /query/v/b invalid")))],
    );
    check(
        "query",
        "schema: { type: object, additionalProperties: { type: string, maxLength: 3 } }",
        &[
            ("a=1&q=x&b=2", Ok(json!({"a": "1", "b": "2"}))),
            ("a=1&a=2", Err("/query/v/a duplicate")),
            ("a=1234", Err("/query/v/a invalid")),
            ("__proto__=1", Err("/query/v/__proto__ undeclared")),
        ],
    );
    check(
        "query",
        "allowEmptyValue: true, schema: { type: integer }",
        &[("v", Ok(json!(""))), ("v=", Ok(json!(""))), ("v=x", Err("/query/v invalid"))],
    );
    check(
        "query",
        "schema: { type: integer }",
        &[("v", Err("/query/v invalid")), ("v=%31", Ok(json!(1))), ("%76=1", Ok(json!(1)))],
    );
    check("query", "schema: { type: integer, default: 7 }", &[("", Ok(json!(null)))]);
    check(
        "query",
        "content: { text/plain: { schema: { type: string, maxLength: 3 } } }",
        &[("v=a%20b", Ok(json!("a b"))), ("v=abcd", Err("/query/v invalid"))],
    );
}

#[test]
fn in_headers_and_cookies() {
    let list = "schema: { type: array, items: { type: integer }, maxItems: 3 }";
    let object = format!("schema: {COLOR}");
    check("header", list, &[("1, 2", Ok(json!([1, 2]))), ("1;2", Err("/header/v/0 invalid"))]);
    check("header", &object, &[("r,1, g,2", Ok(json!({"r": 1, "g": 2})))]);
    check(
        "header",
        &format!("explode: true, {object}"),
        &[("r=1,g=2", Ok(json!({"r": 1, "g": 2}))), ("r=1,r=2", Err("/header/v/r duplicate"))],
    );
    check(
        "header",
        "content: { application/json: { schema: { type: object, properties: { a: { type: integer } } } } }",
        &[(r#"{"a":1}"#, Ok(json!({"a": 1}))), (r#"{"a":1,"b":2}"#, Err("/header/v/b undeclared"))],
    );
    check(
        "cookie",
        "schema: { type: integer }",
        &[("v=1", Ok(json!(1))), ("v=1; v=1", Err("/cookie/v duplicate")), ("w=1", Ok(json!(null)))],
    );
    check("cookie", list, &[("v=1,2", Ok(json!([1, 2])))]);
    check("cookie", &format!("explode: false, {object}"), &[("v=r,1", Ok(json!({"r": 1})))]);
    check(
        "cookie",
        "schema: { type: string, maxLength: 3 }",
        &[("v=%41", Ok(json!("A"))), ("v=%4", Err("/cookie/v malformed")), ("v=é", Ok(json!("é")))],
    );
}

#[test]
fn a_query_goes_on_in_one_writing() {
    let contract = contract(
        "
openapi: 3.0.3
info: { title: Styles, version: '1' }
security: [{ key: [] }]
paths:
  /a:
    get:
      parameters:
        - { name: q, in: query, schema: { type: string, maxLength: 40 } }
        - { name: url, in: query, allowReserved: true, schema: { type: string, maxLength: 40 } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: string, maxLength: 9 } } }
        - { name: pipes, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: { type: string, maxLength: 9 } } }
        - { name: words, in: query, style: spaceDelimited, explode: false, schema: { type: array, items: { type: string, maxLength: 9 } } }
        - { name: deep, in: query, style: deepObject, schema: { type: object, properties: { a: { type: string, maxLength: 9 } } } }
        - { name: json, in: query, content: { application/json: { schema: { type: object, properties: { a: { type: number } } } } } }
      responses: { 200: { description: ok } }
components:
  securitySchemes: { key: { type: apiKey, in: query, name: key } }
",
    );
    let (operation, path) = operation(&contract, &Method::GET, "/a");
    for (sent, expect) in [
        ("q=abc", None),
        ("q=a%20b&ids=1,2", None),
        ("", Some("")),
        ("q=a+b", Some("q=a%20b")),
        ("q=%61%2f/", Some("q=a%2F%2F")),
        ("q=a;b=c", Some("q=a%3Bb%3Dc")),
        ("q=a=b", Some("q=a%3Db")),
        ("q=é'\"<", Some("q=%C3%A9%27%22%3C")),
        ("&q=a&&", Some("q=a")),
        ("q", Some("q=")),
        ("q=a,b", Some("q=a%2Cb")),
        ("ids=a%2cb,c+d", Some("ids=a%2Cb,c%20d")),
        ("pipes=a|b%7cc", Some("pipes=a%7Cb%7Cc")),
        ("words=a+b%20c", Some("words=a%20b%20c")),
        ("deep[a]=1", Some("deep%5Ba%5D=1")),
        ("url=https://a.example/x?y%26z", Some("url=https://a.example/x?y%26z")),
        ("url=a;b+c%2B", Some("url=a%3Bb%20c%2B")),
        ("json={ \"a\" : 1.50 }", Some("json=%7B%22a%22%3A1.50%7D")),
        ("key=s+cret&q=a", Some("key=s%20cret&q=a")),
    ] {
        let given = operation.check_parameters(&path, Some(sent), &headers(&[])).unwrap();
        let expect = expect.filter(|expect| sent.is_empty() || *expect != sent);
        assert_eq!(given.canonical_query(), expect, "{sent}");
        let Some(written) = expect.filter(|written| !written.is_empty()) else { continue };
        let again = operation.check_parameters(&path, Some(written), &headers(&[])).unwrap();
        assert_eq!(again.canonical_query(), None, "{written}");
        assert!(again.iter().eq(given.iter()), "{sent} says the same as {written}");
    }
}
