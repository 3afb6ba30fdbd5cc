//! What an operator does with signing keys by hand: look at them, have the next one early, take one out of use.

use std::sync::Arc;

use palisade::core::port::{Clock as _, StoreError};
use palisade::core::time::Timestamp;
use palisade::crypto::envelope::{Envelope, EnvelopeError};
use palisade::token::keyring::{Keyring, KeyringError};
use palisade::token::lifecycle::{KeyPolicy, Plan};
use palisade_store::clock::SystemClock;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};

/// The keys of one purpose in one store.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_gateway::keys::Keys;
///
/// let keys = Keys::open("memory:", "access").await?;
/// assert!(keys.list().await?.is_empty());
/// // `openssl rand -base64 32`, behind a name.
/// let file = "2026-11 BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// assert_eq!(keys.rotate(file).await?, Some(1));
/// assert_eq!(keys.list().await?[0].state, "active");
/// # Ok::<(), palisade_gateway::keys::KeysError>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Keys {
    records: Records,
    purpose: Box<str>,
}

/// One key, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// Its state.
    pub state: &'static str,
    /// Its algorithm.
    pub algorithm: Box<str>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it signs.
    pub active_from: Timestamp,
}

impl Keys {
    /// Opens the store.
    pub async fn open(url: &str, purpose: &str) -> Result<Self, KeysError> {
        Ok(Self { records: Records::open(&Place::new(url)).await?, purpose: purpose.into() })
    }

    /// All keys. Changes nothing, and needs no key that opens them.
    pub async fn list(&self) -> Result<Vec<Listed>, KeysError> {
        let records = self.records.keys.list(&self.purpose).await?;
        let states = Plan::of(&records, &KeyPolicy::default(), SystemClock.now()).states;
        let listed = records.into_iter().zip(states).map(|(record, (number, state))| Listed {
            number,
            state: state.as_str(),
            algorithm: record.algorithm,
            created: record.created,
            active_from: record.active_from,
        });
        Ok(listed.collect())
    }

    /// Makes the next key early, sealed with the first key of the file. `None` where one waits already.
    pub async fn rotate(&self, file: &str) -> Result<Option<u32>, KeysError> {
        Ok(self.keyring(file)?.rotate().await?)
    }

    /// Takes a key out of use at once. Says whether this call has done it.
    pub async fn revoke(&self, file: &str, number: u32) -> Result<bool, KeysError> {
        Ok(self.keyring(file)?.revoke(number).await?)
    }

    fn keyring(&self, file: &str) -> Result<Keyring, KeysError> {
        let envelope = Envelope::parse(file)?;
        Ok(Keyring::new(self.purpose.clone(), Arc::clone(&self.records.keys), envelope, Arc::new(SystemClock)))
    }
}

/// Why nothing could be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file of sealing keys is not one.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// Keys could not be made or opened.
    #[error("{0}")]
    Keyring(#[from] KeyringError),
    /// The store cannot be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The store does not answer.
    #[error("{0}")]
    Store(#[from] StoreError),
}
