//! A service whose flaws are outside the path: each is found alone, all are found together, and a sound one has none.

use std::collections::BTreeSet;

use palisade_review::{Confidence, Identity, Login, Report};
use serde_json::json;

use crate::strangers::{Stranger, contract, proved};

async fn review(build: &str) -> Report {
    let login = |name: &str, password: &str| {
        Identity::new(name, Login::json("/session", json!({ "user": name, "password": password }), "/token"))
    };
    let identities = vec![login("olga", "olga-door-3"), login("piet", "piet-door-4")];
    let contract = contract("depot.yaml", include_str!("../targets/depot.yaml"));
    Stranger::start("python3", "depot.py", build).review(&contract, identities).await
}

/// Each flaw, and what shows it: rule, operation, insertion.
const FLAWS: [(&str, &str, &str, &str); 10] = [
    ("balance", "object-read", "GET /balance", "query/customerId"),
    ("cookie", "sql-injected", "GET /transit", "cookie/region"),
    ("delay", "sql-delayed", "GET /rates", "header/X-Campaign"),
    ("delete", "object-written", "DELETE /parcel", "query/parcelId"),
    ("directory", "ldap-injected", "GET /directory", "query/uid"),
    ("header", "object-read", "GET /parcel-slip", "header/X-Parcel-Id"),
    ("lookup", "object-read", "POST /parcels/lookup", "body/parcelId"),
    ("query", "object-read", "GET /parcel", "query/parcelId"),
    ("relabel", "object-written", "POST /parcels/relabel", "body/parcelId"),
    ("split", "header-injected", "GET /label", "query/filename"),
];

#[tokio::test]
async fn nothing_is_proved_in_a_sound_depot() {
    let report = review("fixed").await;
    assert_eq!(proved(&report), BTreeSet::new(), "{:#?}", report.findings().collect::<Vec<_>>());
    // What names a thing in the query, a header or the body is used with ids that were seen.
    let missed = report.operations.iter().filter(|one| !one.reached_2xx).map(|one| &one.id).collect::<Vec<_>>();
    assert_eq!(missed, ["POST /session"]);
}

#[tokio::test]
async fn every_flaw_is_proved_in_a_broken_depot() {
    let report = review("broken").await;
    let found: Vec<_> = report
        .findings()
        .filter(|one| one.confidence == Confidence::Proved)
        .map(|one| (one.rule, one.operation.as_str(), one.insertion.as_str()))
        .collect();
    eprintln!("{} requests", report.requests);
    for (flaw, rule, operation, insertion) in FLAWS {
        assert!(found.contains(&(rule, operation, insertion)), "{flaw}: {found:#?}");
    }
}

/// Delays are measured, which takes its time.
async fn check_alone(is_chosen: fn(&str) -> bool) {
    for (flaw, rule, operation, _) in FLAWS.into_iter().filter(|(flaw, ..)| is_chosen(flaw)) {
        assert_eq!(proved(&review(flaw).await), BTreeSet::from([(rule, operation)]), "{flaw}");
    }
}

#[tokio::test]
async fn each_flaw_is_proved_alone() {
    check_alone(|flaw| flaw != "delay").await;
}

#[tokio::test]
async fn a_delay_is_proved_alone() {
    check_alone(|flaw| flaw == "delay").await;
}
