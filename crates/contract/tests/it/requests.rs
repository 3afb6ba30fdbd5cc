//! What is refused on the way in.

use http::{HeaderValue, Method};
use palisade_contract::{BodyRule, Contract, Handling, Location};
use serde_json::json;

use crate::support::{contract, headers, operation, send, thing, told};

const YAML: &str = r#"
openapi: 3.1.0
info: { title: Requests, version: '1' }
security: [{ key: [] }]
paths:
  /items/{id}:
    get:
      parameters:
        - { name: id, in: path, required: true, schema: { type: integer, minimum: 1 } }
        - { name: q, in: query, required: true, schema: { type: string, maxLength: 5 } }
        - { name: limit, in: query, schema: { anyOf: [{ type: integer, maximum: 10 }, { type: 'null' }] } }
        - { name: ratio, in: query, schema: { type: number } }
        - { name: exact, in: query, schema: { type: boolean } }
        - { name: tag, in: query, schema: { type: array, items: { type: string, enum: [a, b] }, maxItems: 2 } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: pipes, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: { type: string } } }
        - { name: filter, in: query, style: deepObject, schema: { type: object, properties: { min: { type: integer }, tags: { type: array, items: { type: string } } } } }
        - { name: json, in: query, content: { application/json: { schema: { type: object, properties: { a: { type: integer } } } } } }
        - { name: X-Trace, in: header, schema: { type: string, pattern: '^[a-f0-9]{4}$' } }
        - { name: X-List, in: header, schema: { type: array, items: { type: integer } } }
        - { name: Accept, in: header, required: true, schema: { type: string } }
        - { name: theme, in: cookie, schema: { type: string, enum: [dark, light] } }
      responses: { 200: { description: ok } }
  /mixed:
    post:
      requestBody:
        content:
          application/json: { schema: { type: object, properties: { a: { type: integer } } } }
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [n]
              properties: { n: { type: integer }, t: { type: array, items: { type: string, maxLength: 3 } } }
          text/plain: {}
          image/*: {}
      responses: { 200: { description: ok } }
  /upload:
    put:
      requestBody: { required: true, content: { video/mp4: {} } }
      responses: { 200: { description: ok } }
components:
  securitySchemes:
    key: { type: apiKey, in: query, name: api_key }
"#;

fn query(contract: &Contract, query: &str) -> String {
    let (operation, path) = operation(contract, &Method::GET, "/items/7");
    told(operation.check_parameters(&path, Some(query), &headers(&[])))
}

#[test]
fn query_parameters_are_exact() {
    let contract = contract(YAML);
    for (sent, expect) in [
        ("q=abc", "ok"),
        ("q=abc&&", "ok"),
        ("q=abc&api_key=k", "ok"),
        ("", "/query/q missing"),
        ("q=abcdef", "/query/q invalid"),
        ("q=%C3%A4+%20x", "ok"),
        ("q=a&q=b", "/query/q duplicate"),
        ("q=a&%71=b", "/query/q duplicate"),
        ("q=a&debug=1&debug=2", "/query/debug undeclared"),
        ("q=a;debug=1", "/query/q invalid"),
        ("q=%00", "/query/q malformed"),
        ("q=%zz", "/query/q malformed"),
        ("q=%ff", "/query/q malformed"),
        ("q=a&limit=10", "ok"),
        ("q=a&limit=11", "/query/limit invalid"),
        ("q=a&limit=01", "/query/limit invalid"),
        ("q=a&limit=1e1", "/query/limit invalid"),
        ("q=a&limit=", "/query/limit invalid"),
        ("q=a&limit=null", "/query/limit invalid"),
        ("q=a&ratio=1e-3", "ok"),
        ("q=a&ratio=.5", "/query/ratio invalid"),
        ("q=a&exact=true", "ok"),
        ("q=a&exact=1", "/query/exact invalid"),
        ("q=a&tag=a&tag=b", "ok"),
        ("q=a&tag=a&tag=c", "/query/tag/1 invalid"),
        ("q=a&tag=a&tag=b&tag=a", "/query/tag invalid"),
        ("q=a&tag[]=a", "/query/tag[] undeclared"),
        ("q=a&ids=1,2,3", "ok"),
        ("q=a&ids=1,x", "/query/ids/1 invalid"),
        ("q=a&ids=1&ids=2", "/query/ids duplicate"),
        ("q=a&pipes=a%7Cb|c", "ok"),
        ("q=a&filter[min]=3&filter[tags]=a&filter[tags]=b", "ok"),
        ("q=a&filter[min]=3&filter[min]=4", "/query/filter/min duplicate"),
        ("q=a&filter[max]=3", "/query/filter/max undeclared"),
        ("q=a&filter[min][x]=3", "/query/filter[min][x] undeclared"),
        ("q=a&filter=3", "/query/filter undeclared"),
        ("q=a&json=%7B%22a%22:1%7D", "ok"),
        ("q=a&json=%7B%22a%22:1,%22a%22:2%7D", "/query/json/a duplicate"),
        ("q=a&json=%7B%22b%22:1%7D", "/query/json/b undeclared"),
        ("q=a&json=%7B", "/query/json malformed"),
    ] {
        assert_eq!(query(&contract, sent), expect, "{sent}");
    }
}

#[test]
fn path_header_and_cookie_parameters_are_checked() {
    let contract = contract(YAML);
    for (path, expect) in [
        ("/items/7", "ok"),
        ("/items/0", "/path/id invalid"),
        ("/items/07", "/path/id invalid"),
        ("/items/%37", "ok"),
        ("/items/7%00", "/path/id malformed"),
        ("/items/%zz", "/path/id malformed"),
        ("/items/x", "/path/id invalid"),
    ] {
        let (operation, values) = operation(&contract, &Method::GET, path);
        assert_eq!(told(operation.check_parameters(&values, Some("q=a"), &headers(&[]))), expect, "{path}");
    }
    for (sent, expect) in [
        (&[("x-trace", "00ff"), ("x-other", "1")][..], "ok"),
        (&[("x-trace", "zz")], "/header/x-trace invalid, /header/x-trace invalid"),
        (&[("x-trace", "00ff"), ("X-Trace", "00ff")], "/header/x-trace duplicate"),
        (&[("x-list", "1, 2"), ("x-list", "3")], "ok"),
        (&[("x-list", "1, b")], "/header/x-list/1 invalid"),
        (&[("cookie", "a=1; theme=dark"), ("cookie", "b=2")], "ok"),
        (&[("cookie", "theme=pink")], "/cookie/theme invalid"),
        (&[("cookie", "theme=dark; theme=light")], "/cookie/theme duplicate"),
    ] {
        let (operation, values) = operation(&contract, &Method::GET, "/items/7");
        assert_eq!(told(operation.check_parameters(&values, Some("q=a"), &headers(sent))), expect, "{sent:?}");
    }
}

#[test]
fn values_are_typed_and_identifiers_are_text() {
    let contract = contract(YAML);
    let (operation, path) = operation(&contract, &Method::GET, "/items/%37");
    let given = operation.check_parameters(&path, Some("q=a%20b&ids=1,2"), &headers(&[])).unwrap();
    assert_eq!(given.get(Location::Path, "id"), Some(&json!(7)));
    assert_eq!(given.text(Location::Path, "id"), Some("7"));
    assert_eq!(given.text(Location::Query, "q"), Some("a b"));
    assert_eq!(given.get(Location::Query, "ids"), Some(&json!([1, 2])));
    assert_eq!(given.text(Location::Query, "ids"), None);
    assert_eq!(given.iter().count(), 3);
}

#[test]
fn bodies_have_declared_types() {
    let contract = contract(YAML);
    let (mixed, _) = operation(&contract, &Method::POST, "/mixed");
    let (upload, _) = operation(&contract, &Method::PUT, "/upload");
    let (items, _) = operation(&contract, &Method::GET, "/items/7");
    assert_eq!(mixed.request_body(), BodyRule::Optional(Handling::Buffer));
    assert_eq!(upload.request_body(), BodyRule::Required(Handling::Stream));
    assert_eq!(items.request_body(), BodyRule::None);
    let check = |operation: &palisade_contract::ContractOperation, media: &str, body: &str, expect: &str| {
        let header = HeaderValue::from_str(media).unwrap();
        let header = (!media.is_empty()).then_some(&header);
        assert_eq!(told(operation.check_body(header, body.as_bytes())), expect, "{media} {body}");
    };
    check(&items, "", "", "ok");
    check(&items, "application/json", "{}", "/body undeclared");
    check(&upload, "", "", "/body missing");
    check(&upload, "video/mp4; boundary=x", "--x--", "ok");
    check(&upload, "application/json", "{}", "/body media-type");
    check(&mixed, "", "", "ok");
    check(&mixed, "", "{}", "/body media-type");
    check(&mixed, "application/json", r#"{"a":1}"#, "ok");
    check(&mixed, "application/json; charset=latin1", r#"{"a":1}"#, "/body media-type");
    check(&mixed, "application/merge-patch+json", r#"{"a":1}"#, "/body media-type");
    check(&mixed, "application/json", r#"{"a":1,"a":2}"#, "/body/a duplicate");
    check(&mixed, "application/json", r#"{"a":1"#, "/body malformed");
    check(&mixed, "application/json", r#"{"a":18446744073709551616}"#, "/body/a malformed");
    check(&mixed, "application/json", r#"{"__proto__":1}"#, "/body/__proto__ undeclared");
    check(&mixed, "text/plain", "anything", "ok");
    check(&mixed, "image/png", "\u{89}PNG", "ok");
    check(&mixed, "image/*", "x", "/body media-type");
    check(&mixed, "application/x-www-form-urlencoded", "n=1&t=a&t=b", "ok");
    check(&mixed, "application/x-www-form-urlencoded", "n=1&n=2", "/body/n duplicate");
    check(&mixed, "application/x-www-form-urlencoded", "n=x", "/body/n invalid");
    check(&mixed, "application/x-www-form-urlencoded", "t=a", "/body/n missing");
    check(&mixed, "application/x-www-form-urlencoded", "n=1&admin=true", "/body/admin undeclared");
    check(&mixed, "application/x-www-form-urlencoded", "n=%f", "/body/n malformed");
}

#[test]
fn urls_lead_only_where_they_may() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties:
    hook: { type: string, x-palisade-destinations: [hooks.example.com] }
    page: { type: string, format: uri, maxLength: 99 }
",
    );
    for (body, expect) in [
        (r#"{"hook":"https://hooks.example.com/x"}"#, "ok"),
        (r#"{"hook":"https://evil.com/"}"#, "/body/hook destination-forbidden"),
        (r#"{"hook":"http://hooks.example.com/x"}"#, "/body/hook destination-forbidden"),
        (r#"{"page":"https://example.com/x"}"#, "ok"),
        (r#"{"page":"http://169.254.169.254/latest/meta-data"}"#, "/body/page destination-forbidden"),
        (r#"{"page":"http://[::ffff:127.0.0.1]/"}"#, "/body/page destination-forbidden"),
        (r#"{"page":"http://localhost:9000/"}"#, "/body/page destination-forbidden"),
        (r#"{"page":"no url"}"#, "/body/page invalid"),
    ] {
        assert_eq!(send(&contract, body), expect, "{body}");
    }
}

#[test]
fn free_texts_that_may_be_markup_are_named() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  properties:
    title: { type: string, maxLength: 9 }
    kind: { type: string, enum: [a] }
    code: { type: string, pattern: '^[a-z]$' }
    html: { type: string, maxLength: 9, x-palisade-markup: true }
    rows: { type: array, items: { $ref: '#/components/schemas/Row' } }
Row:
  type: object
  properties: { note: { anyOf: [{ type: string, maxLength: 9 }, { type: 'null' }] } }
",
    );
    let body =
        br#"{"title":"<t>","kind":"a","code":"c","html":"<b>","rows":[{"note":"1<2"},{"note":"n"},{"note":null}]}"#;
    let json = HeaderValue::from_static("application/json");
    let payload = crate::support::only(&contract).check_body(Some(&json), body).unwrap();
    assert_eq!(payload.free_text, ["/title", "/rows/0/note"]);
}

#[test]
fn messages_do_not_repeat_what_was_sent() {
    let contract = thing(
        "3.1.0",
        "
Thing:
  type: object
  required: [c]
  properties:
    a: { type: string, maxLength: 3 }
    b: { type: integer, enum: [1, 2] }
    c: { oneOf: [{ type: integer }, { type: boolean }] }
    d: { type: string, format: email }
",
    );
    let json = HeaderValue::from_static("application/json");
    let body = r#"{"a":"SECRET","b":"SECRET","c":"SECRET","d":"SECRET","e":"SECRET"}"#;
    let violations = crate::support::only(&contract).check_body(Some(&json), body.as_bytes()).unwrap_err();
    let text: String = violations.iter().map(|violation| format!("{violation}\n")).collect();
    assert!(!text.contains("SECRET"), "{text}");
    expect_test::expect![[r#"
        /body/a: must have at most 3 characters
        /body/b: must be of type integer
        /body/b: must be one of 1, 2
        /body/d: must be a valid email
        /body/e: is not declared
        /body/c: does not have any of the declared forms
    "#]]
    .assert_eq(&text);
}
