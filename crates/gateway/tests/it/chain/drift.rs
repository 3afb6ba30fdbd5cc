//! A contract that lags behind its backend: reported, told as an overlay, and enforced again with the overlay applied.

use std::io::Cursor;

use bytes::Bytes;
use expect_test::expect;
use http::{Request, Response};
use palisade_contract::drift::apply;
use palisade_contract::read_tolerantly;
use palisade_gateway::drift::drift;
use palisade_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::harness::{POLICY, Site, with_route};

const REPORT: &str = "requests = \"report\"\nresponses = \"report\"";

/// Traffic that the fixture's contract knows nothing of.
const TRAFFIC: &[&str] = &[
    "GET /items?limit=51&page=2&q=a",
    "GET /items?page=3&tag=a&tag=b",
    "GET /items/1\nauthorization: Bearer ${alice}",
    "GET /items/2\nauthorization: Bearer ${alice}",
    "GET /items/3\nauthorization: Bearer ${alice}",
    "GET /items/4\nauthorization: Bearer ${alice}",
    "POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/json\n\n{\"item\":1,\"amount\":-2,\"note\":null,\"gift\":{\"wrap\":true,\"card\":[{\"text\":\"hidden words\"}]}}",
    "POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/json\n\n{\"amount\":2}",
    "POST /checkout\nauthorization: Bearer ${alice}\ncontent-type: application/json\n\n{\"coupon\":\"WINTER\"}",
    "POST /forms\ncontent-type: application/json\n\n{\"name\":\"a\"}",
];

fn backend(request: &Request<Bytes>) -> Response<Bytes> {
    let (status, media, body): (u16, &str, Value) = match (request.method().as_str(), request.uri().path()) {
        ("GET", "/items") => {
            (200, "application/json", json!([{"id": 1, "name": "a", "cost": 3, "seen": "2026-11-01T10:00:00Z"}]))
        }
        ("GET", "/items/1") => {
            (200, "application/json", json!({"id": 1, "name": null, "stock": {"a@b.example": 1, "c@d.example": 2}}))
        }
        ("GET", "/items/2") => (200, "application/vnd.shop+json", json!({"id": 2})),
        ("GET", "/items/3") => (203, "application/json", json!({"id": 3, "from": ["cache"]})),
        ("GET", "/items/4") => (200, "application/json", json!({"id": 4.5})),
        (_, "/orders") => (201, "application/json", serde_json::from_slice(request.body()).unwrap()),
        _ => (204, "", Value::Null),
    };
    let mut response = Response::builder().status(status);
    if !media.is_empty() {
        response = response.header("content-type", media);
    }
    response.body(if media.is_empty() { Bytes::new() } else { body.to_string().into() }).unwrap()
}

/// The answers of a gateway to the traffic, its log, and where its files were.
async fn pass(policy: &str, contract: Option<&Value>) -> (Vec<u16>, Vec<Value>, palisade_testkit::dir::TempDir) {
    let upstream = Upstream::start(|request| backend(&request)).await;
    let text = contract.map(Value::to_string);
    let site = Site::start_with(policy, &upstream.url(), text.as_deref()).await;
    let mut statuses = Vec::new();
    for request in TRAFFIC {
        statuses.push(site.ask(request).await.status.as_u16());
    }
    let (log, dir) = site.finish_in_place().await;
    (statuses, log.0, dir)
}

#[tokio::test]
async fn what_is_reported_makes_a_contract_that_can_be_enforced() {
    let (statuses, log, dir) = pass(&with_route(REPORT), None).await;
    assert!(statuses.iter().all(|status| *status < 300), "in report mode everything passes: {statuses:?}");
    let shown = serde_json::to_string(&log).unwrap();
    for value in ["hidden words", "WINTER", "a@b.example"] {
        assert!(
            !shown.contains(&format!("\"{value}")) && !shown.contains(&format!("{value}\\\"")),
            "a value is kept: {value}"
        );
    }
    let events = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let found = drift(&dir.path().join("palisade.toml"), Cursor::new(events)).unwrap();
    let left: Vec<String> = found
        .rows
        .iter()
        .filter_map(|row| row.left.map(|why| format!("{} {}: {why}", row.entry.what.at, row.entry.what.rule)))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!((found.unreadable, found.lost), (0, 0));
    let row =
        |at: &str| found.rows.iter().find(|row| row.entry.what.at == at).unwrap_or_else(|| panic!("{at} is not there"));
    assert_eq!(row("/query/page").entry.count, 2);
    assert!(row("/body/gift").entry.who.contains("user:alice"));
    let overlay = found.overlays.get("openapi.yaml").unwrap();
    assert_eq!((&overlay["overlay"], &overlay["extends"]), (&json!("1.0.0"), &json!("openapi.yaml")));

    let document = read_tolerantly(include_str!("../../fixtures/shop/openapi.yaml")).unwrap();
    let contract = apply(&document, overlay).unwrap();
    let (enforced, log, _) = pass(POLICY, Some(&contract)).await;
    let refused: Vec<&Value> = log.iter().filter(|event| event["kind"] != "access").collect();
    assert_eq!(enforced, statuses, "{refused:#?}");
    assert!(refused.is_empty(), "the same traffic departs from nothing: {refused:#?}");
}

#[tokio::test]
async fn a_state_is_that_of_one_operation() {
    let upstream = Upstream::start(|request| backend(&request)).await;
    let policy = with_route(
        "requests = \"report\"\n[route.shop.operation.listItems]\nrequests = \"enforce\"\n[route.shop.operation.getItem]\nresponses = \"off\"\n",
    );
    let site = Site::start(&policy, &upstream.url()).await;
    let mut answers = Vec::new();
    for request in [
        "GET /items?page=1",
        "POST /checkout?page=1\nauthorization: Bearer ${alice}",
        "GET /items/1\nauthorization: Bearer ${alice}",
    ] {
        let answer = site.ask(request).await;
        answers.push((answer.status.as_u16(), answer.header("x-request-id").to_owned()));
    }
    let log = site.finish().await;
    let told: Vec<(u16, Vec<&str>)> = answers
        .iter()
        .map(|(status, id)| (*status, log.of(id).0.iter().map(|event| event["kind"].as_str().unwrap()).collect()))
        .collect();
    assert_eq!(told, [(400, vec!["input_refused"]), (204, vec!["would_deny"]), (200, vec![])]);
}

#[test]
fn settings_for_an_operation_that_is_not_there_are_refused() {
    let dir = palisade_testkit::dir::TempDir::new();
    dir.write("openapi.yaml", include_str!("../../fixtures/shop/openapi.yaml"));
    let policy = "version = 1\n[listen.main]\naddress = \"127.0.0.1:0\"\n[upstream.shop]\nurl = \"http://127.0.0.1:9\"\n\
                  [contract.shop]\nopenapi = \"openapi.yaml\"\n[route.shop]\npath = \"/**\"\nupstream = \"shop\"\n\
                  contract = \"shop\"\nauthenticate = \"backend\"\n[route.shop.operation.getItems]\nrequests = \"report\"\n";
    let checked = palisade_gateway::check::check(&dir.write("palisade.toml", policy));
    let told: Vec<String> = checked.diagnostics.iter().map(ToString::to_string).collect();
    expect![[r#"
        warning[danger]: the requests of `getItems` are not held to the contract
           --> palisade.toml:14:12
           |
        14 | requests = "report"
           |            ^^^^^^^^
          help: write `enforce` when the events show that nothing honest would be refused

        error[operation-unknown]: the contract has no operation `getItems`
           --> palisade.toml:13:1
           |
        13 | [route.shop.operation.getItems]
           | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: did you mean `getItem`?"#]]
    .assert_eq(&told.join("\n\n").replace(&format!("{}/", dir.path().display()), ""));
}
