//! The rules in force, as JSON: every route with what each stage does to its requests. Secrets are not in it.

use palisade_core::operation::Limit;
use palisade_core::stage::StageId;
use serde_json::{Map, Value, json};

use crate::check;
use crate::config::settings::{Authenticate, CorsOrigins, Route, Settings, Strictness};
use crate::reload::Policy;

/// The whole policy.
pub(super) fn show(policy: &Policy) -> Value {
    let settings = &policy.loaded.settings;
    let stage = |id: &StageId| json!({"stage": id.as_str(), "kind": id.kind().as_str(), "does": id.does()});
    let warnings: Vec<&str> = policy.diagnostics.iter().map(|diagnostic| diagnostic.message()).collect();
    let routes = settings.routes.iter().zip(&policy.contracts).map(|(route, contract)| {
        let operations: Vec<Value> = contract
            .operations()
            .iter()
            .map(|declared| {
                let operation = &declared.operation;
                let rules = check::rules(operation);
                json!({
                    "operation": operation.id.as_str(),
                    "method": declared.method.as_str(),
                    "template": &*declared.template,
                    "rules": rules,
                })
            })
            .collect();
        json!({
            "route": route.name.as_str(),
            "contract": {"name": &*route.contract, "title": contract.title(), "version": contract.version()},
            "stages": stages(route, settings),
            "operations": operations,
            "everything_else": "refused",
        })
    });
    json!({
        "policy": policy.version.as_str(),
        "since": policy.since.to_string(),
        "file": policy.loaded.file.as_ref().map(|file| file.display().to_string()),
        "files": policy.loaded.files.iter().map(|file| file.path().display().to_string()).collect::<Vec<_>>(),
        "chain": policy.stages.iter().chain([&StageId::Forward]).map(stage).collect::<Vec<_>>(),
        "dangers": policy.dangers,
        "warnings": warnings,
        "routes": routes.collect::<Vec<_>>(),
    })
}

/// What the stages that have settings by route do there.
fn stages(route: &Route, settings: &Settings) -> Value {
    let networks = |networks: &palisade::network::Networks| {
        let texts = |list: &[ipnet::IpNet]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        json!({"allow": texts(&networks.allow), "deny": texts(&networks.deny)})
    };
    let mut stages = Map::new();
    let mut add = |id: StageId, does: Value| drop(stages.insert(id.as_str().to_owned(), does));
    add(StageId::Route, json!({"host": route.host, "path": format!("{:?}", route.path)}));
    add(StageId::Network, networks(&route.client));
    add(StageId::Admit, json!({"places": format!("{:?}", route.places), "in_all": settings.limits.max_concurrent}));
    add(
        StageId::Deadline,
        json!({
            "total_ms": millis(route.timeout),
            "body_pause_ms": millis(route.body_timeout),
            "body_floor_bytes_per_second": route.body_min_rate,
            "body_may_be_endless": route.endless_body,
        }),
    );
    add(
        StageId::Size,
        json!({
            "max_body": route.max_body,
            "max_uri": settings.limits.max_uri,
            "max_headers": settings.limits.max_headers,
        }),
    );
    add(StageId::Throttle, settings.limits.throttle.iter().chain(&route.throttle).map(limit).collect());
    add(
        StageId::Cors,
        match &route.cors {
            None => "no other origin reads answers".into(),
            Some(cors) => json!({
                "origins": match &cors.origins {
                    CorsOrigins::Any => vec!["*".to_owned()],
                    CorsOrigins::These(origins) => origins.clone(),
                },
                "credentials": cors.credentials,
            }),
        },
    );
    add(
        StageId::Csrf,
        json!({
            "trusted_origins": route.csrf.trusted_origins,
            "tokens": route.csrf.tokens.is_some(),
            "danger_trust_siblings": route.csrf.danger_trust_siblings,
            "danger_embedding": route.csrf.danger_embedding,
        }),
    );
    add(
        StageId::Authenticate,
        match &route.authenticate {
            Authenticate::Backend => "the backend verifies credentials".into(),
            Authenticate::Gateway(list) => list.iter().map(check::name).collect(),
        },
    );
    add(StageId::Contract, strictness(route, |rules| format!("{:?}", rules.requests)));
    add(StageId::Inspect, json!({"danger_allow_markup": route.danger_allow_markup}));
    add(
        StageId::Reveal,
        strictness(route, |rules| {
            format!("{:?}, undeclared properties: {:?}, leaks: {:?}", rules.responses, rules.undeclared, rules.leaks)
        }),
    );
    add(
        StageId::Present,
        json!({
            "credentials": format!("{:?}", route.credentials),
            "signed_identity": settings.present.signer.is_some(),
            "plain_headers": settings.present.plain_headers,
        }),
    );
    if let Some(upstream) = settings.upstream(&route.upstream) {
        let guard = &upstream.guard;
        let circuit = json!({"failures": guard.failures, "pause_ms": millis(guard.pause), "probes": guard.probes});
        add(StageId::Guard, circuit);
        let endpoints = upstream.backend.endpoints.iter();
        let urls: Vec<String> = endpoints.map(|one| format!("{}://{}", one.scheme, one.authority)).collect();
        add(StageId::Forward, json!({"upstream": &*upstream.name, "urls": urls}));
    }
    Value::Object(stages)
}

/// How strictly the operations of a route are held to the contract, and which differ.
fn strictness(route: &Route, say: impl Fn(&Strictness) -> String) -> Value {
    let differing: Map<String, Value> =
        route.operations.iter().map(|(id, rules)| (id.as_str().to_owned(), say(rules).into())).collect();
    json!({"all": say(&route.strictness), "but": differing})
}

fn limit(limit: &Limit) -> Value {
    json!({"requests": limit.requests, "per_ms": millis(limit.per), "by": format!("{:?}", limit.by)})
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
