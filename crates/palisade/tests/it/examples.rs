//! The examples do what they say, called as a service and over a real socket.

#[path = "../../examples/api.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod api;

#[path = "../../examples/browser_app.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod browser_app;

#[path = "../../examples/signed_identity.rs"]
#[expect(dead_code, reason = "the test calls the services and not their `main`")]
mod signed_identity;
#[path = "../../examples/valid_input.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod valid_input;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use expect_test::expect;
use http_body_util::BodyExt as _;
use palisade::testing::TestWorld;
use palisade::token::identity::IdentitySigner;
use palisade::token::jwks::KeySet;
use palisade::token::sign::Signer;
use palisade_core::event::EventKind;
use palisade_core::id::UserId;
use palisade_core::principal::{Assurance, Level, Principal, Subject};
use palisade_testkit::client::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{Stand, ask, assert_dressed, parse};

#[tokio::test]
async fn the_api_lets_in_whom_it_says() {
    let stand = Stand::new();
    let app = api::app(stand.keys(), &stand.world).unwrap();
    let admin = stand.token(&json!({"sub": "u-9", "roles": ["admin"]}));
    let auditor = stand.token(&json!({"sub": "u-8", "roles": ["auditor"], "scope": "reports:read"}));
    for (request, status, text) in [
        ("GET /health\nhost: a".to_owned(), 200, "ok"),
        ("HEAD /health\nhost: a".to_owned(), 200, ""),
        ("GET /users/u-1\nhost: a".to_owned(), 401, ""),
        ("GET /users/u-1\nhost: a\nauthorization: Bearer $TOKEN".to_owned(), 200, "the data of u-1"),
        ("GET /users/u-2\nhost: a\nauthorization: Bearer $TOKEN".to_owned(), 404, ""),
        ("DELETE /users/u-1\nhost: a\nauthorization: Bearer $TOKEN".to_owned(), 403, ""),
        (format!("DELETE /users/u-1\nhost: a\nauthorization: Bearer {admin}"), 200, "u-1 is gone"),
        ("GET /me\nhost: a\nauthorization: Bearer $TOKEN".to_owned(), 200, "user:u-1"),
        (format!("GET /reports\nhost: a\nauthorization: Bearer {admin}"), 403, ""),
        (format!("GET /reports\nhost: a\nauthorization: Bearer {auditor}"), 200, "what everybody bought"),
        ("GET /.env\nhost: a".to_owned(), 404, ""),
    ] {
        let answer = ask(&app, stand.request(&request)).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.code().is_none(), status == 200, "{request}");
        if status == 200 {
            assert_eq!(answer.text, text);
        }
        assert_dressed(&answer);
    }
}

#[tokio::test]
async fn the_browser_app_refuses_forms_of_other_sites() {
    let stand = Stand::new();
    let app = browser_app::app("k-1", &stand.world).unwrap();
    let form = "POST /feedback\nhost: a\ncontent-type: application/x-www-form-urlencoded\ncookie: a=1";
    for (request, status, expect) in [
        (format!("{form}\nsec-fetch-site: cross-site\n\ntext=hi"), 403, "cross-site-request"),
        (format!("{form}\norigin: https://evil.example\n\ntext=hi"), 403, "cross-site-request"),
        (format!("{form}\norigin: null\n\ntext=hi"), 403, "cross-site-request"),
        (format!("{form}\n\ntext=hi"), 403, "cross-site-request"),
        (format!("{form}\nsec-fetch-site: same-origin\n\ntext=hi+there"), 200, "thank you for 2 words"),
        (format!("{form}\norigin: https://app.example.com\n\ntext=hi"), 200, "thank you for 1 words"),
        ("GET /reports\nhost: a".to_owned(), 401, "credential-missing"),
        ("GET /reports\nhost: a\nx-api-key: k-1".to_owned(), 200, "for service:reports"),
    ] {
        let answer = ask(&app, parse(&request)).await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.text.contains(expect), "{request}: {}", answer.text);
    }
    let page = ask(&app, parse("GET /\nhost: a")).await;
    assert!(page.text.contains("<form"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self'") && !policy.contains("script-src"), "{policy}");
    for (origin, expect) in [("https://partner.example.com", Some("true")), ("https://evil.example", None)] {
        let answer = ask(&app, parse(&format!("GET /prices\nhost: a\norigin: {origin}"))).await;
        assert_eq!(answer.header("access-control-allow-credentials"), expect, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), expect.map(|_| origin));
        assert!(
            answer.header("vary").unwrap().starts_with("origin") || answer.headers.get_all("vary").iter().count() > 1
        );
    }
}

#[tokio::test]
async fn the_valid_input_tells_all_errors_at_once() {
    let test = TestWorld::new();
    let client = test.client(valid_input::app(&test.world).unwrap());
    let order = |body: &str| format!("POST /orders\ncontent-type: application/json\n\n{body}");
    let answer = client.ask(&order(r#"{"article": "pears", "count": 0, "is_admin": true}"#)).await;
    expect![[r#"
        {
          "type": "https://github.com/palisade-rs/palisade/blob/main/docs/reference/denials.md#payload-invalid",
          "title": "The request body is not valid",
          "status": 400,
          "code": "payload-invalid",
          "errors": [
            {
              "pointer": "/body/article",
              "detail": "must match `^[A-Z]{2}[0-9]{4}$`"
            },
            {
              "pointer": "/body/count",
              "detail": "must be at least 1"
            },
            {
              "pointer": "/body/is_admin",
              "detail": "is not declared"
            }
          ],
          "request_id": "-"
        }"#]]
    .assert_eq(&format!("{:#}", without_id(answer.json())));
    assert_eq!(answer.events[0].kind, EventKind::InputRefused);
    for (request, status, expect) in [
        (order(r#"{"article": "PE0007", "count": 2}"#), 200, "2 of PE0007, reported to nobody"),
        (order(r#"{"article": "PE0007", "count": 2, "webhook": "http://[::1]/"}"#), 400, "destination-forbidden"),
        ("GET /orders?limit=5&sort=newest".to_owned(), 200, "the 5 newest orders"),
        ("GET /orders?limit=51&sort=up".to_owned(), 400, "/query/sort"),
        ("GET /orders/7".to_owned(), 200, "order 7"),
        ("GET /orders/07".to_owned(), 400, "/path/number"),
    ] {
        let answer = client.ask(&request).await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.text.contains(expect), "{request}: {}", answer.text);
        assert_dressed(&answer);
    }
}

fn without_id(mut problem: Value) -> Value {
    problem["request_id"] = "-".into();
    problem
}

#[tokio::test]
async fn the_api_serves_on_a_socket() {
    let stand = Stand::new();
    let (mut server, address) = listen(api::app(stand.keys(), &stand.world).unwrap()).await;
    let client = Client::http1(address);
    let send = async |text: &str| client.send(with_bytes(stand.request(text)).await).await;
    assert_eq!(send("GET /health").await.body(), "ok");
    let own = send("GET /users/u-1\nauthorization: Bearer $TOKEN").await;
    assert_eq!(own.body(), "the data of u-1");
    assert_eq!(own.headers()["x-content-type-options"], "nosniff");
    assert_eq!(send("GET /users/u-1").await.status(), 401);
    let head = send("HEAD /users/u-2\nauthorization: Bearer $TOKEN").await;
    assert_eq!((head.status().as_u16(), head.body().len()), (404, 0));
    let events = stand.kept.take();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Access).count(), 4);
    assert!(events.iter().all(|event| event.client == Some([127, 0, 0, 1].into())), "the peer is known");
    server.abort_all();
}

#[tokio::test]
async fn the_browser_app_serves_on_a_socket() {
    let stand = Stand::new();
    let (mut server, address) = listen(browser_app::app("k-1", &stand.world).unwrap()).await;
    let refused = "POST /feedback\ncookie: a=1\nsec-fetch-site: cross-site\naccept: text/html\n\ntext=hi";
    let answer = Client::http1(address).send(with_bytes(parse(refused)).await).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (403, &"text/html; charset=utf-8".parse().unwrap())
    );
    server.abort_all();
}

#[tokio::test]
async fn two_services_talk_with_signed_identity() {
    let stand = Stand::new();
    let key = || Signer::from_pem(include_str!("../../../gateway/tests/fixtures/identity.key.pem")).unwrap();
    let public = KeySet::new([key().verify_key().unwrap()]).unwrap();
    let (mut back, address) = listen(signed_identity::back(public, &stand.world).unwrap()).await;
    let front = signed_identity::front(stand.keys(), key(), address, &stand.world).unwrap();
    let answer = ask(&front, stand.request("GET /my-orders\nhost: a\nauthorization: Bearer $TOKEN")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "the orders of user:u-1"));

    // What the front service has not signed for the back one is worth nothing there.
    let admin = Assurance::new(Level::Aal1, stand.world.clock.now());
    let admin = Principal::establish(Subject::User(UserId::new("admin")), admin);
    let sign = |key: Signer, issuer: &str, audience: &str| {
        let signer = IdentitySigner::new(key, issuer, Arc::clone(&stand.world.clock)).unwrap();
        format!("palisade-identity: {}", signer.sign(&admin, audience).unwrap().to_str().unwrap())
    };
    let (shop, stranger) = ("https://shop.example.com", Signer::generate_ed25519("x").unwrap());
    for (headers, status) in [
        (sign(key(), shop, "orders"), 200),
        (sign(key(), shop, "billing"), 401),
        (sign(key(), "https://evil.example", "orders"), 401),
        (sign(stranger, shop, "orders"), 401),
        (format!("palisade-identity: {}", stand.token(&json!({}))), 401),
        (format!("authorization: Bearer {}", stand.token(&json!({}))), 401),
        ("palisade-identity: admin".to_owned(), 401),
        ("palisade-subject: admin".to_owned(), 401),
    ] {
        let request = with_bytes(parse(&format!("GET /orders\nhost: a\n{headers}"))).await;
        assert_eq!(Client::http1(address).send(request).await.status(), status, "{headers}");
    }
    back.abort_all();
}

async fn listen(app: Router) -> (JoinSet<()>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    (server, address)
}

async fn with_bytes(request: http::Request<axum::body::Body>) -> http::Request<Bytes> {
    let (parts, body) = request.into_parts();
    http::Request::from_parts(parts, body.collect().await.unwrap().to_bytes())
}
