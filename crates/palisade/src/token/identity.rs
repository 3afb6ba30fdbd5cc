//! Tells the service behind who asks, in a form that it can check: a short signed token in one header.
//!
//! A header such as `Palisade-Subject` is worth as much as the network is closed. A signed identity is worth something
//! wherever it arrives: it names its issuer, the one service it is for, and the principal, and lives for a minute.
//!
//! It is not bound to one request. So it can be signed once for many requests of the same principal, which is what makes
//! it cheap, and whoever could read it on the way to the service could as well read the answer. The minute and the
//! audience bound what a leaked one is good for.
//!
//! ```
//! # struct Fixed;
//! # impl palisade_core::port::Clock for Fixed {
//! #     fn now(&self) -> palisade_core::time::Timestamp { palisade_core::time::Timestamp::from_secs(1_795_305_600) }
//! # }
//! # let clock = std::sync::Arc::new(Fixed);
//! use palisade::token::{identity::IdentitySigner, sign::Signer};
//! use palisade_core::principal::{Assurance, Level, Principal, Subject};
//! use palisade_core::{id::UserId, time::Timestamp};
//!
//! let signer = IdentitySigner::new(Signer::generate_ed25519("2026-11")?, "https://front.example.com", clock)?;
//! let alice = Principal::establish(Subject::User(UserId::new("u-1")), Assurance::new(Level::Aal1, Timestamp::default()));
//! let value = signer.sign(&alice, "orders")?;
//! assert_eq!(value.to_str()?.split('.').count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use palisade_core::port::Clock;
use palisade_core::principal::{Level, Principal, Subject};
use palisade_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::jwt::{Rules, RulesError, TokenKind};
use super::sign::{SignError, Signer};

/// The header that carries a signed identity.
pub const HEADER: HeaderName = HeaderName::from_static("palisade-identity");

/// Signs identities for services behind.
pub struct IdentitySigner {
    signer: Arc<Signer>,
    issuer: Box<str>,
    clock: Arc<dyn Clock>,
}

impl IdentitySigner {
    /// Signs with a private key: a shared secret is refused, since every service that checks could also sign.
    pub fn new(
        signer: impl Into<Arc<Signer>>,
        issuer: impl Into<Box<str>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SignError> {
        let signer = signer.into();
        if signer.algorithm().is_symmetric() {
            return Err(SignError::Unsupported(signer.algorithm()));
        }
        Ok(Self { signer, issuer: issuer.into(), clock })
    }

    /// The value of [`HEADER`] that tells the service `audience` who asks.
    pub fn sign(&self, principal: &Principal, audience: &str) -> Result<HeaderValue, SignError> {
        let claims = self.claims(principal, audience, self.clock.now());
        // A token consists of letters that a header may have.
        HeaderValue::from_str(&self.signer.sign(KIND, &claims)?).map_err(|_| SignError::Failed)
    }

    /// The same value as some seconds ago, where there is one.
    pub(crate) fn sign_once(
        &self,
        signed: &Signed,
        principal: &Principal,
        audience: &Arc<str>,
    ) -> Result<HeaderValue, SignError> {
        let now = self.clock.now();
        if let Some(value) = signed.find(audience, now) {
            return Ok(value);
        }
        let value = self.sign(principal, audience)?;
        signed.keep(audience, &value, now);
        Ok(value)
    }

    /// The public half of the key as a JWK Set (RFC 7517 section 5), for the services to check with.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.signer.public_jwk()] })
    }

    fn claims(&self, principal: &Principal, audience: &str, now: Timestamp) -> Value {
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        let assurance = principal.assurance();
        put("iss", (*self.issuer).into());
        put("aud", audience.into());
        put("sub", principal.subject().id().unwrap_or_default().into());
        put("iat", now.as_secs().into());
        put("exp", now.plus(LIFE).as_secs().into());
        if let Subject::Service(_) = principal.subject() {
            put(SERVICE, true.into());
        }
        if assurance.level != Level::None {
            put("acr", assurance.level.as_str().into());
        }
        if assurance.at > Timestamp::default() {
            put("auth_time", assurance.at.as_secs().into());
        }
        let methods: Vec<&str> = assurance.methods.iter().collect();
        if !methods.is_empty() {
            put("amr", methods.into());
        }
        let roles: Vec<&str> = principal.roles().iter().collect();
        if !roles.is_empty() {
            put("roles", roles.into());
        }
        if !principal.scopes().is_empty() {
            put("scope", principal.scopes().to_string().into());
        }
        if let Some(tenant) = principal.tenant() {
            put("tenant", tenant.as_str().into());
        }
        Value::Object(claims)
    }
}

impl fmt::Debug for IdentitySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentitySigner").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The rules for identities that `issuer` signs for the service `audience`.
pub fn rules(issuer: &str, audience: &str) -> Result<Rules, RulesError> {
    let rules = Rules::new(issuer, audience, [Algorithm::Es256, Algorithm::EdDsa])?;
    rules.with_kind(TokenKind::Other(KIND.into())).with_max_age(LIFE).with_leeway(LEEWAY)
}

/// What was signed about one principal, for each service that was told of it. It lives where its credential is
/// remembered, so that it goes when the credential is revoked.
#[derive(Debug, Default)]
pub(crate) struct Signed(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    audience: Arc<str>,
    value: HeaderValue,
    at: Timestamp,
}

impl Signed {
    fn find(&self, audience: &Arc<str>, now: Timestamp) -> Option<HeaderValue> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|kept| kept.audience == *audience)?;
        (found.at <= now && now.since(found.at) < REUSE).then(|| found.value.clone())
    }

    fn keep(&self, audience: &Arc<str>, value: &HeaderValue, at: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.audience != *audience);
        kept.push(Kept { audience: Arc::clone(audience), value: value.clone(), at });
    }
}

/// The `typ` of an identity, which no other token has (RFC 8725 section 3.11).
const KIND: &str = "palisade-identity+jwt";

/// The claim that the subject is a program.
pub(crate) const SERVICE: &str = "service";

/// How long an identity lives.
const LIFE: Duration = Duration::from_secs(60);

/// For how long the same one is sent again.
const REUSE: Duration = Duration::from_secs(20);

/// How much the clocks of two services may differ.
const LEEWAY: Duration = Duration::from_secs(10);
