//! What leaves of a backend's answer: what the contract declares and the caller may see.

use http::Response;
use palisade_core::denial::DenialCode::{self, *};
use palisade_testkit::upstream::Upstream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{POLICY, Site, shop, with_route};
use super::held::Held;
use super::wire;

const STRIPPED: &str = r#"{"id":1,"name":"apple"}"#;
const WHOLE: &str = r#"{"id": 1,  "name": "apple", "cost": 3}"#;

#[tokio::test]
async fn what_is_undeclared_is_stripped_or_withheld() {
    check(
        POLICY,
        &[
            ("extra", Leaves(200, STRIPPED), "response_stripped"),
            ("conflict", Leaves(409, r#"{"why": "locked"}"#), ""),
            ("not found", Replaced(404), "response_withheld"),
            ("gone", Replaced(410), "response_withheld"),
            ("wrong type", Refused(ResponseInvalid), ""),
            ("leak", Refused(ResponseLeaks), ""),
            ("no json", Refused(ResponseInvalid), ""),
            ("page", Refused(ResponseUndeclared), ""),
            ("accepted", Refused(ResponseUndeclared), ""),
            ("trace", Refused(UpstreamFailed), ""),
            ("busy", Refused(UpstreamFailed), ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_only_reported_leaves_with_a_note() {
    check(
        &with_route("responses = \"report\""),
        &[
            ("extra", Leaves(200, WHOLE), "would_deny"),
            ("wrong type", Leaves(200, r#"{"id": 1, "name": 5}"#), "would_deny"),
            ("page", Leaves(200, "<h1>apple</h1>"), "would_deny"),
            ("leak", Refused(ResponseLeaks), ""),
            ("trace", Refused(UpstreamFailed), ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn server_errors_and_owners_count_even_where_answers_are_not_checked() {
    check(
        &with_route("responses = \"off\""),
        &[
            ("extra", Leaves(200, WHOLE), ""),
            ("page", Leaves(200, "<h1>apple</h1>"), ""),
            ("trace", Refused(UpstreamFailed), ""),
            ("leak", Refused(ResponseLeaks), ""),
            ("leak twice", Refused(ResponseLeaks), ""),
        ],
    )
    .await;
    let upstream = shop().await;
    let site = Site::start(&with_route("responses = \"off\""), &upstream.url()).await;
    let mut answers = Vec::new();
    for play in ["bob", "bob twice"] {
        answers.push(site.ask(&format!("GET /orders/7\nauthorization: Bearer ${{alice}}\nx-play: {play}")).await);
    }
    let log = site.finish().await;
    for answer in answers {
        log.assert_refused(&answer, ResponseForeign);
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It leaves with this status and body.
    Leaves(u16, &'static str),
    /// Another answer takes its place.
    Refused(DenialCode),
    /// Its status leaves.
    Replaced(u16),
}

use Fate::{Leaves, Refused, Replaced};

/// That each answer of the backend fares as the table says, and is noted in the log as this kind of event.
async fn check(policy: &str, table: &[(&str, Fate, &str)]) {
    let upstream = shop().await;
    let site = Site::start(policy, &upstream.url()).await;
    let mut answers = Vec::new();
    for (part, fate, note) in table {
        let request = format!("GET /items/1\nauthorization: Bearer ${{alice}}\nx-play: {part}");
        answers.push((site.ask(&request).await, *fate, *note, *part));
    }
    let log = site.finish().await;
    for (answer, fate, note, part) in answers {
        match fate {
            Refused(code) => {
                log.assert_refused(&answer, code);
                continue;
            }
            Leaves(status, body) => assert_eq!((answer.status.as_u16(), answer.text()), (status, body), "{part}"),
            Replaced(status) => {
                assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (status, &status.into()), "{part}");
                assert!(!answer.text().contains("java"), "{part}: {answer:?}");
            }
        }
        let (security, access) = log.of(answer.header("x-request-id"));
        let kinds: Vec<&str> = security.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, Vec::from_iter(Some(note).filter(|note| !note.is_empty())), "{part}");
        assert_eq!(access["outcome"]["answered"], answer.status.as_u16());
    }
}

/// What does not exist, what the path says is another's, and what the answer says is another's: one answer for all.
#[tokio::test]
async fn nobody_can_tell_which_objects_exist() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let mut answers = Vec::new();
    for request in [
        "GET /orders/7\nauthorization: Bearer ${alice}\nx-play: not found",
        "GET /orders/7\nauthorization: Bearer ${alice}\nx-play: bob",
        "GET /users/bob/orders\nauthorization: Bearer ${alice}",
    ] {
        let answer = site.ask(request).await;
        let (id, mut headers) = (answer.header("x-request-id").to_owned(), answer.headers.clone());
        for own in ["x-request-id", "date", "ratelimit"] {
            headers.remove(own);
        }
        answers.push((answer.status, headers, answer.text().replace(&id, "")));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let told: Vec<String> = site
        .finish()
        .await
        .0
        .iter()
        .filter_map(|event| event["outcome"]["denied"].as_str().map(str::to_owned))
        .collect();
    for code in [ObjectUnknown, ResponseForeign, ObjectForbidden] {
        assert_eq!(told.iter().filter(|told| *told == code.slug()).count(), 2, "the log knows which it was: {told:?}");
    }
}

#[tokio::test]
async fn a_stripped_answer_has_the_length_of_what_is_left() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let answer = site.ask("GET /items/1\nauthorization: Bearer ${alice}\nx-play: extra").await;
    assert_eq!(answer.header("content-length"), STRIPPED.len().to_string());
    let log = site.finish().await;
    let (security, _) = log.of(answer.header("x-request-id"));
    assert_eq!(security[0]["evidence"]["removed"], "/cost");
}

#[tokio::test]
async fn answers_are_asked_for_in_a_readable_coding() {
    let upstream = Upstream::start(|_| {
        let answer = Response::builder().header("content-type", "application/json").header("content-encoding", "gzip");
        answer.body("\u{1f}".into()).unwrap()
    })
    .await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let answer = site.ask("GET /items\naccept-encoding: gzip, br").await;
    assert!(!upstream.received()[0].headers().contains_key("accept-encoding"));
    site.finish().await.assert_refused(&answer, ResponseInvalid);
}

#[tokio::test]
async fn an_event_stream_leaves_as_it_comes() {
    let backend = Held::start(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nd\r\ndata: first\n\n\r\n",
        "e\r\ndata: second\n\n\r\n0\r\n\r\n",
    )
    .await;
    let site = Site::start(POLICY, &backend.url()).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request("GET /events")).await.unwrap();
    let mut received = Vec::new();
    while !received.windows(5).any(|part| part == b"first") {
        assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "the stream ended early");
    }
    assert!(!received.windows(6).any(|part| part == b"second"));
    backend.release();
    stream.read_to_end(&mut received).await.unwrap();
    let text = String::from_utf8(received).unwrap();
    assert!(text.contains("data: second\n\n") && text.ends_with("0\r\n\r\n"), "{text}");
    site.finish().await;
}

/// Answers that no correct server gives, and what the caller gets.
#[tokio::test]
async fn broken_answers_are_not_passed_on() {
    for (answer, code) in [
        ("", UpstreamUnreachable),
        ("nonsense\r\n\r\n", UpstreamUnreachable),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n[]", UpstreamUnreachable),
        ("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", UpstreamUnreachable),
        ("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shell\r\n\r\n", UpstreamFailed),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[", ResponseInvalid),
        ("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n", ResponseUndeclared),
    ] {
        let upstream = Upstream::raw(answer).await;
        let site = Site::start(POLICY, &upstream.url()).await;
        let received = site.ask("GET /items").await;
        assert!(!received.headers.contains_key("location"), "{received:?}");
        site.finish().await.assert_refused(&received, code);
    }
}

#[tokio::test]
async fn two_answers_to_one_request_are_one_answer() {
    let one = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
    let upstream = Upstream::raw(format!("{one}{}", one.replace("[]", "{}"))).await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let request = "GET /items HTTP/1.1\r\nhost: a\r\n\r\nGET /items HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let received = String::from_utf8(wire::raw(site.address, request).await).unwrap();
    assert_eq!(received.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{received}");
    assert_eq!(received.matches("\r\n\r\n[]").count(), 2, "the second answer belongs to nobody: {received}");
    site.finish().await;
}
