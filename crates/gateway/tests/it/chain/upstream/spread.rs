//! Which endpoint gets a request, and which one is left out.

use super::backend::{Backend, Mood};
use super::{arrived, eventually, next, sent, site, statuses};

#[tokio::test]
async fn endpoints_take_turns_by_weight() {
    let (a, b, c) = (Backend::start().await, Backend::start().await, Backend::start().await);
    let even = site(&[&a, &b, &c], "").await;
    assert_eq!(statuses(&even, "GET /items", 30).await, [200; 30]);
    assert_eq!([a.count(), b.count(), c.count()], [10; 3]);
    even.finish().await;
    let weighted = site(&[&a, &b, &c], "weights = [3, 2, 1]").await;
    assert_eq!(statuses(&weighted, "GET /items", 30).await, [200; 30]);
    assert_eq!([a.count(), b.count(), c.count()], [25, 20, 15]);
    weighted.finish().await;
}

#[tokio::test]
async fn the_less_busy_endpoint_gets_the_next_request() {
    let all = [Backend::start_in(Mood::Hold).await, Backend::start_in(Mood::Hold).await];
    let site = site(&[&all[0], &all[1]], "balance = \"least-requests\"").await;
    let mut asking = sent(&site, "GET /items", 1);
    arrived(&[&all[0], &all[1]], 1).await;
    let (busy, idle) = if all[0].count() == 1 { (&all[0], &all[1]) } else { (&all[1], &all[0]) };
    idle.set(Mood::Serve);
    assert_eq!(statuses(&site, "GET /items", 10).await, [200; 10]);
    assert_eq!((busy.count(), idle.count()), (1, 10));
    busy.set(Mood::Serve);
    assert_eq!(next(&mut asking, 1).await[0].status, 200);
    site.finish().await;
}

#[tokio::test]
async fn the_same_key_goes_to_the_same_endpoint_until_that_is_gone() {
    let mut all = [Backend::start().await, Backend::start().await, Backend::start().await];
    let keys = "balance = \"consistent-hash\"\nhash_by = \"header:x-cart\"\n[upstream.shop.eject]\nfailures = 1";
    let site = site(&[&all[0], &all[1], &all[2]], keys).await;
    let mut homes = Vec::new();
    for cart in 0..12 {
        let before: Vec<usize> = all.iter().map(Backend::count).collect();
        assert_eq!(statuses(&site, &format!("GET /items\nx-cart: {cart}"), 3).await, [200; 3]);
        let home = all.iter().zip(&before).position(|(backend, before)| backend.count() == before + 3);
        homes.push(home.expect("all three requests of a cart went to one endpoint"));
    }
    let gone = homes[0];
    all[gone].die().await;
    for (cart, home) in homes.iter().enumerate().filter(|(_, home)| **home != gone) {
        let before = all[*home].count();
        assert_eq!(statuses(&site, &format!("GET /items\nx-cart: {cart}"), 1).await, [200]);
        assert_eq!(all[*home].count(), before + 1, "cart {cart} has moved although its endpoint is there");
    }
    assert_eq!(statuses(&site, "GET /items\nx-cart: 0", 3).await, [200; 3], "others take over");
    site.finish().await;
}

#[tokio::test]
async fn a_dead_endpoint_is_not_noticed_by_callers() {
    let (mut a, b) = (Backend::start().await, Backend::start().await);
    let site = site(&[&a, &b], "[upstream.shop.eject]\nfailures = 3\nbase = \"3s\"").await;
    assert_eq!(statuses(&site, "GET /items", 4).await, [200; 4]);
    a.die().await;
    assert_eq!(statuses(&site, "GET /items", 10).await, [200; 10]);
    assert_eq!(statuses(&site, super::ORDER, 10).await, [201; 10], "nothing was sent, so that any method may go on");
    let status = || site.forward.status()[0].1.endpoints[0].clone();
    assert!(status().ejected_for.is_some() && status().failures == 3, "{:?}", status());
    a.revive().await;
    eventually(|| status().ejected_for.is_none()).await;
    let before = a.count();
    assert_eq!(statuses(&site, "GET /items", 4).await, [200; 4]);
    assert_eq!(a.count(), before + 2, "it is asked again");
    site.finish().await;
}

#[tokio::test]
async fn never_are_more_left_out_than_may_be() {
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(Backend::start_in(Mood::Status(503, "")).await);
    }
    let backends: Vec<&Backend> = all.iter().collect();
    let keys = "[upstream.shop.eject]\nfailures = 2\nmax_ejected = 50\n[upstream.shop.retry]\nattempts = 1";
    let site = site(&backends, keys).await;
    statuses(&site, "GET /items", 40).await;
    let status = site.forward.status();
    let out = status[0].1.endpoints.iter().filter(|endpoint| endpoint.ejected_for.is_some()).count();
    assert_eq!(out, 2);
    let before: usize = all.iter().map(Backend::count).sum();
    all.iter().for_each(|backend| backend.set(Mood::Serve));
    assert_eq!(statuses(&site, "GET /items", 10).await, [200; 10]);
    assert_eq!(all.iter().map(Backend::count).sum::<usize>(), before + 10);
    site.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_ill_gets_nothing() {
    let (a, b) = (Backend::start().await, Backend::start().await);
    a.set_health(Mood::Status(500, ""));
    let keys = "[upstream.shop.health]\npath = \"/health\"\ninterval = \"20ms\"\nhealthy = 1\nunhealthy = 1";
    let site = site(&[&a, &b], keys).await;
    let is_well = |place: usize| site.forward.status()[0].1.endpoints[place].healthy;
    let until = async |place: usize, well: bool| eventually(|| is_well(place) == well).await;
    until(0, false).await;
    assert_eq!(statuses(&site, "GET /items", 10).await, [200; 10]);
    assert_eq!((a.count(), b.count()), (0, 10));
    a.set_health(Mood::Serve);
    until(0, true).await;
    assert_eq!(statuses(&site, "GET /items", 10).await, [200; 10]);
    assert_eq!((a.count(), b.count()), (5, 15));
    a.set_health(Mood::Status(500, ""));
    b.set_health(Mood::Status(500, ""));
    until(0, false).await;
    until(1, false).await;
    assert_eq!(statuses(&site, "GET /items", 4).await, [200; 4], "nobody is well, so that all are asked");
    assert_eq!((a.count(), b.count()), (7, 17));
    site.finish().await;
}
