//! Checking a JWT: one set of rules, one issuer, one audience, one kind of token (RFC 7519, RFC 8725, RFC 9068).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::Clock;
use palisade_core::time::Timestamp;

use super::algorithm::Algorithm;
use super::cache::{Basis, Cache, Entry, TokenDigest};
use super::claims::Claims;
use super::error::TokenError;
use super::jwks::{Candidates, KeySet, KeySource};
use super::jws::{MAX_LENGTH, Unverified};
use super::opaque::OpaqueTokens;
use super::revocation::Revocations;

/// What a token must be to be believed. `iss`, `aud`, `exp` and `sub` must always be there.
///
/// ```
/// use palisade::token::algorithm::Algorithm;
/// use palisade::token::jwt::{Rules, TokenKind};
///
/// let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256, Algorithm::EdDsa])?
///     .with_kind(TokenKind::Jwt)
///     .with_max_age(std::time::Duration::from_secs(3600));
/// assert!(Rules::new("https://id.example.com", "https://api.example.com", []).is_err());
/// # Ok::<(), palisade::token::jwt::RulesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    issuer: Box<str>,
    audience: Box<str>,
    algorithms: Vec<Algorithm>,
    kind: TokenKind,
    leeway: Duration,
    max_age: Option<Duration>,
    proof_elsewhere: bool,
}

impl Rules {
    /// Access tokens of `issuer` for `audience`, signed with one of `algorithms`, with thirty seconds of leeway.
    pub fn new(
        issuer: impl Into<Box<str>>,
        audience: impl Into<Box<str>>,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, RulesError> {
        let (issuer, audience) = (issuer.into(), audience.into());
        let algorithms: Vec<Algorithm> = algorithms.into_iter().collect();
        let symmetric = algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
        if issuer.is_empty() {
            return Err(RulesError::NoIssuer);
        }
        if audience.is_empty() {
            return Err(RulesError::NoAudience);
        }
        if algorithms.is_empty() {
            return Err(RulesError::NoAlgorithm);
        }
        if symmetric != 0 && symmetric != algorithms.len() {
            return Err(RulesError::MixedAlgorithms);
        }
        let (kind, leeway) = (TokenKind::AccessToken, Duration::from_secs(30));
        Ok(Self { issuer, audience, algorithms, kind, leeway, max_age: None, proof_elsewhere: false })
    }

    /// The same rules for another kind of token.
    #[must_use]
    pub fn with_kind(mut self, kind: TokenKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same rules with `leeway` for clocks that differ, at most two minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, RulesError> {
        if leeway > MAX_LEEWAY {
            return Err(RulesError::LongLeeway);
        }
        self.leeway = leeway;
        Ok(self)
    }

    /// The same rules, refusing tokens that were issued longer ago whatever their `exp` says; `iat` becomes required.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The same rules, accepting tokens that are bound to a key (`cnf`, RFC 7800). The caller must then itself check
    /// that the request proves possession of that key (RFC 9449, RFC 8705); else a stolen token is as good as a bearer
    /// token, which its issuer meant to prevent.
    #[must_use]
    pub fn danger_leave_proof_to_caller(mut self) -> Self {
        self.proof_elsewhere = true;
        self
    }

    /// The one issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The one audience.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The allowed algorithms.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The kind of token.
    pub fn kind(&self) -> &TokenKind {
        &self.kind
    }

    /// How much clocks may differ.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }

    /// How long ago a token may have been issued.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Whether tokens that are bound to a key are accepted without proof.
    pub fn leaves_proof_to_caller(&self) -> bool {
        self.proof_elsewhere
    }
}

/// The kind of a token, told by its `typ`, so that one kind is not taken for another (RFC 8725 section 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `at+jwt`: an access token as RFC 9068 has it.
    AccessToken,
    /// Any, or nothing: only for an issuer that signs nothing but access tokens with these keys.
    Any,
    /// `JWT` or nothing: what many issuers still write on access tokens. ID tokens look the same, so that only the
    /// audience tells them apart; give the API an audience that no client has.
    Jwt,
    /// Any other kind by its name, such as `logout+jwt`.
    Other(Box<str>),
}

impl TokenKind {
    /// Whether `typ` names this kind: in any case of letters, with or without `application/` (RFC 7515 section 4.1.9).
    pub fn accepts(&self, typ: Option<&str>) -> bool {
        let expected = match self {
            Self::AccessToken => "at+jwt",
            Self::Any => return true,
            Self::Jwt => "jwt",
            Self::Other(name) => name,
        };
        let Some(typ) = typ else { return *self == Self::Jwt };
        typ.strip_prefix("application/").unwrap_or(typ).eq_ignore_ascii_case(expected)
    }
}

/// Why rules cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// More leeway than two minutes makes `exp` meaningless.
    #[error("the leeway is longer than two minutes")]
    LongLeeway,
    /// A public key could be taken for a shared secret (RFC 8725 section 2.1).
    #[error("the algorithms mix shared secrets with public keys")]
    MixedAlgorithms,
    /// No algorithm is allowed.
    #[error("there is no algorithm")]
    NoAlgorithm,
    /// Without an audience a token for any other service would do (RFC 8725 section 3.9).
    #[error("there is no audience")]
    NoAudience,
    /// Without an issuer nothing says whose tokens these are.
    #[error("there is no issuer")]
    NoIssuer,
}

/// Checks tokens by rules, with the keys of one issuer, and remembers for a short time which were good.
///
/// ```
/// # use std::sync::Arc;
/// # use palisade_core::{port::Clock, time::Timestamp};
/// # struct Fixed;
/// # impl Clock for Fixed { fn now(&self) -> Timestamp { Timestamp::from_secs(1_795_305_600) } }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use palisade::token::{algorithm::Algorithm, jwks::{KeySet, StaticKeys}, jwt::{Rules, Verifier}, sign::Signer};
///
/// let issuer = Signer::generate_es256("2026-11")?;
/// let keys = StaticKeys::new(KeySet::new([issuer.verify_key()?])?);
/// let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
/// let verifier = Verifier::new(rules, Arc::new(keys), Arc::new(Fixed));
///
/// let token = issuer.sign("at+jwt", &serde_json::json!({
///     "iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "u-alice", "exp": 1_795_309_200,
/// }))?;
/// assert_eq!(verifier.verify(&token).await?.subject(), "u-alice");
/// # Ok(())
/// # }
/// ```
pub struct Verifier {
    rules: Rules,
    keys: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    cache: Cache<Claims>,
    revocations: Arc<Revocations>,
    opaque: Option<OpaqueTokens>,
}

impl Verifier {
    /// A verifier of `rules`; `keys` must be those of the issuer that the rules name.
    pub fn new(rules: Rules, keys: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { rules, keys, clock, cache: Cache::default(), revocations: Arc::default(), opaque: None }
    }

    /// The same verifier, which refuses what is revoked there.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Arc<Revocations>) -> Self {
        self.revocations = revocations;
        self
    }

    /// The same verifier for opaque tokens, and for no signed ones.
    pub(super) fn asking(mut self, tokens: OpaqueTokens) -> Self {
        self.opaque = Some(tokens);
        self
    }

    /// Whether it takes opaque tokens, and no signed ones.
    pub fn is_opaque(&self) -> bool {
        self.opaque.is_some()
    }

    /// What is revoked.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The claims of `token`, if it is what the rules demand. A token that is bound to a key is refused: nothing here
    /// sees the request that would have to prove it. The stage `authenticate` does.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        let digest = TokenDigest::of(token);
        if let Some(claims) = self.recall(&self.cache, &digest) {
            return Ok(claims);
        }
        let proven = self.prove(token).await?;
        if proven.claims.confirmation().is_some() {
            return Err(TokenError::ProofRequired);
        }
        let claims = Arc::new(proven.claims);
        self.cache.insert(digest, proven.life.holding(Arc::clone(&claims)));
        Ok(claims)
    }

    /// What a cache of verified tokens knows of this one, while everything that proved it still holds. Waits for nobody.
    pub(crate) fn recall<V>(&self, cache: &Cache<V>, digest: &TokenDigest) -> Option<Arc<V>> {
        let revocation = self.revocations.epoch();
        let keys = if self.is_opaque() { NO_KEYS } else { self.keys.current()?.epoch() };
        cache.find(digest, Basis { keys, revocation }, self.clock.now())
    }

    /// Verifies a token that no cache knows, whatever key it is bound to.
    pub(crate) async fn prove(&self, token: &str) -> Result<Proven, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        // INVARIANT: read before anything is proven, so that a revocation in the meantime is not overtaken.
        let revocation = self.revocations.epoch();
        if let Some(tokens) = &self.opaque {
            return self.look_up(tokens, token, revocation).await;
        }
        let unverified = Unverified::parse(token)?;
        self.admit(&unverified)?;
        let keys = match self.keys.current() {
            Some(keys) => Ok(keys),
            None => self.keys.keys().await,
        };
        let mut keys = keys.map_err(TokenError::KeysUnavailable)?;
        let payload = match prove(&keys, &unverified) {
            Ok(payload) => payload,
            Err(Unproven { error, final_answer: true }) => return Err(error),
            Err(Unproven { error, final_answer: false }) => {
                let newer = self.keys.refresh().await.map_err(TokenError::KeysUnavailable)?;
                if newer.epoch() == keys.epoch() {
                    return Err(error);
                }
                keys = newer;
                prove(&keys, &unverified).map_err(|unproven| unproven.error)?
            }
        };
        let now = self.clock.now();
        let claims = Claims::check(payload, &self.rules, now)?;
        if self.revocations.refuses(&claims, now) {
            return Err(TokenError::Revoked);
        }
        let basis = Basis { keys: keys.epoch(), revocation };
        let (until, weight) = (self.remembered_until(&claims, now), token.len());
        Ok(Proven { claims, life: Entry { value: Arc::new(()), basis, from: now, until, weight } })
    }

    /// Asks what an opaque token stands for, and holds that to the same rules.
    async fn look_up(&self, tokens: &OpaqueTokens, token: &str, revocation: u64) -> Result<Proven, TokenError> {
        let now = self.clock.now();
        let kept = tokens.find(token, now).await?;
        let claims = Claims::check(kept.claims.as_bytes(), &self.rules, now)?;
        if self.revocations.refuses(&claims, now) {
            return Err(TokenError::Revoked);
        }
        let basis = Basis { keys: NO_KEYS, revocation };
        let until = kept.expires.min(now.plus(OpaqueTokens::BELIEVED));
        // What is remembered is not the token but what it stands for.
        let weight = token.len() + kept.claims.len();
        Ok(Proven { claims, life: Entry { value: Arc::new(()), basis, from: now, until, weight } })
    }

    /// Forgets every verified token, so that each is checked anew: after a key was withdrawn.
    pub fn revoke_all(&self) {
        self.revocations.forget();
    }

    /// What the header says must be allowed before a key is looked for.
    fn admit(&self, token: &Unverified<'_>) -> Result<(), TokenError> {
        let header = token.header();
        if !self.rules.algorithms.contains(&header.algorithm) {
            return Err(TokenError::AlgorithmForbidden);
        }
        if !self.rules.kind.accepts(header.kind.as_deref()) {
            return Err(TokenError::TypeMismatch);
        }
        Ok(())
    }

    fn remembered_until(&self, claims: &Claims, now: Timestamp) -> Timestamp {
        let too_old = self.rules.max_age.and_then(|max_age| claims.issued().map(|issued| issued.plus(max_age)));
        let until = claims.expires().min(now.plus(CACHE_LIFE));
        too_old.map_or(until, |too_old| until.min(too_old))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// A token that was just verified, and for how long that may be remembered.
pub(crate) struct Proven {
    pub(crate) claims: Claims,
    pub(crate) life: Entry<()>,
}

/// Why no key proved a token, and whether a newer set could.
struct Unproven {
    error: TokenError,
    final_answer: bool,
}

fn prove<'t>(keys: &KeySet, token: &'t Unverified<'_>) -> Result<&'t [u8], Unproven> {
    let header = token.header();
    let (error, final_answer) = match keys.find(header.key_id.as_deref(), header.algorithm) {
        Candidates::Named(key) => return token.verify(key).map_err(|error| Unproven { error, final_answer: true }),
        Candidates::None => (TokenError::KeyUnknown, false),
        Candidates::OtherAlgorithm => (TokenError::AlgorithmMismatch, true),
        Candidates::Unnamed(candidates) => match candidates.into_iter().find_map(|key| token.verify(key).ok()) {
            Some(payload) => return Ok(payload),
            None => (TokenError::SignatureInvalid, false),
        },
    };
    Err(Unproven { error, final_answer })
}

/// The epoch of a key set where there is none.
const NO_KEYS: u64 = 0;

/// The most leeway that rules may give.
const MAX_LEEWAY: Duration = Duration::from_secs(120);

/// How long a verified token is not verified again.
const CACHE_LIFE: Duration = Duration::from_secs(5 * 60);
