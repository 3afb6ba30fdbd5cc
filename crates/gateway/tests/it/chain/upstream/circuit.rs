//! When a backend is left alone, and how it is tried again.

use std::time::Duration;

use palisade_core::denial::DenialCode;

use super::super::harness::{Site, assert_problem};
use super::backend::{Backend, Mood};
use super::{arrived, next, sent, site, statuses, with_upstream};

const FAILED: Mood = Mood::Status(503, "");

#[tokio::test]
async fn one_of_fifty_tries_whether_the_backend_is_back() {
    let backend = Backend::start_in(FAILED).await;
    let site = site(&[&backend], "failures = 1\npause = \"100ms\"").await;
    statuses(&site, "GET /items", 1).await;
    assert_problem(&site.ask("GET /items").await, DenialCode::CircuitOpen);
    assert_eq!(backend.count(), 1);
    backend.set(Mood::Hold);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let mut asking = sent(&site, "GET /items", 50);
    next(&mut asking, 49).await.iter().for_each(|answer| assert_problem(answer, DenialCode::CircuitOpen));
    assert_eq!(backend.count(), 2, "one request tries");
    backend.set(Mood::Serve);
    assert_eq!(next(&mut asking, 1).await[0].status, 200);
    assert_eq!(statuses(&site, "GET /items", 3).await, [200; 3], "it is back");
    site.finish().await;
}

#[tokio::test]
async fn a_backend_that_hangs_opens_the_circuit_for_all_of_its_routes() {
    let backend = Backend::start_in(Mood::Hang).await;
    let keys = format!("url = \"{}\"\nfailures = 2\npause = \"1h\"", backend.url());
    let other = "[route.other]\npath = \"/orders/**\"\nupstream = \"shop\"\ncontract = \"shop\"\n\
                 authenticate = [\"bearer.main\"]\n[bearer.main]";
    let policy =
        with_upstream(&keys).replace("timeout = \"10s\"", "timeout = \"200ms\"").replace("[bearer.main]", other);
    let site = Site::start(&policy, "").await;
    for _ in 0..2 {
        assert_problem(&site.ask("GET /items").await, DenialCode::DeadlineExceeded);
    }
    assert_problem(&site.ask("GET /items").await, DenialCode::CircuitOpen);
    assert_problem(&site.ask("GET /orders/7\nauthorization: Bearer ${alice}").await, DenialCode::CircuitOpen);
    assert_eq!(backend.count(), 2);
    assert_eq!(site.forward.status()[0].1.endpoints[0].failures, 2);
    site.finish().await;
}

#[tokio::test]
async fn more_than_the_backend_can_do_is_refused_at_once() {
    let backend = Backend::start_in(Mood::Hold).await;
    let keys = "[upstream.shop.concurrency]\nmode = \"fixed\"\nmax = 2";
    let site = site(&[&backend], keys).await;
    let mut asking = sent(&site, "GET /items", 5);
    for answer in next(&mut asking, 3).await {
        assert_problem(&answer, DenialCode::Overloaded);
        assert_eq!(answer.header("retry-after"), "1");
    }
    arrived(&[&backend], 2).await;
    backend.set(Mood::Serve);
    next(&mut asking, 2).await.iter().for_each(|answer| assert_eq!(answer.status, 200));
    assert_eq!(site.forward.status()[0].1.concurrency, Some((2, 0)), "the places are free again");
    assert_eq!(statuses(&site, "GET /items", 2).await, [200; 2]);
    site.finish().await;
}

#[tokio::test]
async fn the_places_of_a_backend_follow_its_answers() {
    let backend = Backend::start().await;
    let keys = "[upstream.shop.concurrency]\nmode = \"gradient2\"\nmin = 2\nmax = 500";
    let site = site(&[&backend], keys).await;
    let places = || site.forward.status()[0].1.concurrency.unwrap().0;
    assert_eq!(places(), 20);
    // All of them take about as long, so that nothing seems to queue; a busy machine may need more than one try.
    for round in 1.. {
        backend.set(Mood::Hold);
        let mut asking = sent(&site, "GET /items", 20);
        arrived(&[&backend], 20 * round).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        backend.set(Mood::Serve);
        next(&mut asking, 20).await;
        if places() > 20 {
            break;
        }
        assert!(round < 10, "it stays at {}", places());
    }
    assert_eq!(site.forward.status()[0].1.concurrency.unwrap().1, 0);
    site.finish().await;
}
