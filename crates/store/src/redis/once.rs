//! Used-up keys in Redis: one script decides who was first.

use std::time::Duration;

use async_trait::async_trait;
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{OnceStore, StoreError};
use palisade_core::time::Timestamp;

use super::RedisStore;
use crate::digest;

/// The longest time: ten years.
const LONGEST: u64 = 10 * 365 * 86_400_000;

#[async_trait]
impl OnceStore for RedisStore {
    async fn take(&self, key: &OnceKey, ttl: Duration, now: Timestamp) -> Result<Taken, StoreError> {
        let mut call = self.take.prepare_invoke();
        call.key(format!("palisade:once:{}", digest::of_once(key)));
        call.arg(self.moment.named(now).map_or_else(String::new, |now| now.as_millis().to_string()));
        call.arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).min(LONGEST));
        match self.call::<i64>(&call).await? {
            1 => Ok(Taken::First),
            0 => Ok(Taken::Again),
            other => Err(StoreError::Damaged { reason: format!("an answer that is none: {other}") }),
        }
    }
}
