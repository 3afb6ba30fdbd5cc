//! Using something exactly once: nonces, authorization codes, proofs of possession.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Remembers what has been used.
///
/// ```
/// use std::{collections::HashSet, sync::Mutex, time::Duration};
/// use palisade_core::port::once::{OnceKey, Taken};
/// use palisade_core::port::{OnceStore, StoreError};
/// use palisade_core::time::Timestamp;
///
/// /// Remembers for ever, in one process.
/// #[derive(Default)]
/// struct Memory(Mutex<HashSet<String>>);
///
/// #[async_trait::async_trait]
/// impl OnceStore for Memory {
///     async fn take(&self, key: &OnceKey, _: Duration, _: Timestamp) -> Result<Taken, StoreError> {
///         let is_new = self.0.lock().unwrap().insert(key.as_str().to_owned());
///         Ok(if is_new { Taken::First } else { Taken::Again })
///     }
/// }
/// # let _ = Memory::default();
/// ```
#[async_trait]
pub trait OnceStore: Send + Sync + 'static {
    /// Uses `key` up. Of any number of parallel calls with the same key exactly one is [`Taken::First`]; after `ttl`
    /// the key is forgotten.
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError>;
}

/// What is used: a purpose and a value that is unique within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OnceKey(Box<str>);

impl OnceKey {
    /// A value within a purpose. The parts cannot run into each other, whatever they contain.
    pub fn new(purpose: &str, value: &str) -> Self {
        Self(format!("{}:{purpose}:{value}", purpose.len()).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outcome of using a key up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was used before: a replay.
    Again,
    /// It was unused until now.
    First,
}
