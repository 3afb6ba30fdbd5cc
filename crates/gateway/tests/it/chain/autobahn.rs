//! The cases of the Autobahn test suite for WebSockets, asked of a server directly and through a gateway: the verdicts
//! are the same, so that nobody could tell that there is somebody in between.
//!
//! The cases are Autobahn's own; what runs them is `kosoku`, because Autobahn's runner needs Python 2.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use palisade_testkit::dir::TempDir;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::harness::{Site, with_route};

/// A program of the folder that `./test` fills.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/streams/bin").join(name);
    assert!(path.exists(), "`target/streams/bin/{name}` is missing: run `./test peers`, which installs it");
    path
}

/// A server that sends every message back. It ends with the test.
struct Echo {
    process: Child,
    port: String,
}

impl Echo {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/streams/echo.py");
        let mut command = Command::new(program("python"));
        let mut process = command.arg(script).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the server of the test does not start");
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const CONTRACT: &str = r#"
openapi: 3.1.0
info: { title: Echo, version: "1" }
paths: { /: { get: { security: [], responses: { 101: { description: All messages come back. } } } } }
"#;

/// Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing; messages of up to 16 MiB, in few and many frames; and
/// compression.
const CASES: [&str; 11] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.1.*", "9.2.*", "10.*", "12.1.1"];

/// The verdict on each case and on how it was closed.
fn verdicts(address: &str, cases: &[&str]) -> BTreeMap<String, String> {
    let dir = TempDir::new();
    let mut command = Command::new(program("kosoku"));
    command.args(["-p", "12", "-o"]).arg(dir.path()).arg(address);
    cases.iter().for_each(|case| _ = command.args(["-i", case]));
    let output = command.output().unwrap();
    let report = std::fs::read_to_string(dir.path().join("index.json"))
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    let report: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&report).unwrap();
    let verdict = |(case, found): (String, Value)| {
        let words = ["behavior", "behaviorClose", "remoteCloseCode"].map(|word| found[word].to_string());
        (case, words.join(" "))
    };
    report.into_values().flatten().map(verdict).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_in_between_changes_no_verdict() {
    let echo = Echo::start();
    let address = format!("127.0.0.1:{}", echo.port);
    let policy = with_route("throttle = { requests = 100000, per = \"1s\" }");
    let site = Site::start_with(&policy, &format!("http://{address}"), Some(CONTRACT)).await;
    let through = site.address.to_string();
    let again = (address.clone(), through.clone());
    let direct = spawn_blocking(move || verdicts(&address, &CASES));
    let through = spawn_blocking(move || verdicts(&through, &CASES));
    let (direct, through) = (direct.await.unwrap(), through.await.unwrap());
    assert!(direct.len() > 240, "{} cases", direct.len());
    let good = direct.values().filter(|verdict| verdict.starts_with("\"OK\" \"OK\"")).count();
    assert!(good > 230, "the server behind is a good one: {good} of {}", direct.len());
    assert_eq!(direct.len(), through.len());
    // On a machine that does much else a case may have run into one of the suite's own time-outs: it is asked again, alone.
    for (case, verdict) in direct.iter().filter(|(case, verdict)| through.get(*case) != Some(verdict)) {
        let ask = |address: String, case: String| spawn_blocking(move || verdicts(&address, &[&case]));
        let (direct, through) = (ask(again.0.clone(), case.clone()).await, ask(again.1.clone(), case.clone()).await);
        assert_eq!(direct.unwrap(), through.unwrap(), "{case} was {verdict}");
    }
    let log = site.finish().await;
    let closed = log.0.iter().filter(|event| event["kind"] == "websocket_closed").count();
    assert!(closed >= through.len(), "{closed} sockets were written down");
}
