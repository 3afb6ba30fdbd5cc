//! Establishes who asks. A credential that is not valid is refused, never taken for no credential.
//!
//! 1. The route lists the kinds of credentials it takes. Each looks at one header.
//! 2. A header of a listed kind that is present decides: valid, or refused. Two kinds at once are refused: it would not
//!    be clear who asks.
//! 3. A credential of a kind that the route does not list is refused as well, unless the backend checks it.
//! 4. Without any credential the principal is anonymous; whether that is enough is the policy's to say.
//! 5. When keys cannot be had, the request is refused as unavailable, and no verdict about the credential is made.
//! 6. A route may leave the check to its backend: then a credential must be present where one is needed, the principal
//!    has no claims, and rules about roles, scopes and owners refuse.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use palisade_core::canon::query;
use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::id::{TenantId, UserId};
use palisade_core::port::Clock;
use palisade_core::principal::{
    Assurance, Attribute, Attributes, Level, MethodSet, Principal, RoleSet, ScopeSet, Subject,
};
use palisade_core::stage::StageId;
use serde_json::Value;

use super::{Head, Stage, Stop, Verdict};
use crate::credential::api_key::ApiKeys;
use crate::settings::PerRoute;
use crate::token::claims::Claims;
use crate::token::jwt::Verifier;

/// The stage; takes no credential by default.
#[derive(Clone)]
pub struct Authenticate {
    kinds: PerRoute<Vec<Credential>>,
    clock: Arc<dyn Clock>,
}

/// A kind of credential.
#[derive(Clone)]
pub enum Credential {
    /// Whatever it is, only the backend can check it, in one of these places.
    Backend {
        /// The names of the headers.
        headers: Vec<HeaderName>,
        /// The names of query parameters.
        query: Vec<String>,
    },
    /// A bearer token in `Authorization` (RFC 6750 section 2.1).
    Bearer(Arc<Bearer>),
    /// An API key in a header.
    Key {
        /// The name of the header.
        header: HeaderName,
        /// The keys that are known.
        keys: Arc<ApiKeys>,
    },
}

/// How a bearer token is verified, and where its claims say what.
pub struct Bearer {
    /// Proves the token.
    pub verifier: Verifier,
    /// The names that lead to the claim with the roles: `["roles"]`, or `["realm_access", "roles"]`.
    pub roles_claim: Vec<String>,
    /// The names that lead to the claim with the tenant; none where tokens name no tenant.
    pub tenant_claim: Vec<String>,
}

impl Bearer {
    /// Roles in the claim `roles`, and no tenant.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, roles_claim: vec!["roles".to_owned()], tenant_claim: Vec::new() }
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backend { .. } => "Backend",
            Self::Bearer(_) => "Bearer",
            Self::Key { .. } => "Key",
        })
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("roles_claim", &self.roles_claim).finish_non_exhaustive()
    }
}

impl Credential {
    /// The header that carries it, if the request has it.
    fn presented(&self, head: &Head) -> Option<HeaderName> {
        let has = |name: &HeaderName| head.parts.headers.contains_key(name);
        match self {
            Self::Backend { headers, .. } => headers.iter().find(|name| has(name)).cloned(),
            Self::Bearer(_) => Some(header::AUTHORIZATION).filter(has),
            Self::Key { header, .. } => Some(header.clone()).filter(has),
        }
    }

    /// Whether the request's query carries it.
    fn in_query(&self, head: &Head) -> bool {
        let Self::Backend { query, .. } = self else { return false };
        let given = head.parts.uri.query().unwrap_or_default();
        !query.is_empty()
            && query::pairs(given).any(|(name, value)| !value.is_empty() && query.iter().any(|key| *key == name))
    }

    /// Whether it can be in this header.
    fn reads(&self, name: &HeaderName) -> bool {
        match self {
            Self::Backend { headers, .. } => headers.contains(name),
            Self::Bearer(_) => name == header::AUTHORIZATION,
            Self::Key { header, .. } => header == name,
        }
    }

    /// What would help somebody who has none.
    pub fn challenge(&self) -> Challenge {
        match self {
            Self::Backend { .. } | Self::Bearer(_) => {
                Challenge::Bearer { error: None, scope: ScopeSet::default(), level: Level::None }
            }
            Self::Key { header, .. } => Challenge::Key { header: header.to_string() },
        }
    }
}

impl Authenticate {
    /// The stage with the credentials of each route.
    pub fn new(kinds: PerRoute<Vec<Credential>>, clock: Arc<dyn Clock>) -> Self {
        Self { kinds, clock }
    }

    async fn establish(&self, head: &mut Head) -> Result<(), Stop> {
        let kinds = self.kinds.of(head);
        let deny = |code| Denial::new(code, StageId::Authenticate);
        let mut presented = kinds.iter().filter_map(|kind| Some((kind, kind.presented(head)?)));
        // A token that nobody here could check must neither pass for an anonymous request nor travel on to the backend
        // beside a credential that was checked.
        let unchecked = head.parts.headers.contains_key(header::AUTHORIZATION)
            && !kinds.iter().any(|kind| kind.reads(&header::AUTHORIZATION));
        if let (true, Some(first)) = (unchecked, kinds.first()) {
            let denial = deny(DenialCode::CredentialInvalid).because("reason", "kind_not_accepted");
            return Err(denial.challenging(rejected(first)).into());
        }
        let Some((kind, header)) = presented.next() else {
            if kinds.iter().any(|kind| kind.in_query(head)) {
                head.facts.principal = delegated(self.clock.as_ref());
            }
            return Ok(());
        };
        if let Some((_, second)) = presented.next() {
            let headers = format!("{header}, {second}");
            return Err(deny(DenialCode::CredentialAmbiguous).because("headers", headers).into());
        }
        let mut values = head.parts.headers.get_all(&header).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(deny(DenialCode::CredentialAmbiguous).because("headers", header.as_str()).into());
        };
        let principal = self.verify(kind, value).await.map_err(|denial| denial.challenging(rejected(kind)))?;
        head.facts.credential = Some(header);
        head.facts.principal = principal;
        Ok(())
    }

    async fn verify(&self, kind: &Credential, value: &HeaderValue) -> Result<Principal, Denial> {
        let invalid =
            |reason: &str| Denial::new(DenialCode::CredentialInvalid, StageId::Authenticate).because("reason", reason);
        let text = value.to_str().map_err(|_| invalid("not_ascii"))?;
        match kind {
            Credential::Backend { .. } => Ok(delegated(self.clock.as_ref())),
            Credential::Bearer(bearer) => {
                let (scheme, token) = text.split_once(' ').ok_or_else(|| invalid("scheme"))?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(invalid("scheme"));
                }
                match bearer.verifier.verify(token).await {
                    Ok(claims) => Ok(bearer.principal(&claims, self.clock.as_ref())),
                    Err(error) if error.is_unavailable() => {
                        let unavailable = Denial::new(DenialCode::Unavailable, StageId::Authenticate);
                        Err(unavailable.because("reason", error.reason()).because("error", error.to_string()))
                    }
                    Err(error) => Err(invalid(error.reason())),
                }
            }
            Credential::Key { keys, .. } => {
                let now = self.clock.now();
                let record = keys.find(text, now).map_err(|error| invalid(error.reason()))?;
                let assurance = Assurance::new(Level::Aal1, now);
                Ok(Principal::establish(Subject::Service(record.client.clone()), assurance)
                    .with_scopes(record.scopes.clone())
                    .with_roles(record.roles.clone()))
            }
        }
    }
}

impl Stage for Authenticate {
    fn id(&self) -> StageId {
        StageId::Authenticate
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        Verdict::Later(Box::pin(self.establish(head)))
    }
}

/// The challenge of a refused credential.
fn rejected(kind: &Credential) -> Challenge {
    match kind.challenge() {
        Challenge::Bearer { scope, level, .. } => Challenge::Bearer { error: Some("invalid_token"), scope, level },
        key @ Challenge::Key { .. } => key,
    }
}

/// Somebody whom only the backend knows.
fn delegated(clock: &dyn Clock) -> Principal {
    Principal::establish(Subject::Delegated, Assurance::new(Level::Aal1, clock.now()))
}

impl Bearer {
    fn principal(&self, claims: &Claims, clock: &dyn Clock) -> Principal {
        let at = claims.issued().unwrap_or_else(|| clock.now());
        let signed_in = claims.get("auth_time").and_then(Value::as_u64);
        let assurance = Assurance {
            level: claims.get("acr").and_then(Value::as_str).and_then(Level::parse).unwrap_or(Level::Aal1),
            methods: texts(claims.get("amr")).into_iter().collect::<MethodSet>(),
            at: signed_in.map_or(at, palisade_core::time::Timestamp::from_secs),
            bound_to: None,
        };
        let principal = Principal::establish(Subject::User(UserId::new(claims.subject())), assurance)
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

#[cfg(test)]
mod tests;
