//! A run can be repeated: of one seed and one state of the target comes one report, to the last byte.

use orchard::{Database, Settings, Weaknesses};
use palisade_review::{Mode, Report, Target, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::scene::plan;

/// A run against a shop of its own.
async fn review(seed: u64) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        weaknesses: Weaknesses::all(),
        database: Database::Memory,
        partner: "http://127.0.0.1:1".to_owned(),
    };
    let shop = orchard::start(listener, settings).await.unwrap();
    let target = Target::new(format!("http://{}", shop.address()).parse().unwrap()).unwrap();
    let plan = plan().with_mode(Mode::Active).with_seed(seed);
    let report = run(&plan, target, &()).await.unwrap();
    shop.stop().await;
    report
}

/// The report without what the shop makes anew at every start: its port, its keys and the date.
fn settled(report: &Report) -> String {
    let mut report = report.to_json();
    forget(&mut report);
    format!("{report:#}")
}

fn forget(value: &mut Value) {
    match value {
        Value::Array(pair) if pair.first() == Some(&json!("date")) => pair.truncate(1),
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::Object(members) => {
            members.remove("port");
            members.values_mut().for_each(forget);
        }
        Value::String(text) => {
            let before = ["127.0.0.1:", r#""x":""#, r#""y":""#, r#""kid":""#];
            *text = before.iter().fold(std::mem::take(text), |text, before| without(&text, before));
        }
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// The text without the word that follows each of these beginnings.
fn without(text: &str, before: &str) -> String {
    let mut parts = text.split(before);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let is_word = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '-';
        text + before + part.trim_start_matches(is_word)
    })
}

#[tokio::test]
async fn the_same_seed_gives_the_same_report() {
    let report = review(7).await;
    assert_eq!(report.ending.seed, Some(7), "a report says with which seed it can be had again");
    let (one, other) = (settled(&report), settled(&review(7).await));
    let differing = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    assert_eq!(differing, None);
    assert_eq!(one.len(), other.len());
    assert!(one.contains("plsd00000007"), "markers are made of the seed");
}
