//! Answers that are given again, through the whole gateway: they are judged each time, and never for somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use palisade_testkit::upstream::Upstream;
use tokio::task::JoinSet;

use super::harness::{ITEM, Site, assert_dressed, with_route, with_sections};
use super::held::Held;
use super::wire;

const CACHE: &str = "cache = { cache_status = true, stale_if_error = true }";

/// A backend that counts its answers in `x-count`, and says of them what `x-say` says.
async fn counting() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |request| {
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        let said = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let control = said("x-say").unwrap_or_else(|| "public, max-age=60".to_owned());
        let mut response = Response::builder().header("x-count", count).header("cache-control", control);
        response = response.header("etag", "\"1\"").header("vary", "x-vary");
        if request.headers().get("if-none-match").is_some_and(|tag| tag == "\"1\"") {
            return response.status(304).body(Bytes::new()).unwrap();
        }
        response.header("content-type", "application/json").body(body(&request)).unwrap()
    })
    .await
}

fn body(request: &Request<Bytes>) -> Bytes {
    match request.uri().path() {
        "/items" => "[ ]".into(),
        "/orders/7" => r#"{"id": 7, "owner": "alice"}"#.into(),
        _ => ITEM.into(),
    }
}

#[tokio::test]
async fn an_answer_is_given_again_to_whom_it_was_for() {
    let upstream = counting().await;
    let site = Site::start(&with_route(CACHE), &upstream.url()).await;
    for (request, count, status) in [
        ("GET /items", "1", "palisade; fwd=miss; stored"),
        ("GET /items", "1", "palisade; hit; ttl=60"),
        ("HEAD /items", "1", "palisade; hit; ttl=60"),
        ("GET /items?limit=5", "2", "palisade; fwd=miss; stored"),
        ("GET /items?limit=5", "2", "palisade; hit; ttl=60"),
        ("GET /items\nhost: other.example", "3", "palisade; fwd=miss; stored"),
        ("GET /items\nx-vary: a", "4", "palisade; fwd=miss; stored"),
        ("GET /items\nx-vary: a", "4", "palisade; hit; ttl=60"),
        ("GET /items\ncookie: a=1", "5", "palisade; fwd=bypass"),
        ("GET /items/1\nauthorization: Bearer ${alice}", "6", "palisade; fwd=miss; stored"),
        ("GET /items/1\nauthorization: Bearer ${alice}", "6", "palisade; hit; ttl=60"),
        ("GET /items/1\nauthorization: Bearer ${admin}", "7", "palisade; fwd=miss; stored"),
        ("GET /items/1\nx-api-key: ${key}", "8", "palisade; fwd=miss; stored"),
        ("GET /items/1\nauthorization: Bearer ${alice}", "6", "palisade; hit; ttl=60"),
        ("GET /items?limit=7\nx-say: no-store", "9", "palisade; fwd=miss"),
        ("GET /items?limit=7", "10", "palisade; fwd=miss; stored"),
    ] {
        let answer = site.ask(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-count")), (200, count), "{request}: {answer:?}");
        assert_eq!(answer.header("cache-status"), status, "{request}");
    }
    // Who must be asked for a credential is, whatever is kept.
    assert_eq!(site.ask("GET /items/1").await.status, 401);
    let known = site.ask("GET /items\nif-none-match: \"1\"").await;
    assert_eq!((known.status.as_u16(), known.header("x-count"), known.body.len()), (304, "", 0));
    site.finish().await;
}

#[tokio::test]
async fn a_kept_answer_is_judged_each_time() {
    let upstream = counting().await;
    let site = Site::start(&with_route(CACHE), &upstream.url()).await;
    let mine = site.ask("GET /orders/7\nauthorization: Bearer ${alice}").await;
    assert_eq!((mine.status.as_u16(), mine.header("cache-control")), (200, "no-store"));
    assert_dressed(&mine);
    let again = site.ask("GET /orders/7\nauthorization: Bearer ${alice}").await;
    assert_eq!((again.status.as_u16(), again.header("cache-status")), (200, "palisade; hit; ttl=60"));
    assert_eq!(site.ask("GET /orders/7\nauthorization: Bearer ${admin}").await.status, 404);
    assert_eq!(site.ask("GET /orders/7").await.status, 401);
    assert_eq!(site.ask("GET /items?undeclared=1").await.status, 400);
    site.finish().await;
}

#[tokio::test]
async fn what_is_kept_outlives_a_reload_and_its_rules_do_not() {
    let upstream = counting().await;
    let site = Site::start(&with_route(CACHE), &upstream.url()).await;
    let ask = "GET /items/1\nauthorization: Bearer ${alice}";
    assert_eq!(site.ask(ask).await.header("x-count"), "1");
    site.edit("palisade.toml", "timeout = \"10s\"", "timeout = \"9s\"");
    site.reloader.reload().await.unwrap();
    assert_eq!(site.ask(ask).await.header("cache-status"), "palisade; hit; ttl=60");
    site.edit("openapi.yaml", "operationId: getItem", "operationId: getItem\n      x-palisade: { roles: [admin] }");
    site.reloader.reload().await.unwrap();
    assert_eq!(site.ask(ask).await.status, 403);
    site.edit("palisade.toml", "cache_status = true", "cache_status = true, max_body = \"1KiB\"");
    site.reloader.reload().await.unwrap();
    assert_eq!(site.ask("GET /items").await.header("x-count"), "2", "other settings begin anew");
    site.finish().await;
}

#[tokio::test]
async fn many_who_ask_for_the_same_ask_the_backend_once() {
    let answer =
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
    let backend = Held::start("", answer).await;
    let site = Site::start(&with_route(CACHE), &backend.url()).await;
    let (address, bytes) = (site.address, Arc::new(site.request("GET /items")));
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let bytes = Arc::clone(&bytes);
        asking.spawn(async move { wire::exchange(address, &bytes).await.unwrap() });
    }
    backend.entered().await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    backend.release();
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == b"[]"), "{answers:?}");
    let asked = answers.iter().filter(|answer| answer.header("cache-status").contains("fwd")).count();
    assert_eq!(asked, 1);
    site.finish().await;
}

#[tokio::test]
async fn a_backend_that_is_gone_is_answered_for() {
    let upstream = counting().await;
    let policy = with_route(CACHE).replace("failures = 100", "failures = 1\npause = \"1h\"");
    let site = Site::start(&policy, &upstream.url()).await;
    let ask = "GET /items\nx-say: max-age=0, stale-if-error=60";
    assert_eq!(site.ask(ask).await.status, 200);
    drop(upstream);
    // First nobody can be reached, then the circuit is open.
    for _ in 0..3 {
        let answer = site.ask(ask).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, &b"[ ]"[..]), "{answer:?}");
        assert!(answer.header("cache-status").starts_with("palisade; hit; detail=stale-if-error"), "{answer:?}");
    }
    assert_eq!(site.ask("GET /items?limit=1").await.status, 503);
    site.finish().await;
}

#[tokio::test]
async fn what_is_given_again_is_counted() {
    let upstream = counting().await;
    let sections = with_sections("[admin]\naddress = \"127.0.0.1:0\"");
    let site = Site::start(
        &sections.replace("timeout = \"10s\"\n", &format!("timeout = \"10s\"\n{CACHE}\n")),
        &upstream.url(),
    )
    .await;
    for _ in 0..4 {
        site.ask("GET /items").await;
    }
    let admin = site.admin.as_ref().unwrap().parse().unwrap();
    let numbers = wire::exchange(admin, &wire::request("GET /metrics\nhost: 127.0.0.1")).await.unwrap();
    let numbers = numbers.text();
    let endpoint = upstream.address();
    for line in [
        "palisade_cache_hits_total{route=\"shop\"} 3".to_owned(),
        "palisade_cache_misses_total{route=\"shop\"} 1".to_owned(),
        "palisade_cache_stale_total{route=\"shop\"} 0".to_owned(),
        format!("palisade_upstream_endpoint_healthy{{upstream=\"shop\",endpoint=\"{endpoint}\"}} 1"),
    ] {
        assert!(numbers.lines().any(|found| found == line), "no `{line}` in\n{numbers}");
    }
    let bytes = numbers.lines().find_map(|line| line.strip_prefix("palisade_cache_bytes{route=\"shop\"} "));
    assert!(bytes.is_some_and(|bytes| (500..5_000).contains(&bytes.parse::<u32>().unwrap())), "{numbers}");
    site.finish().await;
}

/// A backend with two answers that loses count of them: it confirms the one that it was not asked for.
async fn confused() -> Upstream {
    Upstream::start(move |request| {
        let said = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let response = Response::builder().header("cache-control", "no-cache").header("x-asked", {
            format!("{} {}", said("if-none-match").is_some(), said("if-modified-since").is_some())
        });
        match (said("if-none-match"), said("x-tell")) {
            (Some(_), Some(tag)) => response.status(304).header("etag", tag).body(Bytes::new()).unwrap(),
            (_, tag) => {
                let tag = tag.unwrap_or_else(|| "\"1\"".to_owned());
                let response = response.header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
                let response = response.header("etag", tag).header("content-type", "application/json");
                response.body(body(&request)).unwrap()
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_confirmation_of_another_answer_brings_the_whole_one() {
    for retries in ["", "retry = { attempts = 2 }"] {
        let upstream = confused().await;
        let policy = with_route(CACHE).replace("failures = 100\n", &format!("failures = 100\n{retries}\n"));
        let site = Site::start(&policy, &upstream.url()).await;
        for (tag, status, asked) in [
            // Nothing is kept yet.
            ("\"1\"", "palisade; fwd=miss; stored", 1),
            ("\"1\"", "palisade; fwd=stale; fwd-status=304", 2),
            ("W/\"1\"", "palisade; fwd=stale; fwd-status=304", 3),
            // RFC 9111 section 4.3.4: no answer of ours is selected.
            ("\"2\"", "palisade; fwd=stale; stored", 5),
            ("\"2\"", "palisade; fwd=stale; fwd-status=304", 6),
            ("W/\"3\"", "palisade; fwd=stale; stored", 8),
        ] {
            let answer = site.ask(&format!("GET /items\nx-tell: {tag}")).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "[ ]"), "{tag}");
            assert_eq!(answer.header("cache-status"), status, "{tag}");
            assert_eq!(upstream.received().len(), asked, "{tag}");
        }
        // What the client has is none of the backend's confusion.
        let known = site.ask("GET /items\nx-tell: \"4\"\nif-none-match: \"4\"").await;
        assert_eq!((known.status.as_u16(), known.header("etag"), upstream.received().len()), (304, "\"4\"", 10));
        let log = site.finish().await;
        assert_eq!(log.0.iter().filter(|event| event["kind"] == "access").count(), 7, "one event for each request");
    }
}
