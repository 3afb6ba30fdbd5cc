//! Finds out which operation is asked for; what nobody has declared is refused.
//!
//! 1. With a contract the canonical path and the method must be those of a declared operation.
//! 2. Without one, in the library, the route that axum matched is the operation; a request that no route matched is
//!    refused. Routes without a rule of their own take any authenticated principal. HEAD has the rules of GET unless it
//!    has its own.
//! 3. The parameters of path and query that rules about owners name are kept for them; one that is repeated counts as
//!    absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use palisade_core::canon::query;
#[cfg(feature = "contract")]
use palisade_core::denial::PublicDetail;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::id::OperationId;
use palisade_core::operation::{AccessRule, Lifecycle, Limit, Operation as Declared, Safety};
use palisade_core::stage::StageId;
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

use super::{Head, Stage, Verdict};
#[cfg(feature = "contract")]
use crate::facts::ContractMatch;
use crate::facts::{OperationMatch, TextParameters};
use crate::settings::PerRoute;

/// The stage.
///
/// ```
/// use palisade::settings::PerRoute;
/// use palisade::stage::operation::{Operation, Operations, RouteRules};
///
/// let stage = Operation::new(PerRoute::same(Operations::Routes(RouteRules::default())));
/// ```
#[derive(Clone, Debug)]
pub struct Operation {
    source: PerRoute<Operations>,
}

/// Where a route's operations are declared.
///
/// ```
/// use palisade::{core::diagnostic::Source, stage::operation::Operations};
/// use palisade_contract::Contract;
///
/// let text = "openapi: 3.1.0\ninfo: { title: Shop, version: '1' }\npaths: {}";
/// let loaded = Contract::compile(&Source::new("shop.yaml", text)).unwrap();
/// let declared = Operations::Contract(std::sync::Arc::new(loaded.contract));
/// ```
#[derive(Clone, Debug)]
pub enum Operations {
    /// In a contract.
    #[cfg(feature = "contract")]
    Contract(Arc<palisade_contract::Contract>),
    /// In the application: the routes of axum, with rules by `METHOD /template`.
    Routes(RouteRules),
}

/// The rules of an application's routes.
///
/// ```
/// use palisade::core::operation::{AccessRule, Audience};
/// use palisade::stage::operation::RouteRules;
///
/// let mut rules = RouteRules::default();
/// rules.declare("GET /health", AccessRule { audience: Audience::Public, ..AccessRule::default() }, Vec::new());
/// ```
#[derive(Clone, Debug, Default)]
pub struct RouteRules(BTreeMap<Box<str>, Methods>);

/// The rules of one template, by method.
type Methods = Vec<(Box<str>, Arc<Declared>)>;

impl RouteRules {
    /// Gives `METHOD /template` its rules, in place of the default that any authenticated principal may call it.
    pub fn declare(&mut self, route: &str, access: AccessRule, limits: Vec<Limit>) {
        let safety = route.split(' ').next().and_then(|method| method.parse().ok());
        let operation = Declared {
            id: OperationId::new(route),
            safety: safety.as_ref().map_or(Safety::Unsafe, Safety::of),
            access,
            limits: limits.into(),
            lifecycle: Lifecycle::Active,
        };
        let (method, template) = route.split_once(' ').unwrap_or(("", route));
        let methods = self.0.entry(template.into()).or_default();
        methods.retain(|(known, _)| **known != *method);
        methods.push((method.into(), Arc::new(operation)));
    }

    /// A name that is not `METHOD /template`, and which therefore no request can have.
    pub(crate) fn not_a_route(&self) -> Option<&str> {
        let is_route = |name: &str| {
            name.split_once(' ').is_some_and(|(method, template)| {
                !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase()) && template.starts_with('/')
            })
        };
        self.0.values().flatten().map(|(_, declared)| declared.id.as_str()).find(|name| !is_route(name))
    }

    /// What a route was given so far.
    pub(crate) fn declared(&self, route: &str) -> (AccessRule, Vec<Limit>) {
        let (method, template) = route.split_once(' ').unwrap_or(("", route));
        let found = self.of(method, template);
        found.map(|found| (found.access.clone(), found.limits.to_vec())).unwrap_or_default()
    }

    fn of(&self, method: &str, template: &str) -> Option<&Arc<Declared>> {
        self.0.get(template)?.iter().find(|(known, _)| **known == *method).map(|(_, declared)| declared)
    }

    fn find(&self, head: &Head) -> Option<OperationMatch> {
        let template = head.parts.extensions.get::<axum::extract::MatchedPath>()?.as_str();
        let values = values(template, head.facts.path.as_ref()?.as_str())?;
        let method = &head.parts.method;
        // What answers GET answers HEAD too (RFC 9110 section 9.3.2), so that HEAD must not go around the rules of GET.
        let as_get = || (*method == Method::HEAD).then(|| self.of("GET", template)).flatten();
        let operation = self.of(method.as_str(), template).or_else(as_get).cloned().unwrap_or_else(|| {
            Arc::new(Declared {
                id: OperationId::new(format!("{method} {template}")),
                safety: Safety::of(method),
                access: AccessRule::default(),
                limits: Box::default(),
                lifecycle: Lifecycle::Active,
            })
        });
        let parameters = text_parameters(&operation, values.into_iter(), head.parts.uri.query());
        Some(OperationMatch {
            operation,
            parameters,
            #[cfg(feature = "contract")]
            contract: None,
        })
    }
}

/// The values that a path has in axum's template, still encoded. `None` where the two differ: then the chain stands
/// inside `Router::nest`, where axum's template has a prefix that neither the path nor the rules have.
fn values<'p>(template: &'p str, path: &'p str) -> Option<SmallVec<[(&'p str, &'p str); 4]>> {
    let mut found = SmallVec::new();
    let (mut names, mut rest) = (template.strip_prefix('/')?, path.strip_prefix('/')?);
    loop {
        let (name, names_behind) = names.split_once('/').map_or((names, None), |(name, rest)| (name, Some(rest)));
        let parameter = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        if let Some(name) = parameter.and_then(|name| name.strip_prefix('*')) {
            found.push((name, rest));
            return Some(found);
        }
        let (value, values_behind) = rest.split_once('/').map_or((rest, None), |(value, rest)| (value, Some(rest)));
        match parameter {
            Some(name) => found.push((name, value)),
            None if name == value || percent_decode_str(name).eq(percent_decode_str(value)) => {}
            None => return None,
        }
        match (names_behind, values_behind) {
            (None, None) => return Some(found),
            (Some(name), Some(value)) => (names, rest) = (name, value),
            _ => return None,
        }
    }
}

impl Operation {
    /// The stage for these sources.
    pub fn new(source: PerRoute<Operations>) -> Self {
        Self { source }
    }
}

impl Stage for Operation {
    fn id(&self) -> StageId {
        StageId::Operation
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let undeclared = || Denial::new(DenialCode::OperationUndeclared, StageId::Operation);
        let found = match self.source.of(head) {
            #[cfg(feature = "contract")]
            Operations::Contract(contract) => declared(contract, head),
            Operations::Routes(rules) => rules.find(head).ok_or_else(undeclared),
        };
        Verdict::from(found.map(|found| head.facts.operation = Some(found)))
    }
}

#[cfg(feature = "contract")]
fn declared(contract: &palisade_contract::Contract, head: &Head) -> Result<OperationMatch, Denial> {
    use palisade_contract::Found;

    let deny = |code| Denial::new(code, StageId::Operation);
    let path = head.facts.path.as_ref().ok_or_else(|| deny(DenialCode::OperationUndeclared))?;
    match contract.find(&head.parts.method, path.as_str()) {
        Found::Operation(operation, values) => Ok(OperationMatch {
            operation: Arc::clone(&operation.operation),
            parameters: text_parameters(&operation.operation, values.iter(), head.parts.uri.query()),
            contract: Some(ContractMatch { operation: Arc::clone(operation), path: values }),
        }),
        Found::MethodUndeclared { allow } => {
            Err(deny(DenialCode::MethodUndeclared).telling(PublicDetail::Allow(allow)))
        }
        Found::Unknown => Err(deny(DenialCode::OperationUndeclared)),
    }
}

/// The parameters of path and query that the operation's rules name, decoded. One that stands in both has no value, as
/// if it were repeated.
fn text_parameters<'p>(
    operation: &Declared,
    path: impl Iterator<Item = (&'p str, &'p str)>,
    query: Option<&str>,
) -> TextParameters {
    let rules = &operation.access.owner.request;
    if rules.is_empty() {
        return TextParameters::default();
    }
    let is_named = |name: &str| rules.iter().any(|rule| *rule.parameter == *name);
    let path = path.filter(|(name, _)| is_named(name));
    let path = path.map(|(name, value)| (name.to_owned(), decoded(value)));
    let query = query.into_iter().flat_map(query::pairs).filter(|(name, _)| is_named(name));
    TextParameters::from_pairs(path.chain(query.map(|(name, value)| (name.into_owned(), value.into_owned()))))
}

/// What a value of a canonical path says. Most have nothing encoded.
fn decoded(value: &str) -> String {
    match value.as_bytes().contains(&b'%') {
        false => value.to_owned(),
        true => percent_decode_str(value).decode_utf8_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::operation::RequestOwner;
    use palisade_core::policy::Parameters;

    use super::*;
    use crate::testing::{assert_stage, head, operation, refusal};

    fn stage() -> Operation {
        Operation::new(PerRoute::same(Operations::Routes(RouteRules::default())))
    }

    #[test]
    fn a_request_that_no_route_matched_is_refused() {
        assert_eq!(refusal(&stage(), &mut head("GET /nowhere")), Some(DenialCode::OperationUndeclared));
    }

    #[test]
    fn a_repeated_parameter_has_no_value() {
        let values = [("id", "7"), ("name", "caf%C3%A9")];
        let owner = |name: &str| RequestOwner { parameter: name.into(), claim: "sub".into() };
        let mut access = AccessRule::default();
        access.owner.request = ["id", "name", "q", "r", "x"].map(owner).into();
        let declared = operation(access).operation;
        let parameters = text_parameters(&declared, values.into_iter(), Some("id=8&q=a%20b&r=1&r=2&s=1"));
        for (name, expect) in
            [("id", None), ("name", Some("café")), ("q", Some("a b")), ("r", None), ("x", None), ("s", None)]
        {
            assert_eq!(parameters.text(name), expect, "{name}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&stage());
    }
}
