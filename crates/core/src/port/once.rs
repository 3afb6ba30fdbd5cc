//! Using something exactly once: nonces, authorization codes, proofs of possession.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::time::Timestamp;

/// Remembers what has been used.
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
