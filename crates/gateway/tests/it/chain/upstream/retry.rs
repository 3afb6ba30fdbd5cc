//! What is sent again, and what never is.

use std::time::{Duration, Instant};

use palisade_core::denial::DenialCode;

use super::super::harness::assert_problem;
use super::backend::{Backend, Mood};
use super::{ORDER, site, statuses};

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    for mood in [Mood::Reset, Mood::Status(503, "")] {
        let (a, b) = (Backend::start_in(mood).await, Backend::start_in(mood).await);
        let site = site(&[&a, &b], "[upstream.shop.retry]\nattempts = 5").await;
        assert!(site.ask(ORDER).await.status.is_server_error());
        assert_eq!(a.count() + b.count(), 1, "{mood:?}");
        site.finish().await;
    }
}

#[tokio::test]
async fn what_only_asks_is_sent_to_another_endpoint() {
    for mood in [Mood::Reset, Mood::Status(503, ""), Mood::Status(502, "")] {
        let (a, b) = (Backend::start_in(mood).await, Backend::start().await);
        let site = site(&[&a, &b], "").await;
        assert_eq!(statuses(&site, "GET /items", 4).await, [200; 4], "{mood:?}");
        assert_eq!((a.count(), b.count()), (2, 4), "{mood:?}");
        site.finish().await;
    }
}

#[tokio::test]
async fn an_error_of_the_program_is_an_answer() {
    let (a, b) = (Backend::start_in(Mood::Status(500, "")).await, Backend::start_in(Mood::Status(500, "")).await);
    let site = site(&[&a, &b], "[upstream.shop.retry]\nattempts = 5").await;
    site.ask("GET /items").await;
    assert_eq!(a.count() + b.count(), 1);
    site.finish().await;
}

#[tokio::test]
async fn a_small_body_is_sent_again_where_that_means_the_same() {
    let (a, b) = (Backend::start_in(Mood::Reset).await, Backend::start().await);
    let site = site(&[&a, &b], "").await;
    let upload = "PUT /photos/1\nauthorization: Bearer ${alice}\ncontent-type: application/octet-stream\n\nabc";
    site.ask(upload).await;
    assert_eq!((a.requests(), b.requests()), (vec!["PUT /photos/1".to_owned()], vec!["PUT /photos/1".to_owned()]));
    site.finish().await;
}

#[tokio::test]
async fn the_budget_bounds_what_is_repeated() {
    let (a, b) = (Backend::start_in(Mood::Reset).await, Backend::start_in(Mood::Reset).await);
    let keys = "[upstream.shop.eject]\nfailures = 1000\n[upstream.shop.retry]\nattempts = 3\n\
                budget = { percent = 10, floor = 0 }";
    let site = site(&[&a, &b], keys).await;
    statuses(&site, "GET /items", 40).await;
    assert_eq!(a.count() + b.count(), 44);
    site.finish().await;
}

#[tokio::test]
async fn one_try_does_not_eat_up_the_time_of_the_next() {
    let (a, b) = (Backend::start_in(Mood::Hang).await, Backend::start().await);
    let site = site(&[&a, &b], "[upstream.shop.retry]\ntry_timeout = \"100ms\"").await;
    assert_eq!(statuses(&site, "GET /items", 2).await, [200; 2]);
    assert_eq!((a.count(), b.count()), (1, 2));
    b.set(Mood::Hang);
    assert_problem(&site.ask("GET /items").await, DenialCode::DeadlineExceeded);
    site.finish().await;
}

#[tokio::test]
async fn a_second_endpoint_is_asked_when_the_first_takes_long() {
    let (a, b) = (Backend::start_in(Mood::Hang).await, Backend::start().await);
    let site = site(&[&a, &b], "[upstream.shop.retry]\nhedge_after = \"50ms\"").await;
    let begun = Instant::now();
    assert_eq!(statuses(&site, "GET /items", 2).await, [200; 2]);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((a.count(), b.count()), (1, 2));
    a.set(Mood::Slow(Duration::from_millis(200)));
    assert_eq!(statuses(&site, ORDER, 2).await, [201; 2]);
    assert_eq!((a.count(), b.count()), (2, 3), "an order is never asked for twice");
    site.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_asks_for_rest_has_it() {
    let a = Backend::start_in(Mood::Status(503, "retry-after: 60\r\n")).await;
    let b = Backend::start().await;
    let both = site(&[&a, &b], "").await;
    assert_eq!(statuses(&both, "GET /items", 10).await, [200; 10]);
    assert_eq!((a.count(), b.count()), (1, 10));
    both.finish().await;
    let alone = site(&[&a], "[upstream.shop.retry]\nattempts = 5").await;
    alone.ask("GET /items").await;
    assert_eq!(a.count(), 2, "there is nobody else, and it has said not to come again");
    alone.finish().await;
}
