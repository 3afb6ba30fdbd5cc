//! `palisade run`: from the first policy to a request and an orderly end.

use bytes::Bytes;
use http::{Request, Response};
use palisade_testkit::client::Client;
use palisade_testkit::upstream::Upstream;
use serde_json::Value;
use tokio::net::TcpStream;

use super::shell::{CONFIG, CONTRACT, Running, folder, palisade};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_check_run_and_stop() {
    let upstream = Upstream::start(|_| {
        Response::builder().header("content-type", "application/json").body("[ \"a\" ]".into()).unwrap()
    })
    .await;
    let dir = folder("");
    let init = format!("init --contract openapi.yaml --upstream {} --output first.toml", upstream.url());
    assert_eq!(palisade(&dir, &init).code, 0);
    assert_eq!(palisade(&dir, "check --config first.toml").code, 0);
    let first = std::fs::read_to_string(dir.path().join("first.toml")).unwrap();
    dir.write("first.toml", first.replace("127.0.0.1:8080", "127.0.0.1:0"));
    for signal in ["TERM", "INT"] {
        let running = Running::start(&dir, "run --config first.toml");
        let answer = Client::http1(running.address).send(Request::get("/notes").body(Bytes::new()).unwrap()).await;
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"[ \"a\" ]"[..]));
        let refused = Client::http1(running.address).send(Request::post("/notes").body(Bytes::new()).unwrap()).await;
        assert_eq!(refused.status(), 401);
        let address = running.address;
        let (code, said) = running.end(signal);
        assert_eq!(code, Some(0), "{said}");
        let last = said.lines().last().unwrap();
        assert_eq!(last, "stopped; 0 requests were cut off");
        let kinds: Vec<String> = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["access", "authentication_failed", "access"], "{said}");
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_down_is_told_to_the_caller_alone() {
    let dir = folder(CONFIG);
    let running = Running::start(&dir, "run");
    let answer = Client::http1(running.address).send(Request::get("/notes").body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.status(), 502);
    let problem: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(problem["code"], "upstream-unreachable");
    let (code, said) = running.end("TERM");
    assert_eq!(code, Some(0), "{said}");
    let events = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    assert_eq!(
        events.matches(problem["request_id"].as_str().unwrap()).count(),
        4,
        "two events, each with its id twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_may_open_the_socket() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Its connection waits until there is a gateway.
    let early = TcpStream::connect(address).await.unwrap();
    let dir = folder(&CONFIG.replace("127.0.0.1:0", &address.to_string()));
    let running = Running::activate(&dir, socket, "main");
    assert_eq!(running.address, address);
    let answer = Client::http1(address).send(Request::get("/notes").body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.status(), 502, "there is a gateway, and no backend");
    drop(early);
    assert_eq!(running.end("TERM").0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_reads_the_files_again() {
    let dir = folder(&format!("{CONFIG}[server]\nreload = \"signal\"\n"));
    let mut running = Running::start(&dir, "run");
    let ask = |address| async move {
        Client::http1(address).send(Request::get("/notes").body(Bytes::new()).unwrap()).await.status().as_u16()
    };
    assert_eq!(ask(running.address).await, 502);
    dir.write("openapi.yaml", CONTRACT.replace("/notes:", "/letters:"));
    running.signal("HUP");
    assert!(running.hears("reloaded").starts_with("reloaded; the policy in force is "));
    assert_eq!(ask(running.address).await, 404);
    dir.write("openapi.yaml", "nonsense");
    running.signal("HUP");
    running.hears("error[");
    running.hears("not reloaded; the policy before stays in force");
    assert_eq!(ask(running.address).await, 404);
    let (code, said) = running.end("TERM");
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_order_to_stop_is_obeyed_at_once() {
    let dir = folder(&format!("{CONFIG}[server]\ndrain_delay = \"1h\"\n"));
    let running = Running::start(&dir, "run");
    running.signal("TERM");
    // Two signals of one kind within a moment may arrive as one, so that the second is of another.
    let (code, said) = running.end("INT");
    assert_eq!((code, said.lines().last()), (Some(2), Some("stopped at once")), "{said}");
}
