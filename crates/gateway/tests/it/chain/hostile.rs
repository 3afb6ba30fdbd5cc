//! Clients that stall, flood, babble and do not listen: each gets its answer or the door, and the next is served.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use palisade_core::denial::DenialCode;
use palisade_testkit::upstream::Upstream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Peer, frame, head};
use super::harness::{POLICY, Site, shop, with_route, with_sections};
use super::wire::{self, Answer};

const HASTE: &str = "[limits]\nhead_timeout = \"150ms\"\n[server]\nhandshake_timeout = \"150ms\"\nidle_timeout = \"150ms\"\n\
                     write_timeout = \"300ms\"";

/// All that comes until the other side closes, which it must soon.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A reset is an end, too.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut received)).await.expect("it is still open");
    received
}

#[tokio::test]
async fn a_client_may_stall_nowhere() {
    let upstream = shop().await;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let tls =
        format!("tls = {{ cert = \"file:{fixtures}/server.cert.pem\", key = \"file:{fixtures}/server.key.pem\" }}");
    let proxied = "proxy_protocol = [\"127.0.0.1\"]";
    let upload =
        "PUT /photos/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\ncontent-length: 10\r\n\r\nabc";
    for (phase, listener, sent, status) in [
        ("at once", "", "", None),
        ("in the TLS handshake", &*tls, "", None),
        ("further on in the TLS handshake", &tls, "\x16\x03\x01\x00", None),
        ("before the PROXY header", proxied, "", Some(408)),
        ("in the PROXY header", proxied, "PROXY TCP4 1.1", Some(408)),
        ("behind the PROXY header", proxied, "PROXY UNKNOWN\r\n", None),
        ("in the method", "", "P", Some(408)),
        ("in the request line", "", "GET /it", Some(408)),
        ("in the headers", "", "GET /items HTTP/1.1\r\nhost:", Some(408)),
        ("in the body", "", upload, Some(408)),
        ("between requests", "", "GET /items HTTP/1.1\r\nhost: a\r\n\r\n", Some(200)),
        ("in HTTP/2's greeting", "", "PRI * HTTP/2.0\r\n\r\nSM\r\n", Some(408)),
        ("behind HTTP/2's greeting", "", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ] {
        let policy =
            with_route("body_timeout = \"150ms\"").replace("127.0.0.1:0\"\n", &format!("127.0.0.1:0\"\n{listener}\n"));
        let site = Site::start(&format!("{policy}{HASTE}\n"), &upstream.url()).await;
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let received = rest(&mut stream).await;
        let answer = Answer::parse(&received);
        match status {
            Some(status) => assert_eq!(answer.as_ref().map(|answer| answer.status.as_u16()), Some(status), "{phase}"),
            None => assert!(!received.starts_with(b"HTTP/1"), "{phase}"),
        }
        let log = site.finish().await;
        let requests = log.0.iter().filter(|event| event["kind"] == "access").count();
        assert_eq!(requests, usize::from(status.is_some()), "{phase}");
        if let Some(answer) = answer.filter(|answer| answer.status == 408) {
            log.assert_refused(&answer, DenialCode::RequestTimeout);
        }
    }
}

/// A backend whose answer is larger than all buffers on the way.
async fn ocean() -> Upstream {
    let drop = Bytes::from(vec![b'a'; 16 << 20]);
    Upstream::start(move |_| {
        let body = drop.clone();
        Response::builder().header("content-type", "application/octet-stream").body(body).unwrap()
    })
    .await
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let upstream = ocean().await;
    let site = Site::start(&with_sections(HASTE), &upstream.url()).await;
    let socket = TcpSocket::new_v4().unwrap();
    // The system would read for the client, as much as it has memory for.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(site.address).await.unwrap();
    stream.write_all(b"GET /photos/1 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // In HTTP/2 the client says how much it wants: here nothing.
    let no_window = [0, 4, 0, 0, 0, 0];
    let mut peer = Peer::connect(site.address, &no_window).await;
    peer.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/photos/1"))).await;
    while let Some(frame) = peer.next().await {
        assert!(frame.kind != DATA || frame.payload.is_empty());
    }
    // The other one finds out that it is over when the system takes no more for it, and only then does it look.
    let writing = async {
        while stream.write_all(b"\n").await.is_ok() {
            sleep(Duration::from_millis(10)).await
        }
    };
    timeout(Duration::from_secs(10), writing).await.expect("it is still open");
    let received = rest(&mut stream).await;
    assert!(received.len() < 16 << 20, "{}", received.len());
    drop(stream);
    let log = site.finish().await;
    assert_eq!(log.0.iter().filter(|event| event["kind"] == "access").count(), 2);
}

#[tokio::test]
async fn a_slow_reader_that_reads_is_served() {
    let upstream = ocean().await;
    let site = Site::start(&with_sections(HASTE), &upstream.url()).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(b"GET /photos/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut received, mut piece, began) = (0, vec![0; 1 << 20], Instant::now());
    loop {
        // For longer than the patience with somebody who reads nothing.
        if began.elapsed() < Duration::from_secs(1) {
            sleep(Duration::from_millis(50)).await;
        }
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            some => received += some,
        }
    }
    assert!(received > 16 << 20, "{received}");
    site.finish().await;
}

#[tokio::test]
async fn a_hundred_requests_in_one_piece_are_answered_in_order() {
    let upstream = Upstream::start(|request| {
        let body = format!("{{\"id\":1,\"name\":\"{}\"}}", request.uri().query().unwrap_or_default());
        Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
    })
    .await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let token = site.tokens.fill("Bearer ${alice}");
    let mut bytes = String::new();
    for _ in 0..99 {
        bytes += &format!("GET /items/1 HTTP/1.1\r\nhost: a\r\nauthorization: {token}\r\n\r\n");
    }
    bytes += "GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let text = String::from_utf8(wire::raw(site.address, bytes).await).unwrap();
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!((statuses.len(), statuses[99]), (100, "404"));
    assert!(statuses[..99].iter().all(|status| *status == "200"), "{statuses:?}");
    let log = site.finish().await;
    assert_eq!(log.0.iter().filter(|event| event["kind"] == "access").count(), 100);
}

#[tokio::test]
async fn babble_is_answered_once_and_ends_the_connection() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let lines = format!("GET /items HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    let noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, bytes, code) in [
        ("noise", noise, DenialCode::RequestMalformed),
        ("zeros", vec![0; 100_000], DenialCode::RequestMalformed),
        ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), DenialCode::RequestMalformed),
        ("another protocol", b"SSH-2.0-OpenSSH_9.7\r\n".to_vec(), DenialCode::RequestMalformed),
        ("ten thousand lines", lines.into_bytes(), DenialCode::HeadersTooLarge),
        ("one long line", vec![b'a'; 100_000], DenialCode::HeadersTooLarge),
    ] {
        let answer = wire::exchange(site.address, &bytes).await.unwrap_or_else(|| panic!("no answer to {name}"));
        assert_eq!(answer.status, code.status(), "{name}");
    }
    assert_eq!(site.ask("GET /items").await.status, 200);
    let log = site.finish().await;
    assert_eq!(log.0.iter().filter(|event| event["kind"] == "access").count(), 7);
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn a_client_that_says_no_more_is_an_end() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for sent in ["", "GET /items", "GET /items HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let received = rest(&mut stream).await;
        assert!(received.is_empty() || received.starts_with(b"HTTP/1.1 200 "), "{sent:?}");
    }
    assert_eq!(site.ask("GET /items").await.status, 200);
    let log = site.finish().await;
    let answered = log.0.iter().filter(|event| event["kind"] == "access");
    assert!((1..=2).contains(&answered.count()), "a request that came as a whole has its event, and nothing else has");
}

#[tokio::test]
async fn one_client_cannot_take_all_connections() {
    let upstream = shop().await;
    let keys = "127.0.0.1:0\"\nproxy_protocol = [\"127.0.0.1\"]\n";
    let policy = with_sections("[server]\nmax_connections_per_client = 3").replace("127.0.0.1:0\"\n", keys);
    let site = Site::start(&policy, &upstream.url()).await;
    let connect = |client: &'static str| async move {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let line = format!("PROXY TCP4 {client} 10.0.0.1 4711 443\r\nGET /items HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut received = [0; 12];
        stream.read_exact(&mut received).await.map(|_| stream)
    };
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(connect("203.0.113.9").await.unwrap());
    }
    assert!(connect("203.0.113.9").await.is_err(), "a fourth is closed");
    assert!(connect("203.0.113.10").await.is_ok(), "others are served");
    mine.clear();
    // The gateway hears of the ends a little later.
    while connect("203.0.113.9").await.is_err() {
        tokio::task::yield_now().await;
    }
    site.finish().await;
}
