//! Reading everything that a review needs before anything is sent to the API: its contract, who to be, and its policy.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::time::Timestamp;
use palisade_gateway::check::operations;
use palisade_gateway::explain::now;
use palisade_review::{Baseline, Identity, NameServer, Plan, PolicyRule, Stop, Target, Trust, fetch, read_identities};

use super::Attack;
use super::connection::Connection;

/// What a run is made of.
pub(super) struct Prepared {
    pub(super) contract: Source,
    pub(super) plan: Plan,
    pub(super) target: Target,
    /// The same through a gateway, when there is one to compare with.
    pub(super) through: Option<Target>,
    pub(super) baseline: Baseline,
    pub(super) started: Timestamp,
}

/// Reads it all, and tells every problem at once.
pub(super) async fn prepare(
    arguments: &Attack,
    connection: &Connection,
    stop: &Stop,
) -> Result<Prepared, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let trust = trust(connection.ca.as_deref()).unwrap_or_else(|problem| {
        problems.push(problem);
        Trust::default()
    });
    let through = arguments.through.as_ref();
    let through = through.and_then(|url| keep(target_at(url, arguments, &trust, stop), &mut problems));
    let target = keep(target_at(&arguments.base_url, arguments, &trust, stop), &mut problems);
    // The gateway must be what it says it is.
    let target = target.map(|target| connection.apply(target));
    let baseline = baseline(arguments.baseline.as_deref()).unwrap_or_else(|found| {
        problems.extend(found);
        Baseline::default()
    });
    let contract = keep(contract(&arguments.contract, &trust, arguments.dry_run).await, &mut problems);
    let identities = identities(&arguments.identities).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    });
    let rules = match &arguments.policy {
        None => Vec::new(),
        Some(policy) => operations(policy).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        }),
    };
    let (Some(target), Some(contract), true) = (target, contract, problems.is_empty()) else { return Err(problems) };
    let plan = Plan::new(&contract, identities).map_err(|error| vec![error.diagnostic(&contract)])?;
    let rules: Vec<PolicyRule> = rules
        .into_iter()
        .map(|(method, template, operation)| PolicyRule { method, template, access: operation.access.clone() })
        .collect();
    let mut plan = plan.with_mode(arguments.mode.into()).with_policy(&rules);
    if let Some(seed) = arguments.seed {
        plan = plan.with_seed(seed);
    }
    if let (Some(listen), Some(zone), false) = (arguments.name_server, &arguments.name_zone, arguments.dry_run) {
        let unusable = |error| Diagnostic::error("review-names", format!("`{listen}` cannot be listened on: {error}"));
        plan = plan.with_name_server(NameServer::open(listen, zone).await.map_err(|error| vec![unusable(error)])?);
    }
    Ok(Prepared { contract, plan, target, through, baseline, started: now() })
}

fn keep<T>(result: Result<T, Diagnostic>, problems: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

pub(super) fn trust(file: Option<&Path>) -> Result<Trust, Diagnostic> {
    let Some(file) = file else { return Ok(Trust::default()) };
    let name = file.display().to_string();
    let unusable = |message: String| Diagnostic::error("review-ca", message).in_file(&name);
    let pem = std::fs::read(file).map_err(|error| unusable(format!("the file cannot be read: {error}")))?;
    Trust::default().with_pem(&pem).map_err(|error| unusable(error.to_string()).help("give certificates in PEM"))
}

fn target_at(url: &str, arguments: &Attack, trust: &Trust, stop: &Stop) -> Result<Target, Diagnostic> {
    let mut target = target(url, trust)?;
    target.scope.budget = arguments.budget;
    target.scope.rate = arguments.rate;
    target.scope.deadline = Duration::from_secs(arguments.timeout);
    target.scope.duration = arguments.time_limit.map(Duration::from_secs);
    target.scope.stop = stop.clone();
    Ok(target)
}

/// What is at a base URL.
pub(super) fn target(text: &str, trust: &Trust) -> Result<Target, Diagnostic> {
    let unusable = |message: String| {
        Diagnostic::error("review-base-url", format!("`{text}` cannot be attacked: {message}"))
            .help("give scheme, host, port and prefix, such as `--base-url http://127.0.0.1:9000/api`")
    };
    let base: Uri = text.parse().map_err(|error: http::uri::InvalidUri| unusable(error.to_string()))?;
    let mut target = Target::new(base).map_err(|error| unusable(error.to_string()))?;
    target.trust = trust.clone();
    Ok(target)
}

fn baseline(file: Option<&Path>) -> Result<Baseline, Vec<Diagnostic>> {
    let Some(file) = file else { return Ok(Baseline::default()) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let problem = Diagnostic::error("baseline-unreadable", error.to_string()).in_file(&name);
        vec![problem.help("make one with `--write-baseline`")]
    })?;
    Baseline::read(&Source::new(name.as_str(), text))
}

/// The contract; its fetching is the one request that may go to another host than the target's.
async fn contract(from: &str, trust: &Trust, dry_run: bool) -> Result<Source, Diagnostic> {
    let unreadable = |message: String| Diagnostic::error("contract-unreadable", message).in_file(from);
    if !from.starts_with("http://") && !from.starts_with("https://") {
        let text = std::fs::read_to_string(from).map_err(|error| unreadable(error.to_string()))?;
        return Ok(Source::new(from, text));
    }
    if dry_run {
        let help = "download it first: `curl -o openapi.json URL`";
        return Err(
            unreadable("a dry run sends nothing, so that it needs the contract as a file".to_owned()).help(help)
        );
    }
    let url: Uri = from.parse().map_err(|error: http::uri::InvalidUri| unreadable(error.to_string()))?;
    let text = fetch(&url, trust).await.map_err(|error| unreadable(format!("it cannot be fetched: {error}")))?;
    Ok(Source::new(from, text))
}

pub(super) fn identities(file: &Path) -> Result<Vec<Identity>, Vec<Diagnostic>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let problem = Diagnostic::error("identities-unreadable", error.to_string()).in_file(&name);
        vec![problem.help("write who to be, and how each one signs in; see docs/guides/review.md")]
    })?;
    read_identities(&Source::new(name.as_str(), text), &|name| std::env::var(name).ok())
}
