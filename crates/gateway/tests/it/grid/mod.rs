//! Palisade beside Caddy, Envoy, HAProxy, nginx and Traefik: of every request that two programs could read differently, Palisade passes
//! on no more than the strictest of them.
//!
//! All of them run with the settings that they come with, each in front of a backend that keeps the bytes. The table is
//! `docs/explain/hygiene.md`; `UPDATE_EXPECT=1` writes it.

mod origin;
mod peer;
mod vector;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use palisade_gateway::config::load;
use palisade_gateway::run::Gateway;
use palisade_testkit::dir::TempDir;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use origin::Origin;
use vector::{Sign, Vector, controls, vectors};

/// What became of a request, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Refused,
    Cleaned,
    PassedOn,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Cleaned => "cleaned",
            Self::PassedOn => "**passed on**",
        })
    }
}

#[tokio::test]
async fn nobody_is_stricter() {
    let ours = Origin::start().await;
    let mut origins = Vec::new();
    for _ in 0..5 {
        origins.push(Origin::start().await);
    }
    let address = |index: usize| origins[index].address;
    let gateway = Site::start(ours.address).await;
    let (caddy, envoy, haproxy, nginx, traefik) = tokio::join!(
        peer::caddy(address(0)),
        peer::envoy(address(1)),
        peer::haproxy(address(2)),
        peer::nginx(address(3)),
        peer::traefik(address(4)),
    );
    let peers = [caddy, envoy, haproxy, nginx, traefik];
    for (peer, origin) in peers.iter().zip(&origins) {
        await_routes(peer.address, origin, &peer.version).await;
    }
    for (name, bytes) in controls() {
        let answer = send(gateway.address, &bytes, PATIENCE * 4).await;
        assert_eq!(ours.take().len(), 1, "{name} has to arrive: {}", String::from_utf8_lossy(&answer));
    }
    let vectors = vectors();
    let asked = peers.iter().zip(&origins).map(|(peer, origin)| all(peer.address, origin, &vectors));
    let (fates, of_peers) = tokio::join!(all(gateway.address, &ours, &vectors), join_all(asked));
    let versions: Vec<&str> = peers.iter().map(|peer| peer.version.as_str()).collect();
    let mut page = Page::new(&versions);
    let mut laxer = Vec::new();
    for (index, vector) in vectors.iter().enumerate() {
        let (fate, answer) = &fates[index];
        let others: Vec<Fate> = of_peers.iter().map(|fates| fates[index].0).collect();
        if *fate > *others.iter().min().unwrap() {
            laxer.push(format!("{}: {fate:?}, others {others:?}", vector.name));
        }
        let code = code(answer);
        if *fate == Fate::Refused {
            // A refusal for another reason, such as the contract, would prove nothing.
            assert!(HYGIENE.contains(&code.as_str()), "{}: {code} {}", vector.name, String::from_utf8_lossy(answer));
        }
        page.row(vector, *fate, &code, &others);
    }
    assert!(laxer.is_empty(), "laxer than a peer:\n{}", laxer.join("\n"));
    page.compare();
    gateway.stop().await;
}

/// The refusals that are about HTTP itself.
const HYGIENE: &[&str] = &[
    "expectation-unsupported",
    "header-forbidden",
    "host-invalid",
    "method-undeclared",
    "path-ambiguous",
    "payload-invalid",
    "request-malformed",
];

/// Waits until a peer passes on what is right: one that listens may not have read its routes yet.
async fn await_routes(address: SocketAddr, origin: &Origin, name: &str) {
    let (_, bytes) = controls().into_iter().next().unwrap();
    let begun = Instant::now();
    loop {
        let answer = send(address, &bytes, PATIENCE).await;
        if !origin.take().is_empty() {
            return;
        }
        // What has no routes yet says so at once, so that tries alone would be over before it has.
        let answer = String::from_utf8_lossy(&answer);
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} passes nothing on: {answer}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn all(address: SocketAddr, origin: &Origin, vectors: &[Vector]) -> Vec<(Fate, Vec<u8>)> {
    let mut fates = Vec::new();
    for (index, vector) in vectors.iter().enumerate() {
        let mut fate = judge(address, origin, vector, index, PATIENCE).await;
        if fate.0 == Fate::Refused && fate.1.is_empty() {
            // Whoever says nothing at all may only have been slow, on a machine that does much else.
            fate = judge(address, origin, vector, index, PATIENCE * 4).await;
        }
        fates.push(fate);
    }
    fates
}

async fn judge(
    address: SocketAddr,
    origin: &Origin,
    vector: &Vector,
    index: usize,
    patience: Duration,
) -> (Fate, Vec<u8>) {
    let mark = format!("x-vector: {index}\r\n");
    let answer = send(address, &marked(&vector.bytes, &mark), patience).await;
    let mut seen = origin.take();
    // What arrives late is not taken for another vector's.
    seen.retain(|bytes| Sign::Has(&mark).is_in(bytes) || !Sign::Has("x-vector").is_in(bytes));
    // A request that breaks off in the middle was refused, even if its head had gone on by then.
    let whole: Vec<_> = seen.iter().filter(|bytes| is_whole(bytes)).collect();
    let fate = match whole.is_empty() {
        true => Fate::Refused,
        false if whole.iter().any(|bytes| vector.sign.is_in(bytes)) => Fate::PassedOn,
        false => Fate::Cleaned,
    };
    (fate, answer)
}

/// A request with one more field, behind the first line that is not empty and has no continuation.
fn marked(bytes: &[u8], mark: &str) -> Vec<u8> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let is_continued = bytes.get(at).is_some_and(|byte| b" \t".contains(byte));
        if line.len() > 2 && !is_continued {
            break;
        }
    }
    let (before, behind) = bytes.split_at(at);
    if behind == b"\r\n" {
        // HTTP/0.9 has no fields.
        return bytes.to_vec();
    }
    [before, mark.as_bytes(), behind].concat()
}

const PATIENCE: Duration = Duration::from_millis(250);

/// Whether a request has all that its head announces.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")) else { return false };
    let chunked = head.contains("transfer-encoding");
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    match length {
        _ if chunked => body.ends_with("0\r\n\r\n") || body.contains("\r\n0\r\n"),
        Some(length) => body.len() >= length,
        None => true,
    }
}

impl Sign<'_> {
    fn is_in(self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        match self {
            Self::Has(sign) => text.contains(&sign.to_ascii_lowercase()),
            Self::Twice(sign) => text.matches(sign).count() > 1,
        }
    }
}

/// Sends bytes and reads what comes until the other side closes or pauses for long.
async fn send(address: SocketAddr, bytes: &[u8], patience: Duration) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    while let Ok(Ok(1..)) = timeout(patience, stream.read_buf(&mut answer)).await {}
    answer
}

/// The code of a refusal of ours.
fn code(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

/// A gateway whose contract declares all that the vectors could mean, so that nothing but hygiene refuses them.
struct Site {
    address: SocketAddr,
    _dir: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinSet<()>,
}

impl Site {
    async fn start(origin: SocketAddr) -> Self {
        let dir = TempDir::new();
        dir.write("openapi.yaml", include_str!("../../fixtures/grid.yaml"));
        let policy = dir.write("palisade.toml", POLICY.replace("{origin}", &origin.to_string()));
        let gateway = Gateway::prepare(&load(&policy).unwrap()).await.unwrap();
        let address = gateway.addresses()[0].1;
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            gateway.run(async { stopped.await.unwrap_or_default() }).await;
        });
        Self { address, _dir: dir, stop, serving }
    }

    async fn stop(mut self) {
        self.stop.send(()).unwrap();
        self.serving.join_next().await.unwrap().unwrap();
    }
}

const POLICY: &str = r#"version = 1
[listen.main]
address = "127.0.0.1:0"
[upstream.origin]
url = "http://{origin}"
failures = 1000
[contract.grid]
openapi = "openapi.yaml"
[route.all]
path = "/**"
upstream = "origin"
contract = "grid"
responses = "off"
throttle = { requests = 10000, per = "1s" }
[events]
output = "file:events.jsonl"
"#;

/// The table as a page of the documentation.
struct Page {
    versions: String,
    text: String,
    group: &'static str,
}

impl Page {
    fn new(versions: &[&str]) -> Self {
        Self { versions: versions.join(", "), text: String::new(), group: "" }
    }

    fn row(&mut self, vector: &Vector, fate: Fate, code: &str, others: &[Fate]) {
        if self.group != vector.group {
            self.group = vector.group;
            self.text += &format!(
                "\n## {}\n\n| Request | Palisade | Caddy | Envoy | HAProxy | nginx | Traefik |\n|---|---|---|---|---|---|---|\n",
                self.group
            );
        }
        let ours = if code.is_empty() { fate.to_string() } else { format!("{fate}: `{code}`") };
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        self.text += &format!("| {} | {ours} | {} |\n", vector.name, others.join(" | "));
    }

    /// That the page is up to date, where the same programs have been compared.
    fn compare(self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/explain/hygiene.md");
        let page = format!("{}{}", INTRODUCTION.replace("{versions}", &self.versions), self.text);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            return std::fs::write(path, page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if !kept.is_empty() && !kept.contains(&self.versions) {
            eprintln!("`docs/explain/hygiene.md` compares other versions than {}", self.versions);
            return;
        }
        assert!(
            kept == page,
            "`docs/explain/hygiene.md` is not up to date: run this test with UPDATE_EXPECT=1\n{page}"
        );
    }
}

const INTRODUCTION: &str = "\
# What becomes of an ambiguous request

This page is written by a test (`crates/gateway/tests/it/grid`). It sends each request to Palisade and beside it to
{versions},
all with the settings that they come with, and looks at the bytes that arrive at a backend. It fails where one of the
others is stricter than Palisade, and where Palisade refuses a request for any reason but the way it is written.

*Refused* means that no whole request arrived. *Cleaned* means that one arrived without what makes it ambiguous.
*Passed on* means that the backend has to read it the same way as the proxy did, or be deceived.
";
