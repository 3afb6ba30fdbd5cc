//! Signing keys that renew themselves, shared by all processes that have one store.
//!
//! [`Keyring::turn`] is called every few minutes, and does what is due: makes the next key, publishes it, destroys what
//! is over. Which key signs follows from the clock ([`super::lifecycle`]) and needs no call. A process that has not seen
//! the store for longer than keys are published ahead signs nothing: there may be a key that it does not know, and its
//! own may be over.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use palisade::core::{port::Clock, secret::Secret};
//! use palisade::crypto::envelope::Envelope;
//! use palisade::testing::StillClock;
//! use palisade::token::{issue::Signing, keyring::Keyring};
//! use palisade_store::memory::MemoryKeys;
//!
//! let clock = Arc::new(StillClock::default());
//! let envelope = Envelope::new("2026", &Secret::new([7; 32]))?;
//! let keyring = Keyring::new("access", Arc::new(MemoryKeys::default()), envelope, clock.clone());
//! assert!(keyring.signer(clock.now()).is_err());
//! keyring.turn().await?;
//! assert!(keyring.signer(clock.now()).is_ok());
//! assert_eq!(keyring.jwks(clock.now())["keys"].as_array().map(Vec::len), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::key::{Added, KeyRecord};
use palisade_core::port::{Clock, KeyStore, StoreError};
use palisade_core::time::Timestamp;
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::issue::Signing;
use super::jwk::KeyError;
use super::jwks::{KeySet, KeySource, KeySourceError};
use super::lifecycle::{KeyPolicy, KeyState, Plan};
use super::sign::{SignError, Signer};
use crate::crypto::envelope::{Envelope, EnvelopeError};

/// The keys of one purpose.
pub struct Keyring {
    purpose: Box<str>,
    algorithm: Algorithm,
    store: Arc<dyn KeyStore>,
    envelope: Envelope,
    clock: Arc<dyn Clock>,
    policy: KeyPolicy,
    view: RwLock<Option<Arc<View>>>,
}

/// What the store held at a moment.
struct View {
    seen: Timestamp,
    records: Vec<KeyRecord>,
    signers: BTreeMap<u32, Arc<Signer>>,
    set: Option<Arc<KeySet>>,
}

impl Keyring {
    /// ES256 keys for `purpose`, by the default policy.
    pub fn new(
        purpose: impl Into<Box<str>>,
        store: Arc<dyn KeyStore>,
        envelope: Envelope,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (algorithm, policy) = (Algorithm::Es256, KeyPolicy::default());
        Self { purpose: purpose.into(), algorithm, store, envelope, clock, policy, view: RwLock::default() }
    }

    /// The same with keys of another algorithm from now on: ES256 or EdDSA.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, SignError> {
        if !matches!(algorithm, Algorithm::Es256 | Algorithm::EdDsa) {
            return Err(SignError::Unsupported(algorithm));
        }
        self.algorithm = algorithm;
        Ok(self)
    }

    /// The same by another policy, which every process must share.
    #[must_use]
    pub fn with_policy(mut self, policy: KeyPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How long the published keys may be kept without asking again (`Cache-Control: max-age`).
    pub fn max_age(&self) -> Duration {
        self.policy.publish_ahead / 4
    }

    /// How often [`Keyring::turn`] is to be called at the least.
    pub fn every(&self) -> Duration {
        self.policy.publish_ahead / 8
    }

    /// Looks at the store and does what is due. Of several processes that find a key due at once one makes it.
    pub async fn turn(&self) -> Result<(), KeyringError> {
        let now = self.clock.now();
        let mut records = self.store.list(&self.purpose).await?;
        if let Some((number, from)) = Plan::of(&records, &self.policy, now).next {
            self.make(number, from, now).await?;
            records = self.store.list(&self.purpose).await?;
        }
        for (number, state) in Plan::of(&records, &self.policy, now).states {
            let holds = |record: &KeyRecord| record.number == number && record.sealed.is_some();
            if state == KeyState::Destroyed && records.iter().any(holds) {
                self.store.destroy(&self.purpose, number).await?;
            }
        }
        self.learn(records, now)
    }

    /// Makes the next key now instead of when it is due. It is published first, as any other; `None` where one waits.
    pub async fn rotate(&self) -> Result<Option<u32>, KeyringError> {
        let now = self.clock.now();
        let records = self.store.list(&self.purpose).await?;
        let made = match Plan::early(&records, &self.policy, now) {
            Some((number, from)) => (self.make(number, from, now).await? == Added::Ours).then_some(number),
            None => None,
        };
        self.turn().await?;
        Ok(made)
    }

    /// Takes a key out of use at once, because somebody else may have it. Verifiers learn of it when they ask again;
    /// whoever has a `Revocations` calls `forget` on it. Says whether this call has done it.
    pub async fn revoke(&self, number: u32) -> Result<bool, KeyringError> {
        let revoked = self.store.revoke(&self.purpose, number, self.clock.now()).await?;
        self.turn().await?;
        Ok(revoked)
    }

    /// All keys and their states, as they were when [`Keyring::turn`] was last called.
    pub fn states(&self, now: Timestamp) -> Vec<(KeyRecord, KeyState)> {
        let Some(view) = self.view() else { return Vec::new() };
        let states = Plan::of(&view.records, &self.policy, now).states;
        view.records.iter().cloned().zip(states).map(|(record, (_, state))| (record, state)).collect()
    }

    /// The published keys as a JWK Set, computed anew each time: none is published longer than its time.
    pub fn jwks(&self, now: Timestamp) -> Value {
        let published = self.states(now).into_iter().filter(|(_, state)| state.is_published());
        let keys: Vec<Value> = published.filter_map(|(record, _)| serde_json::from_str(&record.public).ok()).collect();
        json!({ "keys": keys })
    }

    async fn make(&self, number: u32, active_from: Timestamp, now: Timestamp) -> Result<Added, KeyringError> {
        let id = format!("{}-{number}-{}", self.purpose, now.as_secs());
        let (signer, private) = Signer::generate(self.algorithm, &id)?;
        let public = signer.public_jwk().ok_or(SignError::Failed)?;
        let sealed = self.envelope.seal(&self.purpose, &number.to_string(), private.expose())?;
        let record = KeyRecord {
            purpose: self.purpose.clone(),
            number,
            algorithm: self.algorithm.as_str().into(),
            public: public.to_string().into(),
            sealed: Some(sealed),
            created: now,
            active_from,
            revoked_at: None,
        };
        Ok(self.store.add(&record).await?)
    }

    /// Opens the private half of every key that is published: nobody who can write to the store, but has not the sealing
    /// key, can publish a key of his own.
    fn learn(&self, records: Vec<KeyRecord>, now: Timestamp) -> Result<(), KeyringError> {
        let known = self.view();
        let plan = Plan::of(&records, &self.policy, now);
        let (mut signers, mut published) = (BTreeMap::new(), Vec::new());
        for (record, (number, state)) in records.iter().zip(&plan.states) {
            if !state.is_published() {
                continue;
            }
            let kept = known.as_ref().filter(|view| view.records.contains(record));
            let signer = match kept.and_then(|view| view.signers.get(number)) {
                Some(signer) => Arc::clone(signer),
                None => Arc::new(self.open(record)?),
            };
            published.push(signer.verify_key()?);
            signers.insert(*number, signer);
        }
        let names = |set: &KeySet| set.keys().iter().map(|key| key.id().map(str::to_owned)).collect::<Vec<_>>();
        let set = if published.is_empty() { None } else { Some(Arc::new(KeySet::new(published)?)) };
        // The same keys are the same set, so that what it has proven stays proven.
        let same = known.as_ref().and_then(|view| view.set.clone());
        let set = match (same, set) {
            (Some(old), Some(new)) if names(&old) == names(&new) => Some(old),
            (_, new) => new,
        };
        let view = Arc::new(View { seen: now, records, signers, set });
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(view);
        Ok(())
    }

    fn open(&self, record: &KeyRecord) -> Result<Signer, KeyringError> {
        let damaged = || KeyringError::Damaged(record.number);
        let sealed = record.sealed.as_deref().ok_or_else(damaged)?;
        let private = self.envelope.open(&self.purpose, &record.number.to_string(), sealed)?;
        let public: Value = serde_json::from_str(&record.public).map_err(|_| damaged())?;
        let id = public.get("kid").and_then(Value::as_str).ok_or_else(damaged)?;
        let algorithm = Algorithm::parse(&record.algorithm).ok_or_else(damaged)?;
        let signer = Signer::from_pkcs8(algorithm, id, &private)?;
        if signer.public_jwk().as_ref() == Some(&public) { Ok(signer) } else { Err(damaged()) }
    }

    fn view(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Signing for Keyring {
    fn signer(&self, now: Timestamp) -> Result<Arc<Signer>, SignError> {
        // INVARIANT: a key that others have made since this view was taken does not sign before this view is too old.
        let view = self.view().filter(|view| now.since(view.seen) < self.policy.publish_ahead / 2);
        let view = view.ok_or(SignError::NoKey)?;
        let active = Plan::of(&view.records, &self.policy, now).active();
        active.and_then(|number| view.signers.get(&number).cloned()).ok_or(SignError::NoKey)
    }
}

#[async_trait]
impl KeySource for Keyring {
    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.current().ok_or_else(|| KeySourceError::new("there is no key yet"))
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        self.view()?.set.clone()
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        // A token that names an unknown key is no reason to ask the store: `turn` does, often enough.
        self.keys().await
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Why keys could not be had.
///
/// ```
/// use palisade::token::keyring::KeyringError;
///
/// assert_eq!(KeyringError::Damaged(3).to_string(), "the key 3 in the store is damaged");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// A key in the store is not what it says.
    #[error("the key {0} in the store is damaged")]
    Damaged(u32),
    /// A private half cannot be opened.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// A published key is refused.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// No key could be made.
    #[error("{0}")]
    Sign(#[from] SignError),
    /// The store does not answer.
    #[error("{0}")]
    Store(#[from] StoreError),
}
