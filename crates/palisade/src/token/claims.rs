//! What a verified token says, after its times, its issuer and its audience were checked (RFC 7519 section 4.1).

use std::time::Duration;

use palisade_core::id::KeyThumbprint;
use palisade_core::principal::ScopeSet;
use palisade_core::time::Timestamp;
use serde_json::{Map, Value};

use super::error::TokenError;
use super::jws::MAX_LENGTH;
use super::jwt::Rules;
use super::{base64url, json};

/// The claims of a token that was verified. Only [`super::jwt::Verifier`] makes one.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::testing::TestWorld;
/// use palisade::token::jwt::Verifier;
/// use serde_json::json;
///
/// let test = TestWorld::new();
/// let verifier = Verifier::new(test.issuer.rules(), Arc::new(test.issuer.keys()), Arc::new(test.clock.clone()));
/// let token = test.issuer.token(&json!({"sub": "alice", "scope": "orders:read orders:write", "team": "north"}));
/// let claims = verifier.verify(&token).await?;
/// assert_eq!((claims.subject(), claims.scopes().contains("orders:read")), ("alice", true));
/// assert_eq!(claims.get("team"), Some(&json!("north")));
/// assert_eq!(claims.confirmation(), None);
/// # Ok::<(), palisade::token::error::TokenError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    subject: Box<str>,
    issuer: Box<str>,
    audience: Vec<String>,
    expires: Timestamp,
    issued: Option<Timestamp>,
    scopes: ScopeSet,
    confirmation: Option<Confirmation>,
    all: Map<String, Value>,
}

impl Claims {
    /// Whom the token names (`sub`); unique only together with [`Claims::issuer`].
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who issued it (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom it was issued (`aud`); the rules' audience is among them.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// When it ends (`exp`).
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// When it was issued (`iat`).
    pub fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// What it may be used for: `scope` (RFC 9068 section 2.2.3), else `scp` as other issuers write it.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The key that the token is bound to (`cnf`).
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// Any claim by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// All claims.
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// Reads the payload of a token whose signature was verified, and refuses what `rules` do not allow.
    pub(super) fn check(payload: &[u8], rules: &Rules, now: Timestamp) -> Result<Self, TokenError> {
        let all = json::object(payload).ok_or(TokenError::Malformed)?;
        let issuer = text(&all, "iss")?;
        if issuer != rules.issuer() {
            return Err(TokenError::IssuerMismatch);
        }
        let audience = audience(&all)?;
        if !audience.iter().any(|audience| audience == rules.audience()) {
            return Err(TokenError::AudienceMismatch);
        }
        let subject = text(&all, "sub")?;
        // Subjects are written into events and headers; none that is honest has control characters.
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(TokenError::ClaimInvalid("sub"));
        }
        let expires = moment(&all, "exp")?.ok_or(TokenError::ClaimMissing("exp"))?;
        let issued = moment(&all, "iat")?;
        if now >= expires.plus(rules.leeway()) {
            return Err(TokenError::Expired);
        }
        let latest_start = issued.max(moment(&all, "nbf")?).unwrap_or_default();
        if latest_start > now.plus(rules.leeway()) {
            return Err(TokenError::NotYetValid);
        }
        if let Some(max_age) = rules.max_age() {
            let issued = issued.ok_or(TokenError::ClaimMissing("iat"))?;
            if now > issued.plus(max_age).plus(rules.leeway()) {
                return Err(TokenError::TooOld);
            }
        }
        let confirmation = match all.get("cnf") {
            Some(_) if rules.leaves_proof_to_caller() => None,
            Some(cnf) => Some(Confirmation::read(cnf)?),
            None => None,
        };
        let scopes = scopes(&all)?;
        let (subject, issuer) = (subject.into(), issuer.into());
        Ok(Self { subject, issuer, audience, expires, issued, scopes, confirmation, all })
    }
}

/// Whom a token names as its issuer, before anything about it is proven: to choose the keys it is then checked with, and
/// for nothing else. The reader is the one of verified claims, so that both find the same issuer.
pub(crate) fn claimed_issuer(token: &str) -> Option<String> {
    let token = Some(token).filter(|token| token.len() <= MAX_LENGTH)?;
    let (_, rest) = token.split_once('.')?;
    let (payload, _) = rest.split_once('.')?;
    match json::object(&base64url::decode(payload)?)?.remove("iss")? {
        Value::String(issuer) => Some(issuer),
        _ => None,
    }
}

/// The key that the caller of a token must have (RFC 7800).
///
/// ```
/// use palisade::core::id::KeyThumbprint;
/// use palisade::token::claims::Confirmation;
///
/// // What a token says with `"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`.
/// let bound = Confirmation::Key(KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
/// assert_eq!(bound.thumbprint().as_str().len(), 43);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// A client certificate of this SHA-256 (`x5t#S256`, RFC 8705 section 3.1).
    Certificate(KeyThumbprint),
    /// A key that signs a proof for every request (`jkt`, RFC 9449 section 6.1).
    Key(KeyThumbprint),
}

impl Confirmation {
    /// What must be proven, if it is one thing that can be checked here; half of a condition is none.
    fn read(cnf: &Value) -> Result<Self, TokenError> {
        let members = cnf.as_object().ok_or(TokenError::ClaimInvalid("cnf"))?;
        let mut members = members.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err(TokenError::ProofRequired);
        };
        let is_hash = |text: &&str| {
            text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let text = value.as_str().filter(is_hash);
        let thumbprint = || text.map(KeyThumbprint::new).ok_or(TokenError::ClaimInvalid("cnf"));
        match name.as_str() {
            "jkt" => thumbprint().map(Self::Key),
            "x5t#S256" => thumbprint().map(Self::Certificate),
            _ => Err(TokenError::ProofRequired),
        }
    }

    /// The thumbprint of the key or certificate.
    pub fn thumbprint(&self) -> &KeyThumbprint {
        match self {
            Self::Certificate(thumbprint) | Self::Key(thumbprint) => thumbprint,
        }
    }
}

fn text<'a>(all: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, TokenError> {
    let value = all.get(name).ok_or(TokenError::ClaimMissing(name))?;
    value.as_str().ok_or(TokenError::ClaimInvalid(name))
}

/// RFC 7519 section 4.1.3: one text or a list of texts.
fn audience(all: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    match all.get("aud").ok_or(TokenError::ClaimMissing("aud"))? {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(many) => texts(many).ok_or(TokenError::ClaimInvalid("aud")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(TokenError::ClaimInvalid("aud")),
    }
}

fn texts(values: &[Value]) -> Option<Vec<String>> {
    values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// A `NumericDate`: seconds since 1970, with a fraction or without (RFC 7519 section 2). Nothing else is a time, least
/// of all a text that some readers take for one.
fn moment(all: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let span = match (value.as_u64(), value.as_f64()) {
        (Some(secs), _) if secs <= MAX_SECONDS => Some(Duration::from_secs(secs)),
        (None, Some(secs)) => Duration::try_from_secs_f64(secs).ok().filter(|span| span.as_secs() < MAX_SECONDS),
        _ => None,
    };
    span.map(|span| Some(Timestamp::default().plus(span))).ok_or(TokenError::ClaimInvalid(name))
}

fn scopes(all: &Map<String, Value>) -> Result<ScopeSet, TokenError> {
    let (name, value) = match (all.get("scope"), all.get("scp")) {
        (Some(value), _) => ("scope", value),
        (None, Some(value)) => ("scp", value),
        (None, None) => return Ok(ScopeSet::default()),
    };
    let names: Option<Vec<String>> = match value {
        Value::String(text) => Some(text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()),
        Value::Array(names) if name == "scp" => texts(names),
        _ => None,
    };
    let names = names.filter(|names| names.iter().all(|name| is_scope(name)));
    names.map(ScopeSet::from_iter).ok_or(TokenError::ClaimInvalid(name))
}

/// RFC 6749 section 3.3.
fn is_scope(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The longest subject in bytes (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;

/// The last second that every JSON reader holds exactly (RFC 8259 section 6).
const MAX_SECONDS: u64 = 1 << 53;
