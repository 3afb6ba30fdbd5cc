//! WebSockets: who may open one, that its bytes pass as they are, and everything that ends it.

use std::time::Duration;

use palisade_core::denial::DenialCode::{self, *};
use palisade_gateway::listen::Drained;
use palisade_testkit::client::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{POLICY, Site, with_route};
use super::scripted::{Scene, Scripted};
use super::wire::Answer;

const CONTRACT: &str = r#"
openapi: 3.1.0
info: { title: Chat, version: "1" }
security: [{ token: [] }]
paths:
  /chat:
    get: { operationId: chat, responses: { 101: { description: Messages both ways. }, 204: { description: No. } } }
  /lobby:
    get: { operationId: lobby, security: [], responses: { 101: { description: Messages both ways. } } }
  /page:
    get: { operationId: page, security: [], responses: { 204: { description: Nothing. } } }
components: { securitySchemes: { token: { type: http, scheme: bearer } } }
"#;

const KEY: &str = "sec-websocket-version: 13\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const ASK: &str = "connection: Upgrade\nupgrade: websocket";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// A backend that takes every handshake and sends all bytes back.
async fn echo() -> Scripted {
    Scripted::start(|mut scene: Scene| async move {
        if !scene.head.contains("upgrade: websocket") {
            return scene.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        }
        scene.say(format!("{SWITCH}\r\n")).await;
        let (mut read, mut write) = scene.stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

/// A backend that answers every handshake with these bytes, and keeps the connection.
async fn saying(answer: &'static str) -> Scripted {
    Scripted::start(move |mut scene: Scene| async move {
        scene.say(answer).await;
        scene.drain().await;
    })
    .await
}

async fn start(policy: &str, backend: &Scripted) -> Site {
    Site::start_with(policy, &backend.url(), Some(CONTRACT)).await
}

/// Sends a handshake and reads the head of the answer.
async fn open(site: &Site, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(&site.request(request)).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&head))));
    }
    (stream, String::from_utf8(head).unwrap())
}

/// What comes until the other side closes.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(9), stream.read_to_end(&mut rest)).await.expect("the end").unwrap_or_default();
    rest
}

#[tokio::test]
async fn bytes_pass_as_they_are_and_the_log_says_how_many() {
    let backend = echo().await;
    let site = start(POLICY, &backend).await;
    let offer = "sec-websocket-protocol: chat.v1\nsec-websocket-extensions: permessage-deflate";
    let (mut stream, head) =
        open(&site, &format!("GET /chat\n{ASK}\n{KEY}\n{offer}\nauthorization: Bearer ${{alice}}")).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("\r\nupgrade: websocket\r\n"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    let asked = &backend.heads()[0];
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "palisade-subject: alice\r\n", "chat.v1\r\n"] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
    assert!(!asked.contains("authorization"), "{asked}");
    // What looks like a request, breaks HTTP or is no frame at all: nobody reads it.
    let bytes: Vec<u8> = (0..1_000_000u32)
        .flat_map(
            |n| if n % 1000 == 0 { b"GET /admin HTTP/1.1\n\0\r\n\r\n".to_vec() } else { vec![n.to_le_bytes()[0]] },
        )
        .collect();
    let (mut read, mut write) = stream.split();
    let mut back = vec![0; bytes.len()];
    let (sent, received) = tokio::join!(write.write_all(&bytes), read.read_exact(&mut back));
    sent.unwrap();
    received.unwrap();
    assert!(back == bytes);
    stream.shutdown().await.unwrap();
    assert!(rest(stream).await.is_empty());
    let log = site.finish().await;
    assert_eq!(backend.heads().len(), 1);
    let [access, closed] = &log.0[..] else { panic!("{:?}", log.0) };
    assert_eq!((&access["kind"], &access["outcome"]["answered"]), (&json!("access"), &json!(101)));
    assert_eq!((&closed["kind"], &closed["who"]), (&json!("websocket_closed"), &json!("user:alice")));
    assert_eq!(closed["request_id"], access["request_id"]);
    let evidence = &closed["evidence"];
    let all = bytes.len().to_string();
    assert_eq!(
        (&evidence["received"], &evidence["sent"], &evidence["ended"]),
        (&json!(all), &json!(all), &json!("closed"))
    );
}

#[tokio::test]
async fn who_may_not_open_one_reaches_nobody() {
    let backend = echo().await;
    let policy = with_route("csrf = { trusted_origins = [\"https://chat.example\"] }");
    let site = start(&policy, &backend).await;
    let cases: [(&str, DenialCode); 8] = [
        ("GET /chat\n{ask}\n{key}", CredentialMissing),
        ("GET /chat\n{ask}\n{key}\nauthorization: Bearer ${expired}", CredentialInvalid),
        ("GET /lobby\n{ask}\n{key}\norigin: https://evil.example", CrossSiteRequest),
        ("GET /lobby\n{ask}\n{key}\norigin: https://evil.example\nsec-fetch-site: cross-site", CrossSiteRequest),
        ("GET /lobby\n{ask}\n{key}\norigin: null", CrossSiteRequest),
        ("GET /lobby\n{ask}\n{key}\ncookie: session=1", CrossSiteRequest),
        ("GET /lobby\n{ask}\nsec-websocket-version: 8\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", UpgradeInvalid),
        ("GET /lobby\nconnection: Upgrade\nupgrade: h2c\n{key}", UpgradeInvalid),
    ];
    let mut answers = Vec::new();
    for (request, code) in cases {
        let request = request.replace("{ask}", ASK).replace("{key}", KEY);
        let (stream, head) = open(&site, &request.replace("connection: Upgrade", "connection: Upgrade, close")).await;
        let mut bytes = head.into_bytes();
        bytes.extend(rest(stream).await);
        answers.push((Answer::parse(&bytes).unwrap(), code));
    }
    assert_eq!(answers[6].0.header("sec-websocket-version"), "13");
    assert_eq!(backend.connections(), 0);
    let (stream, head) = open(&site, &format!("GET /lobby\n{ASK}\n{KEY}\norigin: https://chat.example")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "a trusted page: {head}");
    drop(stream);
    let log = site.finish().await;
    for (answer, code) in &answers {
        log.assert_refused(answer, *code);
    }
}

#[tokio::test]
async fn elsewhere_the_word_upgrade_goes_no_further() {
    let backend = echo().await;
    let site = start(POLICY, &backend).await;
    let answer = site.ask(&format!("GET /page\nconnection: Upgrade, close\nupgrade: websocket\n{KEY}")).await;
    assert_eq!(answer.status, 204);
    assert!(!backend.heads()[0].contains("upgrade"), "{}", backend.heads()[0]);
    let plain = site.ask("GET /chat\nauthorization: Bearer ${alice}").await;
    assert_eq!(plain.status, 204, "who asks for no WebSocket gets an ordinary answer");
    // RFC 8441 is not spoken.
    let ask = http::Request::get("/lobby").header("host", "a").body(bytes::Bytes::new()).unwrap();
    let client = Client::http2(site.address);
    assert_eq!(client.send(ask).await.status(), 502, "a backend that opens nothing has no answer to declare");
    site.finish().await;
}

#[tokio::test]
async fn a_backend_that_has_not_understood_gets_no_byte() {
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    for (name, answer) in [
        ("no accept", "HTTP/1.1 101 -\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
        (
            "the accept of another",
            "HTTP/1.1 101 -\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n\r\n",
        ),
        ("two accepts", &format!("{SWITCH}{accept}\r\n")),
        ("another protocol", &format!("HTTP/1.1 101 -\r\nupgrade: h2c\r\nconnection: upgrade\r\n{accept}\r\n")),
        ("no protocol", &format!("HTTP/1.1 101 -\r\nconnection: upgrade\r\n{accept}\r\n")),
        ("no connection", &format!("HTTP/1.1 101 -\r\nupgrade: websocket\r\n{accept}\r\n")),
        ("a subprotocol", &format!("{SWITCH}sec-websocket-protocol: admin\r\n\r\n")),
        ("an extension", &format!("{SWITCH}sec-websocket-extensions: permessage-deflate\r\n\r\n")),
    ] {
        let backend = saying(answer.to_owned().leak()).await;
        let site = start(POLICY, &backend).await;
        let (stream, head) =
            open(&site, &format!("GET /lobby\nconnection: Upgrade, close\nupgrade: websocket\n{KEY}")).await;
        let mut bytes = head.into_bytes();
        bytes.extend(rest(stream).await);
        let answer = Answer::parse(&bytes).unwrap();
        assert!(answer.text().contains("upstream-failed"), "{name}: {answer:?}");
        site.finish().await.assert_refused(&answer, UpstreamFailed);
    }
}

#[tokio::test]
async fn a_backend_may_refuse() {
    let backend = saying("HTTP/1.1 204 No Content\r\nx-why: full\r\n\r\n").await;
    let site = start(POLICY, &backend).await;
    let (_stream, head) = open(&site, &format!("GET /chat\n{ASK}\n{KEY}\nauthorization: Bearer ${{alice}}")).await;
    assert!(head.starts_with("HTTP/1.1 204 ") && head.contains("x-why: full"), "{head}");
    assert!(!head.contains("upgrade"), "{head}");
    drop(_stream);
    site.finish().await;
}

/// The frame with which a backend's message is cut in the middle.
const HALF: &[u8] = b"\x81\x05he";

#[tokio::test]
async fn every_end_is_told_between_two_frames() {
    for (name, route, token, code, ended) in [
        ("silence", "websocket = { idle_timeout = \"300ms\" }", "alice", 1001u16, "idle"),
        ("a long life", "websocket = { max_lifetime = \"300ms\" }", "alice", 1008, "lifetime"),
        ("the end of the token", "", "brief", 1008, "lifetime"),
    ] {
        let backend = Scripted::start(|mut scene: Scene| async move {
            scene.say(format!("{SWITCH}\r\n")).await;
            scene.say([b"\x81\x02hi", HALF].concat()).await;
            // The rest of the frame comes when the gateway waits for it.
            tokio::time::sleep(Duration::from_millis(700)).await;
            scene.say("llo").await;
            scene.drain().await;
        })
        .await;
        let policy = match route {
            "" => POLICY.to_owned(),
            route => with_route(route),
        };
        let site = start(&policy, &backend).await;
        let (stream, head) = open(&site, &format!("GET /chat\n{ASK}\n{KEY}\nauthorization: Bearer ${{{token}}}")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{name}: {head}");
        let [high, low] = code.to_be_bytes();
        assert_eq!(rest(stream).await, [b"\x81\x02hi\x81\x05hello\x88\x02", &[high, low][..]].concat(), "{name}");
        let log = site.finish().await;
        assert_eq!(log.0.last().unwrap()["evidence"]["ended"], ended, "{name}");
    }
}

#[tokio::test]
async fn the_end_of_the_gateway_is_told() {
    let backend = echo().await;
    let site = start(POLICY, &backend).await;
    let (stream, _) = open(&site, &format!("GET /lobby\n{ASK}\n{KEY}")).await;
    let (log, drained) = site.stop().finish().await;
    assert_eq!(drained, Drained { cut_off: 0 });
    assert_eq!(rest(stream).await, b"\x88\x02\x03\xe9");
    assert_eq!(log.0.last().unwrap()["evidence"]["ended"], "stopping");
}

#[tokio::test]
async fn an_open_socket_has_a_place_of_those_that_there_are() {
    let backend = echo().await;
    let site = start(&with_route("max_concurrent = 1"), &backend).await;
    let (stream, _) = open(&site, &format!("GET /lobby\n{ASK}\n{KEY}")).await;
    let refused = site.ask("GET /page").await;
    drop(stream);
    let mut status = refused.status;
    for _ in 0..200 {
        if status == 204 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        status = site.ask("GET /page").await.status;
    }
    assert_eq!(status, 204, "its place is free again");
    site.finish().await.assert_refused(&refused, Overloaded);
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_answer_smuggles_nothing() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let backend = Scripted::start(move |mut scene: Scene| {
        let told = told.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            scene.say(format!("{SWITCH}\r\n")).await;
            told.send(scene.drain().await).unwrap();
        }
    })
    .await;
    let site = start(POLICY, &backend).await;
    // What is no request ends the connection; what could be one is no request any longer.
    let request = "GET /page HTTP/1.1\r\nhost: a\r\n\r\n";
    for (early, arrives) in [("\x01\x02\x03\r\n\r\n", ""), (request, request)] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let bytes = [&site.request(&format!("GET /lobby\n{ASK}\n{KEY}"))[..], early.as_bytes()].concat();
        stream.write_all(&bytes).await.unwrap();
        let mut head = [0; 13];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101 ");
        stream.shutdown().await.unwrap();
        assert!(!String::from_utf8_lossy(&rest(stream).await).contains("HTTP/1.1"));
        assert_eq!(String::from_utf8(heard.recv().await.unwrap()).unwrap(), arrives);
    }
    assert_eq!(backend.heads().len(), 2, "{:?}", backend.heads());
    site.finish().await;
}
