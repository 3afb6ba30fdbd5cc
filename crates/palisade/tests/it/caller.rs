//! What a handler learns of its caller, and that it learns nothing without a chain.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::Request;
use palisade::extract::{ClientAddr, Principal};
use palisade_core::principal::Level;
use serde_json::json;

use crate::world::{API_KEY, Stand, ask, from, parse, routes};

async fn describe(who: Principal) -> String {
    assert_eq!(&*who, who.permit().principal());
    format!("{} [{}] [{}] {}", who.subject(), who.roles(), who.scopes(), who.assurance().level.as_str())
}

#[tokio::test]
async fn a_handler_knows_its_caller() {
    let stand = Stand::new();
    let app = Router::new().route("/who", get(describe)).route("/open", get(describe));
    let app = stand.preset().protect(app, &stand.world).unwrap();
    let token = stand.token(&json!({"roles": ["b", "a"], "scope": "x y", "acr": "aal2"}));
    for (request, expect) in [
        (format!("GET /who\nhost: a\nauthorization: Bearer {token}"), "user:u-1 [a b] [x y] aal2"),
        (format!("GET /who\nhost: a\nx-api-key: {API_KEY}"), "service:reports [] [] aal1"),
        ("GET /open\nhost: a".to_owned(), "anonymous [] [] none"),
    ] {
        assert_eq!(ask(&app, parse(&request)).await.text, expect, "{request}");
    }
    assert_eq!(Level::Aal2.as_str(), "aal2");
}

#[tokio::test]
async fn a_handler_that_wants_a_caller_does_not_run_without_a_chain() {
    let answer = ask(&routes(), parse("GET /me\nhost: a")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_deref()), (500, Some("unpermitted")));
    assert!(!answer.text.contains("chain"), "the caller learns nothing of how the application is built: {answer:?}");
    let optional = Router::new().route("/", get(|who: Option<Principal>| async move { who.is_some().to_string() }));
    assert_eq!(ask(&optional, parse("GET /\nhost: a")).await.text, "false");
}

/// A route that is added behind the protection is not part of it, and shows.
#[tokio::test]
async fn a_route_added_later_is_not_protected_and_a_caller_shows_it() {
    let stand = Stand::new();
    let app = stand.app(|preset| preset).route("/late", get(describe));
    assert_eq!(ask(&app, parse("GET /late\nhost: a")).await.status, 500);
}

/// Axum's template has the prefix of `nest`, the rules have not: to go on would be to go on without them.
#[tokio::test]
async fn a_chain_inside_nest_refuses_everything() {
    let stand = Stand::new();
    let inner = stand.app(|preset| preset.roles("GET /me", ["admin"]));
    let nested = Router::new().nest("/api", inner);
    for path in ["/api/me", "/api/open", "/api/users/u-1", "/api/files/u-1"] {
        let answer = ask(&nested, stand.request(&format!("GET {path}\nhost: a\nauthorization: Bearer $TOKEN"))).await;
        assert_eq!(answer.code().as_deref(), Some("operation-undeclared"), "{path}");
    }
    let outer = Router::new().nest("/api", routes());
    let outer = stand.preset().roles("GET /api/me", ["admin"]).protect(outer, &stand.world).unwrap();
    for (path, expect) in [("/api/me", 403), ("/api/users/u-1", 200), ("/me", 404)] {
        let answer = ask(&outer, stand.request(&format!("GET {path}\nhost: a\nauthorization: Bearer $TOKEN"))).await;
        assert_eq!(answer.status, expect, "{path}");
    }
}

/// One rule of a route does not take another away.
#[tokio::test]
async fn rules_of_one_route_add_up() {
    let stand = Stand::new();
    let route = "GET /users/{id}";
    let app = stand.app(|preset| preset.owner(route, "id", "sub").scopes(route, ["read"]).roles(route, ["staff"]));
    for (claims, path, expect) in [
        (json!({"roles": ["staff"], "scope": "read"}), "/users/u-1", 200),
        (json!({"roles": ["staff"], "scope": "read"}), "/users/u-2", 404),
        (json!({"roles": ["staff"]}), "/users/u-1", 403),
        (json!({"scope": "read"}), "/users/u-1", 403),
    ] {
        let request = format!("GET {path}\nhost: a\nauthorization: Bearer {}", stand.token(&claims));
        assert_eq!(ask(&app, parse(&request)).await.status, expect, "{claims} {path}");
    }
}

#[tokio::test]
async fn the_client_behind_a_trusted_proxy_is_the_one_that_events_name() {
    let stand = Stand::new();
    let app = stand.app(|preset| preset.behind(vec!["10.0.0.0/8".parse().unwrap()]));
    for (peer, expect) in [("10.0.0.1:4000", "198.51.100.7"), ("203.0.113.9:4000", "203.0.113.9")] {
        let request: Request<_> = from(parse("GET /open\nhost: a\nx-forwarded-for: 198.51.100.7"), peer);
        assert!(request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().is_some());
        ask(&app, request).await;
        let client = stand.kept.take().pop().unwrap().client;
        assert_eq!(client, Some(expect.parse().unwrap()), "{peer}");
    }
}

#[tokio::test]
async fn a_handler_knows_the_address_of_its_client_where_it_is_certain() {
    let stand = Stand::new();
    let whence = |address: Option<ClientAddr>| async move {
        address.map_or_else(|| "unknown".to_owned(), |ClientAddr(address)| address.to_string())
    };
    let certain = |ClientAddr(address): ClientAddr| async move { address.to_string() };
    let app = Router::new().route("/open", get(whence)).route("/certain", get(certain));
    let preset = stand.preset().public("GET /certain").behind(vec!["10.0.0.0/8".parse().unwrap()]);
    let app = preset.protect(app, &stand.world).unwrap();
    for (peer, forwarded, expect) in [
        ("203.0.113.9:1", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1:1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1:1", "unknown", "unknown"),
    ] {
        let request = |path: &str| from(parse(&format!("GET {path}\nhost: a\nx-forwarded-for: {forwarded}")), peer);
        assert_eq!(ask(&app, request("/open")).await.text, expect, "{peer} {forwarded}");
        let status = if expect == "unknown" { 500 } else { 200 };
        assert_eq!(ask(&app, request("/certain")).await.status.as_u16(), status, "{peer} {forwarded}");
    }
    assert_eq!(ask(&app, parse("GET /open\nhost: a")).await.text, "unknown", "nobody has said who is connected");
}
