//! Single stages as tower layers, for those who know what the rest of the chain would have done.

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use palisade::origin::Origin;
use palisade::settings::PerRoute;
use palisade::stage::cors::{Cors, CorsSettings, Readers};
use palisade::stage::csrf::Csrf;
use palisade::stage::finish::Finish;
use palisade::stage::size::Size;
use palisade::stage::{Stage, StageLayer};

use crate::world::{ask, parse};

fn behind(stage: impl Stage) -> Router {
    let handler = post(|body: Bytes| async move { ([("server", "leaky/1.0")], body) });
    Router::new().route("/", handler.get(|| async { "read" })).layer(StageLayer::new(stage))
}

#[tokio::test]
async fn csrf_alone_refuses_what_other_sites_send() {
    let app = behind(Csrf::default().trusting("https://app.example").unwrap());
    for (request, expect) in [
        ("POST /\ncookie: s=1\nsec-fetch-site: cross-site\n\nx", 403),
        ("POST /\ncookie: s=1\norigin: https://app.example\n\nx", 200),
        ("POST /\n\nx", 200),
    ] {
        let answer = ask(&app, parse(request)).await;
        assert_eq!(answer.status, expect, "{request}");
        assert_eq!(answer.header("vary"), Some("sec-fetch-site"), "{request}");
        assert_eq!(answer.code().is_some(), expect == 403);
    }
}

#[tokio::test]
async fn cors_alone_answers_preflights_and_marks_answers() {
    let origins = Readers::Credentialed(vec![Origin::parse("https://app.example").unwrap()]);
    let app = behind(Cors::new(PerRoute::same(CorsSettings { origins, ..CorsSettings::default() })));
    let preflight = "OPTIONS /\norigin: https://app.example\naccess-control-request-method: POST";
    let answer = ask(&app, parse(preflight)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    for (origin, expect) in [("https://app.example", Some("https://app.example")), ("https://evil.example", None)] {
        let answer = ask(&app, parse(&format!("GET /\norigin: {origin}"))).await;
        assert_eq!(answer.text, "read");
        assert_eq!(answer.header("access-control-allow-origin"), expect);
        assert_eq!(answer.header("access-control-allow-credentials"), expect.map(|_| "true"));
    }
}

#[tokio::test]
async fn finish_alone_dresses_answers() {
    let answer = ask(&behind(Finish::default()), parse("POST /\n\nx")).await;
    assert_eq!((answer.text.as_str(), answer.header("server")), ("x", None));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[tokio::test]
async fn size_alone_bounds_bodies() {
    let app = behind(Size { max_body: PerRoute::same(3), ..Size::default() });
    for (request, expect) in [
        ("POST /\n\nabc", 200),
        ("POST /\n\nabcd", 413),
        ("POST /\ncontent-length: 4\n\nabcd", 413),
        ("POST /\ncontent-encoding: br\n\nabc", 415),
    ] {
        let answer = ask(&app, parse(request)).await;
        assert_eq!(answer.status, expect, "{request}");
        assert_eq!(answer.code().is_some(), expect != 200, "{request}");
    }
}
