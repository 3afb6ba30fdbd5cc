//! `palisade review`: what it proves, what it leaves alone, and with which exit code it says so.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orchard::{Database, Group, Orchard, Settings, Weaknesses};
use palisade_testkit::dir::TempDir;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::shell::{Finished, Running, palisade};

const IDENTITIES: &str = "
auth:
  - { name: alice, loginEndpointAuth: { payloadUserPwd: { username: alice, password: apple-crate-17 } } }
  - { name: bob, loginEndpointAuth: { payloadUserPwd: { username: bob, password: pear-basket-42 } } }
  - { name: admin, loginEndpointAuth: { payloadUserPwd: { username: admin, password: quince-ladder-99 } } }
authTemplate:
  loginEndpointAuth:
    endpoint: /v1/login
    verb: POST
    contentType: application/json
    payloadUserPwd: { usernameField: username, passwordField: password }
    token: { extractFrom: body, extractSelector: /access_token, sendIn: header, sendName: Authorization, sendTemplate: 'Bearer {token}' }
";

/// The shop, on threads of its own.
struct Shop {
    runtime: Runtime,
    orchard: Orchard,
}

impl Shop {
    fn open(weaknesses: Weaknesses) -> Self {
        let runtime = Runtime::new().unwrap();
        let orchard = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let partner = "http://127.0.0.1:1".to_owned();
            orchard::start(listener, Settings { weaknesses, database: Database::Memory, partner }).await.unwrap()
        });
        Self { runtime, orchard }
    }

    fn url(&self) -> String {
        format!("http://{}", self.orchard.address())
    }

    fn close(self) {
        self.runtime.block_on(self.orchard.stop());
    }
}

fn folder(contract: &str, identities: &str) -> TempDir {
    let dir = TempDir::new();
    dir.write("openapi.yaml", contract);
    dir.write("identities.yaml", identities);
    dir
}

fn review(dir: &TempDir, url: &str, more: &str) -> Finished {
    palisade(dir, &format!("review --contract openapi.yaml --identities identities.yaml --base-url {url} {more}"))
}

fn rules(json: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(json).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let findings = rows.iter().flat_map(|row| row["findings"].as_array().unwrap());
    findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_broken_shop_is_proved_to_be_broken_and_a_sound_one_is_not() {
    // The servers that the contract names are somebody else's.
    let contract = orchard::CONTRACT.replace("http://127.0.0.1:9000", "http://192.0.2.1:9");
    let dir = folder(&contract, IDENTITIES);
    let broken = Shop::open(Weaknesses::all());
    let found = review(&dir, &broken.url(), "--mode active --format json");
    assert_eq!(found.code, 1, "{}", found.stderr);
    let found_rules = rules(&found.stdout);
    for rule in ["object-read", "token-forged", "sql-injected"] {
        assert!(found_rules.iter().any(|found| found == rule), "{rule}: {found_rules:?}");
    }
    for secret in ["apple-crate-17", "eyJ"] {
        assert!(!found.stdout.contains(secret), "{secret}");
    }
    broken.close();
    let sound = Shop::open(Weaknesses::none());
    let found = review(&dir, &sound.url(), "--mode active --output report --format json --format sarif --format html");
    assert_eq!(found.code, 0, "{}\n{}", found.stdout, found.stderr);
    assert!(found.stdout.contains("operations served a legitimate request"), "{}", found.stdout);
    for file in ["report.json", "report.sarif", "report.html"] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
    sound.close();
}

#[test]
fn a_safe_run_only_reads() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::all());
    let found = review(&dir, &shop.url(), "--format har --output report.har");
    assert_eq!(found.code, 1, "{}", found.stderr);
    let har: Value = serde_json::from_slice(&std::fs::read(dir.path().join("report.har")).unwrap()).unwrap();
    for entry in har["log"]["entries"].as_array().unwrap() {
        let method = entry["request"]["method"].as_str().unwrap();
        assert!(matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE"), "{entry}");
    }
    shop.close();
}

#[test]
fn every_given_identity_still_works_after_a_full_run() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::all());
    let found = review(&dir, &shop.url(), "--mode full --format json");
    assert_eq!(found.code, 1, "{}", found.stderr);
    let report: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(report["ending"]["locked_out"], serde_json::json!([]), "{}", report["ending"]);
    assert_eq!(report["ending"]["incomplete"], Value::Null);
    shop.close();
}

/// A port on which every connection is counted, and nothing is answered.
fn counting() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_sends_nothing() {
    let (address, count) = counting();
    let dir = folder(orchard::CONTRACT, "auth: [{ name: ann, fixedHeaders: [{ name: x-key, value: k }] }]");
    let told = review(&dir, &format!("http://{address}"), "--dry-run");
    assert_eq!(told.code, 0, "{}", told.stderr);
    for part in
        ["searchProducts (public)", "DELETE", "destructive", "requests at most", "only one identity", "safe mode"]
    {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    assert!(told.stderr.contains("nothing was sent"), "{}", told.stderr);
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody connected");
}

#[test]
fn what_cannot_be_tested_is_refused_with_a_diagnostic() {
    let shop = Shop::open(Weaknesses::none());
    let url = shop.url();
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    dir.write("wrong.yaml", IDENTITIES.replace("apple-crate-17", "wrong"));
    dir.write("stale.yaml", "auth: [{ name: ann, fixedHeaders: [{ name: authorization, value: Bearer old }] }]");
    dir.write("typo.yaml", "auth:\n  - nam: ann\n");
    dir.write("empty.yaml", "openapi: 3.1.0\npaths: {}\n");
    dir.write("broken.yaml", "openapi: 3.1.0\npaths: [\n");
    dir.write("elsewhere.yaml", "openapi: 3.1.0\npaths: { /nowhere: { get: { responses: {} } } }");
    dir.write("bad.pem", "no certificate");
    let contract = "--contract openapi.yaml";
    let (identities, base) = ("--identities identities.yaml", format!("--base-url {url}"));
    for (arguments, places) in [
        (format!("--contract nowhere.yaml {identities} {base}"), vec!["contract-unreadable", "nowhere.yaml"]),
        (format!("--contract empty.yaml {identities} {base}"), vec!["contract-unusable", "empty.yaml", "no operation"]),
        (format!("--contract broken.yaml {identities} {base}"), vec!["contract-unreadable", "broken.yaml:"]),
        (format!("--contract {url}/nowhere {identities} {base}"), vec!["contract-unreadable", "404"]),
        (format!("--contract elsewhere.yaml {identities} {base}"), vec!["review-nothing-served", "404", "prefix"]),
        (format!("{contract} --identities nobody.yaml {base}"), vec!["identities-unreadable", "nobody.yaml"]),
        (format!("{contract} --identities typo.yaml {base}"), vec!["identities-invalid", "typo.yaml:2:", "name"]),
        (
            format!("{contract} --identities wrong.yaml {base}"),
            vec!["review-login", "`alice`", "POST /v1/login", "401", "wrong.yaml"],
        ),
        (format!("{contract} --identities stale.yaml {base}"), vec!["review-refused", "`ann`", "401"]),
        (format!("{contract} {identities} --base-url ftp://x/"), vec!["review-base-url", "http://"]),
        (format!("{contract} {identities} --base-url http://127.0.0.1:9"), vec!["review-failed", "refused"]),
        (format!("{contract} {identities} {base} --ca bad.pem"), vec!["review-ca", "bad.pem"]),
        (format!("{contract} {identities} {base} --policy none.toml"), vec!["config-unreadable", "none.toml"]),
        (format!("{contract} {identities} {base} --format json --format html"), vec!["review-output", "--output"]),
        (format!("{contract} {identities} {base} --format pdf"), vec!["pdf"]),
        (format!("{contract} {identities} {base} --budget 3"), vec!["review-failed", "budget of 3"]),
    ] {
        let told = palisade(&dir, &format!("review {arguments}"));
        assert_eq!((told.code, told.stdout.as_str()), (2, ""), "{arguments}: {}", told.stderr);
        for place in places {
            assert!(told.stderr.contains(place), "{arguments}: {place}: {}", told.stderr);
        }
    }
    shop.close();
}

/// Writes what answers a request.
type Answer = fn(&str, &mut TcpStream);

/// A server that answers each connection with what a function writes.
fn hostile(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut read = [0; 4096];
                let count = stream.read(&mut read).unwrap_or(0);
                let text = String::from_utf8_lossy(&read[..count]).into_owned();
                answer(&text, &mut stream);
            });
        }
    });
    address
}

/// One operation that works, and one that is as hostile as a server can be.
const HOSTILE: &str = "
openapi: 3.1.0
security: [{ key: [] }]
paths:
  /good: { get: { operationId: good, responses: { '200': { description: ok } } } }
  /bad: { get: { operationId: bad, responses: { '200': { description: ok } } } }
";

fn good(request: &str, stream: &mut TcpStream) -> bool {
    if request.starts_with("GET /bad") {
        return false;
    }
    let (status, body) = match request.to_lowercase().contains("x-key: k") {
        true => ("200 OK", r#"{"a":1}"#),
        false => ("401 Unauthorized", "{}"),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
    true
}

fn endless_body(request: &str, stream: &mut TcpStream) {
    if !good(request, stream) {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n");
        while stream.write_all(&[b'a'; 65536]).is_ok() {}
    }
}

fn slow_body(request: &str, stream: &mut TcpStream) {
    if !good(request, stream) {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        while stream.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn flood_of_headers(request: &str, stream: &mut TcpStream) {
    if !good(request, stream) {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
    }
}

fn nonsense(request: &str, stream: &mut TcpStream) {
    if !good(request, stream) {
        let _ = stream.write_all(b"\0\xffHTTP/9 banana\r\n\r\n");
    }
}

fn closes(request: &str, stream: &mut TcpStream) {
    good(request, stream);
}

fn redirects_away(request: &str, stream: &mut TcpStream) {
    if !good(request, stream) {
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n");
    }
}

#[test]
fn a_hostile_server_costs_little_and_the_rest_is_tested() {
    let identities = "auth: [{ name: ann, fixedHeaders: [{ name: x-key, value: k }] }]";
    let dir = folder(HOSTILE, identities);
    let servers: [(&str, Answer); 6] = [
        ("endless body", endless_body),
        ("slow body", slow_body),
        ("flood of headers", flood_of_headers),
        ("nonsense", nonsense),
        ("closes", closes),
        ("redirects away", redirects_away),
    ];
    for (name, answer) in servers {
        let url = format!("http://{}", hostile(answer));
        let begun = Instant::now();
        let found = review(&dir, &url, "--mode active --timeout 1 --format json");
        assert!(begun.elapsed() < Duration::from_secs(12), "{name} took {:?}", begun.elapsed());
        assert!(matches!(found.code, 0 | 1), "{name}: {} {}", found.code, found.stderr);
        let report: Value = serde_json::from_str(&found.stdout).unwrap();
        let reached = |id: &str| {
            let operations = report["operations"].as_array().unwrap();
            operations.iter().find(|one| one["id"] == id).map(|one| one["reached"] == true)
        };
        assert_eq!(reached("good"), Some(true), "{name}");
        if matches!(name, "slow body" | "flood of headers" | "nonsense" | "closes") {
            assert_eq!(report["ending"]["given_up"], serde_json::json!(["bad"]), "{name}");
            assert!(found.stderr.contains("left alone: `bad`"), "{name}: {}", found.stderr);
        }
        assert_eq!(report["ending"]["incomplete"], Value::Null, "{name}");
    }
}

#[test]
fn a_stop_file_ends_the_run_and_what_was_found_is_reported() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::none());
    let stop = dir.path().join("stop");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        std::fs::write(stop, "").unwrap();
    });
    // At 40 requests a second it takes more than seven seconds, so that the file comes in the middle.
    let found = review(&dir, &shop.url(), "--mode active --rate 40 --stop-file stop --format json");
    writer.join().unwrap();
    assert_eq!(found.code, 2, "{}", found.stderr);
    let report: Value = serde_json::from_str(&found.stdout).unwrap();
    assert!(
        report["ending"]["incomplete"].as_str().unwrap().contains("the stop file is there"),
        "{}",
        report["ending"]
    );
    assert!(found.stderr.contains("incomplete: "), "{}", found.stderr);
    shop.close();
}

#[test]
fn a_time_limit_ends_the_run() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::none());
    let found = review(&dir, &shop.url(), "--mode active --rate 30 --time-limit 2");
    assert_eq!(found.code, 2, "{}", found.stderr);
    assert!(found.stderr.contains("incomplete: the run was stopped: 2s are over"), "{}", found.stderr);
    shop.close();
}

#[test]
fn the_target_is_reset_before_and_after_what_destroys() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::none());
    dir.write("reset.sh", "echo reset >> resets\n");
    let line = [
        "review",
        "--contract",
        "openapi.yaml",
        "--identities",
        "identities.yaml",
        "--mode",
        "active",
        "--base-url",
        &shop.url(),
        "--reset-command",
        "sh reset.sh",
    ]
    .map(str::to_owned);
    let done =
        std::process::Command::new(env!("CARGO_BIN_EXE_palisade")).args(line).current_dir(dir.path()).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let resets = std::fs::read_to_string(dir.path().join("resets")).unwrap();
    assert_eq!(resets.lines().count(), 2);
    shop.close();
}

#[test]
fn a_finding_is_accepted_for_a_time_and_can_be_sent_again() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::none().with_group(Group::BrokenObjectLevelAuthorization));
    let url = shop.url();
    let found = review(&dir, &url, "--format json --output report.json --write-baseline baseline.toml");
    assert_eq!(found.code, 1, "{}", found.stderr);
    let baseline = std::fs::read_to_string(dir.path().join("baseline.toml")).unwrap();
    let refused = review(&dir, &url, "--baseline baseline.toml");
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("needs a `reason`") && refused.stderr.contains("baseline.toml:"),
        "{}",
        refused.stderr
    );
    dir.write("baseline.toml", baseline.replace("reason = \"\"", "reason = \"a test\""));
    let accepted = review(&dir, &url, "--baseline baseline.toml");
    assert_eq!(accepted.code, 0, "{}\n{}", accepted.stdout, accepted.stderr);
    assert!(accepted.stderr.contains("accepted by the baseline"), "{}", accepted.stderr);

    let fingerprint = baseline.lines().find_map(|line| line.strip_prefix("fingerprint = ")).unwrap().trim_matches('"');
    let replay = |id: &str, url: &str| {
        let line = format!("review replay {id} --report report.json --base-url {url} --identities identities.yaml");
        palisade(&dir, &line)
    };
    let again = replay(fingerprint, &url);
    assert_eq!((again.code, again.stdout.trim()), (1, "still-present"), "{}", again.stderr);
    assert_eq!(replay("ffff", &url).code, 2);
    shop.close();
    let sound = Shop::open(Weaknesses::none());
    let gone = replay(fingerprint, &sound.url());
    assert_eq!(gone.code, 0, "{}{}", gone.stdout, gone.stderr);
    assert!(gone.stdout.starts_with("gone: "), "{}", gone.stdout);
    sound.close();
}

/// The demonstration's policy, over TLS.
fn policy(shop: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/fixtures");
    let tls =
        format!("tls = {{ cert = \"file:{fixtures}/server.cert.pem\", key = \"file:{fixtures}/server.key.pem\" }}");
    let policy = include_str!("../../src/cmd/demo/palisade.toml").replace("http://SHOP", shop);
    // The shop's partner is not there: what fails for want of it says nothing about the shop.
    let policy = policy.replace("[contract.orchard]", "failures = 1000\n[contract.orchard]");
    policy.replace("address = \"127.0.0.1:0\"", &format!("address = \"127.0.0.1:0\"\n{tls}"))
}

#[test]
fn a_gateway_is_compared_with_what_is_behind_it() {
    let shop = Shop::open(Weaknesses::none().with_group(Group::BrokenObjectLevelAuthorization));
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    dir.write("palisade.toml", policy(&shop.url()));
    let cert = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/fixtures/server.cert.pem");
    dir.write("ca.pem", std::fs::read(cert).unwrap());
    let gateway = Running::start(&dir, "run");
    let through = format!("--through https://{} --policy palisade.toml", gateway.address);
    let found =
        review(&dir, &shop.url(), &format!("{through} --ca ca.pem --output report --format json --format text"));
    assert_eq!(found.code, 0, "{}\n{}", found.stdout, found.stderr);
    let stopped = found.stdout.lines().filter(|line| line.trim_start().starts_with("stopped"));
    let stopped: Vec<&str> = stopped.filter(|line| line.contains("API1:2023")).collect();
    assert_eq!(stopped.len(), 2, "{}", found.stdout);
    let report: Value = serde_json::from_slice(&std::fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    assert!(report["comparison"].to_string().contains("stopped"), "{}", report["comparison"]);
    // Nobody vouches for the certificate then.
    let refused = review(&dir, &format!("https://{}", gateway.address), "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.to_lowercase().contains("certificate"), "{}", refused.stderr);
    let accepted = "--format json --danger-accept-certificate";
    let accepted = review(&dir, &format!("https://{}", gateway.address), accepted);
    assert_eq!(accepted.code, 1, "{}", accepted.stderr);
    assert!(accepted.stdout.contains("\"certificate-invalid\""), "{}", accepted.stdout);
    shop.close();
}

#[test]
fn a_policy_says_what_a_plain_contract_does_not() {
    let shop = Shop::open(Weaknesses::none().with_group(Group::BrokenFunctionLevelAuthorization));
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    dir.write("palisade.toml", policy(&shop.url()));
    let extension = |line: &&str| !line.contains("roles: [admin]");
    dir.write("plain.yaml", orchard::CONTRACT.lines().filter(extension).collect::<Vec<_>>().join("\n"));
    let line = |more: &str| {
        let url = shop.url();
        format!("review --contract plain.yaml --identities identities.yaml --base-url {url} --format json {more}")
    };
    let found = palisade(&dir, &line("--policy palisade.toml"));
    assert!(rules(&found.stdout).contains(&"function-exposed".to_owned()), "{}", found.stdout);
    shop.close();
}

#[test]
fn ctrl_c_ends_the_run_with_what_it_has() {
    let dir = folder(orchard::CONTRACT, IDENTITIES);
    let shop = Shop::open(Weaknesses::none());
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(
            "review --contract openapi.yaml --identities identities.yaml --mode active --rate 40 --output r.txt"
                .split(' '),
        )
        .args(["--base-url", &shop.url()])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains("requests so far") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended: {said}");
        said += &line;
    }
    let told = std::process::Command::new("kill").arg("-INT").arg(process.id().to_string()).status().unwrap();
    assert!(told.success());
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(2), "{said}");
    assert!(said.contains("what was changed is put back") && said.contains("incomplete: "), "{said}");
    assert!(dir.path().join("r.txt").exists());
    shop.close();
}
