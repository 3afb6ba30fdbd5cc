//! `palisade replay`: what a change of the configuration means for yesterday's requests.

use expect_test::expect;
use palisade_testkit::dir::TempDir;
use serde_json::{Value, json};

use super::shell::{CONFIG, CONTRACT, folder, palisade};

/// The configuration, and a new one whose contract lacks one operation and opens another to everyone.
fn two() -> TempDir {
    let dir = folder(CONFIG);
    let new = CONTRACT.replace("security: [{ token: [] }]", "security: []").replace("    get:", "    patch:");
    dir.write("new.yaml", new);
    dir.write("new.toml", CONFIG.replace("openapi.yaml", "new.yaml"));
    dir
}

fn entry(method: &str, url: &str, body: Option<&str>) -> Value {
    let mut request = json!({"method": method, "url": url, "headers": [], "bodySize": -1});
    if let Some(text) = body {
        request["headers"] = json!([{"name": "content-type", "value": "application/json"}]);
        request["postData"] = json!({"mimeType": "application/json", "text": text});
    }
    json!({"startedDateTime": "2026-11-22T06:00:00.000Z", "request": request})
}

#[test]
fn whole_requests_show_every_change_of_the_verdict() {
    let dir = two();
    let mut lost = entry("POST", "http://a/notes", None);
    lost["request"]["bodySize"] = 12.into();
    let entries = [
        entry("GET", "http://a/notes", None),
        entry("GET", "http://a/notes?x=1", None),
        entry("GET", "http://a/notes", None),
        entry("POST", "http://a/notes", Some("\"hello\"")),
        entry("POST", "http://a/notes", Some("17")),
        entry("GET", "http://a/nowhere", None),
        lost,
    ];
    dir.write("requests.har", json!({"log": {"version": "1.2", "entries": entries}}).to_string());
    let found = palisade(&dir, "replay --old palisade.toml --new new.toml --log requests.har");
    assert_eq!(found.code, 1, "{}", found.stderr);
    expect![[r#"
             1  addNote  credential-missing -> forwarded to notes
                such as POST /notes
             1  addNote  credential-missing -> payload-invalid
                such as POST /notes
             2  listNotes  forwarded to notes -> method-undeclared
                such as GET /notes
             1  listNotes  parameter-invalid -> method-undeclared
                such as GET /notes?x=1
        ---
        the verdict changes for 5 requests; 6 were judged in whole
        1 not replayable: the body was not recorded
    "#]]
    .assert_eq(&format!("{}---\n{}", found.stdout, found.stderr));
    let allowed = palisade(&dir, "replay --old palisade.toml --new new.toml --log requests.har --allow --format json");
    assert_eq!(allowed.code, 0);
    let told: Value = serde_json::from_str(&allowed.stdout).unwrap();
    assert_eq!((&told["whole"], &told["up_to_operation"]), (&6.into(), &0.into()));
    let same = palisade(&dir, "replay --old palisade.toml --new palisade.toml --log requests.har");
    assert_eq!((same.code, same.stdout.as_str()), (0, ""));
}

#[test]
fn an_event_log_is_replayed_as_far_as_it_goes() {
    let dir = two();
    let event = |method: &str, path: &str| {
        let event = json!({
            "kind": "access", "at": "2026-11-22T06:00:00.000Z", "method": method, "path": path, "client": "192.0.2.1",
        });
        format!("{event}\n")
    };
    let log = [event("GET", "/notes"), event("POST", "/notes"), event("GET", "/notes"), "nonsense\n".to_owned()];
    dir.write("old.jsonl", log.concat());
    let found = palisade(&dir, "replay --old palisade.toml --new new.toml --log old.jsonl");
    assert_eq!(found.code, 1, "{}", found.stderr);
    expect![[r#"
             2  listNotes  reaches notes/listNotes -> method-undeclared
                such as GET /notes
        ---
        the verdict changes for 2 requests; 0 were judged in whole
        3 were judged up to the stage `operation`: the log has no query, headers, credentials and bodies
        1 not replayable: the line is no event of this version
    "#]]
    .assert_eq(&format!("{}---\n{}", found.stdout, found.stderr));
    // Where routes are for hosts, a line without one cannot say which route its request was for.
    let hosted = CONFIG.replace("path = \"/**\"", "path = \"/**\"\nhost = \"api.example.com\"");
    dir.write("hosted.toml", hosted);
    let found = palisade(&dir, "replay --old palisade.toml --new hosted.toml --log old.jsonl");
    assert_eq!((found.code, found.stdout.as_str()), (0, ""));
    assert!(found.stderr.contains("3 not replayable: a route is for one host"), "{}", found.stderr);
    let of = |host: &str| event("GET", "/notes").replace("\"client\"", &format!("\"host\":\"{host}\",\"client\""));
    dir.write("hosts.jsonl", [of("api.example.com"), of("other.example"), of("api.example.com:8443")].concat());
    let found = palisade(&dir, "replay --old palisade.toml --new hosted.toml --log hosts.jsonl");
    expect![[r#"
             1  listNotes  reaches notes/listNotes -> route-unknown
                such as GET /notes
        ---
        the verdict changes for 1 requests; 0 were judged in whole
        3 were judged up to the stage `operation`: the log has no query, headers, credentials and bodies
    "#]]
    .assert_eq(&format!("{}---\n{}", found.stdout, found.stderr));
}
