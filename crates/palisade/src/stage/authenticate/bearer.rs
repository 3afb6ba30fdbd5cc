//! Tokens in a header: verified once, remembered as the principal they name, and held to the key they are bound to.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use palisade_core::denial::{Challenge, Denial, DenialCode, Proofs, Protection};
use palisade_core::id::{ClientId, TenantId, UserId};
use palisade_core::principal::{
    Assurance, Attribute, Attributes, Level, MethodSet, Principal, RoleSet, ScopeSet, Subject,
};
use palisade_core::time::Timestamp;
use serde_json::Value;

use super::super::Head;
use super::{deny, invalid};
use crate::credential::Known;
use crate::facts::Transport;
use crate::token::cache::{Cache, TokenDigest};
use crate::token::claims::{Claims, Confirmation};
use crate::token::dpop::{self, Asked, Dpop, ProofError};
use crate::token::error::TokenError;
use crate::token::identity::SERVICE;
use crate::token::jwt::Verifier;

/// How a token is verified, where its claims say what, and which proofs come with it.
///
/// ```
/// use std::sync::Arc;
/// use palisade::stage::authenticate::{Bearer, Credential};
/// use palisade::testing::TestWorld;
/// use palisade::token::jwt::Verifier;
///
/// let test = TestWorld::new();
/// let verifier = Verifier::new(test.issuer.rules(), Arc::new(test.issuer.keys()), Arc::new(test.clock.clone()));
/// // Keycloak has the roles in `realm_access.roles`.
/// let mut bearer = Bearer::new(verifier);
/// bearer.roles_claim = vec!["realm_access".to_owned(), "roles".to_owned()];
/// let credential = Credential::Bearer(Arc::new(bearer));
/// # let _ = credential;
/// ```
pub struct Bearer {
    /// Proves the token.
    pub verifier: Verifier,
    /// The names that lead to the claim with the roles: `["roles"]`, or `["realm_access", "roles"]`.
    pub roles_claim: Vec<String>,
    /// The names that lead to the claim with the tenant; none where tokens name no tenant.
    pub tenant_claim: Vec<String>,
    dpop: Option<Dpop>,
    protection: Option<Arc<Protection>>,
    cache: Cache<Known>,
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Dpop,
    Identity,
}

/// Whether a token may be used by this caller.
pub(super) enum Bound {
    Holds,
    NeedsProof,
}

impl Bearer {
    /// Roles in the claim `roles`, no tenant, and no DPoP proofs.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            roles_claim: vec!["roles".to_owned()],
            tenant_claim: Vec::new(),
            dpop: None,
            protection: None,
            cache: Cache::default(),
        }
    }

    /// The same with DPoP proofs for tokens that are bound to a key.
    #[must_use]
    pub fn with_proofs(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }.protected(|protection| protection.proofs = Proofs::Optional)
    }

    /// The same, taking only tokens that are bound to a key or a certificate.
    #[must_use]
    pub fn with_required_proofs(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }.protected(|protection| protection.proofs = Proofs::Required)
    }

    /// The same for a resource that describes itself at this address (RFC 9728).
    #[must_use]
    pub fn described_at(self, metadata: &str) -> Self {
        self.protected(|protection| protection.metadata = Some(metadata.into()))
    }

    fn protected(mut self, change: impl FnOnce(&mut Protection)) -> Self {
        let mut protection = self.protection.as_deref().cloned().unwrap_or_default();
        change(&mut protection);
        if protection.proofs != Proofs::Off {
            protection.proof_algorithms = Dpop::algorithms().into();
        }
        self.protection = Some(Arc::new(protection));
        self
    }

    pub(super) fn protection(&self) -> Option<&Arc<Protection>> {
        self.protection.as_ref()
    }

    /// The scheme and the token of an `Authorization` header.
    pub(super) fn scheme<'v>(&self, value: &'v str) -> Option<(Scheme, &'v str)> {
        let (scheme, token) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some((Scheme::Bearer, token));
        }
        (self.dpop.is_some() && scheme.eq_ignore_ascii_case("dpop")).then_some((Scheme::Dpop, token))
    }

    /// What is known of a token that was verified a moment ago.
    pub(super) fn recall(&self, token: &str) -> Option<Arc<Known>> {
        self.verifier.recall(&self.cache, &TokenDigest::of(token))
    }

    /// Verifies the token in a header, and its proof.
    pub(super) async fn verify(
        &self,
        scheme: Scheme,
        value: &HeaderValue,
        head: &mut Head,
    ) -> Result<Arc<Known>, Denial> {
        // It was read as text before.
        let text = value.to_str().unwrap_or_default();
        let token = if scheme == Scheme::Identity { text } else { text.split_once(' ').unwrap_or_default().1 };
        let known = match self.recall(token) {
            Some(known) => known,
            None => self.learn(token, scheme).await?,
        };
        if let Bound::NeedsProof = self.bound(&known, scheme, head)? {
            self.prove(&known, token, head).await?;
        }
        Ok(known)
    }

    async fn learn(&self, token: &str, scheme: Scheme) -> Result<Arc<Known>, Denial> {
        let proven = self.verifier.prove(token).await.map_err(|error| refusal(&error, scheme))?;
        let confirmation = proven.claims.confirmation().cloned();
        let principal = self.principal(&proven.claims, scheme);
        let known = Arc::new(Known {
            principal,
            confirmation,
            expires: Some(proven.claims.expires()),
            signed: Default::default(),
            told: Default::default(),
        });
        self.cache.insert(TokenDigest::of(token), proven.life.holding(Arc::clone(&known)));
        Ok(known)
    }

    /// Whether the caller may use the token, as far as the connection shows.
    pub(super) fn bound(&self, known: &Known, scheme: Scheme, head: &Head) -> Result<Bound, Denial> {
        let required = self.protection.as_ref().is_some_and(|protection| protection.proofs == Proofs::Required);
        let refuse = |reason| Err(invalid(reason).challenging(challenge(scheme)));
        match (&known.confirmation, scheme) {
            (None, Scheme::Dpop) => refuse("token_not_bound"),
            (None, _) if required => refuse("binding_required"),
            (None, _) => Ok(Bound::Holds),
            (Some(Confirmation::Certificate(_)), Scheme::Dpop) => refuse("token_not_bound"),
            (Some(Confirmation::Certificate(wanted)), _) => {
                let certificate = head.facts.certificate.as_deref();
                match certificate.map(|certificate| certificate.thumbprint() == wanted) {
                    Some(true) => Ok(Bound::Holds),
                    Some(false) => refuse("certificate_of_other_key"),
                    None => refuse("certificate_missing"),
                }
            }
            (Some(Confirmation::Key(_)), Scheme::Dpop) => Ok(Bound::NeedsProof),
            // A bound token as bearer token is what a thief has (RFC 9449 section 7.2).
            (Some(Confirmation::Key(_)), _) => refuse("proof_required"),
        }
    }

    /// Checks the proof of this request.
    async fn prove(&self, known: &Known, token: &str, head: &mut Head) -> Result<(), Denial> {
        let (Some(dpop), Some(Confirmation::Key(key))) = (&self.dpop, &known.confirmation) else {
            return Err(invalid("proof_required").challenging(challenge(Scheme::Dpop)));
        };
        let url = url(dpop, head);
        let outcome = match proof(head) {
            Ok(proof) => {
                let asked = Asked { method: head.parts.method.as_str(), url: &url, token, key };
                dpop.verify(&proof, &asked).await
            }
            Err(error) => Err(error),
        };
        let (nonce, outcome) = match outcome {
            Ok(nonce) => (nonce, Ok(())),
            Err(ProofError::Unavailable(error)) => {
                (None, Err(deny(DenialCode::Unavailable).because("error", error.to_string())))
            }
            Err(error) => {
                let nonce = matches!(error, ProofError::NonceNeeded).then(|| dpop.nonce()).flatten();
                let denial = deny(DenialCode::ProofInvalid).because("reason", error.reason());
                (nonce, Err(denial.challenging(Challenge::Dpop { error: error.error() })))
            }
        };
        if let Some(Ok(value)) = nonce.map(HeaderValue::try_from) {
            head.plan.set(dpop::NONCE_HEADER, value);
        }
        outcome
    }

    fn principal(&self, claims: &Claims, scheme: Scheme) -> Principal {
        let signed_in = claims.get("auth_time").and_then(Value::as_u64).filter(|secs| *secs < 1 << 53);
        let assurance = Assurance {
            level: claims.get("acr").and_then(Value::as_str).and_then(Level::parse).unwrap_or(Level::Aal1),
            methods: texts(claims.get("amr")).into_iter().collect::<MethodSet>(),
            // A token is made anew without a new sign-in: when it was issued says nothing about when that was.
            at: signed_in.map_or_else(Timestamp::default, Timestamp::from_secs),
            bound_to: claims.confirmation().map(|confirmation| confirmation.thumbprint().clone()),
        };
        let is_program = scheme == Scheme::Identity && claims.get(SERVICE) == Some(&Value::Bool(true));
        let subject = match is_program {
            true => Subject::Service(ClientId::new(claims.subject())),
            false => Subject::User(UserId::new(claims.subject())),
        };
        let principal = Principal::establish(subject, assurance)
            .with_scopes(claims.scopes().clone())
            .with_roles(texts(follow(claims, &self.roles_claim)).into_iter().collect::<RoleSet>())
            .with_attributes(
                claims.all().iter().filter_map(|(name, v)| Some((name.clone(), attribute(v)?))).collect::<Attributes>(),
            );
        match follow(claims, &self.tenant_claim).and_then(Value::as_str) {
            Some(tenant) => principal.with_tenant(TenantId::new(tenant)),
            None => principal,
        }
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("roles_claim", &self.roles_claim).finish_non_exhaustive()
    }
}

fn refusal(error: &TokenError, scheme: Scheme) -> Denial {
    if error.is_unavailable() {
        let unavailable = deny(DenialCode::Unavailable);
        return unavailable.because("reason", error.reason()).because("error", error.to_string());
    }
    invalid(error.reason()).challenging(challenge(scheme))
}

fn challenge(scheme: Scheme) -> Challenge {
    let error = "invalid_token";
    match scheme {
        Scheme::Bearer => {
            let (error, scope) = (Some(error), ScopeSet::default());
            Challenge::Bearer { error, scope, level: Level::None, max_age: None }
        }
        Scheme::Dpop => Challenge::Dpop { error },
        Scheme::Identity => Challenge::Key { header: crate::token::identity::HEADER.to_string() },
    }
}

/// The one proof of a request.
fn proof(head: &Head) -> Result<String, ProofError> {
    let mut proofs = head.parts.headers.get_all(dpop::HEADER).iter();
    match (proofs.next(), proofs.next()) {
        (None, _) => Err(ProofError::Missing),
        (Some(proof), None) => {
            proof.to_str().map(str::to_owned).map_err(|_| ProofError::Invalid(TokenError::Malformed))
        }
        (Some(_), Some(_)) => Err(ProofError::Repeated),
    }
}

/// The address of a request, as its caller knows it.
fn url(dpop: &Dpop, head: &Head) -> String {
    let facts = &head.facts;
    let path = facts.path.as_ref().map_or_else(|| head.parts.uri.path(), |path| path.as_str());
    match dpop.origin() {
        Some(origin) => format!("{origin}{path}"),
        None => {
            let scheme = if facts.transport == Transport::Encrypted { "https" } else { "http" };
            let host = facts.host.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
    }
}

/// The claim that these names lead to.
fn follow<'c>(claims: &'c Claims, names: &[String]) -> Option<&'c Value> {
    let (first, rest) = names.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| value.get(name))
}

/// The texts of a claim that is a text or a list of texts.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn attribute(value: &Value) -> Option<Attribute> {
    match value {
        Value::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            Some(Attribute::List(texts?))
        }
        Value::Bool(flag) => Some(Attribute::Flag(*flag)),
        Value::Number(number) => Some(Attribute::Number(number.as_i64()?)),
        Value::String(text) => Some(Attribute::Text(text.clone())),
        Value::Null | Value::Object(_) => None,
    }
}
