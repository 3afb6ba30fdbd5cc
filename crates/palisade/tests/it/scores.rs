//! What others say of our default headers: MDN's HTTP Observatory and Google's CSP Evaluator, at fixed versions.
//!
//! The packages are installed by their lock file, without running anything of theirs, into the folder for files of tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use palisade::Chain;
use palisade::csp::Nonce;
use serde_json::{Value, json};

use crate::world::{Answer, Stand, ask, parse};

#[tokio::test]
async fn the_defaults_score_a_plus_and_have_no_finding() {
    let stand = Stand::new();
    let api = Router::new().route("/", get(|| async { ([("content-type", "application/json")], "{}") }));
    let api = Chain::api().behind_tls().public("GET /").protect(api, &stand.world).unwrap();
    let page = |nonce: Nonce| async move {
        let cookie = [("set-cookie", "session=1"), ("server", "leaky/1.0")];
        (cookie, Html(format!("<!doctype html><title>x</title><script nonce=\"{nonce}\">1</script>")))
    };
    let idle = get(|| async { Html("<!doctype html><title>x</title>") });
    let pages = Router::new().route("/", get(page)).route("/idle", idle);
    let pages =
        Chain::browser_app().behind_tls().public("GET /").public("GET /idle").protect(pages, &stand.world).unwrap();

    let answers = json!({
        "api": told(&ask(&api, parse("GET /\nhost: app.example.com")).await),
        "page": told(&ask(&pages, parse("GET /\nhost: app.example.com")).await),
        "page without a nonce": told(&ask(&pages, parse("GET /idle\nhost: app.example.com")).await),
        "refusal": told(&ask(&api, parse("GET /none\nhost: app.example.com\naccept: text/html")).await),
        "nothing": { "status": 200, "headers": [["content-type", "text/html"]], "body": "" },
        "weak": { "status": 200, "headers": [["content-security-policy", "script-src 'unsafe-inline' *"]], "body": "" },
    });
    let judged = tokio::task::spawn_blocking(move || judge(&answers)).await.unwrap();
    for name in ["api", "page", "page without a nonce", "refusal"] {
        let one = &judged[name];
        assert_eq!(
            (&one["grade"], &one["failed"], &one["findings"]),
            (&json!("A+"), &json!([]), &json!([])),
            "{name}: {one}"
        );
        assert!(one["score"].as_u64().unwrap() >= 125, "{name}: {one}");
    }
    // The judges do judge.
    assert_ne!(judged["nothing"]["grade"], "A+");
    assert!(!judged["weak"]["findings"].as_array().unwrap().is_empty());
}

fn told(answer: &Answer) -> Value {
    let headers = answer.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]));
    json!({ "status": answer.status.as_u16(), "headers": headers.collect::<Vec<_>>(), "body": answer.text })
}

fn judge(answers: &Value) -> Value {
    let home = installed();
    let mut node = Command::new("node")
        .arg(home.join("score.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Node.js 20 or later");
    serde_json::to_writer(node.stdin.take().unwrap(), answers).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "the judges failed; what they said stands above");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The folder with the packages of the lock file, installed once for each content of it.
fn installed() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
    let is_current = |name: &str| fs::read(home.join(name)).ok() == fs::read(source.join(name)).ok();
    let done = home.join("installed");
    let is_installed = is_current("package-lock.json") && done.exists();
    fs::create_dir_all(&home).unwrap();
    for name in ["package.json", "package-lock.json", "score.mjs"] {
        fs::copy(source.join(name), home.join(name)).unwrap();
    }
    if !is_installed {
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&home)
            .output()
            .expect("this test needs npm");
        assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
        fs::write(done, "").unwrap();
    }
    home
}
