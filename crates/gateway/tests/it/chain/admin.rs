//! What operators see of a running gateway, and what strangers cannot make them see.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::time::Duration;

use palisade_core::denial::DenialCode::OperationUndeclared;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::harness::{Site, shop, with_sections};
use super::held::Held;
use super::wire::{self, Answer};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"";

async fn look(site: &Site, path: &str) -> Answer {
    ask(site, &format!("GET {path}\nhost: 127.0.0.1")).await
}

async fn ask(site: &Site, text: &str) -> Answer {
    let address: SocketAddr = site.admin.as_ref().unwrap().parse().unwrap();
    wire::exchange(address, &wire::request(text)).await.unwrap()
}

#[tokio::test]
async fn what_was_asked_for_is_counted() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    for _ in 0..3 {
        site.ask("GET /items").await;
    }
    site.ask("GET /items/1\nauthorization: Bearer ${alice}").await;
    site.ask("GET /users/17/secret").await;
    site.ask("GET /users/18/secret").await;
    let text = look(&site, "/metrics").await;
    assert_eq!(text.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = text.text().to_owned();
    for line in [
        "palisade_requests_total{route=\"shop\",operation=\"listItems\",status=\"2xx\"} 3",
        "palisade_requests_total{route=\"shop\",operation=\"getItem\",status=\"2xx\"} 1",
        "palisade_requests_total{route=\"shop\",operation=\"\",status=\"4xx\"} 2",
        "palisade_refusals_total{code=\"operation-undeclared\",stage=\"operation\"} 2",
        "palisade_events_total{kind=\"undeclared_requested\"} 2",
        "palisade_events_dropped_total 0",
        "palisade_reload_total 0",
        "palisade_reload_failed_total 0",
        "palisade_circuit_open{upstream=\"shop\"} 0",
        "palisade_request_duration_seconds_count{route=\"shop\"} 6",
        "palisade_request_duration_seconds_bucket{le=\"+Inf\",route=\"shop\"} 6",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
    let inventory = look(&site, "/inventory").await.json();
    let row = |operation: &str| {
        let rows = inventory["operations"].as_array().unwrap();
        rows.iter().find(|row| row["operation"] == operation).unwrap().clone()
    };
    let (items, item) = (row("listItems"), row("getItem"));
    assert_eq!(
        (&items["requests"], &items["template"], &items["declared"]),
        (&3.into(), &"/items".into(), &true.into())
    );
    assert_eq!((&items["callers"][0], &item["callers"][0]), (&"anonymous".into(), &"user".into()));
    assert_eq!(row("deleteItem")["requests"], 0, "what nobody asks for is listed as well");
    let undeclared = inventory["undeclared"].as_array().unwrap();
    assert_eq!(undeclared.len(), 1, "two ids are one row: {undeclared:?}");
    assert_eq!((&undeclared[0]["asked"], &undeclared[0]["count"]), (&"GET /users/*/secret".into(), &2.into()));
    site.finish().await;
}

#[tokio::test]
async fn a_refusal_is_found_by_the_id_that_the_caller_was_told() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    let refused = site.ask("GET /orders/7\nauthorization: Bearer ${alice}\nx-play: bob").await;
    let id = refused.header("x-request-id").to_owned();
    let refusals = look(&site, "/refusals").await.json();
    let found = refusals.as_array().unwrap().iter().find(|event| event["request_id"] == id.as_str()).unwrap();
    assert_eq!((&found["evidence"]["stage"], &found["who"]), (&"reveal".into(), &"user:alice".into()));
    site.finish().await;
}

#[tokio::test]
async fn the_rules_in_force_are_shown_without_their_secrets() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    let answer = look(&site, "/policy").await;
    let policy = answer.json();
    let route = &policy["routes"][0];
    assert_eq!(route["stages"]["authenticate"], serde_json::json!(["bearer.main", "keys.partners"]));
    assert_eq!(route["stages"]["forward"]["urls"][0], upstream.url());
    let rule = |name: &str| {
        let operations = route["operations"].as_array().unwrap();
        operations.iter().find(|operation| operation["operation"] == name).unwrap()["rules"].clone()
    };
    assert_eq!(
        (rule("listItems"), rule("deleteItem")),
        ("everyone".into(), "signed in; one of the roles admin".into())
    );
    let chain: Vec<&str> =
        policy["chain"].as_array().unwrap().iter().map(|one| one["stage"].as_str().unwrap()).collect();
    assert_eq!((chain.first(), chain.last()), (Some(&"trace"), Some(&"forward")));
    assert!(!answer.text().contains("sha256:"), "{}", answer.text());
    site.finish().await;
}

#[tokio::test]
async fn a_reload_that_failed_is_on_the_page_and_in_the_numbers() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    let before = look(&site, "/policy").await.json()["policy"].clone();
    site.edit("palisade.toml", "upstream = \"shop\"", "upstream = \"shopp\"");
    site.reloader.reload().await.unwrap_err();
    let (page, numbers) = (look(&site, "/").await, look(&site, "/metrics").await);
    assert!(page.text().contains("The last reload failed"), "{}", page.text());
    assert!(page.text().contains("there is no `upstream.shopp`"), "{}", page.text());
    assert!(numbers.text().contains("palisade_reload_failed_total 1\n"), "{}", numbers.text());
    assert_eq!(look(&site, "/policy").await.json()["policy"], before);
    site.edit("palisade.toml", "upstream = \"shopp\"", "upstream = \"shop\"\nmax_body = \"1KiB\"");
    site.reloader.reload().await.unwrap();
    assert!(!look(&site, "/").await.text().contains("The last reload failed"));
    assert_ne!(look(&site, "/policy").await.json()["policy"], before);
    site.finish().await;
}

#[tokio::test]
async fn what_strangers_send_is_no_markup() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    let refused = site.ask("GET /%3Cscript%3Ealert(1)%3C/script%3E").await;
    site.ask("GET /'><script>alert(1)</script>").await;
    let page = look(&site, "/").await;
    assert!(!page.text().contains("<script"), "{}", page.text());
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
    for path in ["/", "/inventory", "/refusals", "/nothing", "/style.css"] {
        let answer = look(&site, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    site.finish().await.assert_refused(&refused, OperationUndeclared);
}

#[tokio::test]
async fn only_those_who_may_look_do() {
    let upstream = shop().await;
    let token = "0123456789abcdefghijklmnopqrstuvwxyz";
    let file = palisade_testkit::dir::TempDir::new();
    file.write("token", format!("{token}\n"));
    let open = Site::start(&with_sections(ADMIN), &upstream.url()).await;
    let with_token = format!("{ADMIN}\ntoken = \"file:{}/token\"", file.path().display());
    let closed = Site::start(&with_sections(&with_token), &upstream.url()).await;
    let bearer = format!("GET /refusals\nhost: gateway.internal\nauthorization: bearer {token}");
    for (site, request, status) in [
        (&open, "GET /refusals\nhost: 127.0.0.1", 200),
        (&open, "GET /refusals\nhost: localhost:9901", 200),
        (&open, "GET /refusals\nhost: rebound.example", 403),
        (&open, "POST /refusals\nhost: 127.0.0.1", 405),
        (&open, "GET /nothing\nhost: 127.0.0.1", 404),
        (&closed, "GET /live\nhost: gateway.internal", 200),
        (&closed, "GET /ready\nhost: gateway.internal", 200),
        (&closed, "GET /\nhost: 127.0.0.1", 401),
        (&closed, "GET /metrics\nhost: 127.0.0.1", 401),
        (&closed, "GET /metrics\nhost: 127.0.0.1\nauthorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyZ", 401),
        (&closed, "GET /metrics\nhost: 127.0.0.1\nauthorization: Basic x", 401),
        (&closed, bearer.as_str(), 200),
    ] {
        let answer = ask(site, request).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
    }
    open.finish().await;
    closed.finish().await;
}

#[tokio::test]
async fn a_socket_is_for_the_user_of_the_gateway_and_goes_with_it() {
    let upstream = shop().await;
    let site = Site::start(&with_sections("[admin]\naddress = \"unix:admin.sock\""), &upstream.url()).await;
    let path = site.dir.path().join("admin.sock");
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(&wire::request("GET /policy\nhost: anything")).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let policy: Value = Answer::parse(&answer).unwrap().json();
    assert_eq!(policy["routes"][0]["route"], "shop");
    let (_, dir) = site.finish_in_place().await;
    assert!(!dir.path().join("admin.sock").exists());
}

#[tokio::test]
async fn a_gateway_that_stops_says_so_first_and_loses_no_request() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
    let backend = Held::start("", answer).await;
    let policy = with_sections(&format!("{ADMIN}\n[server]\ndrain_delay = \"1s\"\ndrain_timeout = \"20s\""));
    let site = Site::start(&policy, &backend.url()).await;
    let (address, request) = (site.address, site.request("GET /items"));
    let admin: SocketAddr = site.admin.as_ref().unwrap().parse().unwrap();
    let ready = || async move { wire::exchange(admin, &wire::request("GET /ready")).await.unwrap().status.as_u16() };
    let live = || async move { wire::exchange(admin, &wire::request("GET /live")).await.unwrap().status.as_u16() };
    assert_eq!((ready().await, live().await), (200, 200));
    let mut asking = JoinSet::new();
    let ask = |request: Vec<u8>| async move { wire::exchange(address, &request).await.unwrap() };
    asking.spawn(ask(request.clone()));
    backend.entered().await;
    let stopping = site.stop();
    while ready().await == 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((ready().await, live().await), (503, 200));
    // Whoever has not heard of it yet is still served.
    asking.spawn(ask(request));
    backend.entered().await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ready().await, 503, "operators can look until the end");
    backend.release();
    assert_eq!(asking.join_next().await.unwrap().unwrap().status, 200);
    backend.release();
    assert_eq!(asking.join_next().await.unwrap().unwrap().status, 200);
    let (log, drained) = stopping.finish().await;
    assert_eq!((log.0.len(), drained.cut_off), (2, 0));
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off() {
    let backend = Held::start("", "").await;
    let policy = with_sections("[server]\ndrain_timeout = \"100ms\"");
    let site = Site::start(&policy, &backend.url()).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request("GET /items")).await.unwrap();
    backend.entered().await;
    let (_, drained) = site.stop().finish().await;
    assert_eq!(drained.cut_off, 1);
}

#[tokio::test]
async fn an_address_that_others_reach_has_to_be_asked_for() {
    let dir = palisade_testkit::dir::TempDir::new();
    dir.write("openapi.yaml", include_str!("../../fixtures/shop/openapi.yaml"));
    dir.write("token", "0123456789abcdefghijklmnopqrstuvwxyz");
    dir.write("short", "0123456789");
    let basis = "version = 1\n[listen.main]\naddress = \"127.0.0.1:0\"\n[upstream.shop]\nurl = \"http://127.0.0.1:1\"\n\
                 [contract.shop]\nopenapi = \"openapi.yaml\"\n[route.shop]\npath = \"/**\"\nupstream = \"shop\"\n\
                 contract = \"shop\"\nauthenticate = \"backend\"\n[admin]\n";
    for (section, code) in [
        ("address = \"0.0.0.0:9901\"", "admin-reachable"),
        ("address = \"0.0.0.0:9901\"\ntoken = \"file:token\"", "admin-reachable"),
        ("address = \"0.0.0.0:9901\"\ndanger_admin_address = true", "admin-open"),
        ("address = \"[::1]:9901\"\ntoken = \"file:short\"", "weak-secret"),
        ("address = \"unix:nowhere/admin.sock\"", "folder-missing"),
        ("address = \"0.0.0.0:9901\"\ndanger_admin_address = true\ntoken = \"file:token\"", "danger"),
        ("token = \"file:token\"", "unused-section"),
        ("address = \"[::1]:9901\"", ""),
    ] {
        let source = palisade_core::diagnostic::Source::new("palisade.toml", format!("{basis}{section}\n"));
        let found = match palisade_gateway::config::parse(&source, dir.path()) {
            Ok(loaded) => loaded.diagnostics,
            Err(problems) => problems,
        };
        let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code()).collect();
        let expect: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        assert_eq!(codes, expect, "{section}");
    }
}
