//! Bytes that two programs could take for different requests: one request at most reaches the backend, and the gateway
//! goes on serving.

use super::harness::{POLICY, Site, shop};
use super::wire::{self, Answer};

/// What follows each vector: a request that must not be answered as part of another.
const HIDDEN: &str = "GET /items?q=hidden HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// An upload: every body is valid, so that nothing but its framing can be wrong.
const PUT: &str = "PUT /photos/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n";

/// A form: it is read whole before anybody else hears of it.
const FORM: &str = "POST /forms HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";

/// That the vector is refused with this status, or with a closed connection, and reaches nobody.
async fn refuse(table: &[(&str, String, Option<u16>)]) {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    for (name, bytes, status) in table {
        let answer = wire::raw(site.address, bytes).await;
        let found = Answer::parse(&answer).map(|answer| answer.status.as_u16());
        assert_eq!(found, *status, "{name}: {}", String::from_utf8_lossy(&answer));
        assert_eq!(
            answer.windows(7).filter(|part| part.starts_with(b"HTTP/1.")).count(),
            usize::from(status.is_some())
        );
        assert_eq!(upstream.received().len(), 0, "{name} reached the backend");
    }
    assert_eq!(site.ask("GET /items").await.status, 200, "the gateway still serves");
    site.finish().await;
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    refuse(&[
        ("two lengths", format!("{PUT}content-length: 0\r\ncontent-length: 60\r\n\r\n{HIDDEN}"), Some(400)),
        ("the same length twice", format!("{PUT}content-length: 3\r\ncontent-length: 3\r\n\r\na=b{HIDDEN}"), Some(400)),
        (
            "length and coding",
            format!("{PUT}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
            Some(400),
        ),
        (
            "coding and length",
            format!("{PUT}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{HIDDEN}"),
            Some(400),
        ),
        (
            "a coding twice",
            format!("{PUT}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
            Some(400),
        ),
        ("a list of codings", format!("{PUT}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n{HIDDEN}"), Some(400)),
        ("bare line feeds", format!("{}\n\n{HIDDEN}", PUT.replace("\r\n", "\n").trim_end()), Some(400)),
        ("a bare line feed in a head", format!("{PUT}x-a: b\ncontent-length: 3\r\n\r\na=b{HIDDEN}"), Some(400)),
        ("a list of lengths", format!("{PUT}content-length: 0, 60\r\n\r\n{HIDDEN}"), Some(400)),
        ("a signed length", format!("{PUT}content-length: +5\r\n\r\na=bcd{HIDDEN}"), Some(400)),
        ("a length in hexadecimal", format!("{PUT}content-length: 0x5\r\n\r\na=bcd{HIDDEN}"), Some(400)),
        ("a compressed coding", format!("{PUT}transfer-encoding: gzip\r\n\r\n{HIDDEN}"), Some(400)),
        ("chunked not last", format!("{PUT}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a coding that is not one", format!("{PUT}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}"), Some(400)),
        ("space before the colon", format!("{PUT}content-length : 0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a folded line", format!("{PUT}x-a: b\r\n content-length: 0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a folded coding", format!("{PUT}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a bare carriage return", format!("{PUT}x-a: b\rcontent-length: 0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a null in a header", format!("{PUT}x-a: b\0\r\n\r\n{HIDDEN}"), Some(400)),
        ("a null in a name", format!("{PUT}x\0a: b\r\n\r\n{HIDDEN}"), Some(400)),
        (
            "HTTP/1.0 with a coding",
            PUT.replace("1.1", "1.0") + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            Some(400),
        ),
    ])
    .await;
}

#[tokio::test]
async fn ambiguous_chunks_are_refused() {
    for upload in [FORM, PUT] {
        let chunked = |body: &str| format!("{upload}transfer-encoding: chunked\r\n\r\n{body}");
        refuse(&[
            ("no length", chunked("\r\na=b\r\n0\r\n\r\n"), Some(400)),
            ("a length that is none", chunked("g\r\na=b\r\n0\r\n\r\n"), Some(400)),
            ("a signed length", chunked("-3\r\na=b\r\n0\r\n\r\n"), Some(400)),
            ("a length with a prefix", chunked("0x3\r\na=b\r\n0\r\n\r\n"), Some(400)),
            ("a length beyond measure", chunked("ffffffffffffffff1\r\na=b\r\n0\r\n\r\n"), Some(400)),
            ("more than it says", chunked("3\r\na=bc\r\n0\r\n\r\n"), Some(400)),
            ("less than it says", chunked(&format!("4\r\na=b\r\n0\r\n\r\n{HIDDEN}")), Some(400)),
            ("a bare line feed", chunked("3\na=b\r\n0\r\n\r\n"), Some(400)),
            ("a bare line feed in an extension", chunked("3;a\nb\r\na=b\r\n0\r\n\r\n"), Some(400)),
        ])
        .await;
    }
}

/// A client that says `Expect: 100-continue` and sends its body all the same, together with what it hides in it.
#[tokio::test]
async fn a_body_that_was_announced_is_never_a_request() {
    let orders = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let get = "GET /items HTTP/1.1\r\nhost: a\r\n";
    let length = HIDDEN.len();
    for (name, bytes, most) in [
        ("refused", format!("{orders}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"), 0),
        (
            "refused, with chunks",
            format!(
                "{orders}expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"
            ),
            0,
        ),
        ("refused, without an end", format!("{orders}expect: 100-continue\r\ncontent-length: 9999\r\n\r\n{HIDDEN}"), 0),
        (
            "nowhere",
            format!(
                "{}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}",
                get.replace("/items", "/nowhere")
            ),
            0,
        ),
        ("of a GET", format!("{get}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"), 1),
        ("accepted", format!("{PUT}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"), 1),
        ("an odd expectation", format!("{PUT}expect: y 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"), 0),
        (
            "two expectations",
            format!("{PUT}expect: 100-continue\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"),
            1,
        ),
        (
            "a folded expectation",
            format!("{PUT}expect:\r\n 100-continue\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"),
            0,
        ),
        (
            "a method that has none",
            format!("{}content-length: {length}\r\n\r\n{HIDDEN}", get.replace("GET", "HEAD")),
            1,
        ),
        ("OPTIONS", format!("OPTIONS * HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"), 0),
    ] {
        let upstream = shop().await;
        let site = Site::start(POLICY, &upstream.url()).await;
        // Without its own end the connection would wait for more of a body.
        let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        tokio::io::AsyncWriteExt::write_all(&mut stream, bytes.as_bytes()).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        let reading = async {
            while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer)
                .await
                .inspect(|some| answer.extend_from_slice(&buffer[..*some]))
            {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), reading)
            .await
            .unwrap_or_else(|_| panic!("{name}: still open"));
        let text = String::from_utf8_lossy(&answer);
        let received = upstream.received();
        assert!(received.len() <= most, "{name}: {received:?} {text}");
        assert!(
            received.iter().all(|request| request.uri().query().is_none()),
            "{name}: the hidden request was served"
        );
        let finals = text.matches("HTTP/1.1 ").count() - text.matches("HTTP/1.1 100 ").count();
        assert!(finals <= 1, "{name}: {text}");
        assert_eq!(site.ask("GET /items").await.status, 200, "the gateway still serves");
        site.finish().await;
    }
}

#[tokio::test]
async fn odd_heads_are_refused() {
    let end = "connection: close\r\n\r\n";
    refuse(&[
        ("no host", format!("GET /items HTTP/1.1\r\n{end}"), Some(400)),
        ("two hosts", format!("GET /items HTTP/1.1\r\nhost: a\r\nhost: b\r\n{end}"), Some(400)),
        ("another authority", format!("GET http://evil/ HTTP/1.1\r\nhost: a\r\n{end}"), Some(400)),
        ("an authority of another scheme", format!("GET file://a/items HTTP/1.1\r\nhost: b\r\n{end}"), Some(400)),
        ("an open proxy", format!("GET http://evil.example/admin HTTP/1.1\r\nhost: evil.example\r\n{end}"), Some(404)),
        ("a tunnel", format!("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n{end}"), Some(405)),
        ("a null in the path", format!("GET /items\0 HTTP/1.1\r\nhost: a\r\n{end}"), Some(400)),
        ("a space in the path", format!("GET /items HTTP/1.1 HTTP/1.1\r\nhost: a\r\n{end}"), Some(400)),
        ("a path without a slash", format!("GET items HTTP/1.1\r\nhost: a\r\n{end}"), Some(400)),
        ("another protocol", format!("GET /items SIP/2.0\r\nhost: a\r\n{end}"), Some(400)),
        ("small letters", format!("GET /items http/1.1\r\nhost: a\r\n{end}"), Some(400)),
        ("another version", format!("GET /items HTTP/1.2\r\nhost: a\r\n{end}"), Some(400)),
        ("no version", "GET /items\r\n\r\n".to_owned(), Some(400)),
        ("a large head", format!("GET /items HTTP/1.1\r\nhost: a\r\nx: {}\r\n{end}", "a".repeat(100_000)), Some(431)),
        ("many headers", format!("GET /items HTTP/1.1\r\nhost: a\r\n{}{end}", "x: y\r\n".repeat(200)), Some(431)),
        ("a long path", format!("GET /{} HTTP/1.1\r\nhost: a\r\n{end}", "a".repeat(20_000)), Some(414)),
        ("a very long path", format!("GET /{} HTTP/1.1\r\nhost: a\r\n{end}", "a".repeat(100_000)), Some(431)),
        ("a long method", format!("{} /items HTTP/1.1\r\nhost: a\r\n{end}", "A".repeat(1000)), Some(405)),
        ("TLS", "\x16\x03\x01\x02\0\x01\0".repeat(10), Some(400)),
    ])
    .await;
}

#[tokio::test]
async fn a_body_ends_where_it_says() {
    // Accepted requests: what follows is the next one, and the backend gets exactly as many as there were answers.
    for (name, bytes, expect) in [
        ("a length", format!("{PUT}content-length: 3\r\n\r\na=b{HIDDEN}"), 2),
        ("chunks", format!("{PUT}transfer-encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n{HIDDEN}"), 2),
        ("an extension", format!("{PUT}transfer-encoding: chunked\r\n\r\n3;x=y\r\na=b\r\n0\r\n\r\n{HIDDEN}"), 2),
        ("a body of GET", format!("GET /items HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /{HIDDEN}"), 1),
        ("a name with an underscore", format!("{PUT}content_length: 3\r\n\r\n{HIDDEN}"), 1),
        (
            "upgrade to HTTP/2",
            format!("GET /items HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n{HIDDEN}"),
            2,
        ),
        (
            "a request within a length",
            format!("{PUT}connection: close\r\ncontent-length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()),
            1,
        ),
    ] {
        let upstream = shop().await;
        let site = Site::start(POLICY, &upstream.url()).await;
        let answer = wire::raw(site.address, &bytes).await;
        let text = String::from_utf8_lossy(&answer);
        let accepted = text.matches("HTTP/1.1 2").count();
        assert_eq!(upstream.received().len(), accepted, "{name}: {text}");
        assert_eq!(accepted, expect, "{name}: {text}");
        assert_eq!(site.ask("GET /items").await.status, 200, "the gateway still serves");
        site.finish().await;
    }
}
