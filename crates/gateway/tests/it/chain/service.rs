//! A gateway over its life: connections, routes, stores, the log, and an end that loses no request.

use std::os::unix::fs::PermissionsExt as _;

use palisade_core::denial::DenialCode::{self, *};
use palisade_gateway::listen::Drained;
use palisade_testkit::dir::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{POLICY, Site, shop, with_route, with_sections};
use super::held::Held;
use super::wire::{self, Answer};

const UPLOAD: &str = "PUT /photos/1\ncontent-type: application/octet-stream\n";

#[tokio::test]
async fn a_body_is_asked_for_once_the_request_may_have_one() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let order = "POST /orders\ncontent-type: application/json\nexpect: 100-continue\ncontent-length: 21";
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request(&format!("{order}\nauthorization: Bearer ${{alice}}"))).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "the connection ended");
    }
    assert_eq!(received, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"item\":1,\"amount\":2}").await.unwrap();
    received.clear();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(Answer::parse(&received).unwrap().status, 201);
    assert!(!upstream.received()[0].headers().contains_key("expect"));
    let refused = site.ask(order).await;
    site.finish().await.assert_refused(&refused, CredentialMissing);
}

#[tokio::test]
async fn a_connection_serves_many_requests_refused_ones_among_them() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let many = ["/items", "/items?limit=0", "/admin", "/items/1", "/items"]
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let last = "GET /items HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = String::from_utf8(wire::raw(site.address, many.concat() + last).await).unwrap();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| answer.split(' ').next().unwrap()).collect();
    assert_eq!(statuses, ["200", "400", "404", "401", "200", "200"]);
    let log = site.finish().await;
    let ids: std::collections::BTreeSet<String> = log.0.iter().map(|event| event["request_id"].to_string()).collect();
    assert_eq!(ids.len(), 6, "every request has an id of its own");
}

#[tokio::test]
async fn hosts_and_paths_lead_to_their_backends() {
    let (shop, archive, partner) = (shop().await, shop().await, shop().await);
    let more = format!(
        "[upstream.archive]\nurl = \"{}\"\n[upstream.partner]\nurl = \"{}\"\n\
         [route.archive]\npath = \"/photos/**\"\nupstream = \"archive\"\ncontract = \"shop\"\n\
         [route.partner]\nhost = \"partner.example\"\npath = \"/**\"\nupstream = \"partner\"\ncontract = \"shop\"\n",
        archive.url(),
        partner.url()
    );
    let site = Site::start(&with_sections(&more), &shop.url()).await;
    for (request, route) in [
        ("GET /items\nhost: shop.example", "shop"),
        ("GET /photos/1\nhost: shop.example", "archive"),
        ("GET /items\nhost: PARTNER.example:8080", "partner"),
        ("GET /photos/1\nhost: partner.example", "partner"),
        ("GET http://partner.example/items\nhost: partner.example", "partner"),
    ] {
        let before = [&shop, &archive, &partner].map(|upstream| upstream.received().len());
        assert_eq!(site.ask(request).await.status, 200, "{request}");
        let after = [&shop, &archive, &partner].map(|upstream| upstream.received().len());
        let names = ["shop", "archive", "partner"];
        let asked: Vec<&str> =
            names.into_iter().zip(before.into_iter().zip(after)).filter(|(_, (b, a))| a > b).map(|(n, _)| n).collect();
        assert_eq!(asked, [route], "{request}");
    }
    let log = site.finish().await;
    assert_eq!(log.0[1]["route"], "archive");
}

#[tokio::test]
async fn a_budget_in_a_file_outlives_the_gateway() {
    let (upstream, dir) = (shop().await, TempDir::new());
    let file = dir.path().join("counters.db");
    let policy = with_sections(&format!("[store]\nurl = \"sqlite:{}\"", file.display()));
    let checkout = "POST /checkout\nauthorization: Bearer ${alice}";
    let site = Site::start(&policy, &upstream.url()).await;
    for _ in 0..2 {
        assert_eq!(site.ask(checkout).await.status, 204);
    }
    site.finish().await;
    let site = Site::start(&policy, &upstream.url()).await;
    let refused = site.ask(checkout).await;
    assert_eq!(site.ask("POST /checkout\nauthorization: Bearer ${admin}").await.status, 204, "a budget of their own");
    site.finish().await.assert_refused(&refused, QuotaExhausted);
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_the_end() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
    let backend = Held::start("", answer).await;
    let site = Site::start(POLICY, &backend.url()).await;
    let (address, request, mut asking) = (site.address, site.request("GET /items"), JoinSet::new());
    asking.spawn(async move { wire::exchange(address, &request).await.unwrap() });
    backend.entered().await;
    let stopping = site.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    backend.release();
    let answer = asking.join_next().await.unwrap().unwrap();
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "[]"));
    let (log, drained) = stopping.finish().await;
    assert_eq!(drained, Drained { cut_off: 0 });
    assert_eq!(log.of(answer.header("x-request-id")).1["outcome"]["answered"], 200);
}

#[tokio::test]
async fn a_caller_that_does_not_wait_is_in_the_log() {
    let backend = Held::start("", "HTTP/1.1 204 No Content\r\n\r\n").await;
    let site = Site::start(POLICY, &backend.url()).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request("POST /checkout\nauthorization: Bearer ${alice}")).await.unwrap();
    backend.entered().await;
    drop(stream);
    let log = site.finish().await;
    let [event] = &log.0[..] else { panic!("{:?}", log.0) };
    assert_eq!((&event["outcome"]["answered"], &event["who"]), (&499.into(), &"user:alice".into()));
}

#[tokio::test]
async fn the_log_is_for_its_owner() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let file = site.dir.path().join("events.jsonl");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    // What could be personal or forge a line does not get into it.
    let answer =
        site.ask("GET /items?q=alice%40example.com%0a%7B%7D\nuser-agent: \"}\\n{\\\"kind\\\":\\\"access\\\"}").await;
    assert_eq!(answer.status, 200);
    let log = site.finish().await;
    assert_eq!(log.0.len(), 1);
    assert!(!log.0[0].to_string().contains("example.com"), "{:?}", log.0);
}

#[tokio::test]
async fn events_are_what_their_schema_says() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for request in ["GET /items", "GET /nowhere", "GET /items/1\nauthorization: Bearer ${alice}\nx-play: extra"] {
        site.ask(request).await;
    }
    let schema = jsonschema::validator_for(&palisade_gateway::event_schema()).unwrap();
    let log = site.finish().await;
    assert_eq!(log.0.len(), 5);
    for event in &log.0 {
        assert!(
            schema.is_valid(event),
            "{event}: {:?}",
            schema.iter_errors(event).map(|e| e.to_string()).collect::<Vec<_>>()
        );
    }
}

/// A client that breaks off its own uploads must not make the gateway take the backend for broken.
#[tokio::test]
async fn a_client_cannot_open_the_circuit() {
    let upstream = shop().await;
    let policy = POLICY.replace("failures = 100", "failures = 1\npause = \"1h\"");
    let site = Site::start(&policy, &upstream.url()).await;
    let mut answers: Vec<(Answer, DenialCode)> = Vec::new();
    for (body, code) in [
        ("transfer-encoding: chunked\n\nnonsense\r\n", PayloadInvalid),
        ("transfer-encoding: chunked\n\n5\r\nabcdeXX\r\n0\r\n\r\n", PayloadInvalid),
    ] {
        answers.push((site.ask(&format!("{UPLOAD}{body}")).await, code));
    }
    // One that goes away in the middle gets no answer.
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request(&format!("{UPLOAD}content-length: 100\n\nabc"))).await.unwrap();
    drop(stream);
    assert_eq!(site.ask("GET /items").await.status, 200, "the circuit is closed");
    assert_eq!(upstream.received().len(), 1);
    let log = site.finish().await;
    // The one that went away was dealt with like the others.
    assert_eq!(log.0.iter().filter(|event| event["outcome"]["denied"] == "payload-invalid").count(), 6);
    for (answer, code) in &answers {
        log.assert_refused(answer, *code);
    }
}

#[tokio::test]
async fn long_uploads_are_cut_off_on_the_way() {
    let upstream = shop().await;
    let site = Site::start(&with_route("max_body = \"64KiB\""), &upstream.url()).await;
    let chunk = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
    let fits = format!("{UPLOAD}transfer-encoding: chunked\n\n{}0\r\n\r\n", chunk.repeat(2));
    assert_eq!(site.ask(&fits).await.status, 204);
    let refused = site.ask(&format!("{UPLOAD}transfer-encoding: chunked\n\n{}0\r\n\r\n", chunk.repeat(3))).await;
    assert_eq!(upstream.received().len(), 1);
    site.finish().await.assert_refused(&refused, BodyTooLarge);
}
