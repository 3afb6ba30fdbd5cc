//! Makes the chain from the configuration: every setting becomes a setting of exactly one stage.

mod browser;
mod credential;
mod recorded;

use std::sync::Arc;

use palisade::Chain;
use palisade::chain::{ChainError, Guarded};
use palisade::preset::World;
use palisade::settings::{PerOperation, PerRoute, State};
use palisade::stage::admit::Admit;
use palisade::stage::assure::Assure;
use palisade::stage::authenticate::{Authenticate, Credential};
use palisade::stage::authorize::Authorize;
use palisade::stage::cache::{Cache, CacheStore};
use palisade::stage::client::Client;
use palisade::stage::contract::{Caps, Contract as ContractStage, ContractSettings, Writing};
use palisade::stage::cors::Cors;
use palisade::stage::csrf::Csrf;
use palisade::stage::deadline::{Deadline, DeadlineSettings};
use palisade::stage::finish::Finish;
use palisade::stage::firewall::Firewall;
use palisade::stage::guard::{Breaker, Guard, GuardSettings};
use palisade::stage::inspect::{Inspect, Markup};
use palisade::stage::network::Network;
use palisade::stage::operation::{Operation, Operations};
use palisade::stage::present::{Credentials, Plain, Present};
use palisade::stage::quota::Quota;
use palisade::stage::record::Record;
use palisade::stage::report::Report;
use palisade::stage::rescue::Rescue;
use palisade::stage::reveal::{Reveal, RevealSettings, Undeclared};
use palisade::stage::route::{Route as RouteStage, RoutePattern};
use palisade::stage::size::Size;
use palisade::stage::throttle::{Throttle, ThrottleSettings};
use palisade::stage::trace::Trace;
use palisade::stage::upgrade::Upgrade;
use palisade::token::identity::IdentitySigner;
use palisade_contract::Contract;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::id::{OperationId, PolicyVersion};
use palisade_core::operation::Audience;
use palisade_core::policy::Policy;
use palisade_core::policy::role::RoleHierarchy;

use crate::config::Loaded;
use crate::config::settings::{self, Responses, Settings, Strictness};
use crate::reload::Kept;
use crate::upstream::{Forward, Upstream};

/// The chain and everything it was made of.
#[derive(Debug)]
pub struct Built {
    /// The stages, to be looked at or put in front of [`Built::forward`].
    pub chain: Chain,
    /// The end of the chain.
    pub forward: Forward,
    /// The contract of each route, in the order of the routes.
    pub contracts: Vec<Arc<Contract>>,
    /// Warnings and notes.
    pub diagnostics: Vec<Diagnostic>,
    /// The name of the rules in force.
    pub version: PolicyVersion,
    /// What the next chain goes on with.
    pub(crate) kept: Kept,
}

impl Built {
    /// Puts the stages in front of the backends.
    pub fn guard(self) -> Result<Guarded<Forward>, ChainError> {
        self.chain.build(self.forward)
    }
}

/// Makes the chain. All problems are told at once: `Err` when at least one is an error.
pub fn build(loaded: &Loaded, world: &World) -> Result<Built, Vec<Diagnostic>> {
    build_after(loaded, world, Kept::default())
}

/// The same in place of a chain whose state is not to be lost.
pub(crate) fn build_after(loaded: &Loaded, world: &World, before: Kept) -> Result<Built, Vec<Diagnostic>> {
    let mut kept = before.next();
    let mut diagnostics = Vec::new();
    let settings = &loaded.settings;
    let contracts = contracts(loaded, &mut diagnostics);
    let upstreams = upstreams(loaded, &mut kept, &mut diagnostics);
    // Where a contract failed there is one less than there are routes; then nothing is built anyway.
    let credentials =
        credential::all(loaded, contracts.as_deref().unwrap_or_default(), world, &mut kept, &mut diagnostics);
    let forward = upstreams.and_then(|upstreams| forward(settings, upstreams));
    let (Some(contracts), Some(forward), Some(credentials)) = (contracts, forward, credentials) else {
        return Err(diagnostics);
    };
    let version = version(settings, &contracts);
    let policy = policy(settings, &version);
    let chain = chain(settings, world, &contracts, credentials, &Arc::new(policy), &mut kept);
    Ok(Built { chain, forward, contracts, diagnostics, version, kept })
}

fn chain(
    settings: &Settings,
    world: &World,
    contracts: &[Arc<Contract>],
    credentials: Vec<Vec<Credential>>,
    policy: &Arc<Policy>,
    kept: &mut Kept,
) -> Chain {
    let challenges = credentials.iter().map(|kinds| kinds.first().map(Credential::challenge)).collect();
    let operations: Vec<Operations> = contracts.iter().cloned().map(Operations::Contract).collect();
    let limits = &settings.limits;
    let signer = signer(settings, world);
    // Where requests are counted while the store is out of order.
    let local = Arc::clone(&kept.local);
    let chain = Chain::new();
    let chain = match &settings.reports {
        None => chain,
        Some(path) => chain.with(Report::new(path.clone(), Arc::clone(&world.counters))),
    };
    let chain = match caches(settings, kept) {
        None => chain,
        Some(stores) => chain.with(Cache::new(stores, Arc::clone(&world.clock))),
    };
    chain
        .with(Trace::new(Arc::clone(&world.clock), Arc::clone(&world.entropy)))
        .with(Record::new(Arc::clone(&world.events), Arc::clone(&world.clock), policy.version().clone()))
        .with(Finish::new(browser::headers(settings)))
        .with(Rescue)
        .with(Admit::new(limits.max_concurrent as usize).with_routes(by_route(settings, |route| route.places)))
        .with(Client {
            proxies: settings.listen.iter().map(|listen| listen.proxies.clone()).collect(),
            networks: settings.client.clone(),
            certificate_header: settings.certificate_header,
        })
        .with(Firewall)
        .with(credential::documents(settings, signer.as_deref()))
        .with(RouteStage::new(settings.routes.iter().map(pattern).collect()))
        .with(Network::new(by_route(settings, |route| route.client.clone())))
        .with(Deadline::new(by_route(settings, |route| DeadlineSettings {
            total: route.timeout,
            body_pause: route.body_timeout,
            body_floor: route.body_min_rate,
            endless: route.endless_body,
            ..DeadlineSettings::default()
        })))
        .with(Size {
            max_uri: limits.max_uri as usize,
            max_headers: limits.max_headers as usize,
            max_body: by_route(settings, |route| route.max_body as usize),
            endless: by_route(settings, |route| route.endless_body),
            accept: by_route(settings, |route| route.accept_encoding.clone()),
            ..Size::default()
        })
        .with(
            Throttle::new(
                by_route(settings, |route| ThrottleSettings { limits: route.throttle.clone() }),
                Arc::clone(&world.counters),
            )
            .everywhere(&limits.throttle)
            .with_local(local.clone())
            .with_patience(settings.stores.timeout)
            .with_prefix(limits.ipv6_prefix),
        )
        .with(Cors::new(by_route(settings, |route| browser::cors(settings, route))))
        .with(Csrf::new(by_route(settings, |route| browser::csrf(route, world))))
        .with(Operation::new(PerRoute::new(Operations::Routes(Default::default()), operations)))
        .with(Authenticate::new(PerRoute::new(Vec::new(), credentials), Arc::clone(&world.clock)))
        .with(Assure::new(Arc::clone(&world.clock)))
        .with(
            Quota::new(Arc::clone(&world.counters))
                .with_local(local)
                .with_patience(settings.stores.timeout)
                .with_prefix(limits.ipv6_prefix),
        )
        .with(Authorize::new(Arc::clone(policy), PerRoute::new(None, challenges)))
        .with(Upgrade::new(by_route(settings, |route| route.websocket), Arc::clone(&world.clock)))
        .with(ContractStage::new(by_route(settings, payload)))
        .with(Inspect::danger_by_route(by_route(settings, |route| match route.danger_allow_markup {
            true => Markup::Allow,
            false => Markup::Refuse,
        })))
        .with(Reveal::new(by_route(settings, |route| by_operation(route, reveal))))
        .with(present(settings, signer))
        .with(guard(settings, kept))
}

/// Who signs identities for the backends. The configuration has checked the key.
fn signer(settings: &Settings, world: &World) -> Option<Arc<IdentitySigner>> {
    let key = Arc::clone(settings.present.signer.as_ref()?);
    IdentitySigner::new(key, settings.present.issuer.as_str(), Arc::clone(&world.clock)).ok().map(Arc::new)
}

fn present(settings: &Settings, signer: Option<Arc<IdentitySigner>>) -> Present {
    let present = Present::new(by_route(settings, |route| match route.credentials {
        settings::Credentials::Forward => Credentials::Forward,
        settings::Credentials::Strip => Credentials::Strip,
    }));
    let plain = if settings.present.plain_headers { Plain::Told } else { Plain::Untold };
    let present = present.telling(plain);
    match signer {
        Some(signer) => present.signing(signer, by_route(settings, |route| Some(Arc::clone(&route.upstream)))),
        None => present,
    }
}

/// One setting for each route; requests without a route have the stage's default.
fn by_route<T: Default>(settings: &Settings, of: impl Fn(&settings::Route) -> T) -> PerRoute<T> {
    PerRoute::new(T::default(), settings.routes.iter().map(of).collect())
}

/// One setting for each operation of a route.
fn by_operation<T>(route: &settings::Route, of: impl Fn(&Strictness) -> T) -> PerOperation<T> {
    let own = route.operations.iter().map(|(id, rules)| (id.clone(), of(rules)));
    PerOperation::new(of(&route.strictness), own)
}

fn reveal(rules: &Strictness) -> RevealSettings {
    RevealSettings {
        state: match rules.responses {
            Responses::Enforce => State::Enforce,
            Responses::Off => State::Off,
            Responses::Report => State::Report,
        },
        undeclared: match rules.undeclared {
            settings::Undeclared::Refuse => Undeclared::Refuse,
            settings::Undeclared::Strip => Undeclared::Strip,
        },
        leaks: state(rules.leaks),
        danger_show: rules.danger_show.clone(),
    }
}

fn state(state: settings::State) -> State {
    match state {
        settings::State::Enforce => State::Enforce,
        settings::State::Off => State::Off,
        settings::State::Report => State::Report,
    }
}

fn pattern(route: &settings::Route) -> RoutePattern {
    RoutePattern { name: route.name.clone(), host: route.host.clone(), path: route.path.clone() }
}

fn payload(route: &settings::Route) -> ContractSettings {
    let raw = route.payload;
    let caps = Caps {
        depth: raw.max_depth as usize,
        nodes: raw.max_values as usize,
        keys: raw.max_keys as usize,
        items: raw.max_items as usize,
        string: raw.max_string as usize,
        parts: raw.max_parts as usize,
        part: raw.max_part.map_or(usize::MAX, |most| most as usize),
    };
    let forward = match raw.forward {
        settings::Forwarding::Canonical => Writing::Canonical,
        settings::Forwarding::PreserveBytes => Writing::PreserveBytes,
    };
    ContractSettings { caps, forward, states: by_operation(route, |rules| state(rules.requests)) }
}

/// The compiled contract of each route, with the operations that the route declares public.
fn contracts(loaded: &Loaded, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Arc<Contract>>> {
    let mut failed = false;
    let mut compiled = Vec::new();
    for route in &loaded.settings.routes {
        let Some(settings) = loaded.settings.contract(&route.contract) else { continue };
        match Contract::compile(&settings.source) {
            Err(problems) => {
                failed = true;
                add_new(diagnostics, problems);
            }
            Ok(found) => {
                let mut contract = found.contract;
                if let Some(base) = &settings.base {
                    contract.place_under(base);
                }
                // What the configuration opens by name is not waiting to be said in the contract.
                let settled = contract.unsecured().iter().all(|operation| route.public.contains(operation));
                let open = |found: &Diagnostic| !(settled && found.code() == "security-missing");
                add_new(diagnostics, found.diagnostics.into_iter().filter(open).collect());
                for unknown in contract.declare_public(&route.public) {
                    failed = true;
                    let diagnostic = unknown_operation(unknown.as_str(), &contract);
                    diagnostics.push(loaded.locate(diagnostic, &["route", route.name.as_str(), "public"]));
                }
                let has =
                    |id: &OperationId| contract.operations().iter().any(|operation| operation.operation.id == *id);
                for (unknown, _) in route.operations.iter().filter(|(id, _)| !has(id)) {
                    failed = true;
                    let diagnostic = unknown_operation(unknown.as_str(), &contract);
                    let place = ["route", route.name.as_str(), "operation", unknown.as_str()];
                    diagnostics.push(loaded.locate(diagnostic, &place));
                }
                if contract.operations().is_empty() {
                    failed = true;
                    let message = format!("the contract `{}` declares no operation", settings.name);
                    diagnostics.push(Diagnostic::error("contract-empty", message).in_source(&settings.source));
                }
                diagnostics.extend(unreachable_operations(loaded, route, &contract));
                compiled.push(Arc::new(contract));
            }
        }
    }
    (!failed).then_some(compiled)
}

/// Two routes with one contract have its problems once.
fn add_new(diagnostics: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    for diagnostic in found {
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
}

fn unknown_operation(name: &str, contract: &Contract) -> Diagnostic {
    let known = contract.operations().iter().map(|operation| operation.operation.id.as_str());
    let near = known.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    Diagnostic::error("operation-unknown", format!("the contract has no operation `{name}`"))
        .help(format!("did you mean `{}`?", near.unwrap_or_default()))
}

/// A route on which nobody can sign in, in front of operations that need a credential: legal, and refused every time.
fn unreachable_operations(loaded: &Loaded, route: &settings::Route, contract: &Contract) -> Option<Diagnostic> {
    let settings::Authenticate::Gateway(list) = &route.authenticate else { return None };
    let closed: Vec<&str> = contract
        .operations()
        .iter()
        .filter(|operation| operation.operation.access.audience == Audience::Authenticated)
        .map(|operation| operation.operation.id.as_str())
        .collect();
    let first = closed.first().filter(|_| list.is_empty())?;
    let message = format!(
        "{} of {} operations need a credential, but the route takes none; the first is `{first}`",
        closed.len(),
        contract.operations().len()
    );
    let help = "add `authenticate = [\"bearer.NAME\"]`, or list what everyone may call under `public`";
    let diagnostic = Diagnostic::warning("operations-unreachable", message).help(help);
    Some(loaded.locate(diagnostic, &["route", route.name.as_str()]))
}

/// Each upstream that a route uses, once.
fn upstreams(loaded: &Loaded, kept: &mut Kept, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<(Arc<str>, Upstream)>> {
    let make = |told: &settings::Upstream| match kept.upstream(told) {
        Ok(upstream) => Some((Arc::clone(&told.name), upstream)),
        Err(error) => {
            let diagnostic = Diagnostic::error("upstream-unusable", error.to_string())
                .help("correct `ca`, or install the certificates of the system's usual authorities");
            diagnostics.push(loaded.locate(diagnostic, &["upstream", &told.name, "url"]));
            None
        }
    };
    loaded.settings.upstreams.iter().map(make).collect::<Vec<_>>().into_iter().collect()
}

/// The end of the chain, with the upstream of each route.
fn forward(settings: &Settings, upstreams: Vec<(Arc<str>, Upstream)>) -> Option<Forward> {
    let of = |route: &settings::Route| {
        let (_, upstream) = upstreams.iter().find(|(name, _)| *name == route.upstream)?;
        Some(upstream.clone())
    };
    let found = settings.routes.iter().map(of).collect::<Option<Vec<_>>>()?;
    let routes = found.into_iter().zip(settings.routes.iter().map(|route| route.answers.clone())).collect();
    Some(Forward::new(routes, upstreams))
}

/// The kept answers of each route; `None` where no route keeps any.
fn caches(settings: &Settings, kept: &mut Kept) -> Option<PerRoute<Option<CacheStore>>> {
    let of = |route: &settings::Route| Some(kept.cache(route, settings.upstream(&route.upstream)?, route.cache?));
    let stores: Vec<_> = settings.routes.iter().map(of).collect();
    stores.iter().any(Option::is_some).then(|| PerRoute::new(None, stores))
}

/// A circuit for each upstream, shared by its routes.
fn guard(settings: &Settings, kept: &mut Kept) -> Guard {
    Guard::sharing(settings.routes.iter().map(|route| match settings.upstream(&route.upstream) {
        None => Breaker::new(GuardSettings::default()),
        Some(upstream) => kept.breaker(upstream),
    }))
}

fn policy(settings: &Settings, version: &PolicyVersion) -> Policy {
    let roles = settings.roles.iter().map(|(role, included)| (role.as_str(), included.as_str()));
    Policy::new(version.clone()).with_roles(RoleHierarchy::from_pairs(roles))
}

/// A short name for the rules in force: the same rules have the same name in every process, and a changed rule has
/// another.
fn version(settings: &Settings, contracts: &[Arc<Contract>]) -> PolicyVersion {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    for route in &settings.routes {
        format!("{route:?}").hash(&mut hasher);
    }
    settings.roles.hash(&mut hasher);
    for contract in contracts {
        for operation in contract.operations() {
            format!("{:?}", operation.operation).hash(&mut hasher);
        }
    }
    PolicyVersion::new(format!("{:016x}", hasher.finish()))
}
