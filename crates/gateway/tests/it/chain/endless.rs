//! Bodies without an end: they pass where the route says so, as long as each piece comes in time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use palisade_core::denial::DenialCode::{self, BodyTooLarge, RequestTimeout};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::grpc::{Peer, contract};
use super::harness::{POLICY, Site, shop, with_route};
use super::wire;

/// What a stream of gRPC came to: its status, its answer, and how long it took.
struct Gathered {
    status: Option<String>,
    answer: Bytes,
    took: Duration,
}

/// Calls the method that adds numbers up, with so many of them, one after each pause; then with nothing more, and without
/// an end if `ends` is not so.
async fn gather(site: &Site, numbers: u32, pause: Duration, ends: bool) -> Gathered {
    let stream = TcpStream::connect(site.address).await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let messages = futures_util::stream::iter(0..numbers).then(move |number| async move {
        sleep(pause).await;
        let text = number.to_string();
        let message = [&[0, 0, 0, 0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(message)))
    });
    let rest = futures_util::stream::pending().take(if ends { 0 } else { 1 });
    let request = Request::post("http://shop.example/test.Peer/Gather")
        .header("authorization", site.tokens.fill("Bearer ${alice}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(Box::pin(messages.chain(rest))))
        .unwrap();
    let begun = Instant::now();
    let answered = timeout(Duration::from_secs(30), send.send_request(request)).await.expect("an answer");
    let (head, body) = answered.unwrap().into_parts();
    let collected = timeout(Duration::from_secs(30), body.collect()).await.expect("its end").unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = head.headers.get("grpc-status").or(trailers.get("grpc-status"));
    let status = status.map(|status| status.to_str().unwrap().to_owned());
    Gathered { status, answer: collected.to_bytes(), took: begun.elapsed() }
}

async fn grpc_site(backend: &Peer, keys: &str) -> Site {
    let policy = POLICY
        .replace("url = \"{upstream}\"", &format!("url = \"http://127.0.0.1:{}\"\nprotocol = \"h2\"", backend.port))
        .replace("timeout = \"10s\"", keys)
        .replace("failures = 100", "failures = 1");
    Site::start_with(&policy, "", Some(&contract())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_grpc_takes_longer_than_the_deadline_and_one_that_stalls_is_cut() {
    let backend = Peer::start(&[]);
    let keys = "timeout = \"3s\"\nmax_body = \"64B\"\nbody_min_rate = \"1B\"";
    let site = grpc_site(&backend, &format!("{keys}\nendless_body = true")).await;
    let gathered = gather(&site, 30, Duration::from_millis(120), true).await;
    assert_eq!((gathered.status.as_deref(), &gathered.answer[..]), (Some("0"), &b"\0\0\0\0\x03435"[..]));
    assert!(gathered.took > Duration::from_secs(3), "longer than the deadline");
    assert!(site.finish().await.0.iter().all(|event| event["kind"] == "access"));

    // The same stream elsewhere, and one of which nothing more comes.
    for (keys, numbers, ends, code) in [
        (keys.replace("64B", "1MiB"), 30, true, RequestTimeout),
        (keys.to_owned(), 30, true, BodyTooLarge),
        (format!("{keys}\nbody_timeout = \"400ms\"\nendless_body = true"), 2, false, RequestTimeout),
    ] {
        let pause = Duration::from_millis(if code == RequestTimeout && ends { 120 } else { 1 });
        let site = grpc_site(&backend, &keys).await;
        let cut = gather(&site, numbers, pause, ends).await;
        assert!(cut.status.is_some_and(|status| status != "0") && cut.answer.is_empty(), "{keys}");
        // It was the sender's fault: the circuit, which one fault of the backend would open, is closed.
        let next = gather(&site, 2, Duration::ZERO, true).await;
        assert_eq!(next.status.as_deref(), Some("0"), "{keys}");
        let log = site.finish().await;
        assert!(log.0.iter().any(|event| event["outcome"]["denied"] == code.slug()), "{keys}: {:?}", log.0);
    }
}

/// Sends a head, and behind it pieces of a body in chunks.
async fn upload(site: &Site, head: &str, pieces: &[String]) -> wire::Answer {
    let mut bytes = site.request(&format!("{head}\ntransfer-encoding: chunked"));
    for piece in pieces {
        bytes.extend(format!("{:x}\r\n{piece}\r\n", piece.len()).bytes());
    }
    bytes.extend(b"0\r\n\r\n");
    wire::exchange(site.address, &bytes).await.unwrap()
}

#[tokio::test]
async fn what_is_held_whole_or_says_its_length_stays_within_the_limit() {
    let upstream = shop().await;
    let photo = "PUT /photos/1\ncontent-type: application/octet-stream";
    let form = "POST /forms\ncontent-type: application/x-www-form-urlencoded";
    let order = "POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/json";
    let pieces = vec!["x".repeat(500); 4];
    let cases: [(&str, bool, Option<DenialCode>); 4] = [
        (photo, true, None),
        (photo, false, Some(BodyTooLarge)),
        (form, true, Some(BodyTooLarge)),
        (order, true, Some(BodyTooLarge)),
    ];
    for (head, is_endless, code) in cases {
        let policy = with_route(&format!("max_body = \"1KiB\"\nresponses = \"off\"\nendless_body = {is_endless}"));
        let site = Site::start(&policy, &upstream.url()).await;
        let before = upstream.received().len();
        let answer = upload(&site, head, &pieces).await;
        let with_length = format!("{head}\n\n{}", pieces.concat());
        let declared = site.ask(&with_length).await;
        match code {
            None => {
                assert!(answer.status.is_success(), "{head}: {answer:?}");
                assert_eq!(upstream.received()[before].body().len(), 2000);
            }
            Some(code) => assert_eq!(answer.json()["code"], code.slug(), "{head}"),
        }
        assert_eq!(declared.status, StatusCode::PAYLOAD_TOO_LARGE, "{head}");
        let log = site.finish().await;
        if let Some(code) = code {
            log.assert_refused(&answer, code);
        }
    }
}

#[tokio::test]
async fn a_client_of_http_1_that_stalls_is_answered() {
    let upstream = shop().await;
    let site = Site::start(
        &with_route("endless_body = true\nbody_timeout = \"300ms\"\nbody_min_rate = \"1B\""),
        &upstream.url(),
    )
    .await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let head = "PUT /photos/1\ncontent-type: application/octet-stream\ntransfer-encoding: chunked";
    stream.write_all(&site.request(head)).await.unwrap();
    stream.write_all(b"3\r\nabc\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes);
    timeout(Duration::from_secs(30), read).await.expect("an end").unwrap();
    let answer = wire::Answer::parse(&bytes).unwrap();
    site.finish().await.assert_refused(&answer, RequestTimeout);
}
