//! A plan is what a run will do: the contract it attacks by, the identities it attacks as, and how far it may go.

use palisade_core::diagnostic::Source;

use crate::identity::Identity;
use crate::partner::HostilePartner;
use crate::probe;
use crate::row::Row;
use crate::surface::{Defect, Surface};

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
#[derive(Debug)]
pub struct Plan {
    pub(crate) surface: Surface,
    pub(crate) identities: Vec<Identity>,
    pub(crate) mode: Mode,
    pub(crate) seed: Option<u64>,
    /// The third party that the API under test asks, when the reviewer plays it.
    pub partner: Option<HostilePartner>,
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
        Ok(Self { surface, identities, mode: Mode::Active, seed: None, partner: None })
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
        self.partner = Some(partner);
        self
    }

    /// The same plan with markers that are the same in every run. Use it only for a target that is made anew for each:
    /// what one run has stored, the next would take for its own.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
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

/// A count that fits; estimates need no more.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
