//! Everything that is broken is proved, and nothing else.

use std::collections::BTreeSet;

use orchard::{Weakness, Weaknesses};
use palisade_review::{Confidence, Mode, Report, Row, Verdict, legitimate};

use crate::scene::Scene;

fn proved(report: &Report) -> BTreeSet<&'static str> {
    report.rows.iter().filter(|result| result.verdict == Verdict::Proved).map(|result| result.probe).collect()
}

#[tokio::test]
async fn everything_is_proved_in_a_shop_that_is_broken_everywhere() {
    let report = Scene::open(Weaknesses::all()).await.review().await;
    for result in &report.rows {
        assert_eq!(result.verdict, Verdict::Proved, "{}", result.probe);
    }
    for row in Row::ALL {
        assert!(report.proves(row), "{row}");
    }
    assert!(report.operations.iter().all(|reach| reach.reached_2xx), "{:?}", report.operations);
    assert!(report.requests < 400, "{}", report.requests);
}

#[tokio::test]
async fn nothing_is_proved_in_a_sound_shop() {
    let report = Scene::open(Weaknesses::none()).await.review().await;
    for result in &report.rows {
        assert!(matches!(result.verdict, Verdict::NotProved { .. }), "{}: {:?}", result.probe, result.verdict);
        assert!(result.findings.is_empty(), "{:?}", result.findings);
    }
    assert!(report.operations.iter().all(|reach| reach.reached_2xx), "{:?}", report.operations);
    assert!(report.requests < 400, "{}", report.requests);
}

#[tokio::test]
async fn every_operation_can_be_used_legitimately() {
    for weaknesses in [Weaknesses::none(), Weaknesses::all()] {
        let scene = Scene::open(weaknesses).await;
        let reached = legitimate(&scene.plan, scene.target()).await.unwrap();
        assert_eq!(reached.len(), 19);
        assert_eq!(reached.last().map(|reach| reach.id.as_str()), Some("cancelOrder"), "what deletes comes last");
        for reach in reached {
            assert!(reach.reached_2xx, "{reach:?}");
        }
    }
}

#[tokio::test]
async fn each_weakness_is_proved_by_its_own_probe_and_no_other() {
    let table: [(Weakness, &[&str]); 13] = [
        (Weakness::BrokenAuthentication, &["authentication"]),
        (Weakness::BrokenFunctionLevelAuthorization, &["function-authorization"]),
        (Weakness::BrokenObjectLevelAuthorization, &["object-authorization"]),
        (Weakness::BrokenObjectPropertyLevelAuthorization, &["property-authorization"]),
        (Weakness::ImproperInventory, &["inventory"]),
        (Weakness::SecurityMisconfiguration, &["misconfiguration"]),
        (Weakness::ServerSideRequestForgery, &["server-side-request-forgery"]),
        (Weakness::SqlInjection, &["sql-injection"]),
        // The shop's content security policy keeps the stored script from running: suspected, not proved.
        (Weakness::StoredXss, &[]),
        (Weakness::UnrestrictedBusinessFlow, &["business-flow"]),
        (Weakness::UnrestrictedResourceConsumption, &["page-size", "password-guessing"]),
        (Weakness::UnsafeConsumption, &["unsafe-consumption"]),
        (Weakness::VerboseErrors, &["verbose-errors"]),
    ];
    assert_eq!(table.map(|(weakness, _)| weakness), Weakness::ALL);
    for (weakness, expect) in table {
        let report = Scene::open(Weaknesses::none().with(weakness)).await.review().await;
        assert_eq!(proved(&report), expect.iter().copied().collect(), "{weakness}");
        // Suspicions are held to the same precision.
        let beside: Vec<_> = report.findings().filter(|finding| finding.confidence != Confidence::Proved).collect();
        let rules: Vec<_> = beside.iter().map(|finding| (finding.rule, finding.operation.as_str())).collect();
        let expect = if weakness == Weakness::StoredXss { vec![("markup-stored", "writeReview")] } else { vec![] };
        assert_eq!(rules, expect, "{weakness}");
    }
}

#[tokio::test]
async fn a_stored_script_is_proved_where_no_policy_stops_it() {
    let weaknesses = Weaknesses::none().with(Weakness::StoredXss).with(Weakness::SecurityMisconfiguration);
    let report = Scene::open(weaknesses).await.review().await;
    assert_eq!(proved(&report), BTreeSet::from(["misconfiguration", "stored-script"]));
}

#[tokio::test]
async fn a_safe_run_only_reads() {
    let mut scene = Scene::open(Weaknesses::all()).await;
    scene.plan = scene.plan.with_mode(Mode::Safe);
    let report = scene.review().await;
    let transcripts = report.findings().flat_map(|finding| &finding.transcript);
    for exchange in transcripts.chain(report.rows.iter().flat_map(|result| &result.withstood)) {
        assert!(["GET", "OPTIONS"].contains(&exchange.request.method.as_str()), "{:?}", exchange.request);
    }
    assert!(report.proves(Row::ObjectAuthorization) && report.proves(Row::FunctionAuthorization));
    let skipped = report.rows.iter().find(|result| result.probe == "stored-script").unwrap();
    assert!(matches!(skipped.verdict, Verdict::Skipped { .. }), "{:?}", skipped.verdict);
}

#[tokio::test]
async fn what_was_changed_is_put_back() {
    let scene = Scene::open(Weaknesses::all()).await;
    let target = scene.target();
    palisade_review::run(&scene.plan, target.clone(), &()).await.unwrap();
    // The second run needs what the first one touched: roles, names, passwords, ids.
    let again = palisade_review::run(&scene.plan, target, &()).await.unwrap();
    for result in &again.rows {
        assert_eq!(result.verdict, Verdict::Proved, "{}", result.probe);
    }
}
