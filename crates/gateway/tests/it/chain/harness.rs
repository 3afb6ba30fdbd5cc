//! A gateway as it runs for a user: a policy file, a contract, keys and an event log in a folder, and a backend behind it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use palisade_core::denial::DenialCode;
use palisade_gateway::config::load;
use palisade_gateway::listen::Drained;
use palisade_gateway::reload::Reloader;
use palisade_gateway::run::Gateway;
use palisade_gateway::upstream::Forward;
use palisade_testkit::dir::TempDir;
use palisade_testkit::upstream::Upstream;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::tokens::{Tokens, key_hash};
use super::wire::{self, Answer};

/// The policy of most tests: everything on one route, with tokens and keys.
pub(super) const POLICY: &str = r#"version = 1
[listen.main]
address = "127.0.0.1:0"
[upstream.shop]
url = "{upstream}"
failures = 100
[contract.shop]
openapi = "openapi.yaml"
[route.shop]
path = "/**"
upstream = "shop"
contract = "shop"
authenticate = ["bearer.main", "keys.partners"]
timeout = "10s"
[bearer.main]
issuer = "https://id.example.com"
audience = "shop"
jwks = "file:jwks.json"
[keys.partners]
[[keys.partners.key]]
hash = "sha256:{key hash}"
client = "reports"
scopes = ["reports:read"]
[events]
output = "file:events.jsonl"
"#;

/// The policy with more keys for the route.
pub(super) fn with_route(keys: &str) -> String {
    POLICY.replace("timeout = \"10s\"\n", &format!("timeout = \"10s\"\n{keys}\n"))
}

/// The policy with more sections.
pub(super) fn with_sections(sections: &str) -> String {
    format!("{POLICY}{sections}\n")
}

/// A running gateway.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    /// The addresses of all listeners.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tokens: Tokens,
    pub(super) dir: TempDir,
    pub(super) forward: Forward,
    pub(super) reloader: Reloader,
    /// Where operators look at it.
    pub(super) admin: Option<String>,
    stop: oneshot::Sender<()>,
    serving: JoinSet<Drained>,
}

impl Site {
    /// Starts a gateway with this policy in front of the backend at `upstream`.
    pub(super) async fn start(policy: &str, upstream: &str) -> Self {
        Self::start_with(policy, upstream, None).await
    }

    /// The same with another contract.
    pub(super) async fn start_with(policy: &str, upstream: &str, contract: Option<&str>) -> Self {
        let (dir, tokens) = (TempDir::new(), Tokens::new());
        dir.write("openapi.yaml", contract.unwrap_or(include_str!("../../fixtures/shop/openapi.yaml")));
        dir.write("requests.yaml", include_str!("../../fixtures/requests/openapi.yaml"));
        tokens.write(&dir);
        let policy = policy.replace("{upstream}", upstream).replace("{key hash}", &key_hash());
        let loaded = load(&dir.write("palisade.toml", policy)).unwrap_or_else(|errors| panic!("{}", told(&errors)));
        let gateway = Gateway::prepare(&loaded).await.unwrap_or_else(|errors| panic!("{}", told(&errors)));
        let addresses: Vec<SocketAddr> = gateway.addresses().iter().map(|(_, address)| *address).collect();
        let (forward, reloader, admin) = (gateway.forward(), gateway.reloader(), gateway.admin());
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(gateway.run(async { stopped.await.unwrap_or_default() }));
        Self { address: addresses[0], addresses, tokens, dir, forward, reloader, admin, stop, serving }
    }

    /// The bytes of a request, with the credentials that its text names.
    pub(super) fn request(&self, text: &str) -> Vec<u8> {
        wire::request(&self.tokens.fill(text))
    }

    /// Changes a file of the site: every `from` in it becomes `to`.
    pub(super) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.dir.path().join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        self.dir.write(file, text.replace(from, to));
    }

    /// Sends a request and reads the answer.
    pub(super) async fn ask(&self, text: &str) -> Answer {
        let answer = wire::exchange(self.address, &self.request(text)).await;
        answer.unwrap_or_else(|| panic!("no answer to {text}"))
    }

    /// Sends a request with a body that is no text.
    pub(super) async fn ask_with(&self, text: &str, body: &[u8]) -> Answer {
        let mut bytes = self.request(&format!("{text}\ncontent-length: {}", body.len()));
        bytes.extend_from_slice(body);
        wire::exchange(self.address, &bytes).await.unwrap_or_else(|| panic!("no answer to {text}"))
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) -> Drained {
        self.serving.join_next().await.unwrap().unwrap()
    }

    /// Begins to stop; the requests under way go on.
    pub(super) fn stop(self) -> Stopping {
        self.stop.send(()).unwrap();
        Stopping { dir: self.dir, serving: self.serving }
    }

    /// Stops and gives back the log, with the folder of all files.
    pub(super) async fn finish_in_place(self) -> (Log, TempDir) {
        let mut stopping = self.stop();
        let drained = stopping.serving.join_next().await.unwrap().unwrap();
        assert_eq!(drained, Drained { cut_off: 0 });
        (Log::read(&stopping.dir), stopping.dir)
    }

    /// Stops and gives back the log.
    pub(super) async fn finish(self) -> Log {
        let (log, drained) = self.stop().finish().await;
        assert_eq!(drained, Drained { cut_off: 0 });
        log
    }
}

/// A gateway that finishes the requests under way.
pub(super) struct Stopping {
    dir: TempDir,
    serving: JoinSet<Drained>,
}

impl Stopping {
    pub(super) async fn finish(mut self) -> (Log, Drained) {
        let drained = self.serving.join_next().await.unwrap().unwrap();
        (Log::read(&self.dir), drained)
    }
}

/// The events of a gateway that has stopped.
pub(super) struct Log(pub(super) Vec<Value>);

impl Log {
    /// Every event has been written by now: the writer ends with the gateway.
    fn read(dir: &TempDir) -> Self {
        let text = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap_or_default();
        Self(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The events of one request: the security events and the access event.
    pub(super) fn of(&self, request_id: &str) -> (Vec<&Value>, &Value) {
        let of = self.0.iter().filter(|event| event["request_id"] == request_id);
        let (access, security): (Vec<&Value>, Vec<&Value>) = of.partition(|event| event["kind"] == "access");
        let [access] = access[..] else { panic!("{request_id} has {} access events", access.len()) };
        (security, access)
    }

    /// That an answer was a refusal with this code and has its two events, and that the evidence stayed in the log.
    /// Returns the evidence.
    pub(super) fn assert_refused(&self, answer: &Answer, code: DenialCode) -> &Value {
        assert_problem(answer, code);
        let (security, access) = self.of(answer.header("x-request-id"));
        let [event] = security[..] else { panic!("{code} has {} security events", security.len()) };
        for event in [event, access] {
            assert_eq!(event["outcome"]["denied"], code.slug(), "{event}");
        }
        assert_eq!(event["kind"], code.event().as_str());
        let evidence = &event["evidence"];
        for (fact, value) in evidence.as_object().unwrap() {
            // These are words of the published contract or of the answer's own head.
            let public = ["pointer", "stage", "status"].contains(&fact.as_str());
            let told = value.as_str().is_some_and(|value| value.len() > 8 && answer.text().contains(value));
            assert!(public || !told, "{code} tells its {fact}: {}", answer.text());
        }
        evidence
    }
}

/// That an answer is the problem of this code, dressed like every answer.
pub(super) fn assert_problem(answer: &Answer, code: DenialCode) {
    assert_eq!(answer.status, code.status(), "{code}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{code}");
    let problem = answer.json();
    assert_eq!(problem["code"], code.public().slug(), "{problem}");
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
    assert_dressed(answer);
}

/// That an answer has the headers that every answer has.
pub(super) fn assert_dressed(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), value, "{answer:?}");
    }
    assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{answer:?}");
    assert!(!answer.headers.contains_key("server") && !answer.header("x-request-id").is_empty(), "{answer:?}");
}

/// A backend that answers every valid request validly, or as `x-play` says.
pub(super) async fn shop() -> Upstream {
    Upstream::start(|request| play(&request)).await
}

fn play(request: &Request<Bytes>) -> Response<Bytes> {
    let part = request.headers().get("x-play").map_or("", |value| value.to_str().unwrap());
    let path = request.uri().path();
    let (status, media, body): (u16, &str, Bytes) = match (part, path) {
        ("trace", _) => (500, "text/plain", STACK_TRACE.into()),
        ("extra", _) => (200, "application/json", r#"{"id": 1,  "name": "apple", "cost": 3}"#.into()),
        ("leak", _) => (200, "application/json", r#"{"id": 1, "name": "ORA-00942: no such view"}"#.into()),
        ("wrong type", _) => (200, "application/json", r#"{"id": 1, "name": 5}"#.into()),
        ("no json", _) => (200, "application/json", "{".into()),
        ("page", _) => (200, "text/html", "<h1>apple</h1>".into()),
        ("accepted", _) => (202, "application/json", "{}".into()),
        ("not found", _) => (404, "text/plain", STACK_TRACE.into()),
        ("gone", _) => (410, "text/plain", STACK_TRACE.into()),
        ("conflict", _) => (409, "application/json", r#"{"why": "locked"}"#.into()),
        ("busy", _) => (503, "text/plain", "busy".into()),
        ("bob", _) => (200, "application/json", r#"{"id": 7, "owner": "bob"}"#.into()),
        // Programs that read the last of two members see nothing in these.
        ("bob twice", _) => (200, "application/json", r#"{"id": 7, "owner": "bob", "owner": "alice"}"#.into()),
        ("leak twice", _) => {
            (200, "application/json", r#"{"name": "ORA-00942: no such view", "id": 1, "name": "apple"}"#.into())
        }
        (_, "/items") => (200, "application/json", "[ ]".into()),
        (_, "/orders") => (201, "application/json", request.body().clone()),
        (_, "/photos/1") if request.method() == "GET" => (200, "application/octet-stream", PHOTO.into()),
        (_, path) if path.starts_with("/items/") && request.method() != "DELETE" => {
            (200, "application/json", ITEM.into())
        }
        (_, path) if path.starts_with("/orders/") => (200, "application/json", r#"{"id": 7, "owner": "alice"}"#.into()),
        _ => (204, "", Bytes::new()),
    };
    let mut response = Response::builder().status(status).header("server", "Shop/1.2").header("x-powered-by", "PHP");
    if !media.is_empty() {
        response = response.header("content-type", media);
    }
    response.body(body).unwrap()
}

pub(super) const STACK_TRACE: &str = "java.sql.SQLException: near SELECT at shop.Orders.find(Orders.java:17)";

/// An item in the backend's own way of writing JSON.
pub(super) const ITEM: &str = "{ \"id\" : 1e0,\r\n\t\"name\":\"\\u0061pple\" }\n";

/// Bytes that are no text.
pub(super) const PHOTO: &[u8] = b"\x89PNG\r\n\x1a\n\0\xff\xfe\r\n0\r\n\r\n";

fn told(diagnostics: &[palisade_core::diagnostic::Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        let _ = writeln!(text, "{diagnostic}");
        text
    })
}
