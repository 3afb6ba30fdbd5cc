//! Schemathesis, a tester of APIs by other people, against the shop behind the gateway: nothing breaks, and nothing that
//! breaks the contract gets through. What gets through is checked twice: by its own account and by ours.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Response};
use orchard::{Database, Orchard, Settings, Weaknesses};
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;
use palisade_gateway::config::load;
use palisade_gateway::run::Gateway;
use palisade_testkit::dir::TempDir;
use palisade_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_tester_finds_no_failure_and_nothing_undeclared_gets_through() {
    let tool = tokio::task::spawn_blocking(installed).await.unwrap();
    let carrier = r#"{"carrier":"Green Wheels","cost_cents":490,"days":3}"#;
    let partner = Upstream::start(move |_| {
        Response::builder().header(CONTENT_TYPE, "application/json").body(carrier.into()).unwrap()
    })
    .await;
    let shop = open(partner.url()).await;
    let address = shop.address();
    let recorder = Upstream::start(move |request| forward(address, &request)).await;
    let dir = TempDir::new();
    let contract = dir.write("openapi.yaml", orchard::CONTRACT);
    let policy = include_str!("../../src/cmd/demo/palisade.toml");
    let config = dir.write("palisade.toml", policy.replace("SHOP", &recorder.address().to_string()));
    let gateway = Gateway::prepare(&load(&config).unwrap()).await.unwrap();
    let url = format!("http://{}", gateway.addresses()[0].1);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    serving.spawn(gateway.run(async { stopped.await.unwrap_or_default() }));

    for user in ["alice", "admin"] {
        let token = token(address, user);
        let (tool, contract, url, folder) = (tool.clone(), contract.clone(), url.clone(), dir.path().to_owned());
        let run = move || attack(&tool, &contract, &url, &token, &folder);
        let (passed, told) = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(passed, "as {user}:\n{told}");
    }
    drop(stop);
    serving.join_next().await;
    let events = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let broken = |event: &&Value| matches!(event["kind"].as_str(), Some("response_withheld" | "service_failed"));
    let broken: Vec<&Value> = events.iter().filter(broken).collect();
    assert!(broken.iter().all(|event| event["outcome"]["denied"] == "object-unknown"), "{broken:#?}");

    let received = recorder.received();
    let contract = Contract::compile(&Source::new("openapi.yaml", orchard::CONTRACT)).unwrap().contract;
    let wrong: Vec<String> = received.iter().filter_map(|request| departure(&contract, request)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let (sent, passed) = (events.iter().filter(|event| event["kind"] == "access").count(), received.len());
    assert!(sent > 500 && passed > 50 && passed < sent, "{sent} were sent and {passed} passed");
    shop.stop().await;
}

/// What is wrong with a request that the backend has got.
fn departure(contract: &Contract, request: &Request<Bytes>) -> Option<String> {
    let (method, uri) = (request.method(), request.uri());
    let Found::Operation(operation, path) = contract.find(method, uri.path()) else {
        return Some(format!("{method} {uri} is not declared"));
    };
    let parameters = operation.check_parameters(&path, uri.query(), request.headers()).err();
    let body = operation.check_body(request.headers().get(CONTENT_TYPE), request.body()).err();
    let violations: Vec<String> = parameters.into_iter().chain(body).flatten().map(|v| v.to_string()).collect();
    (!violations.is_empty()).then(|| format!("{method} {uri}: {violations:?}"))
}

/// Runs it without chance and with a bound.
fn attack(tool: &Path, contract: &Path, url: &str, token: &str, folder: &Path) -> (bool, String) {
    let mut command = Command::new(tool);
    command.arg("run").arg(contract).args(["--url", url, "--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--checks", "not_a_server_error,negative_data_rejection", "--phases", "examples,coverage,fuzzing"]);
    command.args(["--generation-deterministic", "--max-examples", "20"]);
    command.args(["--no-color", "--warnings", "off", "--continue-on-failure", "--suppress-health-check", "all"]);
    command.env_remove("PYTHONPATH").current_dir(folder);
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), told)
}

/// The shop as it was meant to be: what fails now is the fault of the gateway or of the tester.
async fn open(partner: String) -> Orchard {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { weaknesses: Weaknesses::none(), database: Database::Memory, partner };
    orchard::start(listener, settings).await.unwrap()
}

/// The token of a user of the demonstration.
fn token(shop: SocketAddr, user: &str) -> String {
    let user = orchard::USERS.iter().find(|known| known.username == user).unwrap();
    let body = json!({"username": user.username, "password": user.password}).to_string();
    let request = Request::post("/v1/login").header(CONTENT_TYPE, "application/json").body(Bytes::from(body)).unwrap();
    let answer: Value = serde_json::from_slice(forward(shop, &request).body()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Asks the shop. HTTP/1.0, so that the answer is plain and ends with the connection.
fn forward(shop: SocketAddr, request: &Request<Bytes>) -> Response<Bytes> {
    tokio::task::block_in_place(|| {
        let mut head = format!("{} {} HTTP/1.0\r\nhost: {shop}\r\n", request.method(), request.uri()).into_bytes();
        for (name, value) in request.headers().iter().filter(|(name, _)| *name != HOST && *name != "content-length") {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(format!("content-length: {}\r\n\r\n", request.body().len()).into_bytes());
        let mut stream = TcpStream::connect(shop).unwrap();
        stream.write_all(&[head.as_slice(), request.body()].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("an answer has a head");
        let text = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut response = Response::builder().status(status);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let own = ["connection", "content-length", "date", "transfer-encoding"];
            response =
                if own.contains(&name.to_ascii_lowercase().as_str()) { response } else { response.header(name, value) };
        }
        response.body(answer.split_off(end + 4).into()).unwrap()
    })
}

/// The tester, installed beside what is built.
fn installed() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = root.join("target/schemathesis");
    let tool = folder.join("bin/schemathesis");
    if !tool.exists() {
        let run = |program: &Path, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(&root).output();
            let output = output.unwrap_or_else(|error| panic!("this test needs `python3`: {error}"));
            assert!(
                output.status.success(),
                "`./test` installs what is missing: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        run(Path::new("python3"), &["-m", "venv", "target/schemathesis"]);
        let list = "crates/cli/tests/fixtures/schemathesis.txt";
        run(&folder.join("bin/pip"), &["install", "--quiet", "--disable-pip-version-check", "-r", list]);
    }
    tool
}
