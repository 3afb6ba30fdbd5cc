//! One finding is sent again and judged by the same conditions.

use orchard::Weaknesses;
use palisade_review::{Format, Recorded, Replayed, Report, replay};
use serde_json::Value;

use crate::formats::about;
use crate::scene::{Scene, identities};

/// The report of a broken shop, with the target that it was made of.
async fn reported() -> (Report, String) {
    let scene = Scene::open(Weaknesses::all()).await;
    let mut about = about();
    about.target = scene.target().base.to_string();
    let report = scene.review().await;
    let text = report.render(Format::Json, &about);
    (report, text)
}

/// How each finding fares in a shop: its rule, and what the replay came to.
async fn fates(report: &Report, text: &str, weaknesses: Weaknesses) -> Vec<(&'static str, Replayed)> {
    let mut fates = Vec::new();
    for finding in report.findings() {
        // A new shop for each, because some findings use up what others need.
        let scene = Scene::open(weaknesses).await;
        let recorded = Recorded::read(text, &finding.fingerprint).unwrap();
        assert_eq!(recorded.rule, finding.rule);
        fates.push((finding.rule, replay(&recorded, &scene.target(), &identities()).await.unwrap()));
        scene.orchard.stop().await;
    }
    fates
}

#[tokio::test]
async fn a_finding_is_still_there_until_the_service_is_repaired() {
    let (report, text) = reported().await;
    let broken = fates(&report, &text, Weaknesses::all()).await;
    // What a third party has to confirm, and what signs with a key that is not in the report.
    let unsayable = ["partner-trusted", "token-keyed", "token-subject"];
    for (rule, fate) in &broken {
        match unsayable.contains(rule) {
            true => assert!(matches!(fate, Replayed::CannotSay { .. }), "{rule}: {fate:?}"),
            false => assert_eq!(*fate, Replayed::StillPresent, "{rule}"),
        }
    }
    // The sound shop answers the control with another error than the broken one, which has no rule for it.
    let changed = ["amount-unchecked"];
    for (rule, fate) in fates(&report, &text, Weaknesses::none()).await {
        match unsayable.contains(&rule) || changed.contains(&rule) {
            true => assert!(matches!(fate, Replayed::CannotSay { .. }), "{rule}: {fate:?}"),
            false => assert!(matches!(fate, Replayed::Gone { .. }), "{rule}: {fate:?}"),
        }
    }
}

#[tokio::test]
async fn nobody_can_say_without_the_identity_or_the_secret() {
    let (report, text) = reported().await;
    let scene = Scene::open(Weaknesses::all()).await;
    let check =
        |rule: &'static str| report.findings().find(|finding| finding.rule == rule).unwrap().fingerprint.clone();
    let read = Recorded::read(&text, &check("object-read")).unwrap();
    let fate = replay(&read, &scene.target(), &identities()[..1]).await.unwrap();
    let Replayed::CannotSay { reason } = fate else { panic!("{fate:?}") };
    assert!(reason.contains("no identity is given for `$"), "{reason}");
    let keyed = Recorded::read(&text, &check("token-keyed")).unwrap();
    let fate = replay(&keyed, &scene.target(), &identities()).await.unwrap();
    let Replayed::CannotSay { reason } = fate else { panic!("{fate:?}") };
    assert!(reason.contains("cannot be made again"), "{reason}");
    scene.orchard.stop().await;
}

#[tokio::test]
async fn a_report_without_checks_proves_nothing() {
    let (report, text) = reported().await;
    let mut value: Value = serde_json::from_str(&text).unwrap();
    for row in value["rows"].as_array_mut().unwrap() {
        for finding in row["findings"].as_array_mut().unwrap() {
            finding["proof"] = Value::Array(Vec::new());
        }
    }
    let finding = report.findings().find(|finding| finding.rule == "object-read").unwrap();
    let recorded = Recorded::read(&value.to_string(), &finding.fingerprint).unwrap();
    let scene = Scene::open(Weaknesses::none()).await;
    let fate = replay(&recorded, &scene.target(), &identities()).await.unwrap();
    assert!(matches!(fate, Replayed::CannotSay { .. }), "{fate:?}");
    scene.orchard.stop().await;
}
