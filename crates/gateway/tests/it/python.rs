//! A backend in another language behind a first policy that nobody has touched: what its own contract declares works,
//! byte for byte, and nothing else does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::Request;
use palisade_core::denial::DenialCode::{self, *};
use palisade_core::diagnostic::Source;
use palisade_gateway::config::load;
use palisade_gateway::init;
use palisade_gateway::run::Gateway;
use palisade_testkit::client::Client;
use palisade_testkit::dir::TempDir;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const BOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/books");

/// The backend, which ends with the test.
struct Library {
    process: Child,
    url: String,
}

impl Library {
    fn open() -> Self {
        let mut command = Command::new("python3");
        command.arg(format!("{BOOKS}/server.py")).arg("0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("this test needs `python3`");
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, url: format!("http://127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_first_policy_protects_any_backend() {
    let (library, dir) = (Library::open(), TempDir::new());
    let contract = std::fs::read_to_string(format!("{BOOKS}/openapi.json")).unwrap();
    dir.write("openapi.json", &contract);
    let policy = init::policy("books", "openapi.json", &Source::new("openapi.json", contract), &library.url).unwrap();
    // Any free port, and a log that the test can read; all else is as it was written.
    let policy =
        policy.replace("127.0.0.1:8080", "127.0.0.1:0").replace("#output = \"stderr\"", "output = \"file:events\"");
    let gateway = Gateway::prepare(&load(&dir.write("palisade.toml", policy)).unwrap()).await.unwrap();
    let client = Client::http1(gateway.addresses()[0].1);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    serving.spawn(gateway.run(async { stopped.await.unwrap_or_default() }));

    for (line, fields, body, status, answer) in SERVED {
        let (status_found, text) = ask(client, line, fields, body).await;
        assert_eq!((status_found, text.as_str()), (*status, *answer), "{line}");
    }
    let seen = Client::http1(library.url.trim_start_matches("http://").parse().unwrap())
        .send(Request::get("/_seen").body(Bytes::new()).unwrap())
        .await;
    let seen: Vec<Value> = serde_json::from_slice(seen.body()).unwrap();
    let sent = SERVED.iter().map(|(line, _, body, ..)| {
        let (method, target) = line.split_once(' ').unwrap();
        let body = REWRITTEN.iter().find(|(sent, _)| sent == body).map_or(*body, |(_, arrives)| arrives);
        json!({"method": method, "target": target, "body": body})
    });
    assert_eq!(seen, sent.collect::<Vec<_>>(), "the backend got what was sent, in one writing");

    let mut refused = Vec::new();
    for (line, fields, body, code) in REFUSED {
        let (status, text) = ask(client, line, fields, body).await;
        let problem: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}: {status} {text}"));
        assert_eq!((status, &problem["code"]), (code.status().as_u16(), &json!(code.slug())), "{line} {body}: {text}");
        refused.push((problem["request_id"].clone(), *code));
    }
    stop.send(()).unwrap();
    serving.join_next().await.unwrap().unwrap();
    let log = std::fs::read_to_string(dir.path().join("events")).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (id, code) in refused {
        let of: Vec<&Value> = events.iter().filter(|event| event["request_id"] == id).collect();
        let kinds: Vec<&str> = of.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, [code.event().as_str(), "access"]);
        assert!(of.iter().all(|event| event["outcome"]["denied"] == code.slug()), "{of:?}");
    }
    assert_eq!(events.iter().filter(|event| event["kind"] == "response_stripped").count(), 1);
}

async fn ask(client: Client, line: &str, fields: &str, body: &'static str) -> (u16, String) {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for field in fields.lines() {
        let (name, value) = field.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let answer = client.send(request.body(body.into()).unwrap()).await;
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
}

const JSON: &str = "content-type: application/json";
const FORM: &str = "content-type: application/x-www-form-urlencoded\nx-reader: 7";

/// Request line, headers, body; status and body of the answer.
const SERVED: &[(&str, &str, &str, u16, &str)] = &[
    (
        "GET /library/books?page=2&genre=novel&tag=a&tag=b%20c&available=true",
        "",
        "",
        200,
        r#"{"books":[{"isbn":"dune","title":"Dune","author":{"name":"Frank Herbert","born":1920},"tags":["novel"]},{"isbn":"emma","title":"Emma","author":{"name":"Jane Austen"},"tags":[]}],"total":2}"#,
    ),
    (
        "GET /library/books/emma",
        "",
        "",
        200,
        "{\n \"isbn\": \"emma\",\n \"title\": \"Emma\",\n \"author\": {\n  \"name\": \"Jane Austen\"\n },\n \"tags\": []\n}",
    ),
    (
        "POST /library/books",
        JSON,
        "{ \"title\":\"Caf\\u00e9 é\",\t\"isbn\" : \"c\", \"author\":{\"born\":null,\"name\":\"x\"},\"similar\":[{\"isbn\":\"d\",\"title\":\"D\"}]}\n",
        201,
        "{\n \"title\": \"Café é\",\n \"isbn\": \"c\",\n \"author\": {\n  \"born\": null,\n  \"name\": \"x\"\n },\n \"similar\": [\n  {\n   \"isbn\": \"d\",\n   \"title\": \"D\"\n  }\n ]\n}",
    ),
    ("PUT /library/loans/dune", FORM, "until=2026-12-24&note=a+b%26c", 200, ""),
    ("DELETE /library/loans/dune", "", "", 204, ""),
];

/// Bodies, and how they arrive.
const REWRITTEN: &[(&str, &str)] = &[
    (
        "{ \"title\":\"Caf\\u00e9 é\",\t\"isbn\" : \"c\", \"author\":{\"born\":null,\"name\":\"x\"},\"similar\":[{\"isbn\":\"d\",\"title\":\"D\"}]}\n",
        "{\"title\":\"Café é\",\"isbn\":\"c\",\"author\":{\"born\":null,\"name\":\"x\"},\"similar\":[{\"isbn\":\"d\",\"title\":\"D\"}]}",
    ),
    ("until=2026-12-24&note=a+b%26c", "until=2026-12-24&note=a%20b%26c"),
];

/// Request line, headers, body; the code of the refusal.
const REFUSED: &[(&str, &str, &str, DenialCode)] = &[
    ("GET /library", "", "", OperationUndeclared),
    ("GET /_seen", "", "", OperationUndeclared),
    ("GET /library/books/dune/loans", "", "", OperationUndeclared),
    ("GET /library/books/../../_seen", "", "", PathAmbiguous),
    ("PATCH /library/books", "", "", MethodUndeclared),
    ("DELETE /library/books/dune", "", "", MethodUndeclared),
    ("GET /library/books?page=0", "", "", ParameterInvalid),
    ("GET /library/books?genre=cookery", "", "", ParameterInvalid),
    ("GET /library/books?available=yes", "", "", ParameterInvalid),
    ("GET /library/books?debug=1", "", "", ParameterInvalid),
    ("GET /library/books?tag=1&tag=2&tag=3&tag=4", "", "", ParameterInvalid),
    ("GET /library/books/DUNE", "", "", ParameterInvalid),
    (
        "PUT /library/loans/dune",
        "content-type: application/x-www-form-urlencoded",
        "until=2026-12-24",
        ParameterInvalid,
    ),
    ("PUT /library/loans/dune", FORM, "until=tomorrow", PayloadInvalid),
    ("PUT /library/loans/dune", FORM, "until=2026-12-24&fine=0", PayloadInvalid),
    ("PUT /library/loans/dune", "content-type: application/json\nx-reader: 7", "{}", MediaTypeUndeclared),
    ("POST /library/books", JSON, r#"{"isbn": "c"}"#, PayloadInvalid),
    ("POST /library/books", JSON, r#"{"isbn": "c", "title": ""}"#, PayloadInvalid),
    ("POST /library/books", JSON, r#"{"isbn": "c", "title": "C", "shelf": 1}"#, PayloadInvalid),
    (
        "POST /library/books",
        JSON,
        r#"{"isbn": "c", "title": "C", "author": {"name": "x", "is_admin": true}}"#,
        PayloadInvalid,
    ),
    ("POST /library/books", JSON, r#"{"isbn": "c", "title": "<script>"}"#, MarkupInText),
    ("POST /library/books", "content-type: text/plain", "{}", MediaTypeUndeclared),
    ("POST /library/books", "", "", PayloadInvalid),
];
