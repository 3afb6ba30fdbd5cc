//! What passes: requests in one writing, answers byte for byte, and of the headers what is the client's to say.

use http::Request;
use palisade_testkit::client::Client;

use super::harness::{ITEM, PHOTO, POLICY, Site, assert_dressed, shop, with_route};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Line, media type, body, and how that body arrives.
const BODIES: [(&str, &str, &str, &str); 8] = [
    ("POST /orders", JSON, "{\"item\":1,\"amount\":2}", "{\"item\":1,\"amount\":2}"),
    (
        "POST /orders",
        "application/json; charset=utf-8",
        " {\r\n\t\"amount\" : 0.10e+1 ,\"item\":1.0 }\n\n",
        "{\"amount\":0.10e+1,\"item\":1.0}",
    ),
    (
        "POST /orders",
        JSON,
        "{\"item\":1e0,\"amount\":12345678901234567890.000,\"note\":\"\\u00e9\\/ é < 3\"}",
        "{\"item\":1e0,\"amount\":1.2345678901234567e+19,\"note\":\"é/ é < 3\"}",
    ),
    (
        "POST /orders",
        JSON,
        "{\"note\":\"\",\"amount\":-0.0,\"item\":-0}",
        "{\"note\":\"\",\"amount\":-0.0,\"item\":-0}",
    ),
    ("POST /forms", FORM, "name=a+b%20c%26d&count=7", "name=a%20b%20c%26d&count=7"),
    ("POST /forms", FORM, "count=1&&name=", "count=1&name="),
    ("POST /notes", "application/octet-stream", "a", "a"),
    (
        "PUT /photos/1",
        "application/octet-stream",
        "\0\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
        "\0\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
    ),
];

/// Sends each body with a length and in chunks.
async fn check_bodies(
    policy: &str,
    expect: impl Fn(&(&str, &'static str, &'static str, &'static str)) -> &'static str,
) {
    let upstream = shop().await;
    let site = Site::start(policy, &upstream.url()).await;
    for case in BODIES {
        let (line, media, body, _) = case;
        let signed = format!("{line}\nauthorization: Bearer ${{alice}}\ncontent-type: {media}");
        let chunked = format!("{signed}\ntransfer-encoding: chunked\n\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for request in [format!("{signed}\n\n{body}"), chunked] {
            let answer = site.ask(&request).await;
            assert!(answer.status.is_success(), "{request}: {answer:?}");
            let received = upstream.received();
            let last = received.last().unwrap();
            assert_eq!(last.body(), expect(&case), "{line}");
            assert_eq!(last.headers()["content-type"], media);
            if line == "POST /orders" {
                assert_eq!(answer.text(), expect(&case), "the backend's echo comes back as it is");
            }
        }
    }
    site.finish().await;
}

#[tokio::test]
async fn bodies_arrive_in_one_writing() {
    check_bodies(POLICY, |(.., arrives)| arrives).await;
}

#[tokio::test]
async fn bodies_arrive_byte_for_byte_where_the_route_says_so() {
    check_bodies(&with_route("payload = { forward = \"preserve-bytes\" }"), |(_, _, sent, _)| sent).await;
}

#[tokio::test]
async fn answers_leave_byte_for_byte() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let item = site.ask("GET /items/1\nauthorization: Bearer ${alice}").await;
    assert_eq!(item.text(), ITEM);
    let photo = site.ask("GET /photos/1").await;
    assert_eq!(photo.body, PHOTO);
    for answer in [item, photo] {
        assert_dressed(&answer);
        assert!(!answer.headers.contains_key("x-powered-by"), "{answer:?}");
    }
    site.finish().await;
}

#[tokio::test]
async fn the_request_target_arrives_in_one_writing() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (sent, expect) in [
        ("/items", "/items"),
        ("/items?limit=5&sort=name", "/items?limit=5&sort=name"),
        ("/items?sort=name&q=a+b%20%C3%A9%26&limit=05", "refused"),
        ("/items?sort=name&q=a+b%20%c3%a9%26&limit=5", "/items?sort=name&q=a%20b%20%C3%A9%26&limit=5"),
        ("/items?q=%61;b", "/items?q=a%3Bb"),
        ("/items?q", "/items?q="),
        ("/items?&limit=5&", "/items?limit=5"),
        ("/items?", "/items"),
        ("/items?q=", "/items?q="),
        ("/%69tems", "/items"),
        ("http://shop.example/items?q=1", "/items?q=1"),
    ] {
        let before = upstream.received().len();
        site.ask(&format!("GET {sent}")).await;
        let received = upstream.received();
        let arrived = received.get(before).map_or_else(|| "refused".to_owned(), |request| request.uri().to_string());
        assert_eq!(arrived, expect, "{sent}");
    }
    site.finish().await;
}

#[tokio::test]
async fn the_backend_hears_who_asks_from_the_gateway_alone() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let request = "GET /items/1
authorization: Bearer ${tenant}
connection: close, x-secret, Keep-Alive
x-secret: 1
keep-alive: timeout=5
te: trailers
proxy-authorization: Basic eDp5
proxy-connection: keep-alive
upgrade: h2c
forwarded: for=127.0.0.1
x-forwarded-for: 203.0.113.1
x-forwarded-host: evil.example
x-forwarded-proto: https
x-real-ip: 203.0.113.1
x-request-id: chosen
palisade-subject: root
palisade-roles: root
palisade-scopes: everything
palisade-tenant: other
traceparent: nonsense
accept-language: de
if-none-match: \"1\"";
    assert_eq!(site.ask(request).await.status, 200);
    let received = upstream.received();
    let headers = received[0].headers();
    for (name, value) in [
        ("palisade-subject", "alice"),
        ("palisade-roles", "admin clerk"),
        ("palisade-scopes", "reports:read"),
        ("palisade-tenant", "acme"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "http"),
        ("accept-language", "de"),
        ("if-none-match", "\"1\""),
        ("host", &upstream.address().to_string()),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    assert_ne!(headers["x-request-id"], "chosen");
    for gone in [
        "authorization",
        "connection",
        "forwarded",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "traceparent",
        "transfer-encoding",
        "upgrade",
        "x-real-ip",
        "x-secret",
    ] {
        assert!(!headers.contains_key(gone), "{gone} goes on");
    }
    site.finish().await;
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_client() {
    let upstream = shop().await;
    let policy = POLICY.replace("127.0.0.1:0\"", "127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]");
    let site = Site::start(&policy, &upstream.url()).await;
    let answer = site.ask("GET /items\nx-forwarded-for: 198.51.100.7, 203.0.113.9").await;
    assert_eq!(upstream.received()[0].headers()["x-forwarded-for"], "203.0.113.9");
    let log = site.finish().await;
    assert_eq!(log.of(answer.header("x-request-id")).1["client"], "203.0.113.9");
}

#[tokio::test]
async fn trailers_do_not_arrive() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for line in ["POST /orders", "PUT /photos/1"] {
        let media = if line.starts_with("PUT") { "application/octet-stream" } else { "application/json" };
        let body = "15\r\n{\"item\":1,\"amount\":2}\r\n0\r\npalisade-subject: root\r\nx-trailer: 1\r\n\r\n";
        let answer = site
            .ask(&format!(
                "{line}\nauthorization: Bearer ${{alice}}\ncontent-type: {media}\ntrailer: x-trailer\n\
                 transfer-encoding: chunked\n\n{body}"
            ))
            .await;
        assert!(answer.status.is_success(), "{answer:?}");
        let received = upstream.received();
        let last = received.last().unwrap();
        assert_eq!(last.body(), "{\"item\":1,\"amount\":2}");
        assert!(!last.headers().contains_key("x-trailer") && !last.headers().contains_key("trailer"));
        assert_ne!(last.headers()["palisade-subject"], "root");
    }
    site.finish().await;
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (request, status) in [
        ("HEAD /items", 200),
        ("HEAD /items/1\nauthorization: Bearer ${alice}", 200),
        ("HEAD /items/1", 401),
        ("HEAD /items?limit=0", 400),
        ("HEAD /orders", 405),
    ] {
        let answer = site.ask(request).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (status, &b""[..]), "{request}");
        assert_dressed(&answer);
    }
    assert!(upstream.received().iter().all(|request| request.method() == "HEAD"));
    site.finish().await;
}

#[tokio::test]
async fn http2_follows_the_same_rules() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let client = Client::http2(site.address);
    let ask = async |line: &str| {
        let (method, path) = line.split_once(' ').unwrap();
        let token = site.tokens.fill("Bearer ${alice}");
        let request = Request::builder().method(method).uri(path).header("host", "shop.example");
        let request = request.header("authorization", token).header("cookie", "a=1").header("cookie", "b=2");
        let answer = client.send(request.body(r#"{"item": 1,  "amount": 2}"#.into()).unwrap()).await;
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
    };
    let get = Request::get("/items/1").header("host", "shop.example");
    let get = get.header("authorization", site.tokens.fill("Bearer ${alice}")).header("cookie", "a=1");
    let answer = client.send(get.header("cookie", "b=2").body("".into()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, ITEM.as_bytes()));
    let received = upstream.received();
    assert_eq!(received[0].headers()["x-forwarded-host"], "shop.example");
    assert_eq!(received[0].headers()["cookie"], "a=1; b=2");
    assert_eq!(ask("DELETE /items/1").await.0, 403);
    assert_eq!(ask("POST /items").await.0, 403, "a cookie without an origin may be another site's doing");
    assert_eq!(upstream.received().len(), 1);
    site.finish().await;
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read() {
    let upstream = shop().await;
    let cors = "[route.shop.cors]\norigins = [\"https://app.example\"]\nmethods = [\"DELETE\"]\n\
                headers = [\"authorization\"]\nexpose = [\"x-request-id\"]\ncredentials = true\nmax_age = \"1h\"\n";
    let policy = with_route("").replace("[bearer.main]", &format!("{cors}[bearer.main]"));
    let site = Site::start(&policy, &upstream.url()).await;
    for (request, status, origin) in [
        ("GET /items\norigin: https://app.example", 200, "https://app.example"),
        ("GET /items/1\norigin: https://app.example", 401, "https://app.example"),
        ("GET /items\norigin: https://evil.example", 200, ""),
        ("GET /items", 200, ""),
    ] {
        let answer = site.ask(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (status, origin));
        assert_eq!(answer.header("access-control-allow-credentials"), if origin.is_empty() { "" } else { "true" });
        let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.join(",").contains("origin"), "{answer:?}");
    }
    let preflight = "OPTIONS /items/1\norigin: https://app.example\naccess-control-request-method: DELETE\n\
                     access-control-request-headers: authorization";
    let answer = site.ask(preflight).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-max-age")), (204, "3600"));
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, POST, DELETE");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization");
    site.finish().await;
}
