//! The keys of one issuer, and where they come from (RFC 7517 section 5).
//!
//! A token is only ever checked with a key from the set that was configured for its issuer: what a token's header says
//! picks one of these keys and can bring no other (RFC 8725 section 3.10).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::json;
use super::jwk::{KeyError, VerifyKey};

/// Keys of one issuer, none of them named twice, all public or all secret.
///
/// ```
/// use palisade::token::jwks::KeySet;
///
/// let set = KeySet::parse(br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"OKP","crv":"X25519","kid":"b","use":"enc","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}
/// ]}"#)?;
/// assert_eq!((set.keys().len(), set.skipped().len()), (1, 1));
/// # Ok::<(), palisade::token::jwk::KeyError>(())
/// ```
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerifyKey>,
    skipped: Vec<Skipped>,
    epoch: u64,
}

impl KeySet {
    /// Reads a JWK Set. A key that cannot be used - for encryption, of an unknown type, too weak - is left out and
    /// named by [`KeySet::skipped`]; a set in which a name stands twice, secrets mix with public keys, or nothing is
    /// left is refused as a whole.
    pub fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let mut set = json::object(text).ok_or(KeyError::Malformed("JWK set"))?;
        let Some(Value::Array(entries)) = set.remove("keys") else { return Err(KeyError::Malformed("keys")) };
        if entries.len() > MAX_KEYS {
            return Err(KeyError::TooMany(MAX_KEYS));
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        // A name that a broken key has as well is not clear either; a key for another use may share it.
        let mut ids = BTreeSet::new();
        for (position, entry) in entries.iter().enumerate() {
            let (key, id) = (VerifyKey::from_jwk(entry), entry.get("kid").and_then(Value::as_str));
            let counts = !matches!(key, Err(KeyError::OtherUse | KeyError::Unsupported(_)));
            if let Some(id) = id.filter(|id| counts && !ids.insert(*id)) {
                return Err(KeyError::DuplicateId(id.to_owned()));
            }
            match key {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let id = id.map(str::to_owned);
                    skipped.push(Skipped { position, id, reason });
                }
            }
        }
        Ok(Self { skipped, ..Self::new(keys)? })
    }

    /// A set of keys that were read one by one.
    pub fn new(keys: impl IntoIterator<Item = VerifyKey>) -> Result<Self, KeyError> {
        static NEXT_EPOCH: AtomicU64 = AtomicU64::new(0);
        let keys: Vec<VerifyKey> = keys.into_iter().take(MAX_KEYS + 1).collect();
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany(MAX_KEYS));
        }
        let mut ids = BTreeSet::new();
        if let Some(id) = keys.iter().filter_map(VerifyKey::id).find(|id| !ids.insert(*id)) {
            return Err(KeyError::DuplicateId(id.to_owned()));
        }
        let secrets = keys.iter().filter(|key| key.algorithm().is_symmetric()).count();
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        if secrets != 0 && secrets != keys.len() {
            return Err(KeyError::Mixed);
        }
        Ok(Self { keys, skipped: Vec::new(), epoch: NEXT_EPOCH.fetch_add(1, Ordering::Relaxed) })
    }

    /// The keys that can check a token whose header names `id` and `algorithm`.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Candidates<'_> {
        let fits = |key: &&VerifyKey| key.algorithm() == algorithm;
        if let Some(named) = self.keys.iter().find(|key| id.is_some() && key.id() == id) {
            return if fits(&named) { Candidates::Named(named) } else { Candidates::OtherAlgorithm };
        }
        // A key without a name may be meant by any name; a token without a name may mean any key.
        let unnamed = self.keys.iter().filter(|key| id.is_none() || key.id().is_none());
        let unnamed: Vec<&VerifyKey> = unnamed.filter(fits).collect();
        if unnamed.is_empty() || unnamed.len() > MAX_GUESSES { Candidates::None } else { Candidates::Unnamed(unnamed) }
    }

    /// The keys in their order.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.keys
    }

    /// The entries that were left out.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// A number no other set in this process has, so that what one set has proven is not taken for another's.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the keys are shared secrets.
    pub fn is_symmetric(&self) -> bool {
        self.keys.iter().any(|key| key.algorithm().is_symmetric())
    }
}

/// The outcome of looking for a key.
///
/// ```
/// use palisade::testing::TestWorld;
/// use palisade::token::{algorithm::Algorithm, jwks::Candidates};
///
/// let keys = TestWorld::new().issuer.key_set();
/// let (name, algorithm) = (keys.keys()[0].id(), keys.keys()[0].algorithm());
/// assert!(matches!(keys.find(name, algorithm), Candidates::Named(_)));
/// // A public key is never taken for a shared secret.
/// assert!(matches!(keys.find(name, Algorithm::Hs256), Candidates::OtherAlgorithm));
/// ```
#[derive(Debug)]
pub enum Candidates<'a> {
    /// The header names this key.
    Named(&'a VerifyKey),
    /// No key fits, or so many fit that trying them would be the attacker's work order.
    None,
    /// The header names a key that is for another algorithm (RFC 8725 section 3.1).
    OtherAlgorithm,
    /// The header names no key of the set; these may be meant.
    Unnamed(Vec<&'a VerifyKey>),
}

/// An entry of a JWK Set that was left out.
///
/// ```
/// use palisade::token::jwks::{KeySet, Skipped};
///
/// let set = KeySet::parse(br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"unheard-of","kid":"b"}
/// ]}"#)?;
/// let [Skipped { position: 1, id: Some(id), reason }] = set.skipped() else { panic!() };
/// println!("the key `{id}` is not used: {reason}");
/// # Ok::<(), palisade::token::jwk::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it stands, from zero.
    pub position: usize,
    /// Its `kid`.
    pub id: Option<String>,
    /// Why it cannot be used.
    pub reason: KeyError,
}

/// Where the keys of an issuer come from.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::token::jwks::{KeySet, KeySource, KeySourceError};
///
/// /// Keys in a vault that has not answered yet.
/// struct Vault;
///
/// #[async_trait::async_trait]
/// impl KeySource for Vault {
///     async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
///         Err(KeySourceError::new("the vault is sealed"))
///     }
///
///     fn current(&self) -> Option<Arc<KeySet>> {
///         None
///     }
///
///     async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
///         self.keys().await
///     }
/// }
/// assert_eq!(Vault.refresh().await.unwrap_err().to_string(), "the vault is sealed");
/// # });
/// ```
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The keys as they are known now.
    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError>;

    /// The keys, if they are known without waiting for anybody.
    fn current(&self) -> Option<Arc<KeySet>>;

    /// The keys after a token named one that is not among them: asked for anew if the source has not just been asked.
    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError>;
}

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct KeySourceError {
    reason: Arc<str>,
}

impl KeySourceError {
    /// With the words of whoever could not answer; for events only.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string().into() }
    }
}

/// Keys that are configured and do not change.
///
/// ```
/// use palisade::token::{jwks::{KeySet, KeySource, StaticKeys}, sign::Signer};
///
/// let signer = Signer::generate_es256("2026-11")?;
/// let keys = StaticKeys::new(KeySet::new([signer.verify_key()?])?);
/// assert_eq!(keys.current().unwrap().keys().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StaticKeys(Arc<KeySet>);

impl StaticKeys {
    /// Serves one set for ever.
    pub fn new(keys: KeySet) -> Self {
        Self(Arc::new(keys))
    }
}

#[async_trait]
impl KeySource for StaticKeys {
    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        Ok(self.0.clone())
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        Some(self.0.clone())
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        Ok(self.0.clone())
    }
}

/// The most keys a set may have.
const MAX_KEYS: usize = 64;

/// The most keys that are tried for one token.
const MAX_GUESSES: usize = 4;
