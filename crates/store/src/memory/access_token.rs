//! Opaque access tokens in memory: for tests, and for one process whose users may sign in again after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::port::access_token::{AccessHash, KeptAccess, Which};
use palisade_core::port::{AccessTokenStore, StoreError};
use palisade_core::time::Timestamp;

/// Keeps tokens in memory, at most [`MemoryAccessTokens::TOKENS`] of them; then nobody is given one until some expire.
///
/// ```
/// use palisade_core::port::AccessTokenStore;
/// use palisade_store::memory::MemoryAccessTokens;
///
/// let store: Box<dyn AccessTokenStore> = Box::new(MemoryAccessTokens::default());
/// # let _ = store;
/// ```
#[derive(Debug, Default)]
pub struct MemoryAccessTokens {
    tokens: Mutex<HashMap<AccessHash, KeptAccess>>,
}

impl MemoryAccessTokens {
    /// The most tokens.
    pub const TOKENS: usize = 1 << 18;

    fn lock(&self) -> MutexGuard<'_, HashMap<AccessHash, KeptAccess>> {
        // Every change below is complete before the next statement that could panic.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AccessTokenStore for MemoryAccessTokens {
    async fn keep(&self, token: &KeptAccess, now: Timestamp) -> Result<(), StoreError> {
        let failed = |reason: &str| Err(StoreError::Unreachable { reason: reason.to_owned() });
        let mut tokens = self.lock();
        if tokens.len() >= Self::TOKENS {
            tokens.retain(|_, kept| kept.expires > now);
        }
        if tokens.len() >= Self::TOKENS {
            return failed("there is no room for a token");
        }
        if tokens.contains_key(&token.hash) {
            return failed("there is a token of that hash");
        }
        tokens.insert(token.hash, token.clone());
        Ok(())
    }

    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError> {
        Ok(self.lock().get(hash).cloned())
    }

    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError> {
        let mut tokens = self.lock();
        let before = tokens.len();
        match which {
            Which::Session(session) => tokens.retain(|_, kept| kept.session.as_deref() != Some(session)),
            Which::Subject(subject) => tokens.retain(|_, kept| &*kept.subject != subject),
            Which::Token(hash) => drop(tokens.remove(hash)),
        }
        Ok(u64::try_from(before - tokens.len()).unwrap_or(u64::MAX))
    }
}
