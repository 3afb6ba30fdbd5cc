//! Opaque access tokens: random texts that say nothing, and a store that knows what they stand for.
//!
//! A signed token can be read by whoever holds it, and is good until it expires unless everybody has heard that it is
//! not. An opaque one tells its holder nothing, and is gone with its row: at every process within a second, without a
//! feed. The price is a question to the store per token, process and second. Clients far away get opaque tokens; what
//! stands behind them is made of the same claims as a signed token, and so are the principal, its scopes and roles, and
//! the key or certificate that it is bound to.
//!
//! A token is `pat_` and 256 random bits in base64url. Only its SHA-256 is kept.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use palisade::core::{id::{ClientId, UserId}, port::refresh::Grant};
//! use palisade::testing::{SeededEntropy, StillClock};
//! use palisade::token::{error::TokenError, issue::{Access, Issuer}, opaque::{NoKeys, OpaqueTokens}};
//! use palisade_store::memory::MemoryAccessTokens;
//!
//! let (clock, entropy) = (Arc::new(StillClock::default()), Arc::new(SeededEntropy::new(1)));
//! let (id, api) = ("https://id.example.com", "https://api.example.com");
//! let issuer = Issuer::new(id, api, Arc::new(NoKeys), clock.clone(), entropy);
//! let tokens = OpaqueTokens::new(Arc::new(MemoryAccessTokens::default()), id);
//!
//! let grant = Grant::new(ClientId::new("app"), UserId::new("u-alice"));
//! let issued = issuer.issue_opaque(&tokens, &Access::of(&grant), None).await?;
//! assert_eq!(issued.access.expose().len(), 47);
//!
//! let verifier = tokens.verifier(api, clock.clone())?;
//! assert_eq!(verifier.verify(issued.access.expose()).await?.subject(), "u-alice");
//! assert!(tokens.revoke(issued.access.expose()).await?);
//! clock.advance(OpaqueTokens::BELIEVED);
//! assert_eq!(verifier.verify(issued.access.expose()).await.unwrap_err(), TokenError::Unknown);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use palisade_core::port::access_token::{AccessHash, KeptAccess, Which};
use palisade_core::port::{AccessTokenStore, Clock, Entropy, StoreError};
use palisade_core::time::Timestamp;

use super::algorithm::Algorithm;
use super::base64url;
use super::error::TokenError;
use super::issue::Signing;
use super::jwks::{KeySet, KeySource, KeySourceError};
use super::jwt::{Rules, RulesError, Verifier};
use super::refresh::TokenText;
use super::sign::{SignError, Signer};

/// The opaque tokens of one issuer in a store. Clones are the same.
#[derive(Clone)]
pub struct OpaqueTokens {
    store: Arc<dyn AccessTokenStore>,
    issuer: Arc<str>,
}

impl OpaqueTokens {
    /// For how long the store is believed.
    pub const BELIEVED: Duration = Duration::from_secs(1);

    /// Tokens that are kept in `store`, of the issuer of this name.
    pub fn new(store: Arc<dyn AccessTokenStore>, issuer: &str) -> Self {
        Self { store, issuer: issuer.into() }
    }

    /// What takes these tokens, and no signed one, for one audience.
    pub fn verifier(&self, audience: &str, clock: Arc<dyn Clock>) -> Result<Verifier, RulesError> {
        Ok(self.verifier_of(self.rules(audience)?, clock))
    }

    pub(crate) fn rules(&self, audience: &str) -> Result<Rules, RulesError> {
        // Nothing here is signed, so that the algorithm does not matter.
        Rules::new(&*self.issuer, audience, [Algorithm::Es256])
    }

    pub(crate) fn verifier_of(&self, rules: Rules, clock: Arc<dyn Clock>) -> Verifier {
        Verifier::new(rules, Arc::new(NoKeys), clock).asking(self.clone())
    }

    /// Takes one token back, and says whether it was there.
    pub async fn revoke(&self, token: &str) -> Result<bool, StoreError> {
        match hash(token) {
            Some(hash) => Ok(self.store.revoke(Which::Token(&hash)).await? != 0),
            None => Ok(false),
        }
    }

    /// Where they are kept.
    pub fn store(&self) -> &Arc<dyn AccessTokenStore> {
        &self.store
    }

    /// Makes a token that stands for these claims.
    pub(super) async fn keep(
        &self,
        entropy: &dyn Entropy,
        kept: impl FnOnce(AccessHash) -> KeptAccess + Send,
        now: Timestamp,
    ) -> Result<TokenText, StoreError> {
        let mut random = [0; 32];
        entropy.fill(&mut random);
        let text = format!("{PREFIX}{}", base64url::encode(&random));
        self.store.keep(&kept(digest_of(&text)), now).await?;
        Ok(TokenText::new(text))
    }

    /// What a token stands for. Whether the rules allow it is for the verifier to say.
    pub(super) async fn find(&self, token: &str, now: Timestamp) -> Result<KeptAccess, TokenError> {
        let hash = hash(token).ok_or(TokenError::Malformed)?;
        let kept =
            self.store.find(&hash).await.map_err(|error| TokenError::StoreUnavailable(error.to_string().into()))?;
        let kept = kept.filter(|kept| kept.hash == hash).ok_or(TokenError::Unknown)?;
        if now >= kept.expires { Err(TokenError::Expired) } else { Ok(kept) }
    }
}

impl fmt::Debug for OpaqueTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueTokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// An issuer that signs nothing, and whose signed tokens nobody takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

impl Signing for NoKeys {
    fn signer(&self, _: Timestamp) -> Result<Arc<Signer>, SignError> {
        Err(SignError::NoKey)
    }
}

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        Err(KeySourceError::new("this issuer signs nothing"))
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        None
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.keys().await
    }
}

/// Whether a text begins as an opaque token does.
pub(crate) fn begins(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// What is kept of a text that has the shape of a token.
fn hash(text: &str) -> Option<AccessHash> {
    let random = text.strip_prefix(PREFIX).filter(|random| random.len() == LENGTH)?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    random.bytes().all(is_letter).then(|| digest_of(text))
}

fn digest_of(text: &str) -> AccessHash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    AccessHash(hash)
}

/// What every token begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "pat_";

/// 256 bits in base64url.
const LENGTH: usize = 43;
