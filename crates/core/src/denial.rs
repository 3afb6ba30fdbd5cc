//! How we say no: a denial has one face for the caller and one for the log, in two types.
//!
//! A stage raises a [`Denial`]; it cannot choose a status or a body. [`crate::problem::render`] makes the answer from the
//! code and the [`PublicDetail`]; the [`Evidence`] goes into events only, and nothing turns it into a response.

mod code;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub use code::DenialCode;

use crate::principal::{Level, ScopeSet};
use crate::stage::StageId;

/// A refusal.
///
/// ```
/// use palisade_core::denial::{Denial, DenialCode};
/// use palisade_core::stage::StageId;
///
/// let denial = Denial::new(DenialCode::CredentialInvalid, StageId::Authenticate)
///     .because("reason", "signature_invalid");
/// assert_eq!(denial.code().status(), 401);
/// ```
#[derive(Clone, Debug)]
pub struct Denial(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: DenialCode,
    stage: StageId,
    public: PublicDetail,
    evidence: Evidence,
    challenge: Option<Challenge>,
    protection: Option<Arc<Protection>>,
    retry_after: Option<Duration>,
}

impl Denial {
    /// A refusal by a stage.
    pub fn new(code: DenialCode, stage: StageId) -> Self {
        Self(Box::new(Parts {
            code,
            stage,
            public: PublicDetail::None,
            evidence: Evidence::default(),
            challenge: None,
            protection: None,
            retry_after: None,
        }))
    }

    /// The same refusal, with what the caller may know beyond the code.
    #[must_use]
    pub fn telling(mut self, public: PublicDetail) -> Self {
        self.0.public = public;
        self
    }

    /// The same refusal, with one more fact for the log.
    #[must_use]
    pub fn because(mut self, fact: &'static str, value: impl Into<String>) -> Self {
        self.0.evidence.add(fact, value);
        self
    }

    /// The same refusal, with what credential would help (RFC 9110 section 11.6.1).
    #[must_use]
    pub fn challenging(mut self, challenge: Challenge) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// The same refusal, with what the resource says of itself beside a challenge for a token.
    #[must_use]
    pub fn protected_by(mut self, protection: Arc<Protection>) -> Self {
        self.0.protection = Some(protection);
        self
    }

    /// The same refusal, with when to come again (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The entry of the catalogue.
    pub fn code(&self) -> DenialCode {
        self.0.code
    }

    /// Which stage refused.
    pub fn stage(&self) -> StageId {
        self.0.stage
    }

    /// What the caller may know.
    pub fn public(&self) -> &PublicDetail {
        &self.0.public
    }

    /// What explains it.
    pub fn evidence(&self) -> &Evidence {
        &self.0.evidence
    }

    /// What credential would help.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.0.challenge.as_ref()
    }

    /// What the resource says of itself.
    pub fn protection(&self) -> Option<&Protection> {
        self.0.protection.as_deref()
    }

    /// When to come again.
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// What the caller may know beyond the code. Each form can hold only what the caller sent or what the published
/// contract says.
///
/// ```
/// use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
/// use palisade_core::stage::StageId;
///
/// let violation = PublicViolation { pointer: "/amount".to_owned(), detail: "must be a number".to_owned() };
/// let denial = Denial::new(DenialCode::PayloadInvalid, StageId::Contract)
///     .telling(PublicDetail::Violations(vec![violation]))
///     .because("amount", "what the caller sent, which the answer does not repeat");
/// assert!(matches!(denial.public(), PublicDetail::Violations(list) if list.len() == 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicDetail {
    /// The methods that the path has (RFC 9110 section 15.5.6).
    Allow(Vec<http::Method>),
    /// Nothing more.
    None,
    /// A fixed sentence.
    Sentence(&'static str),
    /// What is wrong with the request, each at its place.
    Violations(Vec<PublicViolation>),
}

/// One thing that is wrong with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicViolation {
    /// Where: `/query/limit`, `/body/items/0/name`.
    pub pointer: String,
    /// Which rule it breaks, in the contract's words; never the value itself.
    pub detail: String,
}

/// Facts that explain an event, for those who may read the log.
///
/// ```
/// use palisade_core::denial::Evidence;
///
/// let mut evidence = Evidence::default();
/// evidence.add("reason", "expired");
/// evidence.add("sent", "x".repeat(10_000));
/// assert_eq!(evidence.iter().next(), Some(("reason", "expired")));
/// assert!(evidence.iter().all(|(_, value)| value.len() < 1_000));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(Vec<(&'static str, Cow<'static, str>)>);

impl Evidence {
    /// The longest value kept, in bytes: a log line must not grow with what an attacker sends.
    pub const LONGEST: usize = 512;

    /// Adds a fact; a long value is cut.
    pub fn add(&mut self, fact: &'static str, value: impl Into<String>) {
        let mut value = value.into();
        if value.len() > Self::LONGEST {
            let end = (0..=Self::LONGEST).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
            value.truncate(end);
            value.push('…');
        }
        self.0.push((fact, value.into()));
    }

    /// The facts in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(fact, value)| (*fact, value.as_ref()))
    }
}

/// What credential would help.
///
/// ```
/// use palisade_core::denial::{Challenge, Denial, DenialCode, Proofs, Protection};
/// use palisade_core::stage::StageId;
///
/// let denial = Denial::new(DenialCode::ProofInvalid, StageId::Authenticate)
///     .challenging(Challenge::Dpop { error: "use_dpop_nonce" })
///     .protected_by(Protection { proofs: Proofs::Required, ..Protection::default() }.into());
/// assert_eq!(denial.protection().map(|protection| protection.proofs), Some(Proofs::Required));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A bearer token (RFC 6750 section 3).
    Bearer {
        /// `invalid_token` or `insufficient_scope`; none where no token was sent.
        error: Option<&'static str>,
        /// The scopes that the operation needs.
        scope: ScopeSet,
        /// The level that is needed (RFC 9470 section 3).
        level: Level,
        /// How long ago the sign-in may be (RFC 9470 section 3).
        max_age: Option<Duration>,
    },
    /// A client certificate in the TLS handshake.
    Certificate,
    /// A token together with the proof that the caller has its key (RFC 9449 section 7.1).
    Dpop {
        /// `invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`.
        error: &'static str,
    },
    /// An API key in this header.
    Key {
        /// The name of the header.
        header: String,
    },
    /// A session, in this cookie.
    Session {
        /// The name of the cookie.
        cookie: Box<str>,
    },
}

/// What a protected resource says of itself beside every challenge for a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Where its metadata is (RFC 9728 section 5.1).
    pub metadata: Option<Box<str>>,
    /// Whether tokens come with proofs of possession.
    pub proofs: Proofs,
    /// The algorithms that proofs may be signed with, separated by spaces (RFC 9449 section 7.1).
    pub proof_algorithms: Box<str>,
}

/// Whether tokens come with proofs that the caller has the key they are bound to (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Proofs {
    /// Nobody here checks one, so that a token that needs one is refused.
    #[default]
    Off,
    /// Tokens that are bound to a key come with one.
    Optional,
    /// Every token is bound to a key and comes with a proof.
    Required,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_cut_between_characters() {
        let mut evidence = Evidence::default();
        evidence.add("path", "ü".repeat(400));
        let (_, value) = evidence.iter().next().unwrap();
        assert!(value.len() <= Evidence::LONGEST + '…'.len_utf8());
        assert!(value.ends_with("ü…"));
    }
}
