//! Streams that have ended, and how much a client has room for: what RFC 9113 says of frames that come later.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::conformance::Must::*;
use super::conformance::*;
use super::frames::*;
use super::harness::{POLICY, Site, shop};

fn cancel(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

#[tokio::test]
async fn a_stream_that_was_taken_back_is_closed() {
    let closed = Reset(&[STREAM_CLOSED, PROTOCOL_ERROR]);
    let later = |bytes: Vec<u8>| [upload(1), cancel(1, 8), bytes].concat();
    check(vec![
        ("5.1 data behind a reset", later(frame(DATA, END_STREAM, 1, b"a")), closed),
        ("5.1 a head behind a reset", later(get(1)), closed),
        ("5.1 a rest behind a reset", later(frame(CONTINUATION, END_HEADERS, 1, &[0])), PROTOCOL),
        ("5.1 a priority behind a reset", later([frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 5]), get(3)].concat()), Answer),
        ("5.1 room behind a reset", later([frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9]), get(3)].concat()), Answer),
        ("5.1 a reset behind a reset", later([cancel(1, 8), get(3)].concat()), Answer),
        (
            "5.3.1 a head that depends on itself",
            frame(HEADERS, PRIORITIZED | 5, 1, &[&[0, 0, 0, 1, 9][..], &head("GET", "/items")].concat()),
            Reset(&[PROTOCOL_ERROR]),
        ),
        (
            "6.10 a rest behind the last rest",
            {
                let half = frame(HEADERS, END_STREAM, 1, &head("GET", "/items")[..20]);
                let rest = frame(CONTINUATION, END_HEADERS, 1, &head("GET", "/items")[20..]);
                [half, rest, frame(CONTINUATION, END_HEADERS, 1, &[0])].concat()
            },
            PROTOCOL,
        ),
        (
            "6.10 a rest behind data",
            [upload(1), frame(DATA, 0, 1, b"a"), frame(CONTINUATION, END_HEADERS, 1, &[0])].concat(),
            PROTOCOL,
        ),
        ("7 a reset for an unknown reason", [upload(1), cancel(1, 0xFF), get(3)].concat(), Answer),
        (
            "8.1 a length that is not all data's",
            [
                frame(
                    HEADERS,
                    END_HEADERS,
                    1,
                    &[
                        head("PUT", "/photos/1"),
                        block(&[("content-type", "application/octet-stream"), ("content-length", "1")]),
                    ]
                    .concat(),
                ),
                frame(DATA, 0, 1, b"a"),
                frame(DATA, END_STREAM, 1, b"b"),
            ]
            .concat(),
            Reset(&[PROTOCOL_ERROR]),
        ),
        (
            "8.3 no method",
            {
                let fields = block(&[(":scheme", "http"), (":path", "/items"), (":authority", "a")]);
                frame(HEADERS, 5, 1, &fields)
            },
            Reset(&[PROTOCOL_ERROR]),
        ),
        (
            "8.3 no scheme",
            {
                let fields = block(&[(":method", "GET"), (":path", "/items"), (":authority", "a")]);
                frame(HEADERS, 5, 1, &fields)
            },
            Reset(&[PROTOCOL_ERROR]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_stream_that_was_answered_is_closed() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (name, bytes, is_error) in [
        ("data", frame(DATA, END_STREAM, 1, b"a"), true),
        ("a head", get(1), true),
        ("a rest", frame(CONTINUATION, END_HEADERS, 1, &[0]), true),
        ("a priority", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 5]), false),
        ("room", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9]), false),
        ("a reset", cancel(1, 8), false),
        ("an unknown farewell", frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xFF]), false),
    ] {
        let mut peer = Peer::connect(site.address, &[]).await;
        peer.send(&get(1)).await;
        while peer.next().await.expect("an answer").flags & END_STREAM == 0 {}
        peer.send(&[bytes, frame(PING, 0, 0, b"12345678")].concat()).await;
        let said = loop {
            match peer.next().await {
                None => break "closed",
                Some(frame) if frame.kind == GOAWAY || frame.kind == RST_STREAM => {
                    let code = frame.code(if frame.kind == GOAWAY { 4 } else { 0 });
                    assert!([0, PROTOCOL_ERROR, STREAM_CLOSED].contains(&code), "{name}: {frame:?}");
                    if code != 0 {
                        break "an error";
                    }
                }
                Some(frame) if frame.kind == PING && frame.flags & ACK != 0 => break "well",
                Some(_) => {}
            }
        };
        match is_error {
            true => assert_ne!(said, "well", "{name} behind an answer"),
            false => assert!(said == "well" || name == "an unknown farewell", "{name} behind an answer: {said}"),
        }
    }
    assert_eq!(site.ask("GET /items").await.status, 200);
    site.finish().await;
}

/// The lengths of the pieces in which the answer to a request comes, until `more` is sent, and of the piece that follows.
async fn pieces(site: &Site, settings: &[u8], more: &[u8], first: usize) -> usize {
    let mut peer = Peer::connect(site.address, settings).await;
    peer.send(&get(1)).await;
    peer.until(HEADERS).await.expect("a head needs no room");
    if first > 0 {
        assert_eq!(peer.until(DATA).await.unwrap().payload.len(), first);
    }
    peer.send(more).await;
    if more.is_empty() { first } else { peer.until(DATA).await.unwrap().payload.len() }
}

#[tokio::test]
async fn an_answer_waits_for_room() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let window = |size: u32| [&[0, 4][..], &size.to_be_bytes()].concat();
    let room = |more: u32| frame(WINDOW_UPDATE, 0, 1, &more.to_be_bytes());
    for (name, settings, more, first, then) in [
        ("6.9.1 a window of one byte", window(1), Vec::new(), 1, 1),
        ("6.5.3 the last value counts", [window(100), window(1)].concat(), Vec::new(), 1, 1),
        ("6.9.2 a window that grows later", window(0), setting(4, 1), 0, 1),
        ("6.9.2 a window below zero", window(2), [setting(4, 0), room(1), room(2)].concat(), 2, 1),
        ("6.9 a window that is enlarged", window(1), room(1), 1, 1),
    ] {
        assert_eq!(pieces(&site, &settings, &more, first).await, then, "{name}");
    }
    site.finish().await;
}

#[tokio::test]
async fn a_connection_begins_as_section_3_4_says() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (name, bytes) in [
        ("another preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()),
        ("a preface of nothing", b"INVALID CONNECTION PREFACE\r\n\r\n".to_vec()),
        ("no settings", [PREFACE, &frame(PING, 0, 0, b"12345678"), &get(1)].concat()),
        ("a request before the settings", [PREFACE, &get(1), &frame(SETTINGS, 0, 0, &[])].concat()),
    ] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut peer = Peer(stream);
        let ended = tokio::time::timeout(Duration::from_secs(20), async {
            let mut rest = Vec::new();
            // That it is reset is an end, too.
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut peer.0, &mut rest).await;
            rest
        });
        assert!(!ended.await.unwrap_or_else(|_| panic!("{name}: still open")).starts_with(b"HTTP/1.1 2"), "{name}");
    }
    assert_eq!(upstream.received().len(), 0);
    assert_eq!(site.ask("GET /items").await.status, 200);
    site.finish().await;
}
