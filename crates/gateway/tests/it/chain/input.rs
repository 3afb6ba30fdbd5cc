//! The many forms of what a gateway refuses before it asks anybody: each has one code, and the backend never hears of it.

use palisade_core::denial::DenialCode::{self, *};

use super::harness::{POLICY, Site, shop, with_route};
use super::wire;

/// That each request is refused as the table says, under one policy.
async fn check(policy: &str, table: &[(&str, DenialCode)]) {
    let upstream = shop().await;
    let site = Site::start(policy, &upstream.url()).await;
    let mut answers = Vec::new();
    for (request, code) in table {
        answers.push((site.ask(request).await, *code, *request));
    }
    assert_eq!(site.ask("GET /items").await.status, 200, "the gateway still serves");
    assert_eq!(upstream.received().len(), 1, "nothing refused reached the backend");
    let log = site.finish().await;
    for (answer, code, request) in answers {
        assert_eq!(answer.status, code.status(), "{request}: {answer:?}");
        log.assert_refused(&answer, code);
    }
}

#[tokio::test]
async fn paths_with_two_readings_are_refused() {
    let table = [
        "GET /items/../orders",
        "GET /items/%2e%2e/orders",
        "GET /./items",
        "GET //items",
        "GET /items//1",
        "GET /items%2f1",
        "GET /items%5c1",
        "GET /items\\1",
        "GET /items;v=1",
        "GET /items%3bv=1",
        "GET /items%00",
        "GET /items%0d%0aset-cookie:a",
        "GET /%c0%ae%c0%ae/items",
        "GET /items%252f1",
        "GET /items%zz",
        "GET /items%3fq=1",
        "GET /items?q=%00",
        "GET /items?q=%ff",
        "GET /items?q=%",
        "OPTIONS *",
    ];
    check(POLICY, &table.map(|request| (request, PathAmbiguous))).await;
}

#[tokio::test]
async fn headers_with_two_readings_are_refused() {
    let table = [
        ("GET /items\nx-original-url: /admin", HeaderForbidden),
        ("GET /items\nx-rewrite-url: /admin", HeaderForbidden),
        ("POST /items\nx-method-override: GET", HeaderForbidden),
        ("GET /items\nx_forwarded_for: 127.0.0.1", HeaderForbidden),
        ("GET /items\norigin: https://a.example\norigin: https://b.example", HeaderForbidden),
        ("GET /items/1\nauthorization: Bearer ${alice}\nauthorization: Bearer ${admin}", HeaderForbidden),
        ("POST /orders\ncontent-type: application/json\ncontent-type: text/plain\n\n{}", HeaderForbidden),
        ("GET /items\nhost: a.example\nhost: b.example", HeaderForbidden),
        ("GET http://evil.example/items\nhost: shop.example", HostInvalid),
        ("GET /items\nhost: ", HostInvalid),
        ("GET /items\nhost: shop.example:http", HostInvalid),
        ("GET /items\nhost: shop.example.", HostInvalid),
        ("GET /items\nhost: shop.example/path", HostInvalid),
        ("TRACE /items", MethodUndeclared),
    ];
    check(POLICY, &table).await;
}

#[tokio::test]
async fn parameters_are_held_to_the_contract() {
    let table = [
        "GET /items?limit=0",
        "GET /items?limit=1e1",
        "GET /items?limit=",
        "GET /items?limit=1&limit=2",
        "GET /items?sort=cost",
        "GET /items?admin=true",
        "GET /items/one\nauthorization: Bearer ${alice}",
        "GET /items/1.5\nauthorization: Bearer ${alice}",
    ];
    check(POLICY, &table.map(|request| (request, ParameterInvalid))).await;
}

#[tokio::test]
async fn payloads_are_held_to_the_contract() {
    let send = |media: &str, body: &str| {
        format!("POST /orders\nauthorization: Bearer ${{alice}}\ncontent-type: {media}\n\n{body}")
    };
    let json = |body: &str| send("application/json", body);
    let table = [
        (json("{"), PayloadInvalid),
        (json("[]"), PayloadInvalid),
        (json(r#"{"item": 1}"#), PayloadInvalid),
        (json(r#"{"item": "1", "amount": 2}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": -2}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": 2, "amount": 3}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": 2, "role": "admin"}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": 2, "__proto__": {"admin": true}}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": 2} {}"#), PayloadInvalid),
        (json("{\"item\": 1, \"amount\": 2, \"note\": \"\\ud800\"}"), PayloadInvalid),
        (json(r#"{"item": 1, "amount": NaN}"#), PayloadInvalid),
        (json(r#"{"item": 1, "amount": 2, "note": "</b>"}"#), MarkupInText),
        (json(r#"{"item": 1, "amount": 2, "note": "\u003cscript>"}"#), MarkupInText),
        (json(r#"{"item": 1, "amount": 2, "picture": "http://localhost/"}"#), DestinationForbidden),
        (json(r#"{"item": 1, "amount": 2, "picture": "http://[::ffff:10.0.0.1]/"}"#), DestinationForbidden),
        (json(r#"{"item": 1, "amount": 2, "picture": "http://2130706433/"}"#), DestinationForbidden),
        (send("text/plain", "{}"), MediaTypeUndeclared),
        (send("application/json; charset=utf-7", "{}"), MediaTypeUndeclared),
        (send("application/json\ncontent-encoding: gzip", "{}"), CodingUndeclared),
        ("POST /orders\nauthorization: Bearer ${alice}\n\n{}".to_owned(), MediaTypeUndeclared),
        ("POST /orders\nauthorization: Bearer ${alice}".to_owned(), PayloadInvalid),
        // Bodies that are streamed: the type counts all the same.
        ("PUT /photos/1\ncontent-type: application/json\n\n{}".to_owned(), MediaTypeUndeclared),
        ("PUT /photos/1\ncontent-type: application/octet-stream".to_owned(), PayloadInvalid),
        ("POST /notes\ncontent-type: application/json\n\n{}".to_owned(), MediaTypeUndeclared),
        ("POST /notes\ntransfer-encoding: chunked\n\n1\r\na\r\n0\r\n\r\n".to_owned(), MediaTypeUndeclared),
        ("GET /items\ncontent-type: application/json\n\n{}".to_owned(), PayloadInvalid),
        ("POST /forms\ncontent-type: application/x-www-form-urlencoded\n\nname=a&admin=1".to_owned(), PayloadInvalid),
        ("POST /forms\ncontent-type: application/x-www-form-urlencoded\n\nname=a&name=b".to_owned(), PayloadInvalid),
    ];
    check(POLICY, &table.each_ref().map(|(request, code)| (request.as_str(), *code))).await;
}

#[tokio::test]
async fn long_bodies_are_refused_with_and_without_a_length() {
    let chunked = |path: &str, media: &str| {
        format!("{path}\ncontent-type: {media}\ntransfer-encoding: chunked\n\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n")
    };
    let table = [
        "POST /forms\ncontent-type: application/x-www-form-urlencoded\n\n0123456789".to_owned(),
        // The length alone is enough: none of the body is read.
        "PUT /photos/1\ncontent-type: application/octet-stream\ncontent-length: 999999999999".to_owned(),
        chunked("POST /forms", "application/x-www-form-urlencoded"),
        chunked("PUT /photos/1", "application/octet-stream"),
    ];
    check(&with_route("max_body = \"8B\""), &table.each_ref().map(|request| (request.as_str(), BodyTooLarge))).await;
}

#[tokio::test]
async fn all_violations_are_told_at_once_and_never_a_value() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let body = r#"{"item": "s3cret", "amount": -1, "x": 1}"#;
    let order = format!("POST /orders\nauthorization: Bearer ${{alice}}\ncontent-type: application/json\n\n{body}");
    let answer = wire::exchange(site.address, &site.request(&order)).await.unwrap();
    let problem = answer.json();
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/body/amount", "/body/item", "/body/x"]);
    assert!(!answer.text().contains("s3cret"), "{problem}");
    site.finish().await;
}
