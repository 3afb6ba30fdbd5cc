//! `palisade explain`: one request, stage by stage.

use expect_test::expect;
use palisade_testkit::dir::TempDir;
use serde_json::Value;

use super::shell::{CONFIG, CONTRACT, Finished, folder, palisade};

/// The configuration with an issuer whose keys are at a URL that nobody may ask.
fn with_issuer() -> TempDir {
    let bearer = "authenticate = [\"bearer.main\"]";
    let section = "[bearer.main]\nissuer = \"https://id.example.com\"\naudience = \"notes\"\n\
                   jwks = \"https://id.example.com/jwks\"\n[events]";
    let dir = folder(&CONFIG.replace("authenticate = \"backend\"", bearer).replace("[events]", section));
    let roles = "security: [{ token: [] }]\n      x-palisade: { roles: [writer] }";
    dir.write("openapi.yaml", CONTRACT.replace("security: [{ token: [] }]", roles));
    dir
}

fn explain(dir: &TempDir, request: &str, more: &str) -> Finished {
    dir.write("request", request);
    palisade(dir, &format!("explain --request request --at 2026-11-22T06:00:00Z {more}"))
}

/// The stages that said or found something.
fn told(finished: &Finished) -> String {
    let lines: Vec<&str> = finished.stdout.lines().filter(|line| !line.ends_with("  passes")).collect();
    lines.join("\n").trim_end().to_owned()
}

#[test]
fn a_refusal_is_told_with_its_stage_and_its_reason() {
    let dir = folder(CONFIG);
    let found = explain(&dir, "GET /nOtes?a=b HTTP/1.1\nhost: api.example.com\n", "");
    assert_eq!((found.code, found.stderr.as_str()), (1, ""));
    let (steps, answer) = found.stdout.split_once("\n\n").unwrap();
    expect![[r#"
        GET /nOtes?a=b from 127.0.0.1
         1  trace         passes
         2  record        passes
         3  finish        passes
         4  rescue        passes
         5  client        passes
              client: 127.0.0.1
         6  firewall      passes
              host: api.example.com
              path: /nOtes
         7  publish       passes
         8  route         passes
              route: notes
         9  network       passes
        10  admit         passes
        11  deadline      passes
        12  size          passes
        13  throttle      passes
        14  cors          passes
        15  csrf          passes
        16  operation     REFUSES operation-undeclared
        not reached: authenticate, assure, quota, authorize, upgrade, contract, inspect, reveal, present, guard
    "#]]
    .assert_eq(&format!("{steps}\n"));
    assert!(answer.starts_with("the caller gets 404 Not Found: operation-undeclared"), "{answer}");
}

#[test]
fn what_would_be_forwarded_is_shown_as_the_backend_would_get_it() {
    let dir = folder(CONFIG);
    let request = "curl -X POST -H 'content-type: application/json' -H 'connection: x-drop' -H 'x-drop: 1' \\\n\
                   \t-H 'authorization: Bearer abc' -d '\"\\u0061\"' http://api.example.com/notes";
    let found = explain(&dir, request, "--format json");
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{}", found.stdout);
    let told: Value = serde_json::from_str(&found.stdout).unwrap();
    let forwarded = &told["forwarded"];
    assert_eq!((&told["verdict"], &told["pretended"]), (&"forwarded".into(), &false.into()));
    assert_eq!((&forwarded["upstream"], &forwarded["method"]), (&"notes".into(), &"POST".into()));
    assert_eq!((&forwarded["target"], &forwarded["body"]), (&"/notes".into(), &"\"a\"".into()));
    let names: Vec<&str> =
        forwarded["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert!(
        names.contains(&"authorization") && !names.contains(&"x-drop") && !names.contains(&"connection"),
        "{names:?}"
    );
    let stages: Vec<&str> =
        told["steps"].as_array().unwrap().iter().map(|step| step["stage"].as_str().unwrap()).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&"trace"), Some(&"guard")));
    assert!(told["steps"].as_array().unwrap().iter().all(|step| step["says"] == "passes"), "{told:#}");
}

#[test]
fn keys_are_not_fetched_and_somebody_can_be_signed_in_all_the_same() {
    let dir = with_issuer();
    let note = "POST /notes HTTP/1.1\nhost: a\ncontent-type: application/json\nauthorization: Bearer a.b.c\n\n\"a\"";
    dir.write("writer.json", "{\"sub\": \"alice\", \"roles\": [\"writer\"]}");
    dir.write("reader.json", "{\"sub\": \"bob\", \"roles\": [\"reader\"]}");
    dir.write("stranger.json", "{\"sub\": \"eve\", \"iss\": \"https://other.example\"}");
    dir.write("late.json", "{\"sub\": \"alice\", \"exp\": 1}");
    for (more, code, expect) in [
        ("", 1, "REFUSES credential-invalid"),
        ("--subject-claims writer.json", 0, "would be forwarded to `notes` as:"),
        ("--subject-claims writer.json", 0, "PRETENDED: no credential was verified"),
        ("--subject-claims writer.json", 0, "      principal: user:alice"),
        ("--subject-claims reader.json", 1, "REFUSES role-insufficient"),
        ("--subject-claims late.json", 1, "REFUSES credential-invalid"),
        ("--subject-claims stranger.json", 2, ""),
        ("--subject-claims nowhere.json", 2, ""),
        ("--at yesterday", 2, ""),
    ] {
        let found = match more.starts_with("--at") {
            true => palisade(&dir, &format!("explain --request request {more}")),
            false => explain(&dir, note, more),
        };
        assert_eq!(found.code, code, "{more}: {}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains(expect), "{more}: {}", told(&found));
    }
}

#[test]
fn what_is_no_request_is_not_guessed() {
    let dir = folder(CONFIG);
    for (request, problem) in
        [("curl --proxy a http://b", "`--proxy` is not understood"), ("hello", "`hello` is no request line")]
    {
        let found = explain(&dir, request, "");
        assert_eq!((found.code, found.stdout.as_str()), (2, ""), "{request}");
        assert!(found.stderr.contains(problem), "{}", found.stderr);
    }
}

#[test]
fn a_credential_in_a_store_is_told_to_be_unavailable_and_the_store_is_not_opened() {
    let sections = "[api_keys.services]\n[sessions.app]\n[store.records]\nurl = \"sqlite:records.db\"\n[events]";
    let names = "authenticate = [\"api_keys.services\", \"sessions.app\"]";
    let dir = folder(&CONFIG.replace("authenticate = \"backend\"", names).replace("[events]", sections));
    let key = "pk_live_AAAAAAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAA_wrong1";
    let session = format!("cookie: __Host-session={}", "A".repeat(43));
    for (credential, verdict) in [(format!("x-api-key: {key}"), "credential-invalid"), (session, "unavailable")] {
        let request = format!("POST /notes HTTP/1.1\nhost: a\nsec-fetch-site: same-origin\n{credential}\n");
        let found = explain(&dir, &request, "");
        let said = found.stdout.lines().find(|line| line.contains("authenticate")).unwrap();
        assert!(said.ends_with(&format!("REFUSES {verdict}")), "{}", found.stdout);
    }
    assert!(!dir.path().join("records.db").exists());
    let checked = palisade(&dir, "check --explain").stdout;
    assert!(checked.contains("credentials: api_keys.services, sessions.app;"), "{checked}");
}
