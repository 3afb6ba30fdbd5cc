//! gRPC through a gateway, between a client and a server of somebody else's.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use palisade_core::denial::DenialCode;
use palisade_testkit::client::Client;
use palisade_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, Peer as FramePeer, RST_STREAM, SETTINGS, block, frame,
};
use super::harness::{POLICY, Site};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Python with grpcio, in the folder that `./test` fills.
fn python() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/grpc/bin/python3");
    assert!(path.exists(), "`target/grpc` is missing: run `./test peers`, which installs it");
    path
}

/// A server. It ends with the test.
pub(super) struct Peer {
    process: Child,
    pub(super) port: String,
}

impl Peer {
    pub(super) fn start(arguments: &[PathBuf]) -> Self {
        let mut command = Command::new(python());
        let command = command.arg(fixture("grpc/server.py")).args(arguments).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the server of the test does not start");
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A contract of the server's methods.
pub(super) fn contract() -> String {
    let methods = ["Unary", "Left", "Fail", "Sleep", "Count", "Gather", "Echo"].map(|name| {
        let media = "content: { application/grpc: {} }";
        format!(
            "  /test.Peer/{name}:\n    post:\n      operationId: {name}\n      requestBody: {{ {media} }}\n      \
             responses: {{ 200: {{ description: Messages., {media} }} }}\n"
        )
    });
    format!(
        "openapi: 3.1.0\ninfo: {{ title: Peer, version: '1' }}\nsecurity: [{{ token: [] }}]\npaths:\n{}\
         components: {{ securitySchemes: {{ token: {{ type: http, scheme: bearer }} }} }}\n",
        methods.concat()
    )
}

/// What the client finds at an address.
async fn found(site: &Site) -> Value {
    let (address, token) = (site.address.to_string(), site.tokens.fill("${alice}"));
    let output = spawn_blocking(move || {
        Command::new(python()).arg(fixture("grpc/client.py")).args([address, token]).output().unwrap()
    });
    let output = output.await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn policy(upstream: &str) -> String {
    POLICY
        .replace("url = \"{upstream}\"", upstream)
        .replace("timeout = \"10s\"", "timeout = \"10s\"\nmax_body = \"4MiB\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_call_passes_and_every_end_is_told() {
    let certificate = [fixture("server.cert.pem"), fixture("server.key.pem")];
    let (clear, secret) = (Peer::start(&[]), Peer::start(&certificate));
    let ca = certificate[0].display().to_string();
    for (name, upstream) in [
        ("prior knowledge", format!("url = \"http://127.0.0.1:{}\"\nprotocol = \"h2\"", clear.port)),
        ("ALPN", format!("url = \"https://127.0.0.1:{}\"\nca = \"file:{ca}\"", secret.port)),
        (
            "ALPN, each address",
            format!("url = \"https://localhost:{}\"\nca = \"file:{ca}\"\naddresses = \"all\"", secret.port),
        ),
    ] {
        let site = Site::start_with(&policy(&upstream), "", Some(&contract())).await;
        let expect = json!({
            "unary": ["hi|alice", {"x-initial": "first"}],
            "large": 3_000_006,
            "count": 2000,
            "gather": "124750",
            "echo": [100, 0],
            "fail": ["FAILED_PRECONDITION", "not now: 50% ü"],
            "left": true,
            "anonymous": ["UNAUTHENTICATED", "A credential is needed"],
            "undeclared": ["UNIMPLEMENTED", "There is no such operation"],
        });
        let mut found = found(&site).await;
        // Who of client, gateway and server says it first is not certain.
        let late = found.as_object_mut().and_then(|found| found.remove("sleep"));
        assert_eq!(late.unwrap()[0], "DEADLINE_EXCEEDED", "{name}");
        assert_eq!(found, expect, "{name}");
        site.finish().await;
    }
}

/// A call with this timeout to a backend that says nothing: the status of gRPC, and how long it took.
async fn call(timeout: &str) -> (String, Duration) {
    let upstream = Upstream::silent().await;
    let policy = policy(&format!("url = \"{}\"\nprotocol = \"h2\"", upstream.url()));
    let site = Site::start_with(&policy.replace("\"10s\"", "\"1s\""), "", Some(&contract())).await;
    let token = site.tokens.fill("Bearer ${alice}");
    let request = Request::post("/test.Peer/Unary").header("host", "a").header("authorization", token);
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let request = request.header("grpc-timeout", timeout).body(Bytes::from_static(&[0; 5])).unwrap();
    let begun = Instant::now();
    let answer = Client::http2(site.address).send(request).await;
    let took = begun.elapsed();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/grpc".parse().unwrap())
    );
    let status = answer.headers()["grpc-status"].to_str().unwrap().to_owned();
    let log = site.finish().await;
    let code = if status == "4" { DenialCode::DeadlineExceeded } else { DenialCode::RequestMalformed };
    assert!(log.0.iter().any(|event| event["outcome"]["denied"] == code.slug()), "{:?}", log.0);
    (status, took)
}

#[tokio::test]
async fn a_call_has_the_time_that_its_caller_gives_it_and_no_more_than_the_route_does() {
    let millis = Duration::from_millis;
    for (timeout, status, least, most) in [
        ("200m", "4", millis(200), millis(900)),
        ("1H", "4", millis(1000), millis(5000)),
        ("5", "3", millis(0), millis(900)),
    ] {
        let (found, took) = call(timeout).await;
        assert_eq!(found, status, "{timeout}");
        assert!(took >= least && took < most, "{timeout} took {took:?}");
    }
}

/// A server of HTTP/2 that begins an answer of gRPC and never ends it, and says when its stream was reset.
async fn endless() -> (String, tokio::sync::oneshot::Receiver<()>, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, hears) = tokio::sync::oneshot::channel();
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let mut peer = FramePeer(listener.accept().await.unwrap().0);
        let mut preface = vec![0; PREFACE.len()];
        peer.0.read_exact(&mut preface).await.unwrap();
        peer.send(&frame(SETTINGS, 0, 0, &[])).await;
        let stream = peer.until(HEADERS).await.unwrap().stream;
        // `:status: 200` stands in the table; the media type does not.
        let head = [&[0x88][..], &block(&[("content-type", "application/grpc")])].concat();
        let message = frame(DATA, 0, stream, &[0, 0, 0, 0, 1, b'm']);
        peer.send(&[frame(HEADERS, END_HEADERS, stream, &head), message].concat()).await;
        while peer.next().await.is_some_and(|frame| frame.kind != RST_STREAM) {}
        told.send(()).unwrap();
    });
    (url, hears, server)
}

#[tokio::test]
async fn an_answer_that_streams_ends_with_its_callers_time() {
    let (url, hears, _server) = endless().await;
    let policy = policy(&format!("url = \"{url}\"\nprotocol = \"h2\""));
    let site = Site::start_with(&policy, "", Some(&contract())).await;
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/test.Peer/Count"),
        (":authority", "a"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "700m"),
    ];
    let token = site.tokens.fill("Bearer ${alice}");
    let mut head = block(&fields);
    // The token is longer than a byte can say.
    head.extend([&[0, 13][..], b"authorization", &long(token.len()), token.as_bytes()].concat());
    let mut peer = FramePeer::connect(site.address, &[]).await;
    peer.send(&[frame(HEADERS, END_HEADERS, 1, &head), frame(DATA, END_STREAM, 1, &[0; 5])].concat()).await;
    let first = peer.until(HEADERS).await.expect("an answer");
    assert_eq!(first.flags & END_STREAM, 0, "it streams");
    assert_eq!(peer.until(DATA).await.unwrap().payload, [0, 0, 0, 0, 1, b'm']);
    let last = peer.until(HEADERS).await.expect("trailers");
    assert_eq!(last.flags & END_STREAM, END_STREAM);
    tokio::time::timeout(Duration::from_secs(20), hears).await.expect("the backend's stream is reset").unwrap();
    drop(peer);
    site.finish().await;
}

/// A length behind its first seven bits (RFC 7541 section 5.1).
fn long(length: usize) -> Vec<u8> {
    let (mut rest, mut bytes) = (length.checked_sub(127).expect("a long text"), vec![127]);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}
