//! Making access tokens: signed, short-lived, for one audience, of one kind (RFC 9068).
//!
//! An access token is good wherever its signature is, so it lives for five minutes; what lasts is the refresh token,
//! which is asked about at every use. What this module makes is what [`super::jwt::Rules`] accept without any option,
//! and nothing of another kind is: the `typ` is `at+jwt`.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use palisade::core::{id::{ClientId, UserId}, port::refresh::Grant};
//! use palisade::testing::{SeededEntropy, StillClock};
//! use palisade::token::algorithm::Algorithm;
//! use palisade::token::issue::{Access, Issuer, OneKey};
//! use palisade::token::{jwks::{KeySet, StaticKeys}, jwt::{Rules, Verifier}, sign::Signer};
//!
//! let (clock, signer) = (Arc::new(StillClock::default()), Arc::new(Signer::generate_es256("2026-11")?));
//! let keys = StaticKeys::new(KeySet::new([signer.verify_key()?])?);
//! let entropy = Arc::new(SeededEntropy::new(1));
//! let signing = Arc::new(OneKey(signer));
//! let issuer = Issuer::new("https://id.example.com", "https://api.example.com", signing, clock.clone(), entropy);
//!
//! let grant = Grant::new(ClientId::new("app"), UserId::new("u-alice"));
//! let issued = issuer.issue(&Access::of(&grant), None)?;
//! assert_eq!(issued.expires_in.as_secs(), 300);
//!
//! let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
//! let verifier = Verifier::new(rules, Arc::new(keys), clock);
//! assert_eq!(verifier.verify(issued.access.expose()).await?.subject(), "u-alice");
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{ClientId, TenantId};
use palisade_core::port::access_token::KeptAccess;
use palisade_core::port::refresh::{Binding, Grant};
use palisade_core::port::{Clock, Entropy, StoreError};
use palisade_core::principal::{Level, MethodSet, RoleSet, ScopeSet};
use palisade_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::base64url;
use super::opaque::OpaqueTokens;
use super::refresh::TokenText;
use super::sign::{SignError, Signer};

/// Makes access tokens.
pub struct Issuer {
    issuer: Box<str>,
    audience: Box<str>,
    lifetime: Duration,
    signing: Arc<dyn Signing>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Where the key comes from that signs now.
///
/// ```
/// use std::sync::Arc;
/// use palisade::core::time::Timestamp;
/// use palisade::token::issue::Signing;
/// use palisade::token::sign::{SignError, Signer};
///
/// /// No key yet.
/// struct Nothing;
///
/// impl Signing for Nothing {
///     fn signer(&self, _: Timestamp) -> Result<Arc<Signer>, SignError> {
///         Err(SignError::NoKey)
///     }
/// }
/// # let _ = Nothing;
/// ```
pub trait Signing: Send + Sync + 'static {
    /// The key that signs at this moment; every verifier knows its public half.
    fn signer(&self, now: Timestamp) -> Result<Arc<Signer>, SignError>;
}

/// One key, for as long as the process lives.
#[derive(Clone, Debug)]
pub struct OneKey(pub Arc<Signer>);

impl Signing for OneKey {
    fn signer(&self, _: Timestamp) -> Result<Arc<Signer>, SignError> {
        Ok(Arc::clone(&self.0))
    }
}

/// Who may do what with an access token.
#[derive(Clone, Debug, PartialEq)]
pub struct Access<'a> {
    /// Whom it names: a person, or the client itself where it acts in its own name.
    pub subject: &'a str,
    /// The client that gets it.
    pub client: &'a ClientId,
    /// In which organization.
    pub tenant: Option<&'a TenantId>,
    /// The session that it came out of.
    pub session: Option<&'a str>,
    /// The key without which it is worth nothing.
    pub binding: Option<&'a Binding>,
    /// What for.
    pub scopes: &'a ScopeSet,
    /// The roles of the subject.
    pub roles: RoleSet,
    /// Where (RFC 8707); the issuer's own audience if it names none.
    pub resources: &'a [Box<str>],
    /// How surely it was the subject, by what, and when; nothing for a client in its own name.
    pub shown: Option<(Level, &'a MethodSet, Timestamp)>,
}

impl<'a> Access<'a> {
    /// What was granted, as [`super::refresh::RefreshTokens::redeem`] gives it back.
    pub fn of(grant: &'a Grant) -> Self {
        Self {
            subject: grant.subject.as_str(),
            client: &grant.client,
            tenant: grant.tenant.as_ref(),
            session: grant.session.as_deref(),
            binding: grant.binding.as_ref(),
            scopes: &grant.scopes,
            roles: RoleSet::default(),
            resources: &grant.resources,
            shown: (grant.level > Level::None).then_some((grant.level, &grant.methods, grant.authenticated)),
        }
    }

    /// The same for a subject with these roles.
    #[must_use]
    pub fn with_roles(mut self, roles: RoleSet) -> Self {
        self.roles = roles;
        self
    }

    /// A client in its own name (RFC 6749 section 4.4; RFC 9068 section 2.2 has its id as the subject).
    pub fn of_client(client: &'a ClientId, scopes: &'a ScopeSet, resources: &'a [Box<str>]) -> Self {
        let (subject, roles) = (client.as_str(), RoleSet::default());
        let (tenant, session, binding, shown) = (None, None, None, None);
        Self { subject, client, tenant, session, binding, scopes, roles, resources, shown }
    }
}

/// A pair of tokens on its way to its owner (RFC 6749 section 5.1).
///
/// ```
/// use palisade::token::issue::Issued;
///
/// fn answer(issued: &Issued) -> serde_json::Value {
///     serde_json::json!({
///         "access_token": issued.access.expose(),
///         "token_type": issued.kind,
///         "expires_in": issued.expires_in.as_secs(),
///         "refresh_token": issued.refresh.as_ref().map(|token| token.expose()),
///     })
/// }
/// # let _ = answer;
/// ```
#[derive(Clone, Debug)]
pub struct Issued {
    /// The access token.
    pub access: TokenText,
    /// Its `jti`, by which it can be revoked.
    pub id: Box<str>,
    /// `Bearer`, or `DPoP` where it is bound to a key (RFC 9449 section 5).
    pub kind: &'static str,
    /// How long it lasts.
    pub expires_in: Duration,
    /// The refresh token, if there is one.
    pub refresh: Option<TokenText>,
}

impl Issuer {
    /// Tokens of `issuer` that last five minutes, for `audience` unless a grant names another.
    pub fn new(
        issuer: impl Into<Box<str>>,
        audience: impl Into<Box<str>>,
        signing: Arc<dyn Signing>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), lifetime: LIFETIME, signing, clock, entropy }
    }

    /// The same with tokens of another life, at most an hour: a token that was revoked may be accepted for so long by
    /// whoever has not heard of it.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(Duration::from_secs(1), LONGEST);
        self
    }

    /// Its name, which its tokens have (`iss`).
    pub fn name(&self) -> &str {
        &self.issuer
    }

    /// How long its tokens last.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// An access token, put together with the refresh token that comes with it.
    pub fn issue(&self, access: &Access<'_>, refresh: Option<TokenText>) -> Result<Issued, SignError> {
        let (now, mut id) = (self.clock.now(), [0; 16]);
        self.entropy.fill(&mut id);
        let id = base64url::encode(&id);
        let signer = self.signing.signer(now)?;
        let token = signer.sign(TYP, &Value::Object(self.claims(access, now, &id)))?;
        Ok(Issued {
            access: TokenText::new(token),
            id: id.into(),
            kind: kind(access),
            expires_in: self.lifetime,
            refresh,
        })
    }

    /// An opaque access token that stands for the same. It is kept before anybody gets it.
    pub async fn issue_opaque(
        &self,
        tokens: &OpaqueTokens,
        access: &Access<'_>,
        refresh: Option<TokenText>,
    ) -> Result<Issued, StoreError> {
        let (now, mut id) = (self.clock.now(), [0; 16]);
        self.entropy.fill(&mut id);
        let id = base64url::encode(&id);
        let claims = Value::Object(self.claims(access, now, &id)).to_string().into();
        let (subject, session) = (access.subject.into(), access.session.map(Into::into));
        let expires = now.plus(self.lifetime);
        let kept = |hash| KeptAccess { hash, subject, session, claims, expires };
        let token = tokens.keep(self.entropy.as_ref(), kept, now).await?;
        Ok(Issued { access: token, id: id.into(), kind: kind(access), expires_in: self.lifetime, refresh })
    }

    fn claims(&self, access: &Access<'_>, now: Timestamp, id: &str) -> Map<String, Value> {
        let audience = match access.resources {
            [] => json!(self.audience),
            [one] => json!(one),
            many => json!(many),
        };
        let members = [
            ("iss", Some(json!(self.issuer))),
            ("aud", Some(audience)),
            ("sub", Some(json!(access.subject))),
            ("client_id", Some(json!(access.client))),
            ("iat", Some(json!(now.as_secs()))),
            ("exp", Some(json!(now.plus(self.lifetime).as_secs()))),
            ("jti", Some(json!(id))),
            ("scope", (!access.scopes.is_empty()).then(|| json!(access.scopes.to_string()))),
            ("roles", (!access.roles.is_empty()).then(|| json!(access.roles.iter().collect::<Vec<_>>()))),
            ("tenant", access.tenant.map(|tenant| json!(tenant))),
            ("sid", access.session.map(|session| json!(session))),
            ("acr", access.shown.map(|(level, ..)| json!(level.as_str()))),
            ("amr", access.shown.map(|(_, methods, _)| json!(methods.iter().collect::<Vec<_>>()))),
            ("auth_time", access.shown.map(|(.., at)| json!(at.as_secs()))),
            ("cnf", access.binding.map(confirmation)),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// How a token is presented.
fn kind(access: &Access<'_>) -> &'static str {
    if matches!(access.binding, Some(Binding::Key(_))) { "DPoP" } else { "Bearer" }
}

/// RFC 7800, with the members of RFC 9449 section 6.1 and RFC 8705 section 3.1.
fn confirmation(binding: &Binding) -> Value {
    match binding {
        Binding::Certificate(thumbprint) => json!({ "x5t#S256": thumbprint }),
        Binding::Key(thumbprint) => json!({ "jkt": thumbprint }),
    }
}

/// The kind of an access token (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";

/// How long a token lasts if nothing is said.
const LIFETIME: Duration = Duration::from_secs(300);

/// The longest life of a token that is made here.
pub const LONGEST: Duration = Duration::from_secs(3600);
