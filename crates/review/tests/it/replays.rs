//! One finding is sent again and judged by the same conditions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use orchard::Weaknesses;
use palisade_core::diagnostic::Source;
use palisade_review::{Format, Identity, Login, Mode, Plan, Recorded, Replayed, Report, Target, replay, run};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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

/// A door that answers every wrong password alike, and that may close without a word.
async fn door(closes: bool) -> (Target, JoinSet<()>) {
    type Door = Arc<Mutex<BTreeMap<String, (String, u32)>>>;
    let accounts: Door = Arc::default();
    accounts.lock().unwrap().insert("ann".to_owned(), ("ann-pass-9".to_owned(), 0));
    let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let register = async move |State(accounts): State<Door>, Json(body): Json<Value>| {
        let mut accounts = accounts.lock().unwrap();
        if accounts.contains_key(&text(&body, "username")) {
            return StatusCode::CONFLICT;
        }
        accounts.insert(text(&body, "username"), (text(&body, "password"), 0));
        StatusCode::CREATED
    };
    let sign_in = async move |State(accounts): State<Door>, Json(body): Json<Value>| {
        let mut accounts = accounts.lock().unwrap();
        let Some((password, failures)) = accounts.get_mut(&text(&body, "username")) else {
            return Err(StatusCode::UNAUTHORIZED);
        };
        if *password != text(&body, "password") || closes && *failures >= 10 {
            *failures += 1;
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(Json(json!({ "token": format!("opaque-{}", text(&body, "username")) })))
    };
    let me = async |headers: HeaderMap| match headers.get("authorization") {
        Some(value) if value.to_str().unwrap().starts_with("Bearer opaque-") => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    };
    let routes = Router::new().route("/register", post(register)).route("/login", post(sign_in)).route("/me", get(me));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes.with_state(accounts)).await.unwrap() });
    (target, tasks)
}

#[tokio::test]
async fn guessing_is_replayed_on_an_account_of_its_own_that_signs_in_afterwards() {
    let contract = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
  /login:
    post: { security: [], requestBody: { content: { application/json: { schema: &who { type: object, required: [username, password],
      properties: { username: { type: string }, password: { type: string } } } } } }, responses: { '200': { description: ok } } }
  /register:
    post: { security: [], requestBody: { content: { application/json: { schema: *who } } }, responses: { '201': { description: ok } } }
";
    let login = Login::json("/login", json!({ "username": "ann", "password": "ann-pass-9" }), "/token");
    let identities = vec![Identity::new("ann", login)];
    let (target, _tasks) = door(false).await;
    let plan = Plan::new(&Source::new("c.yaml", contract), identities.clone()).unwrap().with_mode(Mode::Active);
    let report = run(&plan, target.clone(), &()).await.unwrap();
    let finding = report.findings().find(|one| one.rule == "guessing-unbounded");
    let finding = finding.unwrap_or_else(|| panic!("{:#?}", report.rows));
    let mut about = about();
    about.target = target.base.to_string();
    let recorded = Recorded::read(&report.render(Format::Json, &about), &finding.fingerprint).unwrap();
    for round in 0..2 {
        assert_eq!(replay(&recorded, &target, &identities).await.unwrap(), Replayed::StillPresent, "round {round}");
    }
    let (closing, _others) = door(true).await;
    let fate = replay(&recorded, &closing, &identities).await.unwrap();
    let Replayed::Gone { reason } = fate else { panic!("{fate:?}") };
    assert!(reason.contains("the right one is answered with 401"), "{reason}");
    let plan = Plan::new(&Source::new("c.yaml", contract), identities).unwrap().with_mode(Mode::Active);
    let report = run(&plan, closing, &()).await.unwrap();
    assert!(!report.findings().any(|one| one.rule == "guessing-unbounded"));
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
