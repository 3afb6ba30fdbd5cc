//! `palisade check --drift`: a table for people, an overlay for the contract, and an exit code for machines.

use expect_test::expect;
use serde_json::{Value, json};

use super::shell::{CONFIG, folder, palisade};

/// A line of the log, as a gateway in report mode writes it.
fn event(at: &str, who: &str, operation: &str, drift: &[&str]) -> String {
    json!({
        "at": at, "kind": "would_deny", "who": who, "route": "notes", "operation": operation, "method": "GET",
        "path": "/notes", "evidence": {"code": "parameter-invalid", "drift": drift},
    })
    .to_string()
}

fn log() -> String {
    const PAGE: &str = r#"{"in":"request","at":"/query/page","rule":"undeclared","type":"integer"}"#;
    const LONG: &str =
        r#"{"in":"request","media":"application/json","at":"/body","rule":"maxLength","type":"string","length":140}"#;
    [
        event("2026-11-02T10:00:00.000Z", "user:bob", "listNotes", &[PAGE]),
        event("2026-11-01T10:00:00.000Z", "anonymous", "listNotes", &[PAGE]),
        event("2026-11-03T10:00:00.000Z", "user:bob", "addNote", &[LONG]),
        r#"{"at":"2026-11-01T11:00:00.000Z","kind":"undeclared_requested","who":"anonymous","method":"GET","path":"/v2/notes/17"}"#.to_owned(),
        r#"{"kind":"access","at":"2026-11-01T10:00:00.000Z"}"#.to_owned(),
        r#"{"kind":"events_lost","count":3}"#.to_owned(),
        "half a li".to_owned(),
    ]
    .join("\n")
}

#[test]
fn people_get_a_table_and_the_contract_an_overlay() {
    let dir = folder(CONFIG);
    dir.write("events.jsonl", log());
    let told = palisade(&dir, "check --drift events.jsonl");
    assert_eq!(told.code, 1, "{}", told.stderr);
    expect![[r#"
        OPERATION        WHERE        RULE        SEEN                              TIMES  FIRST                     LAST                      WHO
        addNote          /body        maxLength   string 140..140 application/json  1      2026-11-03T10:00:00.000Z  2026-11-03T10:00:00.000Z  user:bob
        listNotes        /query/page  undeclared  integer                           2      2026-11-01T10:00:00.000Z  2026-11-02T10:00:00.000Z  anonymous user:bob
        GET /v2/notes/*  -            undeclared                                    1      2026-11-01T11:00:00.000Z  2026-11-01T11:00:00.000Z  anonymous
            not in the overlay: nobody has said who may call it: declare it by hand, or find out who asks
        departures: 3, contracts to change: 1
        lines not read: 1
    "#]]
    .assert_eq(&told.stderr);
    expect![[r#"
        {
          "overlay": "1.0.0",
          "info": {
            "title": "What traffic has and the contract does not",
            "version": "1"
          },
          "extends": "openapi.yaml",
          "actions": [
            {
              "target": "$['paths']['/notes']['post']['requestBody']['content']['application/json']['schema']",
              "description": "addNote /body maxLength: 1 times from 2026-11-03T10:00:00.000Z to 2026-11-03T10:00:00.000Z",
              "update": {
                "maxLength": 256
              }
            },
            {
              "target": "$['paths']['/notes']['get']",
              "description": "listNotes /query/page undeclared: 2 times from 2026-11-01T10:00:00.000Z to 2026-11-02T10:00:00.000Z",
              "update": {
                "parameters": [
                  {
                    "name": "page",
                    "in": "query",
                    "schema": {
                      "type": "integer"
                    }
                  }
                ]
              }
            }
          ]
        }
    "#]]
    .assert_eq(&told.stdout);
}

#[test]
fn programs_get_the_same_as_json() {
    let dir = folder(CONFIG);
    dir.write("events.jsonl", log());
    let told = palisade(&dir, "check --drift events.jsonl --format json");
    assert_eq!((told.code, told.stderr.as_str()), (1, ""));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let page = told["drift"].as_array().unwrap().iter().find(|row| row["at"] == "/query/page").unwrap();
    assert_eq!((&page["count"], &page["first"]), (&json!(2), &json!("2026-11-01T10:00:00.000Z")));
    assert_eq!(page["who"], json!(["anonymous", "user:bob"]));
    assert!(told["overlays"]["openapi.yaml"]["actions"].is_array());
    assert_eq!(told["unreadable"], 1);
}

#[test]
fn the_exit_code_says_whether_anything_departs() {
    let dir = folder(CONFIG);
    dir.write("quiet.jsonl", r#"{"kind":"access","at":"2026-11-01T10:00:00.000Z"}"#);
    for (arguments, code, stdout, part) in [
        ("check --drift quiet.jsonl", 0, "", "departures: 0"),
        ("check --drift nothing.jsonl", 2, "", "nothing.jsonl"),
        ("check --drift quiet.jsonl --format sarif", 2, "", "json"),
        ("check --drift quiet.jsonl --config nothing.toml", 2, "", "nothing.toml"),
        ("check --drift quiet.jsonl --chain", 2, "", "--chain"),
    ] {
        let told = palisade(&dir, arguments);
        assert_eq!((told.code, told.stdout.as_str()), (code, stdout), "{arguments}: {}", told.stderr);
        assert!(told.stderr.contains(part), "{arguments}: {}", told.stderr);
    }
}
