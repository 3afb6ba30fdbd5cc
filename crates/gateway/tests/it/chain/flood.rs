//! HTTP/2 clients that make work and want nothing: each is cut off, and the next client does not notice.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::frames::*;
use super::harness::{POLICY, Site, shop, with_sections};
use super::held::Held;
use super::wire;

/// A gateway that has heard enough soon.
const BOUNDS: &str = "[server.http2]\nmax_streams = 4\ncontrol_burst = 50\ncontrol_rate = 1";

const ENHANCE_YOUR_CALM: u32 = 11;

#[tokio::test]
async fn floods_end_the_connection() {
    let upstream = shop().await;
    let site = Site::start(&with_sections(BOUNDS), &upstream.url()).await;
    let reset = |stream: u32| [get(stream), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat();
    for (name, bytes) in [
        ("pings", frame(PING, 0, 0, b"12345678").repeat(200)),
        ("settings", frame(SETTINGS, 0, 0, &[]).repeat(200)),
        ("acknowledgments of nothing", frame(PING, ACK, 0, b"12345678").repeat(200)),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9]).repeat(200)),
        ("frames of no known kind", frame(0x77, 0, 0, &[]).repeat(200)),
        ("empty data", [upload(1), frame(DATA, 0, 1, &[]).repeat(200)].concat()),
        ("a head without an end", [frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, 0, 1, &[]).repeat(200)].concat()),
        (
            "a long head without an end",
            [frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, 0, 1, &block(&[("x", "y"); 2000])).repeat(60)].concat(),
        ),
        ("requests that are taken back", (0..200).flat_map(|n| reset(2 * n + 1)).collect()),
    ] {
        let mut peer = Peer::connect(site.address, &[]).await;
        peer.send(&bytes).await;
        while peer.next().await.is_some() {}
        assert_eq!(site.ask("GET /items").await.status, 200, "after {name}");
    }
    // Few of each are no flood.
    let mut peer = Peer::connect(site.address, &[]).await;
    peer.send(&[frame(PING, 0, 0, b"12345678").repeat(20), reset(1), get(3)].concat()).await;
    while peer.until(HEADERS).await.unwrap().stream != 3 {}
    drop(peer);
    site.finish().await;
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_are_counted() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut peer = Peer::connect(site.address, &[]).await;
    let reset = |stream: u32| [get(stream), frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat();
    peer.send(&(0..300).flat_map(|n| reset(2 * n + 1)).collect::<Vec<u8>>()).await;
    assert_eq!(peer.until(GOAWAY).await.unwrap().code(4), ENHANCE_YOUR_CALM);
    drop(peer);
    assert!(upstream.received().len() < 100, "{}", upstream.received().len());
    site.finish().await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_one_by_one() {
    let backend =
        Held::start("", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]").await;
    let site = Site::start(&with_sections(BOUNDS), &backend.url()).await;
    let mut peer = Peer::connect(site.address, &[]).await;
    peer.send(&(0..5).flat_map(|n| get(2 * n + 1)).collect::<Vec<u8>>()).await;
    let refused = peer.until(RST_STREAM).await.unwrap();
    assert_eq!((refused.stream, refused.code(0)), (9, 7), "REFUSED_STREAM: it may be sent again");
    let mut releasing = JoinSet::new();
    releasing.spawn(async move {
        loop {
            backend.release();
            sleep(Duration::from_millis(5)).await;
        }
    });
    for _ in 0..4 {
        peer.until(HEADERS).await.unwrap();
    }
    drop(peer);
    site.finish().await;
}

#[tokio::test]
async fn an_endless_head_is_no_request() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut peer = Peer::connect(site.address, &[]).await;
    peer.send(&frame(HEADERS, END_STREAM, 1, &head("GET", "/items"))).await;
    let filler = block(&[("x-filler", "y"); 1000]);
    let mut sent = 0;
    while sent < 10_000 && peer.send(&frame(CONTINUATION, 0, 1, &filler)).await {
        sent += 1;
    }
    assert!(sent < 10_000, "somebody reads 100 MB of head");
    drop(peer);
    assert_eq!(wire::exchange(site.address, &site.request("GET /items")).await.unwrap().status, 200);
    assert_eq!(upstream.received().len(), 1);
    site.finish().await;
}
