//! Looks at a configuration without serving: what is wrong with it, in which order its stages run, and what it lets
//! whom do.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use palisade::observe::Kept;
use palisade::preset::World;
use palisade_core::diagnostic::{Diagnostic, Severity};
use palisade_core::operation::{Audience, Limit, LimitBy, Operation};
use palisade_core::principal::Level;
use palisade_core::stage::StageId;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::memory::{MemoryCounters, MemoryOnce};

use crate::build::{Built, build};
use crate::config::settings::{Authenticate, CredentialRef};
use crate::config::{Loaded, load};

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// Errors, warnings and notes.
    pub diagnostics: Vec<Diagnostic>,
    /// The stages in the order in which they run, `forward` last; empty if the configuration cannot be used.
    pub chain: Vec<StageId>,
    /// The rules in force, for people; empty if the configuration cannot be used.
    pub explanation: String,
}

impl Checked {
    /// Whether at least one diagnostic weighs as much as this.
    pub fn has(&self, severity: Severity) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() >= severity)
    }
}

/// Checks the configuration in a file. Nothing is opened but the files that it names.
pub fn check(path: &Path) -> Checked {
    let failed = |diagnostics| Checked { diagnostics, chain: Vec::new(), explanation: String::new() };
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(diagnostics) => return failed(diagnostics),
    };
    match build(&loaded, &world()) {
        Err(problems) => failed(loaded.diagnostics.iter().cloned().chain(problems).collect()),
        Ok(built) => {
            let explanation = explain(&loaded, &built);
            let chain = built.chain.ids().into_iter().chain([StageId::Forward]).collect();
            let diagnostics = loaded.diagnostics.iter().cloned().chain(built.diagnostics).collect();
            Checked { diagnostics, chain, explanation }
        }
    }
}

/// An operation that a configuration knows: its method, its path, and the rules in force for it.
pub type Ruled = (http::Method, String, Arc<Operation>);

/// Every operation that a configuration knows.
///
/// # Errors
///
/// What is wrong with the configuration.
pub fn operations(path: &Path) -> Result<Vec<Ruled>, Vec<Diagnostic>> {
    let loaded = load(path)?;
    let built = build(&loaded, &world())?;
    let operations = built.contracts.iter().flat_map(|contract| contract.operations());
    Ok(operations.map(|one| (one.method.clone(), one.template.to_string(), Arc::clone(&one.operation))).collect())
}

fn world() -> World {
    World {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        counters: Arc::new(MemoryCounters::default()),
        events: Arc::new(Kept::default()),
        once: Some(Arc::new(MemoryOnce::default())),
    }
}

/// The rules in force, route by route and operation by operation.
fn explain(loaded: &Loaded, built: &Built) -> String {
    let mut text = String::new();
    for (route, contract) in loaded.settings.routes.iter().zip(&built.contracts) {
        let credentials = match &route.authenticate {
            Authenticate::Backend => "checked by the backend".to_owned(),
            Authenticate::Gateway(list) if list.is_empty() => "none accepted".to_owned(),
            Authenticate::Gateway(list) => list.iter().map(name).collect::<Vec<_>>().join(", "),
        };
        let bases = contract.bases().iter().map(|base| format!("`{base}/`")).collect::<Vec<_>>().join(", ");
        let throttle = loaded
            .settings
            .limits
            .throttle
            .iter()
            .chain(&route.throttle)
            .map(|limit| format!("{}: {} requests in {:?}", whose(limit.by), limit.requests, limit.per));
        let throttle = throttle.collect::<Vec<_>>().join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "route {} -> upstream {} ({} {})",
            route.name,
            route.upstream,
            contract.title(),
            contract.version()
        );
        let _ = writeln!(text, "  credentials: {credentials}; {throttle}");
        let _ = writeln!(text, "  paths are below {bases}");
        let width = contract.operations().iter().map(|op| op.method.as_str().len() + op.template.len() + 1).max();
        for declared in contract.operations() {
            let request = format!("{} {}", declared.method, declared.template);
            let rules = rules(&declared.operation);
            let _ = writeln!(text, "  {request:width$}  {rules}", width = width.unwrap_or(0));
        }
        let _ = writeln!(text, "  everything else: refused");
    }
    text
}

pub(crate) fn name(reference: &CredentialRef) -> String {
    match reference {
        CredentialRef::ApiKeys(name) => format!("api_keys.{name}"),
        CredentialRef::Bearer(name) => format!("bearer.{name}"),
        CredentialRef::Certificates(name) => format!("certificates.{name}"),
        CredentialRef::Keys(name) => format!("keys.{name}"),
        CredentialRef::Sessions(name) => format!("sessions.{name}"),
    }
}

pub(crate) fn rules(operation: &Operation) -> String {
    let access = &operation.access;
    let mut rules = vec![match access.audience {
        Audience::Authenticated => "signed in".to_owned(),
        Audience::Public => "everyone".to_owned(),
    }];
    if !access.scopes.is_empty() {
        rules.push(format!("scopes {}", access.scopes));
    }
    if !access.roles.is_empty() {
        rules.push(format!("one of the roles {}", access.roles));
    }
    rules.extend(access.claims.iter().map(|rule| format!("{} is {}", rule.claim, rule.any_of.join(" or "))));
    if access.level > Level::Aal1 {
        rules.push(format!("level {}", access.level.as_str()));
    }
    rules.extend(access.max_age.map(|age| format!("signed in within {age:?}")));
    rules.extend(access.owner.request.iter().map(|rule| format!("{{{}}} is own {}", rule.parameter, rule.claim)));
    rules.extend(access.owner.response.iter().map(|rule| format!("answer's {} is own {}", rule.pointer, rule.claim)));
    if !access.owner.exempt.is_empty() {
        rules.push(format!("owners do not matter to {}", access.owner.exempt));
    }
    let limit = |limit: &Limit| format!("at most {} in {:?} {}", limit.requests, limit.per, whose(limit.by));
    rules.extend(operation.limits.iter().map(limit));
    rules.join("; ")
}

fn whose(by: LimitBy) -> &'static str {
    match by {
        LimitBy::All => "in all",
        LimitBy::Client => "per client",
        LimitBy::Principal => "per principal",
        LimitBy::Tenant => "per tenant",
    }
}
