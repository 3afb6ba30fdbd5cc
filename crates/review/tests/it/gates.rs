//! What a release is stopped by, and what the gateway is worth.

use orchard::{Group, Weakness, Weaknesses};
use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;
use palisade_review::{Baseline, Comparison, Format, Outcome, Row, Standing};
use serde_json::Value;

use crate::formats::about;
use crate::scene::{Scene, plan};
use crate::tools;

const TODAY: Timestamp = Timestamp::from_secs(1_795_305_600);
const NEXT_YEAR: Timestamp = Timestamp::from_secs(1_795_305_600 + 366 * 86_400);

#[tokio::test]
async fn only_what_nobody_has_accepted_stops_a_release() {
    let weaknesses = Weaknesses::none().with_group(Group::BrokenObjectLevelAuthorization);
    let report = Scene::open(weaknesses).await.review().await;
    assert!(report.gate(&Baseline::default(), TODAY).stops());

    let written = report.to_baseline(TODAY);
    let problems = Baseline::read(&Source::new("baseline.toml", written.as_str())).unwrap_err();
    assert!(problems.iter().all(|problem| problem.message() == "an acceptance needs a `reason`"), "{problems:?}");
    let reasoned = written.replace("reason = \"\"", "reason = \"the shop is a demonstration\"");
    let baseline = Baseline::read(&Source::new("baseline.toml", reasoned.as_str())).unwrap();
    let gate = report.gate(&baseline, TODAY);
    assert!(!gate.stops() && gate.expired.is_empty() && gate.unmatched.is_empty(), "{gate:?}");
    assert_eq!(gate.accepted.len(), report.findings().count());

    let later = report.gate(&baseline, NEXT_YEAR);
    assert!(later.stops());
    assert_eq!(later.expired.len(), baseline.accepted.len());

    let sound = Scene::open(Weaknesses::none()).await.review().await;
    let gate = sound.gate(&baseline, TODAY);
    assert!(!gate.stops());
    assert_eq!(gate.unmatched.len(), baseline.accepted.len(), "nothing of the file is found any more");
    // A suspicion is told, and stops nothing.
    let suspected = Scene::open(Weaknesses::none().with(Weakness::ReviewScript)).await.review().await;
    let nothing = Baseline::default();
    let gate = suspected.gate(&nothing, TODAY);
    assert!(!gate.new.is_empty() && !gate.stops(), "{:?}", gate.new);
}

#[tokio::test]
async fn a_comparison_shows_rules_without_attacks_and_attacks_without_rules() {
    let bare = Scene::open(Weaknesses::all()).await.review().await;
    let sound = Scene::open(Weaknesses::none()).await.review().await;
    let comparison = Comparison::new(&bare, &sound).with_rules(&plan());
    let at = |operation: &str, row: Row| {
        comparison.lines.iter().find(|line| line.operation == operation && line.row == row).cloned().unwrap()
    };
    let owned = at("getOrder", Row::ObjectAuthorization);
    assert_eq!((owned.bare, owned.through), (Outcome::Exploited, Outcome::Withstood));
    assert!(owned.declared.contains(&"owner") && owned.attacked.contains(&"object-read"), "{owned:?}");
    // The sound shop has no gateway before it: no code answers.
    assert_eq!(owned.standing(), Standing::Cleaned);
    assert_eq!(comparison.count(Standing::Open), 0);
    assert!(comparison.count(Standing::RuleWithoutAttack) > 0, "{}", comparison.to_text());
    assert!(comparison.lines.iter().any(|line| line.is_without_rule()), "{}", comparison.to_text());
    assert!(Comparison::new(&bare, &bare).count(Standing::Open) > 10);

    let value: Value = serde_json::from_str(&bare.render_compared(Format::Json, &about(), &comparison)).unwrap();
    assert_eq!(value["comparison"].as_array().map(Vec::len), Some(comparison.lines.len()));
    assert_eq!(tools::breaches(&palisade_review::report_schema(), &value), Vec::<String>::new());
    let text = bare.render_compared(Format::Text, &about(), &comparison);
    assert!(text.contains("declared: owner; attacked: object-read"), "{text}");
}
