//! A report can be repeated by anybody, and gives nothing away.

use std::collections::BTreeSet;
use std::sync::Mutex;

use expect_test::expect;
use orchard::{USERS, Weaknesses};
use palisade_review::{Confidence, Label, Progress, ProgressEvent, run};

use crate::scene::{Scene, plan};

#[tokio::test]
async fn every_proof_has_its_attack_and_what_it_is_compared_with() {
    let report = Scene::open(Weaknesses::all()).await.review().await;
    // These are seen in a single answer; all others need something to compare with.
    let passive = [
        "guessing-unbounded",
        "headers-missing",
        "property-exposed",
        "request-forged",
        "verbose-error",
        "version-disclosed",
    ];
    let mut fingerprints = BTreeSet::new();
    for finding in report.findings() {
        let has = |label: Label| finding.transcript.iter().any(|exchange| exchange.label == label);
        assert!(has(Label::Attack), "{}", finding.rule);
        assert!(has(Label::Control) || has(Label::Verify) || passive.contains(&finding.rule), "{}", finding.rule);
        assert!(finding.curl.starts_with("curl -i --path-as-is -X "), "{}", finding.curl);
        assert!(fingerprints.insert(&finding.fingerprint), "{} is reported twice", finding.summary);
        let expect = if finding.rule == "headers-missing" { Confidence::Suspect } else { Confidence::Proved };
        assert_eq!(finding.confidence, expect, "{}", finding.summary);
        assert!(!finding.remedy.policy.is_empty() && !finding.remedy.rust.is_empty());
    }
}

#[tokio::test]
async fn reports_hold_no_credentials() {
    for weaknesses in [Weaknesses::all(), Weaknesses::none()] {
        let text = Scene::open(weaknesses).await.review().await.to_json().to_string();
        for user in USERS {
            assert!(!text.contains(user.password), "the password of {}", user.username);
        }
        // Every token begins with the encoding of `{"`.
        assert!(!text.contains("eyJ"), "{}", text.split("eyJ").next().unwrap_or_default().len());
        // One that appears is cut: enough to see that it is one, too little to crack.
        assert!(text.matches("pbkdf2").count() == text.matches("pbkdf2***").count());
        assert!(text.contains("Bearer $ALICE_TOKEN"));
    }
}

#[tokio::test]
async fn fingerprints_are_the_same_in_every_run() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let report = Scene::open(Weaknesses::all()).await.review().await;
        runs.push(report.findings().map(|finding| finding.fingerprint.clone()).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn progress_names_every_probe_before_and_after() {
    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl Progress for Log {
        fn event(&self, event: ProgressEvent<'_>) {
            let line = match event {
                ProgressEvent::PreflightDone { identities, operations } => format!("{identities} {operations}"),
                ProgressEvent::ProbeStarted { probe, .. } => format!("+{probe}"),
                ProgressEvent::ProbeFinished { probe, verdict, .. } => format!("-{probe} {}", verdict.slug()),
                _ => "?".to_owned(),
            };
            self.0.lock().unwrap().push(line);
        }
    }
    let scene = Scene::open(Weaknesses::all()).await;
    let log = Log::default();
    let report = run(&scene.plan, scene.target(), &log).await.unwrap();
    let lines = log.0.into_inner().unwrap();
    assert_eq!(lines[0], "3 19");
    assert_eq!(lines.len(), 1 + 2 * report.rows.len());
    assert_eq!(lines.last().map(String::as_str), Some("-exponential-pattern not-proved"));
}

#[tokio::test]
async fn a_dry_run_promises_no_less_than_a_run_needs() {
    let estimate = plan().estimate();
    let lines: Vec<String> =
        estimate.probes.iter().map(|probe| format!("{} {} {}", probe.row, probe.probe, probe.requests)).collect();
    expect![[r#"
        API5:2023 function-authorization 32
        API2:2023 authentication 53
        API2:2023 token-forgery 55
        API4:2023 page-size 2
        API8:2023 misconfiguration 10
        API8:2023 session-cookie 4
        API8:2023 transport 6
        API9:2023 inventory 180
        API9:2023 contract-defects 0
        API1:2023 object-authorization 56
        API1:2023 named-object-authorization 7
        API3:2023 property-authorization 39
        API6:2023 business-flow 23
        API7:2023 server-side-request-forgery 5
        API10:2023 unsafe-consumption 3
        API8:2023 redirect 19
        A03:2021 sql-injection 468
        A03:2021 nosql-injection 114
        A03:2021 ldap-injection 12
        A03:2021 command-injection 114
        A03:2021 template-injection 95
        A03:2021 path-traversal 38
        A03:2021 external-entities 10
        A03:2021 stored-script 30
        API8:2023 verbose-errors 38
        API3:2023 registration 0
        API1:2023 account-takeover 0
        API1:2023 named-account 0
        API5:2023 role-assignment 0
        API2:2023 session-lifecycle 0
        API2:2023 account-enumeration 12
        API4:2023 code-guessing 0
        API4:2023 password-guessing 19
        API4:2023 exponential-pattern 57
        1529 in all"#]]
    .assert_eq(&format!("{}\n{} in all", lines.join("\n"), estimate.requests));
    for weaknesses in [Weaknesses::all(), Weaknesses::none()] {
        let report = Scene::open(weaknesses).await.review().await;
        assert!(report.requests <= estimate.requests, "{} > {}", report.requests, estimate.requests);
    }
}
