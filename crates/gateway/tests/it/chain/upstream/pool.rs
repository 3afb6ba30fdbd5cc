//! Connections: used again, given up when they are stale, and never more than allowed.

use http::Version;
use palisade_core::denial::DenialCode;
use palisade_testkit::upstream::Upstream;

use super::super::harness::{ITEM, Site, assert_problem, shop};
use super::backend::{Backend, Mood};
use super::{ORDER, at_once, eventually, next, sent, site, statuses, with_upstream};

#[tokio::test]
async fn a_connection_is_used_again() {
    let backend = Backend::start().await;
    let site = site(&[&backend], "").await;
    assert_eq!(statuses(&site, "GET /items", 5).await, [200; 5]);
    assert_eq!(statuses(&site, ORDER, 5).await, [201; 5]);
    assert_eq!((backend.connections(), backend.count()), (1, 10));
    let status = &site.forward.status()[0].1.endpoints[0];
    assert_eq!((status.connections, status.idle, status.in_flight, status.requests), (1, 1, 0, 10));
    site.finish().await;
}

#[tokio::test]
async fn a_connection_that_the_backend_has_closed_costs_nobody_a_request() {
    let backend = Backend::start_in(Mood::CloseBehind).await;
    let site = site(&[&backend], "").await;
    assert_eq!(statuses(&site, ORDER, 10).await, [201; 10]);
    assert_eq!((backend.connections(), backend.count()), (10, 10));
    site.finish().await;
}

#[tokio::test]
async fn a_backend_that_comes_back_is_found_over_new_connections() {
    let mut backend = Backend::start().await;
    let site = site(&[&backend], "").await;
    assert!(at_once(&site, "GET /items", 5).await.iter().all(|answer| answer.status == 200));
    backend.die().await;
    assert_problem(&site.ask(ORDER).await, DenialCode::UpstreamUnreachable);
    backend.revive().await;
    assert_eq!(statuses(&site, ORDER, 3).await, [201; 3]);
    site.finish().await;
}

#[tokio::test]
async fn an_idle_connection_grows_old() {
    let backend = Backend::start().await;
    let site = site(&[&backend], "idle_timeout = \"500ms\"").await;
    statuses(&site, "GET /items", 2).await;
    assert_eq!(backend.connections(), 1);
    let status = || site.forward.status()[0].1.endpoints[0].clone();
    // It is closed without a request that asks for it.
    eventually(|| (status().connections, status().idle) == (0, 0)).await;
    statuses(&site, "GET /items", 1).await;
    assert_eq!(backend.connections(), 2);
    site.finish().await;
}

#[tokio::test]
async fn requests_wait_for_a_connection_in_a_bounded_queue() {
    let backend = Backend::start_in(Mood::Hold).await;
    let site = site(&[&backend], "max_connections = 1\nmax_waiting = 2").await;
    let mut asking = sent(&site, "GET /items", 5);
    next(&mut asking, 2).await.iter().for_each(|answer| assert_problem(answer, DenialCode::Overloaded));
    backend.set(Mood::Serve);
    next(&mut asking, 3).await.iter().for_each(|answer| assert_eq!(answer.status, 200));
    assert_eq!((backend.count(), backend.connections()), (3, 1));
    site.finish().await;
}

#[tokio::test]
async fn http2_with_prior_knowledge_opens_more_connections_when_streams_run_out() {
    let upstream = shop().await;
    let keys = format!("url = \"{}\"\nprotocol = \"h2\"\nmax_streams = 2", upstream.url());
    let site = Site::start(&with_upstream(&keys), "").await;
    for _ in 0..3 {
        let answer = site.ask("GET /items/1\nauthorization: Bearer ${alice}").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, ITEM));
    }
    assert_eq!(site.ask(ORDER).await.status, 201);
    let received = upstream.received();
    assert!(received.iter().all(|request| request.version() == Version::HTTP_2));
    assert_eq!(received[0].uri().authority().unwrap().as_str(), upstream.address().to_string());
    assert_eq!(site.forward.status()[0].1.endpoints[0].connections, 1);
    let answers = at_once(&site, "GET /items", 20).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let status = &site.forward.status()[0].1.endpoints[0];
    assert!(status.connections <= 10 && status.idle == status.connections, "{status:?}");
    site.finish().await;
}

#[tokio::test]
async fn a_long_answer_arrives_whole_and_its_connection_is_used_again() {
    let long = "a".repeat(3_000_000);
    let answer = long.clone();
    let upstream = Upstream::start(move |_| {
        let body = bytes::Bytes::from(answer.clone());
        http::Response::builder().header("content-type", "application/octet-stream").body(body).unwrap()
    })
    .await;
    let site = Site::start(&with_upstream(&format!("url = \"{}\"", upstream.url())), "").await;
    for _ in 0..3 {
        assert!(site.ask("GET /photos/1").await.body == long.as_bytes());
    }
    let status = &site.forward.status()[0].1.endpoints[0];
    assert_eq!((status.connections, status.idle), (1, 1));
    site.finish().await;
}
