//! What browsers are told by whole chains: the examples for pages and cookies, and handlers that ask for nonces.

#[path = "../../examples/cookie_app.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod cookie_app;

#[path = "../../examples/pages.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod pages;

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use palisade::csp::Nonce;
use palisade_core::event::EventKind;
use palisade_core::secret::Secret;

use crate::world::{Answer, Stand, ask, parse};

fn policies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("content-security-policy").iter().map(|value| value.to_str().unwrap()).collect()
}

/// The cookie of this name that an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = cookies.filter_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
    found.map(|rest| rest.split(';').next().unwrap().to_owned()).next()
}

#[tokio::test]
async fn a_page_that_asks_runs_its_own_scripts_and_another_none() {
    let stand = Stand::new();
    let app = pages::app(&stand.world).unwrap();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = ask(&app, parse("GET /\nhost: a")).await;
        let [policy] = policies(&page)[..] else { panic!("{page:?}") };
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(page.text.matches(&format!("nonce=\"{nonce}\"")).count(), 2, "{policy}: {}", page.text);
        assert!(policy.contains("'strict-dynamic'; style-src 'nonce-") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("reporting-endpoints"), Some("palisade=\"/.well-known/palisade/reports\""));
        nonces.push(nonce.to_owned());
    }
    assert_ne!(nonces[0], nonces[1], "each answer has its own");

    let faulty = ask(&app, parse("GET /search?q=%3Cscript%3Ealert(1)%3C/script%3E\nhost: a")).await;
    assert!(faulty.text.contains("<script>alert(1)"), "the fault of the example is there");
    let [policy] = policies(&faulty)[..] else { panic!("{faulty:?}") };
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src") && !policy.contains("nonce"));
}

#[tokio::test]
async fn a_cached_page_does_not_carry_a_nonce() {
    let stand = Stand::new();
    let page = get(|nonce: Nonce| async move {
        (
            [("cache-control", "public, max-age=600"), ("content-security-policy", "script-src 'none'")],
            Html(nonce.to_string()),
        )
    });
    let idle = get(|| async { ([("cache-control", "public, max-age=600")], Html("idle")) });
    let routes = Router::new().route("/page", page).route("/idle", idle);
    let app =
        palisade::Chain::browser_app().public("GET /page").public("GET /idle").protect(routes, &stand.world).unwrap();
    let page = ask(&app, parse("GET /page\nhost: a")).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let both = policies(&page);
    assert_eq!((both.len(), both[1]), (2, "script-src 'none'"), "the application tightens");
    assert!(both[0].contains(&format!("'nonce-{}'", page.text)));
    let idle = ask(&app, parse("GET /idle\nhost: a")).await;
    assert_eq!(idle.header("cache-control"), Some("public, max-age=600"), "nobody asked, nothing was minted");
}

#[tokio::test]
async fn a_chain_for_programs_has_no_nonce_to_give() {
    let stand = Stand::new();
    let routes = Router::new().route("/page", get(|nonce: Nonce| async move { nonce.to_string() }));
    let app = palisade::Chain::api().public("GET /page").protect(routes, &stand.world).unwrap();
    assert_eq!(ask(&app, parse("GET /page\nhost: a")).await.status, 500);
}

#[tokio::test]
async fn reports_become_events_and_nothing_else_does() {
    let stand = Stand::new();
    let app = pages::app(&stand.world).unwrap();
    let report = "POST /.well-known/palisade/reports\nhost: a\ncookie: s=1\ncontent-type: application/csp-report\n\n\
                  {\"csp-report\": {\"blocked-uri\": \"https://evil.example/x.js?s3cret\", \"violated-directive\": \"script-src\"}}";
    for (expect, kinds) in [(204, vec![EventKind::BrowserReport, EventKind::Access]), (204, vec![EventKind::Access])] {
        let answer = ask(&app, parse(report)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (expect, ""));
        let events = stand.kept.take();
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), kinds);
        assert!(!format!("{events:?}").contains("s3cret"));
    }
    for (request, code) in [
        (report.replace("csp-report\n\n", "json\n\n"), "media-type-undeclared"),
        (report.split("\n\n").next().unwrap().to_owned() + "\n\n{}", "payload-invalid"),
        (report.replace("POST", "GET"), "operation-undeclared"),
    ] {
        assert_eq!(ask(&app, parse(&request)).await.code().as_deref(), Some(code), "{request}");
    }
}

#[tokio::test]
async fn the_cookie_app_takes_requests_with_the_token_of_their_session() {
    let stand = Stand::new();
    let app = cookie_app::app(&Secret::new([7; 32]), &stand.world).unwrap();
    let forged = ask(&app, parse("POST /login\nhost: a\nsec-fetch-site: cross-site")).await;
    assert_eq!(forged.code().as_deref(), Some("cross-site-request"));

    let form = ask(&app, parse("GET /login\nhost: a")).await;
    let (visitor, token) = (cookie(&form, "__Host-visitor").unwrap(), cookie(&form, "__Host-csrf").unwrap());
    let own = format!("host: a\nsec-fetch-site: same-origin\ncookie: __Host-visitor={visitor}");
    let without = ask(&app, parse(&format!("POST /login\n{own}"))).await;
    assert_eq!(without.code().as_deref(), Some("cross-site-request"));
    let signed_in = ask(&app, parse(&format!("POST /login\n{own}\nx-csrf-token: {token}"))).await;
    assert_eq!((signed_in.status.as_u16(), signed_in.header("cache-control")), (200, Some("no-store")));
    let session = cookie(&signed_in, "__Host-sid").unwrap();

    let own = format!("host: a\nsec-fetch-site: same-origin\ncookie: __Host-sid={session}; __Host-csrf={token}");
    let stale = ask(&app, parse(&format!("POST /transfer\n{own}\nx-csrf-token: {token}"))).await;
    assert_eq!(stale.code().as_deref(), Some("cross-site-request"), "the token of the visitor is not the session's");
    let home = ask(&app, parse(&format!("GET /\n{own}"))).await;
    let fresh = cookie(&home, "__Host-csrf").unwrap();
    let done = ask(&app, parse(&format!("POST /transfer\n{own}\nx-csrf-token: {fresh}"))).await;
    assert_eq!(done.text, "transferred");

    let theme = home.headers.get_all("set-cookie").iter().find(|value| value.as_bytes().starts_with(b"theme")).unwrap();
    assert_eq!(theme, "theme=dark; Path=/; Secure; SameSite=Lax", "declared as readable");
}

#[tokio::test]
async fn cookies_of_handlers_are_corrected() {
    let stand = Stand::new();
    let routes =
        Router::new().route("/", get(|| async { ([("set-cookie", "sid=1; SameSite=None")], "x").into_response() }));
    let app = palisade::Chain::browser_app().public("GET /").protect(routes, &stand.world).unwrap();
    let answer = ask(&app, parse("GET /\nhost: a")).await;
    assert_eq!(answer.header("set-cookie"), Some("sid=1; Secure; HttpOnly; SameSite=Lax"));
    let kinds: Vec<EventKind> = stand.kept.take().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::CookieCorrected, EventKind::Access]);
}
