//! Every format says what was found, and holds hostile text without becoming part of it.

use orchard::Weaknesses;
use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;
use palisade_review::{About, Format, Mode, Report};
use serde_json::Value;

use crate::scene::Scene;

pub(crate) fn about() -> About {
    About {
        target: "http://127.0.0.1:9000".to_owned(),
        contract: Source::new("demo/orchard/openapi.yaml", orchard::CONTRACT),
        mode: Mode::Full,
        seed: Some(7),
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
