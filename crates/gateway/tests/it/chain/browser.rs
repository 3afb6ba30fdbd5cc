//! What browsers meet at a gateway: cross-site requests, cookies, policies of pages and reports, over the wire.

use bytes::Bytes;
use http::Response;
use palisade_core::denial::DenialCode;
use palisade_testkit::upstream::Upstream;

use super::harness::{POLICY, Site, with_route, with_sections};
use super::wire::Answer;

/// A backend that sets cookies and headers as careless ones do. What is asked with `x-page` is a page.
async fn careless() -> Upstream {
    Upstream::start(|request| {
        let page = request.headers().contains_key("x-page");
        let response = Response::builder()
            .header("content-type", if page { "text/html" } else { "application/json" })
            .header("set-cookie", "sid=1")
            .header("set-cookie", "__Host-sid=1; Domain=shop.example; Path=/a")
            .header("set-cookie", "wide=1; SameSite=None")
            .header("content-security-policy", "script-src * 'unsafe-inline'")
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-credentials", "true")
            .header("strict-transport-security", "max-age=0")
            .header("x-frame-options", "ALLOWALL")
            .header("referrer-policy", "unsafe-url")
            .header("vary", "accept-language");
        response.body(Bytes::from_static(b"[]")).unwrap()
    })
    .await
}

fn all<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_careless_backend_is_made_safe() {
    let upstream = careless().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let answer = site.ask("GET /items\norigin: https://evil.example").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        all(&answer, "set-cookie"),
        [
            "sid=1; Secure; HttpOnly; SameSite=Lax",
            "__Host-sid=1; Path=/; Secure; HttpOnly; SameSite=Lax",
            "wide=1; Secure; HttpOnly; SameSite=Lax"
        ]
    );
    let policies = all(&answer, "content-security-policy");
    assert_eq!(policies.len(), 2, "browsers enforce both: {policies:?}");
    assert!(policies[0].starts_with("default-src 'none'"), "{policies:?}");
    assert_eq!((answer.header("x-frame-options"), answer.header("referrer-policy")), ("DENY", "no-referrer"));
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{answer:?}");
    assert!(!answer.headers.contains_key("strict-transport-security"), "not without TLS");
    assert_eq!(answer.header("cache-control"), "no-store");
    let id = answer.header("x-request-id").to_owned();
    let log = site.finish().await;
    let reasons: Vec<&str> = log.of(&id).0.iter().map(|event| event["evidence"]["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["host_prefix_broken", "cross_site_not_declared"]);
}

#[tokio::test]
async fn pages_get_no_nonce_and_what_the_route_allows() {
    let upstream = careless().await;
    let keys = "responses = \"off\"\nheaders.csp = { script-src = [\"self\"] }\nheaders.readable_cookies = [\"sid\"]";
    let site = Site::start(&with_route(keys), &upstream.url()).await;
    let page = site.ask("GET /items\nx-page: 1").await;
    let policies = all(&page, "content-security-policy");
    assert!(policies[0].contains("; script-src 'self'; ") && !policies[0].contains("nonce"), "{policies:?}");
    assert!(page.headers["permissions-policy"].to_str().unwrap().contains("xr-spatial-tracking=()"));
    assert_eq!(all(&page, "set-cookie")[0], "sid=1; Secure; SameSite=Lax");
    site.finish().await;
}

#[tokio::test]
async fn cve_2026_54290_credentials_go_with_listed_origins_only() {
    let upstream = careless().await;
    let keys = "cors = { origins = [\"https://app.example.com\"], credentials = true, methods = [\"DELETE\"] }";
    let site = Site::start(&with_route(keys), &upstream.url()).await;
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://evil.example", false),
        ("https://app.example.com.evil.example", false),
        ("null", false),
    ] {
        let answer = site.ask(&format!("GET /items\norigin: {origin}\nvary: x-chosen, *")).await;
        assert_eq!(answer.header("access-control-allow-origin"), if allowed { origin } else { "" });
        assert_eq!(answer.header("access-control-allow-credentials"), if allowed { "true" } else { "" });
        // GHSA-q7jf-gf43-6x6p: the request does not choose what its answer varies by.
        assert_eq!(all(&answer, "vary"), ["accept-language", "origin", "sec-fetch-site"], "{origin}");
    }
    let preflight = "access-control-request-method: DELETE";
    let allowed = site.ask(&format!("OPTIONS /items/1\norigin: https://app.example.com\n{preflight}")).await;
    assert_eq!(
        (allowed.status.as_u16(), allowed.header("access-control-allow-methods")),
        (204, "GET, HEAD, POST, DELETE")
    );
    let refused = site.ask(&format!("OPTIONS /items/1\norigin: https://evil.example\n{preflight}")).await;
    assert_eq!(refused.status, DenialCode::PreflightRefused.status());
    assert!(refused.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{refused:?}");
    assert!(all(&refused, "vary").contains(&"origin"));
    let plain = site.ask("OPTIONS /items\norigin: https://app.example.com").await;
    assert_eq!(plain.status, DenialCode::MethodUndeclared.status(), "no preflight, so it is a request like any other");
    site.finish().await;
}

#[tokio::test]
async fn ghsa_2234_fmw7_43wr_a_cross_site_request_without_a_content_type_is_refused() {
    let upstream = careless().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for origin in ["origin: https://evil.example", "sec-fetch-site: cross-site", "origin: null", "accept: */*"] {
        let answer = site.ask(&format!("POST /checkout\ncookie: session=1\n{origin}\n\nx=1")).await;
        assert_eq!(answer.json()["code"], "cross-site-request", "{origin}");
    }
    assert!(upstream.received().is_empty());
    site.finish().await;
}

#[tokio::test]
async fn a_session_gets_its_token_and_needs_it() {
    let upstream = careless().await;
    let keys = "csrf.tokens = { key = \"file:csrf.key\", session_cookie = \"__Host-sid\" }";
    let dir = palisade_testkit::dir::TempDir::new();
    let key = dir.write("csrf.key", "0123456789abcdef0123456789abcdef\n");
    let policy = with_route(&keys.replace("csrf.key", &key.display().to_string()));
    let site = Site::start(&policy, &upstream.url()).await;
    let own = "authorization: Bearer ${alice}\ncookie: __Host-sid=s-1\nsec-fetch-site: same-origin";
    let page = site.ask(&format!("GET /items\n{own}")).await;
    let cookie = *all(&page, "set-cookie").last().unwrap();
    let token = cookie.strip_prefix("__Host-csrf=").unwrap().strip_suffix("; Path=/; Secure; SameSite=Strict").unwrap();
    let refused = site.ask(&format!("POST /checkout\n{own}")).await;
    assert_eq!(refused.json()["code"], "cross-site-request");
    let other = own.replace("s-1", "s-2");
    assert_eq!(site.ask(&format!("POST /checkout\n{other}\nx-csrf-token: {token}")).await.status, 403);
    assert!(upstream.received().iter().all(|request| request.method() == "GET"));
    site.ask(&format!("POST /checkout\n{own}\nx-csrf-token: {token}")).await;
    assert_eq!(upstream.received().last().unwrap().method(), "POST");
    let id = refused.header("x-request-id").to_owned();
    assert_eq!(site.finish().await.of(&id).0[0]["evidence"]["reason"], "token_missing");
}

#[tokio::test]
async fn browsers_report_without_signing_in() {
    let upstream = careless().await;
    let policy = with_sections("[reports]\npath = \"/.well-known/palisade/reports\"");
    let site = Site::start(&policy.replace("path = \"/**\"", "path = \"/items/**\""), &upstream.url()).await;
    let report = "POST /.well-known/palisade/reports\ncookie: session=1\nsec-fetch-site: cross-site\n\
                  content-type: application/reports+json\n\n\
                  [{\"type\": \"csp-violation\", \"url\": \"https://shop.example/?token=s3cret\", \"body\": \
                  {\"blockedURL\": \"inline\", \"effectiveDirective\": \"script-src-elem\", \"sample\": \"a\\u001b[2J\"}}]";
    let answer = site.ask(report).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
    assert!(upstream.received().is_empty());
    let id = answer.header("x-request-id").to_owned();
    let log = site.finish().await;
    let (events, _) = log.of(&id);
    assert_eq!(events[0]["kind"], "browser_report");
    let evidence = &events[0]["evidence"];
    assert_eq!((&evidence["page"], &evidence["blocked"]), (&"https://shop.example/".into(), &"inline".into()));
    assert_eq!(evidence["sample"], "a\u{fffd}[2J", "no terminal is moved");
}
