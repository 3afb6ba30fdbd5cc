//! Requests that are refused before their body was read, on connections that go on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{POLICY, Site, shop};

/// What comes back for a request, and for another one behind it where the answer lets there be one.
async fn two(site: &Site, request: &str, body: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request(&format!("{request}\nconnection: keep-alive"))).await.unwrap();
    // Who closes need not take it.
    let _ = stream.write_all(body).await;
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    while !text.contains("\"request_id\"") {
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "closed behind {text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    if text.contains("\r\nconnection: close\r\n") {
        return (text, false);
    }
    stream.write_all(&site.request("GET /items")).await.unwrap();
    let mut second = String::new();
    stream.read_to_string(&mut second).await.unwrap();
    assert!(second.starts_with("HTTP/1.1 200 "), "{request}: {text} {second}");
    (text, true)
}

#[tokio::test]
async fn a_connection_takes_another_request_or_says_that_it_does_not() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let order = "POST /orders\ncontent-type: application/json";
    let mebibyte = vec![b'x'; 1 << 20];
    let long = [b"80000\r\n", &mebibyte[..0x80000], b"\r\n"].concat();
    for (name, head, body, goes_on) in [
        ("a short body", "content-length: 5", &b"12345"[..], true),
        ("some more", "content-length: 65000", &mebibyte[..65_000], true),
        ("a long body", "content-length: 1048576", &mebibyte, false),
        ("a body that does not come", "content-length: 5", b"", false),
        ("a short body in chunks", "transfer-encoding: chunked", b"2\r\nok\r\n0\r\n\r\n", true),
        ("a long body in chunks", "transfer-encoding: chunked", &long, false),
        ("a client that asks first", "content-length: 5\nexpect: 100-continue", b"", false),
    ] {
        let (answer, went_on) = two(&site, &format!("{order}\n{head}"), body).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{name}: {answer}");
        assert_eq!(went_on, goes_on, "{name}: {answer}");
    }
    site.finish().await;
}
