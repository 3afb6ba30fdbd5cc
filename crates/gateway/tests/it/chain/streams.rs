//! What streams: events as they happen, long answers, uploads and downloads of any length in bounded memory, trailers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use palisade_core::denial::DenialCode::ExpectationUnsupported;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::harness::{POLICY, Site, shop, with_route};
use super::scripted::{Scene, Scripted};

const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const PHOTO: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n";

/// The bytes that come until these have come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut received = Vec::new();
    while !received.ends_with(end.as_bytes()) {
        let read = timeout(Duration::from_secs(5), stream.read_buf(&mut received)).await;
        let read = read.unwrap_or_else(|_| panic!("waiting for {end:?}: {:?}", String::from_utf8_lossy(&received)));
        assert_ne!(read.unwrap(), 0, "ended without {end:?}: {:?}", String::from_utf8_lossy(&received));
    }
    String::from_utf8(received).unwrap()
}

async fn send(site: &Site, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request(request)).await.unwrap();
    stream
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent_and_longer_than_the_deadline() {
    let (go, heard) = mpsc::channel::<()>(1);
    let heard = Arc::new(tokio::sync::Mutex::new(heard));
    let backend = Scripted::start(move |mut scene: Scene| {
        let heard = Arc::clone(&heard);
        async move {
            scene.say(EVENTS).await;
            for n in 0..6 {
                scene.say(format!("9\r\ndata: {n}\n\n\r\n")).await;
                heard.lock().await.recv().await;
            }
            scene.say("0\r\n\r\n").await;
        }
    })
    .await;
    let site = Site::start(&POLICY.replace("timeout = \"10s\"", "timeout = \"1s\""), &backend.url()).await;
    let mut stream = send(&site, "GET /events").await;
    for n in 0..6 {
        until(&mut stream, &format!("data: {n}\n\n\r\n")).await;
        // In all this takes longer than `timeout`, which ends with the head of the answer.
        tokio::time::sleep(Duration::from_millis(250)).await;
        go.send(()).await.unwrap();
    }
    until(&mut stream, "0\r\n\r\n").await;
    site.finish().await;
}

/// A backend that sends one event and no more, and tells when its connection has been closed.
async fn one_event() -> (Scripted, mpsc::UnboundedReceiver<()>) {
    let (told, gone) = mpsc::unbounded_channel();
    let backend = Scripted::start(move |mut scene: Scene| {
        let told = told.clone();
        async move {
            scene.say(format!("{EVENTS}9\r\ndata: 0\n\n\r\n")).await;
            scene.drain().await;
            told.send(()).unwrap();
        }
    })
    .await;
    (backend, gone)
}

#[tokio::test]
async fn a_backend_that_pauses_for_too_long_is_given_up_and_the_answer_is_seen_to_be_cut() {
    let (backend, mut gone) = one_event().await;
    let site = Site::start(&with_route("stream_idle_timeout = \"300ms\""), &backend.url()).await;
    let answer = super::wire::raw(site.address, site.request("GET /events")).await;
    let text = String::from_utf8(answer).unwrap();
    assert!(text.ends_with("data: 0\n\n\r\n"), "the end of the last chunk is not there: {text}");
    gone.recv().await.expect("the backend's connection is closed");
    site.finish().await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_backend_along() {
    let (backend, mut gone) = one_event().await;
    let site = Site::start(POLICY, &backend.url()).await;
    let mut stream = send(&site, "GET /events").await;
    until(&mut stream, "data: 0\n\n\r\n").await;
    drop(stream);
    timeout(Duration::from_secs(5), gone.recv()).await.expect("the backend's connection is closed");
    site.finish().await;
}

/// Much more than the buffers of all sockets and programs on the way.
const MUCH: usize = 64 << 20;
/// More than those buffers, and much less than that.
const BUFFERS: usize = 24 << 20;

/// Waits until a number grows no longer.
async fn settled(number: &AtomicUsize) -> usize {
    loop {
        let before = number.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(300)).await;
        if number.load(Ordering::Relaxed) == before {
            return before;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_backend() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let backend = Scripted::start(move |mut scene: Scene| {
        let counted = Arc::clone(&counted);
        async move {
            scene.say(format!("{PHOTO}content-length: {MUCH}\r\n\r\n")).await;
            let piece = vec![7; 64 << 10];
            for _ in 0..MUCH / piece.len() {
                if scene.stream.write_all(&piece).await.is_err() {
                    return;
                }
                counted.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    let site = Site::start(POLICY, &backend.url()).await;
    let mut stream = send(&site, "GET /photos/1").await;
    let waiting = settled(&written).await;
    assert!(waiting < BUFFERS, "{waiting} bytes wait for nobody");
    let mut received = Vec::with_capacity(MUCH + 4096);
    timeout(Duration::from_secs(30), stream.read_to_end(&mut received)).await.unwrap().unwrap();
    let body = received.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(received.len() - body == MUCH && received[body..].iter().all(|byte| *byte == 7));
    site.finish().await;
}

#[tokio::test]
async fn a_slow_backend_slows_the_upload() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let backend = Scripted::start(move |mut scene: Scene| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            let (mut left, mut piece) = (MUCH, vec![0; 64 << 10]);
            while left > 0 {
                left -= scene.stream.read(&mut piece).await.unwrap();
            }
            scene.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let site = Site::start(&with_route("max_body = \"128MiB\"").replace("10s", "60s"), &backend.url()).await;
    let head = format!("PUT /photos/1\ncontent-type: application/octet-stream\ncontent-length: {MUCH}");
    let (mut read, mut write) = send(&site, &head).await.into_split();
    let (sent, mut sending) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let counted = Arc::clone(&sent);
    sending.spawn(async move {
        let piece = vec![7; 64 << 10];
        for _ in 0..MUCH / piece.len() {
            write.write_all(&piece).await.unwrap();
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        }
        write
    });
    let waiting = settled(&sent).await;
    assert!(waiting < BUFFERS, "{waiting} bytes wait for a backend that does not take them");
    go.notify_one();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(30), read.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 204 "), "{}", String::from_utf8_lossy(&answer));
    sending.shutdown().await;
    site.finish().await;
}

/// An answer with trailers, of which some are meant for others than the client.
const TRAILING: &str = "transfer-encoding: chunked\r\ntrailer: x-sum, grpc-status, set-cookie\r\n\r\n2\r\nok\r\n0\r\n\
                        x-sum: 9\r\ngrpc-status: 0\r\ngrpc-message: fine\r\nset-cookie: a=b\r\npalisade-subject: root\r\n\r\n";

#[tokio::test]
async fn trailers_pass_where_they_are_expected() {
    for (route, media, names) in [
        ("", "application/octet-stream", &[][..]),
        ("trailers = [\"x-sum\"]", "application/octet-stream", &["x-sum"]),
        ("", "application/grpc+proto", &["grpc-message", "grpc-status"]),
        ("trailers = [\"x-sum\"]", "application/grpc", &["grpc-message", "grpc-status", "x-sum"]),
        ("", "application/grpcish", &[]),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\n");
        let backend = Scripted::start(move |mut scene: Scene| {
            let answer = format!("{head}{TRAILING}");
            async move {
                scene.say(&answer).await;
                while scene.next().await {
                    scene.say(&answer).await;
                }
            }
        })
        .await;
        let policy = with_route(&format!("responses = \"off\"\n{route}"));
        let site = Site::start(&policy, &backend.url()).await;
        let found = trailers_over_http2(&site).await;
        assert_eq!(found, names, "{route} {media}");
        // HTTP/1.1 has those that were announced, for a client that says that it reads them.
        let mut stream = send(&site, "GET /photos/1\nte: trailers\nconnection: te, close").await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        for name in ["x-sum", "grpc-status", "set-cookie", "palisade-subject"] {
            let announced = names.contains(&name);
            assert_eq!(text.contains(&format!("\r\n{name}: ")), announced, "{media} {name}: {text}");
        }
        site.finish().await;
    }
}

/// The names of the trailers that a client of HTTP/2 gets.
async fn trailers_over_http2(site: &Site) -> Vec<String> {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let stream = TcpStream::connect(site.address).await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let request = Request::get("http://shop.example/photos/1");
    let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let collected = send.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    let mut names: Vec<String> =
        collected.trailers().into_iter().flat_map(|trailers| trailers.keys().map(ToString::to_string)).collect();
    assert_eq!(collected.to_bytes(), "ok");
    names.sort();
    names
}

#[tokio::test]
async fn an_expectation_that_nobody_knows_is_refused() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut refused = Vec::new();
    for expect in ["200-ok", "100-continue, x", "100-continue; q=1"] {
        let head = "PUT /photos/1\ncontent-type: application/octet-stream";
        refused.push(site.ask(&format!("{head}\nexpect: {expect}\n\nabc")).await);
    }
    assert!(upstream.received().is_empty());
    let log = site.finish().await;
    for answer in &refused {
        assert_eq!(answer.status, 417);
        log.assert_refused(answer, ExpectationUnsupported);
    }
}
