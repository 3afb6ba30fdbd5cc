//! A plan is what a run will do: the contract it attacks by, the identities it attacks as, and how far it may go.

use std::sync::Arc;

use http::Method;
use palisade_contract::Plain;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::operation::{AccessRule, Audience};

use crate::identity::Identity;
use crate::name_server::NameServer;
use crate::partner::HostilePartner;
use crate::probe;
use crate::row::Row;
use crate::scope::{is_dangerous, is_reset};
use crate::surface::{Defect, Endpoint, Surface};
use crate::throwaway::registration;

/// What a run will do.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_review::{Identity, Login, Plan};
///
/// let contract = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// security: [{ bearer: [] }]
/// paths:
///   /notes: { get: { operationId: listNotes, responses: {} } }
/// ");
/// let alice = Identity::new("alice", Login::Token("eyJhbGci".to_owned()));
/// let plan = Plan::new(&contract, vec![alice]).unwrap();
/// assert_eq!(plan.estimate().operations, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) surface: Surface,
    pub(crate) identities: Vec<Identity>,
    pub(crate) mode: Mode,
    pub(crate) seed: Option<u64>,
    /// The third party that the API under test asks, when the reviewer plays it.
    pub partner: Option<Arc<HostilePartner>>,
    /// The reviewer's own name server, where the target can be made to ask it.
    pub name_server: Option<Arc<NameServer>>,
}

impl Plan {
    /// A plan that goes as far as [`Mode::Active`].
    ///
    /// The contract is read more tolerantly than a gateway would: what cannot be understood is left out.
    ///
    /// # Errors
    ///
    /// When the text is no contract, has no operation, or nobody is there to attack as.
    pub fn new(contract: &Source, identities: Vec<Identity>) -> Result<Self, PlanError> {
        let surface = Surface::read(contract).ok_or(PlanError::Unreadable)?;
        if surface.endpoints.is_empty() {
            return Err(PlanError::NoOperations);
        }
        if identities.is_empty() {
            return Err(PlanError::NoIdentities);
        }
        Ok(Self { surface, identities, mode: Mode::Active, seed: None, partner: None, name_server: None })
    }

    /// The same plan with another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same plan with a partner of the API under test.
    #[must_use]
    pub fn with_partner(mut self, partner: HostilePartner) -> Self {
        self.partner = Some(Arc::new(partner));
        self
    }

    /// The same plan with a name server that the target asks, so that a look-up can be seen where nothing else gets out.
    #[must_use]
    pub fn with_name_server(mut self, name_server: NameServer) -> Self {
        self.name_server = Some(Arc::new(name_server));
        self
    }

    /// The same plan with markers that are the same in every run. Use it only for a target that is made anew for each:
    /// what one run has stored, the next would take for its own.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The same plan with what a policy says about the operations it knows: who may call them, and whose they are.
    #[must_use]
    pub fn with_policy(mut self, rules: &[PolicyRule]) -> Self {
        for endpoint in &mut self.surface.endpoints {
            let is_same = |rule: &&PolicyRule| {
                let ends = rule.template.strip_suffix(endpoint.template.as_str());
                rule.method == endpoint.method && ends.is_some()
            };
            let Some(rule) = rules.iter().find(is_same) else { continue };
            endpoint.is_public = rule.access.audience == Audience::Public;
            endpoint.roles = rule.access.roles.iter().map(str::to_owned).collect();
            endpoint.owner = rule.access.owner.clone();
        }
        self
    }

    /// The operations, in the order of the contract.
    #[must_use]
    pub fn operations(&self) -> Vec<PlannedOperation> {
        let planned = |endpoint: &Endpoint| PlannedOperation {
            id: endpoint.id.clone(),
            method: endpoint.method.clone(),
            template: endpoint.template.clone(),
            is_public: endpoint.is_public,
            is_read: endpoint.is_read(),
            is_protected: is_dangerous(endpoint),
            is_reset: is_reset(endpoint),
        };
        self.surface.endpoints.iter().map(planned).collect()
    }

    /// What keeps a run from testing more.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let is_told = self.identities.iter().any(|identity| identity.creation.is_some());
        let can_register = (is_told || registration(&self.surface).is_some()) && self.mode > Mode::Safe;
        if self.identities.len() < 2 && !can_register {
            let what = "only one identity: whether one user can reach what is another's cannot be tested";
            missing.push(what.to_owned());
        }
        let known: Vec<&String> = self.identities.iter().flat_map(|identity| &identity.roles).collect();
        let mut roles: Vec<&String> = self.surface.endpoints.iter().flat_map(|endpoint| &endpoint.roles).collect();
        roles.sort();
        roles.dedup();
        for role in roles.into_iter().filter(|role| !known.is_empty() && !known.contains(role)) {
            missing.push(format!("no identity is said to have the role `{role}`"));
        }
        if self.mode == Mode::Safe {
            missing.push("safe mode only reads: most weaknesses of writing need `--mode active`".to_owned());
        }
        if self.mode == Mode::Full && !can_register {
            let what = "no operation registers accounts: what could lock a user out is tried on nobody";
            missing.push(what.to_owned());
        }
        missing
    }

    /// What is wrong in the contract, and was read around.
    #[must_use]
    pub fn defects(&self) -> &[Defect] {
        &self.surface.defects
    }

    /// The line of an operation in the contract, from one, where there is one.
    #[must_use]
    pub fn line_of(&self, operation: &str) -> Option<usize> {
        self.surface.endpoint(operation)?.line
    }

    /// What a run would do, without doing it.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let probes: Vec<ProbeEstimate> = probe::all()
            .iter()
            .map(|probe| ProbeEstimate { probe: probe.id(), row: probe.row(), requests: probe.estimate(self) })
            .collect();
        let operations = self.surface.endpoints.len();
        let preflight = count(self.identities.len() * 3 + operations);
        let requests = probes.iter().map(|probe| probe.requests).sum::<u32>() + preflight;
        Estimate { operations, requests, probes }
    }
}

/// What a policy says about one operation.
#[derive(Clone, Debug)]
pub struct PolicyRule {
    /// The method.
    pub method: Method,
    /// The path as the policy's contract has it.
    pub template: String,
    /// Who may call it.
    pub access: AccessRule,
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOperation {
    /// Its name.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path, with its parameters.
    pub template: String,
    /// Whether it needs no credential.
    pub is_public: bool,
    /// Whether it only reads.
    pub is_read: bool,
    /// Whether it could lock somebody out, so that it is only asked of accounts that the run has made.
    pub is_protected: bool,
    /// Whether it could make the target anew or end it, so that it is never asked.
    pub is_reset: bool,
}

/// How far a run may go.
///
/// ```
/// assert!(palisade_review::Mode::Safe < palisade_review::Mode::Full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Reads only. Most weaknesses of writing cannot be proved.
    Safe,
    /// Writes to the identities' own objects, and to each other's; puts back what it can.
    Active,
    /// Also calls the privileged operations that change something.
    Full,
}

/// What a run would do: an upper bound, from the contract alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How many operations the contract has.
    pub operations: usize,
    /// How many requests the run makes at most, roughly.
    pub requests: u32,
    /// The share of each probe.
    pub probes: Vec<ProbeEstimate>,
}

/// The share of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeEstimate {
    /// Its name.
    pub probe: &'static str,
    /// What it is about.
    pub row: Row,
    /// How many requests it makes at most, roughly.
    pub requests: u32,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Nobody to attack as.
    #[error("a review needs identities: two of one role, and one of every role of the contract")]
    NoIdentities,
    /// Nothing to attack.
    #[error("the contract has no operation")]
    NoOperations,
    /// Neither YAML nor JSON.
    #[error("the contract cannot be read as YAML or JSON")]
    Unreadable,
}

impl PlanError {
    /// The same for a person, with the place in the contract where it is known.
    #[must_use]
    pub fn diagnostic(self, contract: &Source) -> Diagnostic {
        let help = match self {
            Self::NoIdentities => "list them in the file of identities",
            Self::NoOperations => "a contract lists its operations under `paths`; is this another document?",
            Self::Unreadable => "give an OpenAPI document in YAML or JSON",
        };
        let diagnostic = match (self, Plain::read(contract)) {
            // What is left of a broken document may have no operation.
            (Self::NoOperations | Self::Unreadable, Err((Some(place), message))) => {
                return Diagnostic::error("contract-unreadable", message).at(contract, place).help(help);
            }
            _ => Diagnostic::error("contract-unusable", self.to_string()),
        };
        diagnostic.in_source(contract).help(help)
    }
}

/// A count that fits; estimates need no more.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
