//! Bodies that are forms or texts: what is read, and what goes on.

use http::{HeaderValue, Method};
use palisade_contract::{Caps, Contract, ContractOperation, Handling};
use serde_json::{Value, json};

use crate::support::{contract, only, operation, told};

const YAML: &str = "
openapi: 3.1.0
info: { title: Forms, version: '1' }
security: []
paths:
  /form:
    post:
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [name]
              properties:
                name: { type: string, maxLength: 20 }
                age: { type: integer }
                tags: { type: array, items: { type: string, maxLength: 9 } }
                ids: { type: array, items: { type: integer } }
                place: { type: object, properties: { x: { type: integer } } }
                deep: { type: object, properties: { a: { type: integer }, b: { type: array, items: { type: integer } } } }
            encoding:
              ids: { style: form, explode: false }
              deep: { style: deepObject }
      responses: { 200: { description: ok } }
  /upload:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [title, picture]
              properties:
                title: { type: string, maxLength: 20 }
                count: { type: integer }
                tags: { type: array, items: { type: string, maxLength: 9 }, maxItems: 2 }
                meta: { type: object, properties: { a: { type: number } } }
                picture: { type: string, format: binary, minLength: 2, maxLength: 8 }
                others: { type: array, items: { type: string, contentMediaType: application/octet-stream }, maxItems: 2 }
            encoding:
              picture: { contentType: 'image/png, image/jpeg' }
      responses: { 200: { description: ok } }
  /text:
    post:
      requestBody: { content: { text/plain: { schema: { type: string, maxLength: 5 } } } }
      responses: { 200: { description: ok } }
";

fn send(operation: &ContractOperation, media: &str, body: &[u8]) -> Result<(Value, String), String> {
    let media = HeaderValue::from_str(media).unwrap();
    match operation.check_body(Some(&media), body) {
        Err(violations) => Err(told::<()>(Err(violations))),
        Ok(payload) => {
            let sent = payload.canonical.map_or_else(|| body.to_vec(), |canonical| canonical.bytes);
            Ok((payload.value.unwrap_or_default(), String::from_utf8_lossy(&sent).into_owned()))
        }
    }
}

fn of(contract: &Contract, path: &str) -> std::sync::Arc<ContractOperation> {
    operation(contract, &Method::POST, path).0
}

#[test]
fn forms_have_styles() {
    let form = of(&contract(YAML), "/form");
    for (body, expect) in [
        ("name=a", Ok((json!({"name": "a"}), "name=a"))),
        ("name=a+b&age=7", Ok((json!({"name": "a b", "age": 7}), "name=a%20b&age=7"))),
        ("tags=a&name=n&tags=b", Ok((json!({"name": "n", "tags": ["a", "b"]}), "tags=a&name=n&tags=b"))),
        ("name=n&ids=1,2", Ok((json!({"name": "n", "ids": [1, 2]}), "name=n&ids=1,2"))),
        ("name=n&place={\"x\": 1}", Ok((json!({"name": "n", "place": {"x": 1}}), "name=n&place=%7B%22x%22%3A1%7D"))),
        (
            "name=n&deep[a]=1&deep[b]=2&deep[b]=3",
            Ok((
                json!({"name": "n", "deep": {"a": 1, "b": [2, 3]}}),
                "name=n&deep%5Ba%5D=1&deep%5Bb%5D=2&deep%5Bb%5D=3",
            )),
        ),
        ("age=7", Err("/body/name missing")),
        ("name=a&name=b", Err("/body/name duplicate")),
        ("name=a&admin=1", Err("/body/admin undeclared")),
        ("name=a&admin=1&admin=2", Err("/body/admin duplicate")),
        ("name=a&name[]=b", Err("/body/name[] undeclared")),
        ("name=a;age=1", Ok((json!({"name": "a;age=1"}), "name=a%3Bage%3D1"))),
        ("name=%zz&age=x&%ff=1", Err("/body malformed, /body/name malformed")),
        ("name=%00", Err("/body/name malformed")),
        ("name=%1b", Err("/body/name invalid")),
        ("name=n&deep[a]=1&deep[a]=2", Err("/body/deep/a duplicate")),
        ("name=n&deep[c]=1", Err("/body/deep/c undeclared")),
        ("name=n&place={\"x\":1,\"x\":2}", Err("/body/place/x duplicate")),
    ] {
        let found = send(&form, "application/x-www-form-urlencoded", body.as_bytes());
        let expect = expect.map(|(value, text)| (value, text.to_owned())).map_err(str::to_owned);
        assert_eq!(found, expect, "{body}");
    }
    let caps = Caps { parts: 2, ..Caps::default() };
    let media = HeaderValue::from_static("application/x-www-form-urlencoded");
    assert!(form.check_body_within(&caps, Some(&media), b"name=a&age=1").is_ok());
    assert!(form.check_body_within(&caps, Some(&media), b"name=a&tags=1&tags=2").is_err());
}

/// A multipart body of these parts: the rest of the disposition, further headers, content.
fn parts(parts: &[(&str, &str, &str)]) -> String {
    let mut body = String::new();
    for (disposition, headers, content) in parts {
        let headers = if headers.is_empty() { String::new() } else { format!("\r\n{headers}") };
        body += &format!("--B\r\nContent-Disposition: form-data; {disposition}{headers}\r\n\r\n{content}\r\n");
    }
    body + "--B--\r\n"
}

const TITLE: (&str, &str, &str) = ("name=\"title\"", "", "t");
const PICTURE: (&str, &str, &str) = ("name=\"picture\"; filename=\"p.png\"", "Content-Type: image/png", "\0\u{1}");

#[test]
fn parts_are_held_to_their_schemas() {
    let upload = of(&contract(YAML), "/upload");
    let png = "Content-Type: image/png";
    let file = "name=\"picture\"; filename=\"p.png\"";
    for (sent, expect) in [
        (vec![TITLE, PICTURE], Ok(json!({"title": "t", "picture": "00"}))),
        (vec![TITLE, PICTURE, ("name=\"count\"", "", "7")], Ok(json!({"title": "t", "picture": "00", "count": 7}))),
        (
            vec![
                TITLE,
                PICTURE,
                ("name=\"tags\"", "", "a"),
                ("name=\"tags\"", "Content-Type: text/plain; charset=utf-8", "b"),
            ],
            Ok(json!({"title": "t", "picture": "00", "tags": ["a", "b"]})),
        ),
        (
            vec![
                TITLE,
                PICTURE,
                ("name=\"meta\"; filename=\"blob\"", "Content-Type: application/json", "{\"a\": 1.50}"),
            ],
            Ok(json!({"title": "t", "picture": "00", "meta": {"a": 1.5}})),
        ),
        (
            vec![
                TITLE,
                PICTURE,
                ("name=\"others\"; filename=\"a\"", "", "x"),
                ("name=\"others\"; filename=\"b\"", "Content-Type: a/b", ""),
            ],
            Ok(json!({"title": "t", "picture": "00", "others": ["", ""]})),
        ),
        (vec![TITLE], Err("/body/picture missing")),
        (vec![PICTURE, TITLE, TITLE], Err("/body/title duplicate")),
        (vec![PICTURE, PICTURE, TITLE], Err("/body/picture duplicate")),
        (vec![TITLE, PICTURE, ("name=\"admin\"", "", "1")], Err("/body/admin undeclared")),
        (vec![TITLE, PICTURE, ("name=\"__proto__\"", "", "1")], Err("/body/__proto__ undeclared")),
        (vec![("name=\"title\"; filename=\"x\"", "", "t"), PICTURE], Err("/body/title invalid")),
        (vec![("name=\"title\"", "Content-Type: text/html", "t"), PICTURE], Err("/body/title media-type")),
        (vec![("name=\"title\"", "", "t\0"), PICTURE], Err("/body/title invalid")),
        (vec![("name=\"title\"", "", &"t".repeat(21)), PICTURE], Err("/body/title invalid")),
        (vec![TITLE, (file, "Content-Type: image/gif", "12")], Err("/body/picture media-type")),
        (vec![TITLE, (file, "", "12")], Err("/body/picture media-type")),
        (vec![TITLE, (file, png, "1")], Err("/body/picture invalid")),
        (vec![TITLE, (file, png, "123456789")], Err("/body/picture invalid")),
        (vec![TITLE, PICTURE, ("name=\"count\"", "", "x")], Err("/body/count invalid")),
        (vec![TITLE, PICTURE, ("name=\"meta\"", "", "{\"a\":1,\"a\":2}")], Err("/body/meta/a duplicate")),
        (vec![TITLE, PICTURE, ("name=\"meta\"", "", "{\"b\":1}")], Err("/body/meta/b undeclared")),
        (vec![TITLE, PICTURE, ("name=\"meta\"", "Content-Type: text/plain", "{}")], Err("/body/meta media-type")),
        (
            vec![TITLE, PICTURE, ("name=\"tags\"", "", "a"), ("name=\"tags\"", "", "b"), ("name=\"tags\"", "", "c")],
            Err("/body/tags invalid"),
        ),
        (
            vec![(file, "Content-Type: image/gif", "12"), ("name=\"title\"; filename=\"x\"", "", "t")],
            Err("/body/picture media-type, /body/title invalid"),
        ),
    ] {
        let found = send(&upload, "multipart/form-data; boundary=B", parts(&sent).as_bytes()).map(|(value, _)| value);
        assert_eq!(found, expect.map_err(str::to_owned), "{sent:?}");
    }
    for (media, body) in [
        ("multipart/form-data", parts(&[TITLE, PICTURE])),
        ("multipart/form-data; boundary=C", parts(&[TITLE, PICTURE])),
        ("multipart/form-data; boundary=B", format!("preamble\r\n{}", parts(&[TITLE, PICTURE]))),
        ("multipart/form-data; boundary=B", parts(&[TITLE, PICTURE]).replace("\r\n", "\n")),
    ] {
        assert_eq!(send(&upload, media, body.as_bytes()), Err("/body malformed".to_owned()), "{media} {body}");
    }
    let mixed = send(&upload, "multipart/mixed; boundary=B", parts(&[TITLE, PICTURE]).as_bytes());
    assert_eq!(mixed, Err("/body media-type".to_owned()));
}

#[test]
fn parts_go_on_under_a_boundary_of_ours() {
    let upload = of(&contract(YAML), "/upload");
    let body = "--B\r\ncontent-disposition:form-data;name=title;\r\n\r\nt\r\n--B--";
    assert_eq!(send(&upload, "multipart/form-data; boundary=B", body.as_bytes()), Err("/body malformed".to_owned()));
    let meta = ("name=meta", "content-type: APPLICATION/JSON", " {\"a\" : 1.50}");
    let picture =
        ("name=\"picture\"; filename*=UTF-8''%C3%A4.png", "Content-Length: 3\r\nContent-Type: image/png", "\r\n-");
    let media = HeaderValue::from_static("multipart/form-data; boundary=B");
    let payload = upload.check_body(Some(&media), parts(&[meta, TITLE, picture]).as_bytes()).unwrap();
    let canonical = payload.canonical.unwrap();
    let media = canonical.content_type.unwrap();
    let boundary = media.to_str().unwrap().strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
    let expect = "--B\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1.50}\r\n\
        --B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nt\r\n\
        --B\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"ä.png\"\r\nContent-Type: image/png\r\n\r\n\r\n-\r\n\
        --B--\r\n";
    assert_eq!(String::from_utf8(canonical.bytes.clone()).unwrap(), expect.replace("--B", &format!("--{boundary}")));
    let again = upload.check_body(Some(&media), &canonical.bytes).unwrap();
    assert_eq!(
        (again.value, again.canonical.unwrap().bytes),
        (payload.value, canonical.bytes),
        "it is read back the same"
    );
}

#[test]
fn texts_are_texts() {
    let text = of(&contract(YAML), "/text");
    for (media, body, expect) in [
        ("text/plain", &b"abc"[..], Ok(json!("abc"))),
        ("text/plain; charset=utf-8", "äöü".as_bytes(), Ok(json!("äöü"))),
        ("text/plain; charset=latin1", b"abc", Err("/body media-type")),
        ("text/plain", b"abcdef", Err("/body invalid")),
        ("text/plain", b"\xff", Err("/body malformed")),
        ("text/plain", b"a\0", Err("/body invalid")),
        ("text/html", b"abc", Err("/body media-type")),
    ] {
        let found = send(&text, media, body).map(|(value, _)| value);
        assert_eq!(found, expect.map_err(str::to_owned), "{media} {body:?}");
    }
}

#[test]
fn only_what_is_not_read_streams() {
    let contract = contract(
        "
openapi: 3.1.0
info: { title: Mixed, version: '1' }
security: []
paths:
  /a:
    post:
      requestBody:
        content:
          application/json: { schema: { type: object, properties: { a: { type: integer } } } }
          image/*: { schema: { type: string, format: binary } }
      responses: { 200: { description: ok } }
",
    );
    for (media, expect) in [
        ("application/json", Ok(Handling::Buffer)),
        ("image/png", Ok(Handling::Stream)),
        ("image/*", Err("media-type")),
        ("video/mp4", Err("media-type")),
        ("application/problem+json", Err("media-type")),
    ] {
        let header = HeaderValue::from_static(media);
        let found = only(&contract).body_handling(Some(&header)).map_err(|violation| violation.code.as_str());
        assert_eq!(found, expect, "{media}");
    }
    assert!(only(&contract).body_handling(None).is_err());
}
