//! HTTP/2 frames that no client library sends: what they could mean twice reaches nobody.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frames::{block, frame};
use super::harness::{POLICY, Site, shop};

const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/items")];

/// What becomes of one request on a connection of its own: the code of its refusal, `answered`, or `reset`.
async fn fate(address: SocketAddr, fields: &[(&str, &str)], body: Option<&[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, if body.is_some() { 4 } else { 5 }, 1, &block(fields)));
    if let Some(body) = body {
        bytes.extend(frame(0, 1, 1, body));
    }
    stream.write_all(&bytes).await.unwrap();
    let mut answered = false;
    loop {
        let mut head = [0; 9];
        if !matches!(timeout(Duration::from_secs(5), stream.read_exact(&mut head)).await, Ok(Ok(_))) {
            return "reset".to_owned();
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        match (head[3], head[8]) {
            (1, 1) => answered = true,
            (0, 1) => {
                let problem: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
                return problem["code"].as_str().unwrap_or("answered").to_owned();
            }
            (3 | 7, _) => return "reset".to_owned(),
            _ => {}
        }
        if answered && head[4] & 1 == 1 {
            return "answered".to_owned();
        }
    }
}

#[tokio::test]
async fn frames_with_two_readings_reach_nobody() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let with = |more: &[(&'static str, &'static str)]| [&GET[..], &[(":authority", "a")], more].concat();
    let path = |path: &'static str| vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
    let mut wrong = Vec::new();
    for (name, fields, expect) in [
        ("another host than the authority", with(&[("host", "b")]), "host-invalid"),
        ("two hosts", with(&[("host", "a"), ("host", "a")]), "header-forbidden"),
        ("no host at all", GET.to_vec(), "host-invalid"),
        ("a user in the authority", [&GET[..], &[(":authority", "u@a")]].concat(), "host-invalid"),
        ("`connection`", with(&[("connection", "x-auth")]), "reset"),
        ("`transfer-encoding`", with(&[("transfer-encoding", "chunked")]), "reset"),
        ("`upgrade`", with(&[("upgrade", "h2c")]), "reset"),
        ("`te: gzip`", with(&[("te", "gzip")]), "reset"),
        ("upper case", with(&[("X-Upper", "1")]), "reset"),
        ("a space in a name", with(&[("x y", "1")]), "reset"),
        ("a colon in a name", with(&[("x:y", "1")]), "reset"),
        ("a line feed in a value", with(&[("x", "1\nhost: b")]), "reset"),
        ("a carriage return in a value", with(&[("x", "1\rhost: b")]), "reset"),
        ("a NUL in a value", with(&[("x", "1\0")]), "reset"),
        ("a pseudo-header twice", with(&[(":path", "/admin")]), "reset"),
        ("a pseudo-header behind a header", [&[("x", "1")], &with(&[])[..]].concat(), "reset"),
        ("an unknown pseudo-header", with(&[(":proto", "x")]), "reset"),
        ("an answer's pseudo-header", with(&[(":status", "200")]), "reset"),
        ("a length without a body", with(&[("content-length", "5")]), "reset"),
        ("two lengths", with(&[("content-length", "0"), ("content-length", "0")]), "header-forbidden"),
        ("an underscore", with(&[("x_forwarded_for", "1.1.1.1")]), "header-forbidden"),
        ("an override", with(&[("x-http-method-override", "DELETE")]), "header-forbidden"),
        ("no path", [(":method", "GET"), (":scheme", "http"), (":authority", "a")].to_vec(), "reset"),
        ("an empty path", path(""), "reset"),
        ("a path without a slash", path("items"), "reset"),
        ("an asterisk", path("*"), "path-ambiguous"),
        ("an absolute path", path("http://b/items"), "reset"),
        ("a space in the path", path("/items x"), "reset"),
        ("a line feed in the path", path("/items\r\nhost: b\r\n\r\n"), "reset"),
        ("a request line in the path", path("/items HTTP/1.1\r\nx: y"), "reset"),
        (
            "a request line in the method",
            [&[(":method", "GET /admin HTTP/1.1\r\nx:")], &path("/items")[1..]].concat(),
            "reset",
        ),
        ("a space in the method", [&[(":method", "GET /admin")], &path("/items")[1..]].concat(), "reset"),
        ("a line feed in the authority", [&GET[..], &[(":authority", "a\r\nx: y")]].concat(), "reset"),
        ("a space in the authority", [&GET[..], &[(":authority", "a b")]].concat(), "reset"),
        ("a path in the authority", [&GET[..], &[(":authority", "a/items")]].concat(), "reset"),
        (
            "another scheme",
            vec![(":method", "GET"), (":scheme", "http://b/x?"), (":path", "/items"), (":authority", "a")],
            "reset",
        ),
        ("a line feed in a name", with(&[("x\r\nhost: b\r\ny", "1")]), "reset"),
        ("a name of nothing", with(&[("", "1")]), "reset"),
        ("a space in front of a value", with(&[("x", " 1")]), "header-forbidden"),
        ("a tab behind a value", with(&[("x", "1\t")]), "header-forbidden"),
        ("`proxy-connection`", with(&[("proxy-connection", "keep-alive")]), "reset"),
        ("`keep-alive`", with(&[("keep-alive", "timeout=5")]), "reset"),
        ("an encoded slash", path("/items%2f1"), "path-ambiguous"),
        ("dots", path("/items/../items"), "path-ambiguous"),
        ("a backslash", path("/items\\1"), "path-ambiguous"),
        ("CONNECT", vec![(":method", "CONNECT"), (":authority", "a:80")], "method-undeclared"),
        (
            "extended CONNECT",
            [&[(":method", "CONNECT"), (":protocol", "websocket")], &path("/items")[1..]].concat(),
            "reset",
        ),
        ("TRACE", [&[(":method", "TRACE")], &path("/items")[1..]].concat(), "method-undeclared"),
    ] {
        let found = fate(site.address, &fields, None).await;
        if found != expect {
            wrong.push(format!("{name}: {found}, not {expect}"));
        }
        if !upstream.received().is_empty() {
            wrong.push(format!("{name}: it reached the backend"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fate(site.address, &with(&[("content-length", "3")]), Some(b"abcd")).await, "reset");
    assert_eq!(upstream.received().len(), 0, "a body longer than its length");
    assert_eq!(fate(site.address, &with(&[("host", "a")]), None).await, "answered", "one that is right");
    assert_eq!(fate(site.address, &[&GET[..], &[("host", "a")]].concat(), None).await, "answered", "`host` alone");
    assert_eq!(upstream.received().len(), 2);
    site.finish().await;
}

#[tokio::test]
async fn a_head_has_bounds_in_http2() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let filler = "a".repeat(120);
    let fields = |count| {
        let fillers = std::iter::repeat_n(("x-filler", &*filler), count);
        [&GET[..], &[(":authority", "a")]].concat().into_iter().chain(fillers).collect::<Vec<_>>()
    };
    assert_eq!(fate(site.address, &fields(50), None).await, "answered");
    assert_eq!(fate(site.address, &fields(110), None).await, "headers-too-large", "too many");
    // More than one frame may hold, so that the client would have to continue it; this one does not.
    assert_eq!(fate(site.address, &fields(1050), None).await, "reset");
    assert_eq!(upstream.received().len(), 1);
    let log = site.finish().await;
    let refused = log.0.iter().filter(|event| event["outcome"]["denied"] == "headers-too-large");
    assert_eq!(refused.count(), 2, "the event of the refusal, and that of the access");
}
