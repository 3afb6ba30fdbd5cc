//! Proofs that a caller has the key its token is bound to (DPoP, RFC 9449): a token that was stolen is worth nothing.
//!
//! A proof is a small JWT for one request. It counts when (section 4.3)
//!
//! 1. it is of the kind `dpop+jwt`, signed with a public key that its header brings, by an asymmetric algorithm;
//! 2. that key is the one whose thumbprint the token names (`cnf.jkt`);
//! 3. `htm` and `htu` are the method and address of this request, and `ath` is the hash of this token;
//! 4. it was made in the last minute, or has a nonce of ours that is at most five minutes old;
//! 5. nobody has sent it before.
//!
//! One span bounds both the age of a proof and how long it is remembered: were the second shorter, a proof could be used
//! again in between.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use http::{HeaderName, Uri};
use palisade_core::canon::host::CanonicalHost;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::id::KeyThumbprint;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{Clock, OnceStore, StoreError};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::error::TokenError;
use super::jws::Unverified;
use super::{base64url, json};

/// The header that carries a proof.
pub const HEADER: HeaderName = HeaderName::from_static("dpop");

/// The header that carries the nonce for the next proof.
pub const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// Checks proofs.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::core::id::KeyThumbprint;
/// use palisade::testing::StillClock;
/// use palisade::token::dpop::{Asked, Dpop, ProofError};
/// # struct Never;
/// # #[async_trait::async_trait]
/// # impl palisade::core::port::OnceStore for Never {
/// #     async fn take(
/// #         &self,
/// #         _: &palisade::core::port::once::OnceKey,
/// #         _: std::time::Duration,
/// #         _: palisade::core::time::Timestamp,
/// #     ) -> Result<palisade::core::port::once::Taken, palisade::core::port::StoreError> {
/// #         Ok(palisade::core::port::once::Taken::First)
/// #     }
/// # }
/// # let store = Never;
///
/// let dpop = Dpop::new(Arc::new(store), Arc::new(StillClock::default())).at_origin("https://api.example.com").unwrap();
/// let key = KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
/// let asked = Asked { method: "GET", url: "https://api.example.com/orders", token: "a.b.c", key: &key };
/// // A token is no proof that its caller has the key.
/// let error = dpop.verify("a.b.c", &asked).await.unwrap_err();
/// assert!(matches!(error, ProofError::Invalid(_)));
/// assert_eq!(error.error(), "invalid_dpop_proof");
/// # });
/// ```
pub struct Dpop {
    once: Arc<dyn OnceStore>,
    clock: Arc<dyn Clock>,
    nonces: Option<hmac::Key>,
    origin: Option<Box<str>>,
}

/// What a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Its address, `https://api.example.com/orders`; query and fragment do not matter.
    pub url: &'a str,
    /// The token that the proof comes with.
    pub token: &'a str,
    /// The key that the token is bound to.
    pub key: &'a KeyThumbprint,
}

impl Dpop {
    /// Proofs of one minute, used once as `once` remembers. Every process that serves the same API needs the same store.
    pub fn new(once: Arc<dyn OnceStore>, clock: Arc<dyn Clock>) -> Self {
        Self { once, clock, nonces: None, origin: None }
    }

    /// The same, asking for a nonce of ours in every proof, so that none can be made in advance. Every process that
    /// serves the same API needs the same secret.
    #[must_use]
    pub fn with_nonces(mut self, secret: &Secret) -> Self {
        self.nonces = Some(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()));
        self
    }

    /// The same for an API that callers know under this origin, such as `https://api.example.com`: where TLS ends at
    /// another program, a request does not say how it was addressed. `None` for anything else.
    #[must_use]
    pub fn at_origin(mut self, origin: &str) -> Option<Self> {
        Target::parse(origin).filter(|target| target.path.as_str() == "/")?;
        self.origin = Some(origin.trim_end_matches('/').into());
        Some(self)
    }

    /// The origin under which callers know the API.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The algorithms that a proof may be signed with, as a challenge lists them.
    pub fn algorithms() -> String {
        ALGORITHMS.map(Algorithm::as_str).join(" ")
    }

    /// A nonce for the next proof; `None` where none is asked for.
    pub fn nonce(&self) -> Option<String> {
        self.nonces.as_ref().map(|key| nonce(key, self.clock.now().as_secs()))
    }

    /// Whether `proof` is one for what is asked, and uses it up. Gives back a newer nonce where it is time for one.
    pub async fn verify(&self, proof: &str, asked: &Asked<'_>) -> Result<Option<String>, ProofError> {
        let Asked { method, url, token, key } = *asked;
        let wanted = Wanted { method, url, token: Some(token), key: Some(key) };
        let (_, nonce) = self.use_up(proof, &wanted).await?;
        Ok(nonce)
    }

    /// The key that whoever asks for a token has, by a proof for this request that names no token yet (RFC 9449 section
    /// 5), which is used up. Gives back a newer nonce where it is time for one.
    pub async fn prove(&self, proof: &str, method: &str, url: &str) -> Result<(ProvenKey, Option<String>), ProofError> {
        self.use_up(proof, &Wanted { method, url, token: None, key: None }).await
    }

    async fn use_up(&self, proof: &str, wanted: &Wanted<'_>) -> Result<(ProvenKey, Option<String>), ProofError> {
        let now = self.clock.now();
        let checked = self.check(proof, wanted, now)?;
        let name = OnceKey::new("dpop", &checked.name);
        match self.once.take(&name, WINDOW + SKEW + Duration::from_secs(1), now).await {
            Ok(Taken::First) => Ok((ProvenKey(checked.key), self.nonce().filter(|_| checked.renew))),
            Ok(Taken::Again) => Err(ProofError::Replayed),
            Err(error) => Err(ProofError::Unavailable(error)),
        }
    }

    /// Everything but whether it was used before.
    fn check(&self, proof: &str, asked: &Wanted<'_>, now: Timestamp) -> Result<Checked, ProofError> {
        let (unverified, key, thumbprint) = Unverified::parse_proof(proof).map_err(ProofError::Invalid)?;
        let header = unverified.header();
        if !ALGORITHMS.contains(&header.algorithm) {
            return Err(ProofError::Invalid(TokenError::AlgorithmForbidden));
        }
        if !header.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(ProofError::Invalid(TokenError::TypeMismatch));
        }
        if asked.key.is_some_and(|key| *key != thumbprint) {
            return Err(ProofError::OtherKey);
        }
        let payload = unverified.verify(&key).map_err(ProofError::Invalid)?;
        let claims = json::object(payload).ok_or(ProofError::Invalid(TokenError::Malformed))?;
        let text = |name| claims.get(name).and_then(Value::as_str).ok_or(ProofError::ClaimInvalid(name));
        if text("htm")? != asked.method {
            return Err(ProofError::OtherMethod);
        }
        let target = Target::parse(text("htu")?).ok_or(ProofError::ClaimInvalid("htu"))?;
        if Target::parse(asked.url) != Some(target) {
            return Err(ProofError::OtherTarget);
        }
        if let Some(token) = asked.token
            && text("ath")? != hash(token)
        {
            return Err(ProofError::OtherToken);
        }
        let renew = self.fresh(&claims, now)?;
        let id = text("jti")?;
        if id.is_empty() || id.len() > MAX_ID {
            return Err(ProofError::ClaimInvalid("jti"));
        }
        Ok(Checked { name: hash(&format!("{}:{id}", thumbprint.as_str())), renew, key: thumbprint })
    }

    /// Whether the proof was made for now, and whether it is time for a newer nonce.
    fn fresh(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<bool, ProofError> {
        let made = claims.get("iat").and_then(Value::as_u64).filter(|secs| *secs < 1 << 53);
        let made = Timestamp::from_secs(made.ok_or(ProofError::ClaimInvalid("iat"))?);
        if made > now.plus(SKEW) {
            return Err(ProofError::Early);
        }
        if now >= made.plus(WINDOW) {
            return Err(ProofError::Late);
        }
        let Some(key) = &self.nonces else { return Ok(false) };
        let given = claims.get("nonce").and_then(Value::as_str).ok_or(ProofError::NonceNeeded)?;
        let age = nonce_age(key, given, now.as_secs()).ok_or(ProofError::NonceNeeded)?;
        Ok(age > NONCE_LIFE / 2)
    }
}

/// A key that the caller of this request has proven to have. Only [`Dpop::prove`] makes one.
///
/// ```
/// use palisade::token::dpop::{Dpop, ProofError, ProvenKey};
///
/// async fn key_of_a_token_request(dpop: &Dpop, proof: &str) -> Result<ProvenKey, ProofError> {
///     dpop.prove(proof, "POST", "https://id.example.com/token").await.map(|(key, _)| key)
/// }
/// # let _ = key_of_a_token_request;
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct ProvenKey(KeyThumbprint);

impl ProvenKey {
    /// Its thumbprint.
    pub fn thumbprint(&self) -> &KeyThumbprint {
        &self.0
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why a proof does not count; for events, and for the word that tells a client what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// A claim is missing or cannot be what it must be.
    #[error("the claim `{0}` is missing or malformed")]
    ClaimInvalid(&'static str),
    /// It was made in the future.
    #[error("the proof is not valid yet")]
    Early,
    /// It is not a signed proof at all.
    #[error("{0}")]
    Invalid(TokenError),
    /// It was made too long ago.
    #[error("the proof is too old")]
    Late,
    /// There is none, although the token needs one.
    #[error("the proof is missing")]
    Missing,
    /// It lacks a nonce that is still good.
    #[error("the proof needs a nonce")]
    NonceNeeded,
    /// It is signed with another key than the token's.
    #[error("the proof is for another key")]
    OtherKey,
    /// It is for another method.
    #[error("the proof is for another method")]
    OtherMethod,
    /// It is for another address.
    #[error("the proof is for another address")]
    OtherTarget,
    /// It is for another token.
    #[error("the proof is for another token")]
    OtherToken,
    /// There is more than one.
    #[error("there is more than one proof")]
    Repeated,
    /// It was used before.
    #[error("the proof was used before")]
    Replayed,
    /// Nobody can tell whether it was used before.
    #[error("{0}")]
    Unavailable(StoreError),
}

impl ProofError {
    /// The reason as one word for events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ClaimInvalid(_) => "proof_claim_invalid",
            Self::Early => "proof_not_yet_valid",
            Self::Invalid(error) => error.reason(),
            Self::Late => "proof_too_old",
            Self::Missing => "proof_missing",
            Self::NonceNeeded => "nonce_needed",
            Self::OtherKey => "proof_of_other_key",
            Self::OtherMethod => "proof_for_other_method",
            Self::OtherTarget => "proof_for_other_target",
            Self::OtherToken => "proof_for_other_token",
            Self::Repeated => "proof_repeated",
            Self::Replayed => "proof_replayed",
            Self::Unavailable(_) => "store_unavailable",
        }
    }

    /// What the client is told (RFC 9449 sections 7.1 and 9).
    pub fn error(&self) -> &'static str {
        if matches!(self, Self::NonceNeeded) { "use_dpop_nonce" } else { "invalid_dpop_proof" }
    }
}

/// A proof that is good unless it was used before.
struct Checked {
    name: String,
    renew: bool,
    key: KeyThumbprint,
}

/// What a proof must be for, where the token is known and where it is not.
struct Wanted<'a> {
    method: &'a str,
    url: &'a str,
    token: Option<&'a str>,
    key: Option<&'a KeyThumbprint>,
}

/// An address in the form in which two are compared (RFC 3986 sections 6.2.2 and 6.2.3).
#[derive(Debug, PartialEq, Eq)]
struct Target {
    secure: bool,
    host: Box<str>,
    port: u16,
    path: CanonicalPath,
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let host = CanonicalHost::parse(uri.authority()?.as_str()).ok()?;
        let port = host.port().unwrap_or(if secure { 443 } else { 80 });
        Some(Self { secure, host: host.name().into(), port, path: CanonicalPath::parse(uri.path()).ok()? })
    }
}

/// The SHA-256 of a text, as `ath` writes it.
fn hash(text: &str) -> String {
    base64url::encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// The moment and a proof that we have said it; nothing has to be remembered.
fn nonce(key: &hmac::Key, secs: u64) -> String {
    let moment = secs.to_be_bytes();
    let tag = hmac::sign(key, &moment);
    let tag = tag.as_ref().iter().take(NONCE_TAG);
    base64url::encode(&moment.iter().chain(tag).copied().collect::<Vec<u8>>())
}

/// The age of a nonce in seconds, if it is ours and not too old.
fn nonce_age(key: &hmac::Key, given: &str, now: u64) -> Option<u64> {
    let bytes = base64url::decode(given)?;
    let secs = u64::from_be_bytes(*bytes.first_chunk()?);
    let expect = nonce(key, secs);
    let age = now.checked_sub(secs).filter(|age| *age <= NONCE_LIFE)?;
    Secret::new(expect).matches(given.as_bytes()).then_some(age)
}

/// What proofs may be signed with. RSA is left out: a client makes its key for this, and can make a small one.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es384];

/// How old a proof may be.
const WINDOW: Duration = Duration::from_secs(60);

/// How far the client's clock may be ahead.
const SKEW: Duration = Duration::from_secs(10);

/// How old a nonce may be, in seconds.
const NONCE_LIFE: u64 = 300;

/// How many bytes of its HMAC a nonce has.
const NONCE_TAG: usize = 16;

/// The longest `jti` in bytes.
const MAX_ID: usize = 256;
