//! Establishes who asks. A credential that is not valid is refused, never taken for no credential.
//!
//! 1. The route lists the kinds of credentials it takes. Each looks at one header; a client certificate has none.
//! 2. A header of a listed kind that is present decides: valid, or refused. Two kinds at once are refused: it would not
//!    be clear who asks. A certificate beside another credential says nothing about who asks; it is what a token may be
//!    bound to.
//!    Where a route takes tokens of several issuers, a token chooses by its `iss` which of them has to prove it.
//! 3. A credential of a kind that the route does not list is refused as well, unless the backend checks it.
//! 4. Without any credential the principal is anonymous; whether that is enough is the policy's to say.
//! 5. When keys cannot be had, the request is refused as unavailable, and no verdict about the credential is made.
//! 6. A token that is bound to a key (`cnf`) needs the proof that the caller has it: the certificate of the connection
//!    (RFC 8705), or a DPoP proof for this request (RFC 9449). Without one it is refused, as what it would be: stolen.
//! 7. A route may leave the check to its backend: then a credential must be present where one is needed, the principal
//!    has no claims, and rules about roles, scopes and owners refuse.
//!
//! 8. A session is looked up with every request, see `authenticate/session.rs`.
//!
//! What is remembered of a credential is the finished principal: a token that was verified a moment ago costs one hash
//! and one look into a table. Whether the sign-in behind it is strong and recent enough is not asked here but by a later
//! stage, which knows what the operation needs.

mod bearer;
mod session;
mod stored_key;

use std::fmt;
use std::sync::Arc;

pub use bearer::Bearer;
use bearer::{Bound, Scheme};
use http::{HeaderName, HeaderValue, header};
use palisade_core::canon::query;
use palisade_core::denial::{Challenge, Denial, DenialCode, Proofs, Protection};
use palisade_core::port::Clock;
use palisade_core::principal::{Assurance, Level, Principal, ScopeSet, Subject};
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;

use super::{Head, Stage, Verdict};
use crate::credential::Known;
use crate::credential::api_key::ApiKeys;
use crate::credential::certificate::{Certificates, ClientCertificate};
use crate::credential::stored_api_key::StoredApiKeys;
use crate::facts::Carrier;
use crate::session::{Presented as Cookie, Sessions};
use crate::settings::PerRoute;
use crate::token::claims::claimed_issuer;
use crate::token::error::TokenError;
use crate::token::{identity, opaque};

/// The stage; takes no credential by default.
///
/// ```
/// use std::sync::Arc;
/// use palisade::core::denial::DenialCode;
/// use palisade::credential::api_key::ApiKeys;
/// use palisade::settings::PerRoute;
/// use palisade::stage::authenticate::{Authenticate, Credential};
/// use palisade::stage::{Stage, Stop, Verdict};
/// use palisade::testing::{StillClock, head};
///
/// let key = Credential::Key { header: http::HeaderName::from_static("x-api-key"), keys: Arc::new(ApiKeys::default()) };
/// let stage = Authenticate::new(PerRoute::same(vec![key]), Arc::new(StillClock::default()));
/// let mut guess = head("GET /\nx-api-key: guess");
/// let Verdict::Now(Err(Stop::Deny(denial))) = stage.check(&mut guess) else { panic!() };
/// assert_eq!(denial.code(), DenialCode::CredentialInvalid);
/// // Nobody is no refusal here: whether that is enough is the policy's to say.
/// assert!(matches!(stage.check(&mut head("GET /")), Verdict::Now(Ok(()))));
/// ```
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
    /// A token in `Authorization`, as bearer token (RFC 6750 section 2.1) or with a proof (RFC 9449 section 7.1).
    Bearer(Arc<Bearer>),
    /// A client certificate of the connection.
    Certificate(Arc<Certificates>),
    /// A signed identity in `Palisade-Identity`, of the service in front ([`crate::token::identity`]).
    Identity(Arc<Bearer>),
    /// An API key in a header.
    Key {
        /// The name of the header.
        header: HeaderName,
        /// The keys that are known.
        keys: Arc<ApiKeys>,
    },
    /// The session of somebody who has signed in, in its cookie.
    Session(Sessions),
    /// An API key of a service account in a store, in a header.
    StoredKey {
        /// The name of the header.
        header: HeaderName,
        /// The keys.
        keys: StoredApiKeys,
    },
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
            Self::Certificate(_) => "Certificate",
            Self::Identity(_) => "Identity",
            Self::Key { .. } => "Key",
            Self::Session(_) => "Session",
            Self::StoredKey { .. } => "StoredKey",
        })
    }
}

impl Credential {
    /// Whether the other is of another issuer in the same header, so that a token says for itself which of them is meant.
    fn is_alternative(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Bearer(_), Self::Bearer(_)) | (Self::Identity(_), Self::Identity(_)))
            || stored_key::is_alternative(self, other)
    }

    /// Whose tokens it takes.
    fn issuer(&self) -> Option<&str> {
        match self {
            Self::Bearer(bearer) | Self::Identity(bearer) => Some(bearer.verifier.rules().issuer()),
            Self::Backend { .. } | Self::Certificate(_) | Self::Key { .. } | Self::Session(_) => None,
            Self::StoredKey { .. } => None,
        }
    }

    /// The header that carries it, if the request has it.
    fn presented(&self, head: &Head) -> Option<HeaderName> {
        let has = |name: &HeaderName| head.parts.headers.contains_key(name);
        match self {
            Self::Backend { headers, .. } => headers.iter().find(|name| has(name)).cloned(),
            Self::Bearer(_) => Some(header::AUTHORIZATION).filter(has),
            Self::Certificate(_) => None,
            Self::Identity(_) => Some(identity::HEADER).filter(has),
            Self::Key { header, .. } | Self::StoredKey { header, .. } => Some(header.clone()).filter(has),
            Self::Session(sessions) => sessions.settings().cookie.is_in(&head.parts.headers).then_some(header::COOKIE),
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
            Self::Certificate(_) => false,
            Self::Identity(_) => *name == identity::HEADER,
            Self::Key { header, .. } | Self::StoredKey { header, .. } => header == name,
            Self::Session(_) => name == header::COOKIE,
        }
    }

    /// What would help somebody who has none.
    pub fn challenge(&self) -> Challenge {
        match self {
            Self::Backend { .. } | Self::Bearer(_) => {
                Challenge::Bearer { error: None, scope: ScopeSet::default(), level: Level::None, max_age: None }
            }
            Self::Certificate(_) => Challenge::Certificate,
            Self::Identity(_) => Challenge::Key { header: identity::HEADER.to_string() },
            Self::Key { header, .. } | Self::StoredKey { header, .. } => Challenge::Key { header: header.to_string() },
            Self::Session(sessions) => session::challenge(sessions),
        }
    }

    /// Whether it comes with proofs of possession.
    pub(crate) fn takes_proofs(&self) -> bool {
        self.protection().is_some_and(|protection| protection.proofs != Proofs::Off)
    }

    /// What the resource says of itself beside a challenge for this kind.
    fn protection(&self) -> Option<&Arc<Protection>> {
        if let Self::Bearer(bearer) = self { bearer.protection() } else { None }
    }
}

/// What a request presents.
enum Presented<'a> {
    Certificate(&'a Credential, &'a Certificates),
    Header(&'a Credential, HeaderName, HeaderValue),
    Nothing,
    Query,
    Session(&'a Sessions, Cookie),
}

/// What is known of a credential: at once, or after waiting.
enum Found<'a> {
    Known(Arc<Known>),
    Somebody(Principal),
    Store(&'a StoredApiKeys, String),
    Wait(&'a Bearer, Scheme, HeaderValue),
}

impl Authenticate {
    /// The stage with the credentials of each route.
    pub fn new(kinds: PerRoute<Vec<Credential>>, clock: Arc<dyn Clock>) -> Self {
        Self { kinds, clock }
    }

    /// The one credential that the request presents.
    fn presented(&self, head: &Head) -> Result<Presented<'_>, Denial> {
        let kinds = self.kinds.of(head);
        let ambiguous = |headers: &str| deny(DenialCode::CredentialAmbiguous).because("headers", headers);
        // A token that nobody here could check must neither pass for an anonymous request nor travel on to the backend
        // beside a credential that was checked.
        let unchecked = head.parts.headers.contains_key(header::AUTHORIZATION)
            && !kinds.iter().any(|kind| kind.reads(&header::AUTHORIZATION));
        if let (true, Some(first)) = (unchecked, kinds.first()) {
            return Err(invalid("kind_not_accepted").challenging(rejected(first)));
        }
        let mut presented = kinds.iter().filter_map(|kind| Some((kind, kind.presented(head)?)));
        let Some((kind, header)) = presented.next() else {
            let by_certificate = head.facts.certificate.is_some().then(|| {
                kinds.iter().find_map(|kind| match kind {
                    Credential::Certificate(certificates) => Some(Presented::Certificate(kind, certificates)),
                    _ => None,
                })
            });
            let in_query =
                || if kinds.iter().any(|kind| kind.in_query(head)) { Presented::Query } else { Presented::Nothing };
            return Ok(by_certificate.flatten().unwrap_or_else(in_query));
        };
        let mut several = false;
        for (other, second) in presented {
            if !kind.is_alternative(other) {
                return Err(ambiguous(&format!("{header}, {second}")));
            }
            several = true;
        }
        if let Credential::Session(sessions) = kind {
            return Ok(Presented::Session(sessions, sessions.settings().cookie.read(&head.parts.headers)));
        }
        let mut values = head.parts.headers.get_all(&header).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if several => Ok(Presented::Header(named(kinds, kind, value)?, header, value.clone())),
            (Some(value), None) => Ok(Presented::Header(kind, header, value.clone())),
            _ => Err(ambiguous(header.as_str())),
        }
    }

    /// What can be said about a credential without waiting.
    fn find<'a>(&'a self, kind: &'a Credential, value: &HeaderValue, head: &Head) -> Result<Found<'a>, Denial> {
        let text = value.to_str().map_err(|_| invalid("not_ascii").challenging(rejected(kind)))?;
        match kind {
            Credential::Backend { .. } => Ok(Found::Somebody(delegated(self.clock.as_ref()))),
            Credential::Bearer(bearer) => {
                let (scheme, token) =
                    bearer.scheme(text).ok_or_else(|| invalid("scheme").challenging(rejected(kind)))?;
                remembered(bearer, scheme, token, value, head)
            }
            // The one has no header and the other one among many cookies, so that they are never found here.
            Credential::Certificate(_) | Credential::Session(_) => Err(invalid("scheme").challenging(rejected(kind))),
            Credential::Identity(bearer) => remembered(bearer, Scheme::Identity, text, value, head),
            Credential::Key { keys, .. } => {
                let kept = keys.kept(text, self.clock.now());
                let kept = kept.map_err(|error| invalid(error.reason()).challenging(rejected(kind)))?;
                let known = kept.known.get_or_init(|| {
                    let record = &kept.record;
                    // A key says nothing of when somebody signed in: no operation that asks for that is open to it.
                    let assurance = Assurance::new(Level::Aal1, Timestamp::default());
                    let principal = Principal::establish(Subject::Service(record.client.clone()), assurance)
                        .with_scopes(record.scopes.clone())
                        .with_roles(record.roles.clone());
                    Arc::new(Known {
                        principal,
                        confirmation: None,
                        expires: record.expires,
                        signed: Default::default(),
                        told: Default::default(),
                    })
                });
                Ok(Found::Known(Arc::clone(known)))
            }
            Credential::StoredKey { keys, .. } => match keys.recall(text, head.facts.known_client()) {
                Some(Ok(known)) => Ok(Found::Known(known)),
                Some(Err(reason)) => Err(invalid(reason).challenging(rejected(kind))),
                None => Ok(Found::Store(keys, text.to_owned())),
            },
        }
    }
}

/// Which of several issuers a token names. It is not believed: it chooses the keys that have to prove it, and with the
/// keys all other rules of that issuer. `first` is one of them.
fn named<'a>(kinds: &'a [Credential], first: &'a Credential, value: &HeaderValue) -> Result<&'a Credential, Denial> {
    let text = value.to_str().unwrap_or_default();
    if let Credential::Key { .. } | Credential::StoredKey { .. } = first {
        return Ok(stored_key::named(kinds, first, text));
    }
    let token = if let Credential::Identity(_) = first { text } else { text.split_once(' ').unwrap_or_default().1 };
    let is_opaque = |kind: &&Credential| matches!(kind, Credential::Bearer(bearer) if bearer.verifier.is_opaque());
    if opaque::begins(token) {
        let mut same = kinds.iter().filter(|kind| first.is_alternative(kind));
        return Ok(same.find(is_opaque).unwrap_or(first));
    }
    // What names no issuer is nobody's token, and whoever is asked refuses it as such.
    let Some(issuer) = claimed_issuer(token) else { return Ok(first) };
    let is_meant =
        |kind: &&Credential| first.is_alternative(kind) && !is_opaque(kind) && kind.issuer() == Some(&*issuer);
    let mut found = kinds.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(kind), None) => Ok(kind),
        (None, _) => Err(invalid(TokenError::IssuerMismatch.reason()).challenging(rejected(first))),
        // The configuration is refused for this; in an application somebody may have built it by hand.
        (Some(_), Some(_)) => Err(deny(DenialCode::CredentialAmbiguous).because("issuer", issuer)),
    }
}

/// What is known of a token, unless it has to be verified first or its proof has to be asked about.
fn remembered<'a>(
    bearer: &'a Bearer,
    scheme: Scheme,
    token: &str,
    value: &HeaderValue,
    head: &Head,
) -> Result<Found<'a>, Denial> {
    let Some(known) = bearer.recall(token) else { return Ok(Found::Wait(bearer, scheme, value.clone())) };
    match bearer.bound(&known, scheme, head)? {
        Bound::Holds => Ok(Found::Known(known)),
        Bound::NeedsProof => Ok(Found::Wait(bearer, scheme, value.clone())),
    }
}

/// Whose certificate it is.
fn holder(certificates: &Certificates, certificate: &ClientCertificate) -> Result<Principal, &'static str> {
    let record = certificates.find(certificate).map_err(|error| error.reason())?;
    let mut assurance = Assurance::new(Level::Aal1, Timestamp::default());
    assurance.bound_to = Some(certificate.thumbprint().clone());
    Ok(Principal::establish(Subject::Service(record.client.clone()), assurance)
        .with_scopes(record.scopes.clone())
        .with_roles(record.roles.clone()))
}

impl Stage for Authenticate {
    fn id(&self) -> StageId {
        StageId::Authenticate
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        head.facts.protection = self.kinds.of(head).iter().find_map(Credential::protection).cloned();
        let (kind, header, value) = match self.presented(head) {
            Err(denial) => return Verdict::from(Err(denial)),
            Ok(Presented::Nothing) => return Verdict::PASS,
            Ok(Presented::Query) => {
                head.facts.principal = delegated(self.clock.as_ref());
                return Verdict::PASS;
            }
            Ok(Presented::Certificate(kind, certificates)) => {
                let found = head.facts.certificate.as_deref().map(|certificate| holder(certificates, certificate));
                return match found {
                    Some(Ok(principal)) => {
                        head.facts.principal = principal;
                        Verdict::PASS
                    }
                    Some(Err(reason)) => Verdict::from(Err(invalid(reason).challenging(rejected(kind)))),
                    None => Verdict::PASS,
                };
            }
            Ok(Presented::Header(kind, header, value)) => (kind, header, value),
            Ok(Presented::Session(sessions, cookie)) => {
                return Verdict::Later(Box::pin(async move { Ok(session::establish(sessions, cookie, head).await?) }));
            }
        };
        match self.find(kind, &value, head) {
            Err(denial) => Verdict::from(Err(denial)),
            Ok(Found::Known(known)) => {
                establish(head, header, known);
                Verdict::PASS
            }
            Ok(Found::Somebody(principal)) => {
                head.facts.credential = Some(Carrier::Header(header));
                head.facts.principal = principal;
                Verdict::PASS
            }
            Ok(Found::Store(keys, text)) => Verdict::Later(Box::pin(async move {
                let known = stored_key::look_up(keys, &text, kind, head).await?;
                establish(head, header, known);
                Ok(())
            })),
            Ok(Found::Wait(bearer, scheme, value)) => Verdict::Later(Box::pin(async move {
                let known = bearer.verify(scheme, &value, head).await?;
                establish(head, header, known);
                Ok(())
            })),
        }
    }
}

fn establish(head: &mut Head, header: HeaderName, known: Arc<Known>) {
    head.facts.credential = Some(Carrier::Header(header));
    head.facts.principal = known.principal.clone();
    head.facts.known = Some(known);
}

fn deny(code: DenialCode) -> Denial {
    Denial::new(code, StageId::Authenticate)
}

fn invalid(reason: &str) -> Denial {
    deny(DenialCode::CredentialInvalid).because("reason", reason)
}

/// The challenge of a refused credential.
fn rejected(kind: &Credential) -> Challenge {
    match kind.challenge() {
        Challenge::Bearer { scope, level, max_age, .. } => {
            Challenge::Bearer { error: Some("invalid_token"), scope, level, max_age }
        }
        other => other,
    }
}

/// Somebody whom only the backend knows.
fn delegated(clock: &dyn Clock) -> Principal {
    Principal::establish(Subject::Delegated, Assurance::new(Level::Aal1, clock.now()))
}

#[cfg(test)]
mod tests;
