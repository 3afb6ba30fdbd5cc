//! A run that tested nothing does not look clean.

use orchard::Weaknesses;
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan, PlanError, RunError, SendError, run};
use serde_json::json;

use crate::scene::Scene;

fn login(password: &str) -> Login {
    Login::json("/v1/login", json!({ "username": "alice", "password": password }), "/access_token")
}

fn plan(contract: &str, login: Login) -> Result<Plan, PlanError> {
    Plan::new(&Source::new("openapi.yaml", contract), vec![Identity::new("alice", login)])
}

async fn fails_with(contract: &str, login: Login) -> RunError {
    let scene = Scene::open(Weaknesses::none()).await;
    run(&plan(contract, login).unwrap(), scene.target(), &()).await.unwrap_err()
}

#[tokio::test]
async fn an_identity_that_cannot_sign_in_ends_the_run() {
    let error = fails_with(orchard::CONTRACT, login("wrong")).await;
    let expect = "`alice` could not sign in: POST /v1/login was answered with 401";
    assert_eq!(error.to_string(), expect);
}

#[tokio::test]
async fn an_identity_that_is_served_nothing_ends_the_run() {
    let error = fails_with(orchard::CONTRACT, Login::Token("expired".to_owned())).await;
    assert!(matches!(&error, RunError::Refused { identity, status: 401, .. } if identity == "alice"), "{error}");
}

#[tokio::test]
async fn an_api_that_serves_everybody_is_a_finding() {
    let contract = "
openapi: 3.1.0
security: [{ bearer: [] }]
paths: { /v1/health: { get: { responses: { '200': { description: ok } } } } }
";
    let scene = Scene::open(Weaknesses::none()).await;
    let report = run(&plan(contract, login("apple-crate-17")).unwrap(), scene.target(), &()).await.unwrap();
    assert!(report.findings().any(|finding| finding.rule == "authentication-missing"));
}

#[tokio::test]
async fn a_small_budget_ends_the_run() {
    let scene = Scene::open(Weaknesses::none()).await;
    let mut target = scene.target();
    target.scope.budget = 5;
    let error = run(&scene.plan, target, &()).await.unwrap_err();
    assert_eq!(error, RunError::Send(SendError::Budget(5)));
}

#[tokio::test]
async fn a_budget_that_ends_under_way_skips_the_rest() {
    let scene = Scene::open(Weaknesses::none()).await;
    let mut target = scene.target();
    target.scope.budget = 60;
    let report = run(&scene.plan, target, &()).await.unwrap();
    assert_eq!(report.requests, 60);
    let skipped = report.rows.iter().filter(|result| result.verdict.slug() == "skipped").count();
    assert!(skipped > 5, "{skipped}");
}

#[test]
fn a_plan_needs_a_contract_with_operations() {
    let check = |contract: &str, expect: PlanError| assert_eq!(plan(contract, login("")).err(), Some(expect));
    check("openapi: 3.1.0\npaths: {}", PlanError::NoOperations);
    check("a: [", PlanError::Unreadable);
    let nobody = Plan::new(&Source::new("openapi.yaml", orchard::CONTRACT), Vec::new());
    assert_eq!(nobody.err(), Some(PlanError::NoIdentities));
}
