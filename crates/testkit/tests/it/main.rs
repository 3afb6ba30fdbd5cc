//! The helpers do what they say, and the suites fail on stores that break a promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;

use bytes::Bytes;
use http::{Request, Response, Version};
use palisade_testkit::client::{self, Client};
use palisade_testkit::upstream::{Upstream, closed_address};

#[tokio::test]
async fn both_versions_of_http_reach_the_backend_with_their_host() {
    let upstream = Upstream::start(|request| Response::new(request.into_body())).await;
    for (client, version) in
        [(Client::http1(upstream.address()), Version::HTTP_11), (Client::http2(upstream.address()), Version::HTTP_2)]
    {
        let request = Request::post("/a?b=c").header("host", "shop.example").body(Bytes::from("hello")).unwrap();
        assert_eq!(client.send(request).await.body(), "hello");
        let received = upstream.received().pop().unwrap();
        assert_eq!((received.version(), received.uri().path(), received.uri().query()), (version, "/a", Some("b=c")));
        let host = received.uri().authority().map(|authority| authority.as_str());
        let host = host.or_else(|| received.headers().get("host").and_then(|host| host.to_str().ok()));
        assert_eq!(host, Some("shop.example"));
    }
}

#[tokio::test]
async fn a_dropped_backend_takes_no_more_connections() {
    let upstream = Upstream::start(|_| Response::default()).await;
    let address = upstream.address();
    assert!(Client::http1(address).try_send(Request::default()).await.is_ok());
    drop(upstream);
    tokio::task::yield_now().await;
    assert!(Client::http1(address).try_send(Request::default()).await.is_err());
    assert!(Client::http1(closed_address().await).try_send(Request::default()).await.is_err());
}

#[tokio::test]
async fn a_raw_backend_sends_what_no_server_would() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").await;
    assert!(Client::http1(upstream.address()).try_send(Request::default()).await.is_err());
    assert!(client::raw(upstream.address(), "anything").await.ends_with(b"ab"));
}
