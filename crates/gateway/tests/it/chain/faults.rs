//! What a backend can do wrong: what the client sees, what the log says, and that the next request is fine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_core::denial::DenialCode::{self, *};

use super::harness::{POLICY, Site};
use super::scripted::{Scene, Scripted};
use super::wire::{self, Answer};

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It begins and is seen to break off.
    Cut,
    /// There is a refusal in its place.
    Refused(DenialCode),
    /// It arrives.
    Whole(&'static str),
}

/// What the backend does when it has said what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Closes,
    /// The other side is told at once that nothing more comes or is taken.
    Resets,
    Waits,
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 4\r\n\r\nfine";

/// A backend that is wrong once and fine from then on, on every connection that still asks.
async fn once(said: Vec<u8>, then: Then) -> Scripted {
    let is_first = Arc::new(AtomicBool::new(true));
    Scripted::start(move |mut scene: Scene| {
        let (said, is_first) = (said.clone(), Arc::clone(&is_first));
        async move {
            if is_first.swap(false, Ordering::Relaxed) {
                scene.say(said).await;
                match then {
                    Then::Closes => return,
                    Then::Resets => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        socket2::SockRef::from(&scene.stream).set_linger(Some(Duration::ZERO)).unwrap();
                        return;
                    }
                    Then::Waits if !scene.next().await => return,
                    Then::Waits => {}
                }
            }
            scene.say(FINE).await;
            while scene.next().await {
                scene.say(FINE).await;
            }
        }
    })
    .await
}

/// How an answer looks to a client that counts.
fn seen(bytes: &[u8]) -> (Option<Answer>, bool) {
    let Some(answer) = Answer::parse(bytes) else { return (None, false) };
    let whole = match answer.header("content-length").parse::<usize>() {
        Ok(length) => answer.body.len() == length,
        Err(_) => answer.body.ends_with(b"0\r\n\r\n"),
    };
    (Some(answer), whole)
}

async fn check(name: &str, said: impl Into<Vec<u8>>, then: Then, expect: Seen) {
    let backend = once(said.into(), then).await;
    let policy = POLICY.replace("timeout = \"10s\"", "timeout = \"1s\"");
    let site = Site::start(&policy, &backend.url()).await;
    let bytes = wire::raw(site.address, site.request("GET /photos/1")).await;
    let (answer, whole) = seen(&bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // What broke off at once has perhaps not even begun for the client.
    let is_cut = !whole && answer.as_ref().is_none_or(|answer| answer.status == 200);
    let said = |check: &dyn Fn(&Answer) -> bool| answer.as_ref().is_some_and(check);
    match expect {
        Seen::Cut => assert!(is_cut, "{name}: {text}"),
        Seen::Refused(code) => {
            assert!(whole && said(&|answer| answer.text().contains(code.slug())), "{name}: {text}");
        }
        Seen::Whole(body) => {
            assert!(whole && said(&|answer| answer.status == 200 && answer.text().contains(body)), "{name}: {text}");
        }
    }
    assert!(!text.contains("EVIL"), "{name}: {text}");
    let next = site.ask("GET /photos/1").await;
    assert_eq!((next.status.as_u16(), next.text()), (200, "fine"), "{name}: the next request");
    let log = site.finish().await;
    match expect {
        Seen::Refused(code) => answer.iter().for_each(|answer| _ = log.assert_refused(answer, code)),
        Seen::Cut | Seen::Whole(_) => {
            let events = answer.map(|answer| log.of(answer.header("x-request-id")).0.len());
            assert_eq!(events.unwrap_or_default(), 0, "{name}");
        }
    }
}

const PHOTO: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n";

#[tokio::test]
async fn a_head_that_is_none_is_refused() {
    let refused = Seen::Refused(UpstreamUnreachable);
    for (name, said) in [
        ("nothing", String::new()),
        ("half a status line", "HTTP/1.1 2".to_owned()),
        ("half a head", format!("{PHOTO}content-le")),
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        ("no status", "HTTP/1.1 abc OK\r\n\r\n".to_owned()),
        ("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n".to_owned()),
        ("two lengths", format!("{PHOTO}content-length: 4\r\ncontent-length: 5\r\n\r\nEVIL!")),
        ("a list of lengths", format!("{PHOTO}content-length: 4, 5\r\n\r\nEVIL!")),
        ("a negative length", format!("{PHOTO}content-length: -4\r\n\r\nEVIL")),
        ("a length in words", format!("{PHOTO}content-length: four\r\n\r\nEVIL")),
        ("a control character", format!("{PHOTO}x-a: \0\r\ncontent-length: 4\r\n\r\nEVIL")),
        ("many headers", format!("{PHOTO}{}content-length: 4\r\n\r\nEVIL", "x: y\r\n".repeat(200))),
    ] {
        check(name, said, Then::Closes, refused).await;
    }
    let length_and_coding = "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n";
    let failed = Seen::Refused(UpstreamFailed);
    check("a length beside a coding", format!("{PHOTO}{length_and_coding}"), Then::Waits, failed).await;
    check("101 that nobody asked for", "HTTP/1.1 101 -\r\nupgrade: x\r\n\r\nEVIL", Then::Waits, failed).await;
    check("an endless header", format!("{PHOTO}x: {}", "y".repeat(8 << 20)), Then::Closes, refused).await;
    check("no end of a head", format!("{PHOTO}x: y\r\n"), Then::Waits, Seen::Refused(DeadlineExceeded)).await;
    let storm = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(50_000);
    check("a storm of hints", storm, Then::Waits, Seen::Refused(DeadlineExceeded)).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to() {
    for (name, said) in [
        ("less than its length", format!("{PHOTO}content-length: 100\r\n\r\nabc")),
        ("no last chunk", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")),
        ("half a chunk", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n64\r\nabc")),
        ("a chunk without a size", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n")),
        ("a chunk longer than its size", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n")),
        (
            "a chunk beyond measure",
            format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nfffffffffffffffff\r\n"),
        ),
        ("the end in the trailers", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: ")),
    ] {
        check(name, said, Then::Closes, Seen::Cut).await;
    }
}

#[tokio::test]
async fn a_reset_is_no_end_of_an_answer() {
    for (name, said, expect) in [
        ("before the head", String::new(), Seen::Refused(UpstreamUnreachable)),
        ("in the head", format!("{PHOTO}content-le"), Seen::Refused(UpstreamUnreachable)),
        ("in a body with a length", format!("{PHOTO}content-length: 100\r\n\r\nabc"), Seen::Cut),
        ("in chunks", format!("{PHOTO}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"), Seen::Cut),
        ("in a body that ends with its connection", format!("{PHOTO}\r\nabc"), Seen::Cut),
    ] {
        check(name, said, Then::Resets, expect).await;
    }
}

#[tokio::test]
async fn a_body_without_end_is_given_up_with_whoever_wanted_it() {
    // What is read whole is refused at its bound; what passes as it comes ends with its client.
    for (path, media, expect) in [("/items", "application/json", 502), ("/photos/1", "application/octet-stream", 200)] {
        let backend = Scripted::start(move |mut scene: Scene| async move {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n");
            let chunk = [b"10000\r\n", &[b' '; 0x10000][..], b"\r\n"].concat();
            scene.say(head).await;
            while tokio::io::AsyncWriteExt::write_all(&mut scene.stream, &chunk).await.is_ok() {}
            scene.note("the end");
        })
        .await;
        let site = Site::start(POLICY, &backend.url()).await;
        let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &site.request(&format!("GET {path}"))).await.unwrap();
        let mut answer = vec![0; 64 << 10];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..read]);
        assert!(text.starts_with(&format!("HTTP/1.1 {expect} ")), "{path}: {text}");
        drop(stream);
        let ended = async {
            while !backend.heads().iter().any(|head| head == "the end") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the backend is told");
        site.finish().await;
    }
}

#[tokio::test]
async fn what_is_behind_an_answer_is_nobodys() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 4\r\n\r\nEVIL";
    let chunks = "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 0\r\n\r\n";
    for (name, said, body) in [
        ("another answer behind a length", format!("{PHOTO}content-length: 2\r\n\r\nok{evil}"), "ok"),
        ("another answer behind chunks", format!("{PHOTO}{chunks}{evil}"), "ok"),
        ("another answer behind none", format!("{empty}{evil}"), ""),
        ("bytes that are no answer", format!("{PHOTO}content-length: 2\r\n\r\nokEVIL"), "ok"),
        ("a hint before", format!("HTTP/1.1 100 Continue\r\n\r\n{PHOTO}content-length: 2\r\n\r\nok"), "ok"),
    ] {
        check(name, said, Then::Waits, Seen::Whole(body)).await;
    }
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_was_read() {
    let backend = Scripted::start(|mut scene: Scene| async move {
        scene.say("HTTP/1.1 204 No Content\r\nx-early: 1\r\nconnection: close\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    })
    .await;
    let site = Site::start(POLICY, &backend.url()).await;
    let head = "PUT /photos/1\ncontent-type: application/octet-stream\ncontent-length: 1000000\n\nabc";
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &site.request(head)).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("an answer").unwrap_or_default();
    assert!(answer.starts_with(b"HTTP/1.1 204 "), "{}", String::from_utf8_lossy(&answer));
    drop(stream);
    site.finish().await;
}

/// A backend whose queue of connections is full: it neither takes nor refuses one more.
#[tokio::test]
async fn a_backend_that_takes_no_connection_is_given_up_and_asked_again() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(500), tokio::net::TcpStream::connect(address)).await
    {
        queue.push(connected.unwrap());
        assert!(queue.len() < 100, "the queue does not fill");
    }
    let policy = POLICY.replace("failures = 100\n", "failures = 100\nconnect_timeout = \"300ms\"\n");
    let site = Site::start(&policy, &format!("http://{address}")).await;
    let answer = site.ask("GET /photos/1").await;
    assert_eq!(answer.status, UpstreamUnreachable.status());
    // It takes them again, those that nobody wants any more first.
    drop(queue);
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, FINE.as_bytes()).await;
            open.push(stream);
        }
    });
    let begun = std::time::Instant::now();
    loop {
        let next = site.ask("GET /photos/1").await;
        if next.status == 200 {
            assert_eq!(next.text(), "fine");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the backend is not asked again: {next:?}");
    }
    let log = site.finish().await;
    let evidence = log.assert_refused(&answer, UpstreamUnreachable);
    assert!(evidence["error"].as_str().unwrap().starts_with("no connection"), "{evidence}");
}
